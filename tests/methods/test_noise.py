"""SmoothGrad against what is known of it: by arithmetic for a linear model, by statistics for a quadratic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from saliency_widget.attribution import Attribution
from saliency_widget.errors import InputError
from saliency_widget.explainer import explain
from saliency_widget.methods.base import Method
from saliency_widget.methods.gradient import Gradient
from saliency_widget.methods.moments import STATISTICS, Moments, Spread
from saliency_widget.methods.noise import SmoothGrad
from saliency_widget.methods.sampling import batches, rank_agreement
from tests.engine.support import fill, picture, problem_of, relative
from tests.engine.test_exact import Convolutional, Linear
from tests.methods.support import Constant, Quadratic, last, model_of_pixels, peak_of

DTYPES = [torch.float64, torch.float32, torch.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_linear_model_has_its_weights_no_variance_and_agreement_one(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model, prepared = Linear().to(dtype), picture(4, 4)
    plain = last(Gradient(), problem_of(model, prepared, [1, 3]))
    found = last(SmoothGrad(37), problem_of(model, prepared, [1, 3]))
    scale = plain.values.abs().max()
    assert (found.values - plain.values).abs().max() <= torch.finfo(torch.float32).eps * scale
    assert found.extras["variance"].min() >= 0
    assert found.extras["variance"].max() <= torch.finfo(dtype).eps ** 2 * scale**2
    for quality in found.quality:
        assert quality["agreement"] == pytest.approx(1, abs=1e-12)
        assert quality["standard_error"] <= torch.finfo(dtype).eps
    assert torch.equal(found.scores, plain.scores)


def test_the_variance_is_never_negative_as_it_is_by_a_difference_of_means() -> None:
    torch.manual_seed(0)
    model = fill(Convolutional())
    prepared = picture(12, 12)
    method = SmoothGrad(25, 1e-4, "variance")
    problem = problem_of(model, prepared, [2])
    found = last(method, problem)
    assert found.values.min() >= 0
    # The peer computes E[g^2] - E[g]^2 in the model's type.
    captum_attr = pytest.importorskip("captum.attr")
    state = torch.get_rng_state()
    tunnel = captum_attr.NoiseTunnel(captum_attr.Saliency(model_of_pixels(model, prepared)))
    peer = tunnel.attribute(problem.pixels[None], nt_type="vargrad", nt_samples=25, stdevs=1e-4, target=2, abs=False)
    assert (peer < 0).any()
    assert not torch.equal(torch.get_rng_state(), state)


def test_a_quadratic_has_the_mean_the_variance_and_the_errors_that_are_known() -> None:
    model, prepared = Quadratic(1, 24), picture(24, 24, matrix="identity")
    noise, samples = 0.3, 64
    found = {
        name: last(SmoothGrad(samples, noise, name, seed=5), problem_of(model, prepared, [0])) for name in STATISTICS
    }
    a, x = model.a.detach(), prepared.input.double()
    mean, deviation = a * x, a.abs() * noise
    # |g| of a normal g: the folded normal distribution.
    z = mean / deviation
    folded = deviation * (2 / np.pi) ** 0.5 * (-(z**2) / 2).exp() + mean * torch.erf(z / 2**0.5)
    wanted = {"mean": mean, "mean_abs": folded, "square": mean**2 + deviation**2, "variance": deviation**2}
    errors = {
        "mean": deviation / samples**0.5,
        "mean_abs": ((mean**2 + deviation**2 - folded**2) / samples).sqrt(),
        "square": ((4 * mean**2 * deviation**2 + 2 * deviation**4) / samples).sqrt(),
        "variance": deviation**2 * (2 / (samples - 1)) ** 0.5,
    }
    for name in STATISTICS:
        values, error = found[name].values, found[name].extras["standard_error"]
        # 1,728 pixels: the mean of their squared distances, in units of the true error, is 1 to a few percent.
        score = (values - wanted[name]) / errors[name]
        assert abs(float(score.mean())) < 0.1, name
        assert float(score.square().mean()) == pytest.approx(1, abs=0.15), name
        assert float((error / errors[name]).mean()) == pytest.approx(1, abs=0.05), name
        relative_error = found[name].quality[0]["standard_error"]
        assert relative_error == pytest.approx(float(error.sum() / values.abs().sum()), rel=1e-9)


def test_all_statistics_come_from_the_same_samples() -> None:
    model = fill(Convolutional().double())
    found = {name: last(SmoothGrad(9, 0.2, name), problem_of(model, picture(12, 12), [0, 4])) for name in STATISTICS}
    for name, estimate in found.items():
        assert set(estimate.extras) == {*STATISTICS, "standard_error"} - {name}
        for other in set(STATISTICS) - {name}:
            assert torch.equal(estimate.extras[other], found[other].values)
    mean, square = found["mean"].values, found["square"].values
    assert relative(square - mean**2, found["variance"].values * 8 / 9) < 1e-9
    assert (found["mean_abs"].values >= mean.abs() - 1e-15).all()


def test_one_sample_without_noise_is_the_plain_gradient() -> None:
    model, prepared = fill(Convolutional()), picture(12, 12)
    estimates = list(SmoothGrad(1, 0).estimates(problem_of(model, prepared, [1])))
    assert len(estimates) == 1
    assert torch.equal(estimates[0].values, last(Gradient(), problem_of(model, prepared, [1])).values)
    assert estimates[0].quality == ({},)
    assert set(estimates[0].extras) == {"mean_abs", "square"}
    several = last(SmoothGrad(5, 0), problem_of(model, prepared, [1]))
    assert several.quality[0]["standard_error"] < 1e-6


def test_same_seed_same_map_and_other_chunks_only_round() -> None:
    model, prepared = fill(Convolutional().double()), picture(12, 12)
    method = SmoothGrad(23, seed=7)
    state = torch.get_rng_state()
    first = last(method, problem_of(model, prepared, [1], chunk=4))
    torch.rand(3)
    again = last(method, problem_of(model, prepared, [1], chunk=4))
    assert torch.equal(first.values, again.values)
    torch.set_rng_state(state)
    for chunk in (1, 5, 64):
        other = last(method, problem_of(model, prepared, [1], chunk=chunk))
        assert relative(other.values, first.values) < 1e-12
        assert other.quality[0]["agreement"] == pytest.approx(first.quality[0]["agreement"], abs=1e-9)
    assert torch.equal(torch.get_rng_state(), state)
    assert relative(last(SmoothGrad(23, seed=8), problem_of(model, prepared, [1])).values, first.values) > 0.01


def test_targets_share_the_noise() -> None:
    model, prepared = fill(Convolutional().double()), picture(12, 12)
    both = last(SmoothGrad(6), problem_of(model, prepared, [1, 3, 1]))
    assert torch.equal(both.values[0], both.values[2])
    alone = last(SmoothGrad(6), problem_of(model, prepared, [3]))
    assert relative(both.values[1], alone.values[0]) < 1e-12


def test_a_longer_run_goes_through_the_shorter_one() -> None:
    model, prepared = fill(Convolutional().double()), picture(12, 12)
    short = list(SmoothGrad(7).estimates(problem_of(model, prepared, [1], chunk=4)))
    long = list(SmoothGrad(40).estimates(problem_of(model, prepared, [1], chunk=4)))
    assert [estimate.done for estimate in short] == [0, 1, 3, 7]
    assert [estimate.done for estimate in long][:5] == [0, 1, 3, 7, 11]
    assert torch.equal(short[3].values, long[3].values)
    assert long[1].extras.keys() == {"mean_abs", "square"}
    # What was given out does not change afterwards.
    again = SmoothGrad(2).estimates(problem_of(model, prepared, [1]))
    assert torch.equal(long[0].values, next(again).values)
    assert torch.equal(long[1].values, next(again).values)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_plain_gradient_comes_first_where_it_is_like_the_map(statistic: str) -> None:
    model, prepared = fill(Convolutional().double()), picture(12, 12)
    problem = problem_of(model, prepared, [1, 3])
    scores, plain = problem.gradients(problem.pixels[None])
    wanted = {"mean": plain[0], "mean_abs": plain[0].abs(), "square": plain[0].square()}
    found = list(SmoothGrad(6, statistic=statistic).estimates(problem))
    if statistic == "variance":
        assert [estimate.done for estimate in found] == [3, 6]
    else:
        assert torch.equal(found[0].values, wanted[statistic])
        assert (found[0].done, found[0].final, found[0].quality) == (0, False, ({}, {}))
        assert found[0].extras.keys() == wanted.keys() - {statistic}
    assert all(torch.equal(estimate.scores, scores[0]) for estimate in found)
    # Of one sample there is nothing to wait for.
    (only,) = SmoothGrad(1).estimates(problem)
    assert only.final


def test_closing_the_generator_stops_the_work() -> None:
    passes = []

    class Counting(Convolutional):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            passes.append(len(x))
            return super().forward(x)

    estimates = SmoothGrad(100).estimates(problem_of(fill(Counting()), picture(12, 12), [1], chunk=2))
    for _ in range(3):
        next(estimates)
    estimates.close()
    # The first pass of a shadow is made twice.
    assert passes == [1, 1, 1, 2]


def test_a_map_that_is_zero_is_zero_and_one_that_is_nan_is_nan() -> None:
    zero = last(SmoothGrad(4), problem_of(Constant(), picture(4, 4), [0]))
    assert not zero.values.any()
    assert zero.quality == ({"standard_error": 0.0},)
    model = Constant()
    with torch.no_grad():
        model.w.fill_(float("nan"))
    nan = last(SmoothGrad(4), problem_of(model, picture(4, 4), [0]))
    assert nan.values.isnan().all()
    assert nan.quality == ({},)


def test_noise_is_a_fraction_of_the_range() -> None:
    seen: list[torch.Tensor] = []

    class Recording(Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.detach().clone())
            return super().forward(x)

    prepared = picture(4, 4, matrix="identity")
    last(SmoothGrad(300, 0.2), problem_of(Recording().double(), prepared, [0]))
    noise = torch.cat(seen[1:]) - prepared.input.double()
    assert float(noise.std()) == pytest.approx(0.2, rel=0.02)
    assert abs(float(noise.mean())) < 0.01
    seen.clear()
    own = type(prepared)(
        **{**vars(prepared), "pixels": prepared.pixels * 40, "matrix": prepared.matrix / 40, "variable": "input unit"}
    )
    problem = problem_of(Recording().double(), own, [0])
    last(SmoothGrad(300, 0.2), problem)
    noise = (torch.cat(seen[1:]) - own.input.double()) * 40
    assert float(noise.std()) == pytest.approx(0.2 * float(problem.pixels.max() - problem.pixels.min()), rel=0.02)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_memory_does_not_grow_with_the_samples(statistic: str) -> None:
    model, prepared = fill(Convolutional()), picture(16, 16)
    few, many = (
        peak_of(SmoothGrad(samples, statistic=statistic), problem_of(model, prepared, [0, 1], chunk=2))
        for samples in (8, 512)
    )
    assert many < 1.1 * few


class Hoarding(SmoothGrad):
    """Keeps all of its estimates."""

    def compute(self, problem):  # type: ignore[no-untyped-def]
        kept = []
        for estimate in super().compute(problem):
            kept.append(estimate)
            yield estimate


def test_the_measure_of_memory_sees_what_grows() -> None:
    model, prepared = fill(Convolutional()), picture(16, 16)
    few, many = (peak_of(Hoarding(samples), problem_of(model, prepared, [0], chunk=2)) for samples in (8, 128))
    assert many > 1.5 * few


@pytest.mark.parametrize(
    ("parameters", "argument"),
    [
        ({"samples": 0}, "samples"),
        ({"samples": 2.5}, "samples"),
        ({"samples": True}, "samples"),
        ({"noise": -0.1}, "noise"),
        ({"noise": 15}, "noise"),
        ({"noise": float("nan")}, "noise"),
        ({"statistic": "median"}, "statistic"),
        ({"statistic": None}, "statistic"),
        ({"samples": 1, "statistic": "variance"}, "samples"),
        ({"seed": -1}, "seed"),
        ({"seed": 0.5}, "seed"),
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, object], argument: str) -> None:
    with pytest.raises(InputError, match=f"{argument}="):
        SmoothGrad(**parameters)  # type: ignore[arg-type]


def test_moments_equal_numpys_however_they_are_joined() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(3, 2, (41, 5)) ** 3
    parts = [Moments(torch.zeros(5, dtype=torch.float64), 4) for _ in range(3)]
    for i, sample in enumerate(samples):
        parts[0 if i < 5 else 1].add(torch.from_numpy(sample))
    joined = parts[2].joined(parts[0]).joined(parts[1]).joined(parts[2])
    assert joined.count == 41
    assert np.allclose(joined.mean, samples.mean(0), rtol=1e-12)
    for order, found in zip((2, 3, 4), joined.sums, strict=True):
        assert np.allclose(found, ((samples - samples.mean(0)) ** order).sum(0), rtol=1e-9), order
    assert Spread(torch.zeros(2)).statistic("mean") is None


def test_rank_agreement_is_spearmans_with_mean_ranks_for_ties() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randint(-4, 5, (2, 1, 3, 9, 11), generator=generator)
    expected = spearmanr(one.abs().amax(1).flatten(), other.abs().amax(1).flatten()).statistic
    assert rank_agreement(one.float(), other.float())[0] == pytest.approx(expected, abs=1e-12)
    assert rank_agreement(one.float(), -7 * one.float()) == [1.0]
    assert rank_agreement(one.float(), torch.ones(1, 3, 9, 11)) == [None]


def test_batches_start_small_and_follow_the_problem() -> None:
    problem = problem_of(Linear(), picture(4, 4), [0], chunk=6)
    assert list(batches(20, problem)) == [(0, 1), (1, 3), (3, 7), (7, 13), (13, 19), (19, 20)]
    assert list(batches(1, problem)) == [(0, 1)]
    assert list(batches(9, problem_of(Linear(), picture(4, 4), [0], chunk=1))) == [(i, i + 1) for i in range(9)]


@pytest.mark.parametrize(
    ("method", "unit"),
    [
        (Gradient(), "logit per input unit"),
        (SmoothGrad(3), "logit per input unit"),
        (SmoothGrad(3, statistic="mean_abs"), "logit per input unit"),
        (SmoothGrad(3, statistic="square"), "(logit per input unit)^2"),
        (SmoothGrad(3, statistic="variance"), "(logit per input unit)^2"),
    ],
    ids=str,
)
def test_the_unit_says_what_the_numbers_are(method: Method, unit: str) -> None:
    found = explain(fill(Convolutional()), torch.rand(3, 12, 12), target=0, method=method)
    assert isinstance(found, Attribution)
    assert found.unit == unit


def test_the_standard_error_is_saved_with_the_map(tmp_path: Path) -> None:
    found = explain(fill(Convolutional()), torch.rand(3, 12, 12), target=0, method=SmoothGrad(4))
    assert isinstance(found, Attribution)
    error = found.extras["standard_error"]
    assert error.shape == found.values.shape
    assert error.dtype == np.float32
    assert not error.flags.writeable
    assert found.quality["standard_error"] == pytest.approx(error.sum() / np.abs(found.values).sum(), rel=1e-4)
    found.save(tmp_path / "map.npz")
    loaded = Attribution.load(tmp_path / "map.npz")
    assert loaded.extras.keys() == found.extras.keys() == {"mean_abs", "square", "variance", "standard_error"}
    assert all(np.array_equal(loaded.extras[name], found.extras[name]) for name in found.extras)
    assert loaded.quality == found.quality
