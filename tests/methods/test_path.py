"""Integrated gradients: exact answers, nested points, constant memory."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods import line
from saliency_widget.methods.base import Estimate, Method
from saliency_widget.methods.blur_path import BlurIG
from saliency_widget.methods.expected import ExpectedGradients
from saliency_widget.methods.path import IntegratedGradients
from saliency_widget.models.preprocess import Prepared
from saliency_widget.targets import Logit, Probability, Target
from tests.engine.support import MATRICES, fill, picture, problem_of, relative
from tests.engine.test_exact import Convolutional, Linear


class Rectified(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, stride=2), nn.ReLU(), nn.Flatten()
        )
        self.head = nn.LazyLinear(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x))


class Smooth(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.GELU(), nn.AvgPool2d(2), nn.Conv2d(8, 8, 3), nn.Softplus()
        )
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x).mean((2, 3)))


def rectified() -> nn.Module:
    torch.manual_seed(0)
    model = Rectified()
    model(torch.zeros(1, 3, 12, 12))
    return model.double().eval()


def estimates(
    model: nn.Module, prepared: Prepared, method: IntegratedGradients, *targets: Target | int, **options: Any
) -> list[Estimate]:
    return list(method.estimates(problem_of(model, prepared, targets or (0,), **options)))


def explained(model: nn.Module, prepared: Prepared, method: IntegratedGradients, *targets: Target | int) -> Tensor:
    return estimates(model, prepared, method, *targets)[-1].values


class Watched:
    """A problem that remembers where on the path from black it was asked for gradients."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.points: list[float] = []
        self.rows: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._problem, name)

    def gradients(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        pixels = self._problem.pixels
        self.points += [float((row * pixels).sum() / (pixels * pixels).sum()) for row in batch]
        self.rows.append(len(batch))
        return self._problem.gradients(batch)


def watched(steps: int, **options: Any) -> tuple[list[float], list[Estimate]]:
    problem = Watched(problem_of(rectified(), picture(12, 12), [1], **options))
    found = list(IntegratedGradients(steps=steps).compute(problem))  # type: ignore[arg-type]
    return problem.points, found


# -- exact answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("steps", [5, 8, 33, 100])
@pytest.mark.parametrize("baseline", ["black", "white", "mean", "noise", (0.1, 0.5, 0.9)])
def test_on_a_linear_model_every_estimate_is_the_weight_times_the_difference(
    matrix: str, steps: int, baseline: Any
) -> None:
    model, prepared = Linear().double(), picture(4, 4, matrix=matrix)
    problem = problem_of(model, prepared, [2])
    method = IntegratedGradients(steps=steps, baseline=baseline)
    gradient = problem.gradients(problem.pixels[None])[1][0, 0]
    from saliency_widget.methods.baselines import make_baseline, several

    start = make_baseline(several(method.baseline)[0], problem.pixels, seed=0)
    wanted = gradient * (problem.pixels - start)
    for estimate in method.estimates(problem):
        assert relative(estimate.values[0], wanted) < 1e-12
    assert estimate.quality[0]["completeness_gap"] < 1e-10
    assert estimate.quality[0]["expected_error"] < 1e-7


def test_a_linear_models_map_is_whole_where_captums_trapezoid_is_short() -> None:
    # Captum's riemann_trapezoid has weights that sum to (n - 1) / n.
    captum = pytest.importorskip("captum.attr")
    model, prepared = Linear().double(), picture(4, 4, matrix="identity")
    x = prepared.input.double()[None]
    short = captum.IntegratedGradients(lambda t: model(t)[:, 2]).attribute(
        x, baselines=prepared.offset[None, :, None, None].expand_as(x), n_steps=10, method="riemann_trapezoid"
    )
    ours = explained(model, prepared, IntegratedGradients(steps=10), 2)
    assert relative(short[0], ours[0]) == pytest.approx(0.1, abs=1e-6)


def test_a_quadratic_is_met_up_to_the_rule() -> None:
    class Quadratic(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.square().sum((1, 2, 3))[:, None]

    prepared = picture(4, 4, matrix="identity")
    found = explained(Quadratic().double(), prepared, IntegratedGradients(steps=200))[0]
    # From black, the input is offset + alpha * pixels: the mean of its double is 2 offset + pixels.
    wanted = (2 * prepared.offset[:, None, None] + prepared.pixels) * prepared.pixels
    # The trapezoid rule is exact for it; what is left is the gap at the baseline, a^2 / 2 of the change.
    assert relative(found, wanted) < 1e-4


def test_completeness_on_a_smooth_net() -> None:
    model, prepared = fill(Smooth().double()), picture(12, 12)
    gaps = [
        estimates(model, prepared, IntegratedGradients(steps=steps), 3)[-1].quality[0]["completeness_gap"]
        for steps in (16, 1024)
    ]
    assert gaps[1] < 1e-5
    assert gaps[1] < gaps[0] / 100


def test_against_captum_with_a_fine_rule() -> None:
    captum = pytest.importorskip("captum.attr")
    model, prepared = fill(Smooth().double()), picture(12, 12)
    matrix, offset = prepared.matrix, prepared.offset

    def score(pixels: Tensor) -> Tensor:
        return model(torch.einsum("dc,nchw->ndhw", matrix, pixels) + offset[:, None, None])[:, 3]

    wanted = captum.IntegratedGradients(score).attribute(
        prepared.pixels[None], n_steps=800, method="gausslegendre", internal_batch_size=100
    )
    found = explained(model, prepared, IntegratedGradients(steps=1024), 3)
    assert relative(found[0], wanted[0]) < 1e-5


def test_a_rectifier_net_is_met_at_a_rate_and_the_error_was_expected() -> None:
    model, prepared = rectified(), picture(12, 12)
    wanted = explained(model, prepared, IntegratedGradients(steps=4096), 1)
    ratios = []
    for estimate in estimates(model, prepared, IntegratedGradients(steps=256), 1):
        expected = estimate.quality[0]["expected_error"]
        if estimate.done >= 16:
            ratios.append(relative(estimate.values, wanted) / expected)
    assert relative(estimate.values, wanted) < 0.01
    assert 0.3 < float(np.mean(ratios)) < 2


# -- any-time, nested ---------------------------------------------------------------------------------------------


def test_the_first_estimate_is_the_gradient_of_the_picture_times_the_difference() -> None:
    model, prepared = rectified(), picture(12, 12)
    problem = problem_of(model, prepared, [1])
    run = IntegratedGradients(steps=16).estimates(problem)
    first = next(run)
    assert (first.done, first.final) == (1, False)
    wanted = problem.gradients(problem.pixels[None])[1][0] * problem.pixels
    assert relative(first.values, wanted) < 1e-14
    run.close()
    assert next(iter(IntegratedGradients(steps=16).estimates(problem))).done == 1


@pytest.mark.parametrize("longer", [32, 64, 500])
def test_a_longer_run_passes_through_the_shorter_ones_points_and_result(longer: int) -> None:
    few, short = watched(16)
    many, long = watched(longer)
    assert few == many[: len(few)]
    assert len(few) == 16
    assert len(set(many)) == len(many) <= longer
    same = [estimate for estimate in long if estimate.done == 16]
    assert torch.equal(same[0].values, short[-1].values)


@pytest.mark.parametrize("steps", [5, 6, 7, 11, 16, 23, 64, 100, 301])
def test_a_run_spends_what_it_may_and_no_more(steps: int) -> None:
    points, found = watched(steps)
    assert found[-1].done == found[-1].total == len(points) <= steps
    assert len(points) >= 0.85 * steps
    assert [estimate.done for estimate in found] == sorted(estimate.done for estimate in found)
    assert all(estimate.done <= estimate.total for estimate in found)


def test_points_go_to_where_the_gradient_changes() -> None:
    class Kinks(nn.Module):
        """All kinks between 0.1 and 0.2 of the path."""

        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.weights = nn.Parameter(torch.randn(200, 3 * 16))
            self.out = nn.Parameter(torch.randn(200))
            at = torch.linspace(0.1, 0.2, 200)
            self.register_buffer("bias", -at)

        def forward(self, x: Tensor) -> Tensor:
            whole = (self.weights @ self.picture.flatten())[None]
            return (((x.flatten(1) @ self.weights.T) / whole + self.bias).relu() @ self.out)[:, None]

    model, prepared = Kinks().double(), picture(4, 4, matrix="identity")
    prepared = Prepared(**{**vars(prepared), "offset": prepared.offset * 0, "input": prepared.pixels.float()})
    model.picture = prepared.pixels
    problem = Watched(problem_of(model, prepared, [0]))
    list(IntegratedGradients(steps=64).compute(problem))  # type: ignore[arg-type]
    inside = sum(0.08 < point < 0.27 for point in problem.points)
    assert inside > 40


def test_a_tolerance_stops_the_run_and_another_goes_on_until_then() -> None:
    model, prepared = rectified(), picture(12, 12)
    loose = estimates(model, prepared, IntegratedGradients(steps=None, tolerance=0.2), 1)[-1]
    strict = estimates(model, prepared, IntegratedGradients(steps=None, tolerance=0.02), 1)[-1]
    assert loose.quality[0]["map_change"] <= 0.2
    assert strict.quality[0]["map_change"] <= 0.02
    assert 16 <= loose.done < strict.done
    assert estimates(model, prepared, IntegratedGradients(steps=16, tolerance=0.0), 1)[-1].done == 16
    assert estimates(Linear().double(), picture(4, 4), IntegratedGradients(steps=None, tolerance=1e-9))[-1].done == 16


# -- several targets, several baselines ---------------------------------------------------------------------------


def test_targets_share_points_and_equal_single_ones_at_these_points(monkeypatch: pytest.MonkeyPatch) -> None:
    model, prepared = rectified(), picture(12, 12)
    targets = [Logit(1), Probability(0), Logit(3)]
    together = Watched(problem_of(model, prepared, targets))
    *_, last = IntegratedGradients(steps=64).compute(together)  # type: ignore[arg-type]
    assert len(together.points) == 64
    # By hand, at the same points, each with the width of the path that is nearest to it.
    order = np.argsort(together.points)
    places = np.array(together.points)[order]
    edges = np.concatenate([[0], (places[1:] + places[:-1]) / 2, [1]])
    for k, target in enumerate(targets):
        problem = problem_of(model, prepared, [target])
        batch = torch.stack([place * problem.pixels for place in places])
        _, gradients = problem.gradients(batch)
        wanted = torch.einsum("n,nchw->chw", torch.from_numpy(np.diff(edges)), gradients[:, 0]) * problem.pixels
        assert relative(last.values[k], wanted) < 1e-9


def test_equal_targets_place_points_like_one() -> None:
    model, prepared = rectified(), picture(12, 12)
    one = explained(model, prepared, IntegratedGradients(steps=40), 1)
    three = explained(model, prepared, IntegratedGradients(steps=40), 1, 1, 1)
    assert relative(three[2], one[0]) < 1e-12


def test_several_baselines_are_averaged_and_share_the_picture() -> None:
    model, prepared = rectified(), picture(12, 12)
    names = ["black", "white", (0.2, 0.4, 0.6)]
    problem = Watched(problem_of(model, prepared, [1]))
    found = list(IntegratedGradients(steps=16, baseline=names).compute(problem))  # type: ignore[arg-type]
    alone = [explained(model, prepared, IntegratedGradients(steps=16, baseline=name), 1) for name in names]
    assert relative(found[-1].values, sum(alone) / 3) < 1e-12  # type: ignore[arg-type]
    assert found[-1].done == found[-1].total == len(problem.points) == 1 + 3 * 15
    assert [estimate.final for estimate in found] == [False] * (len(found) - 1) + [True]
    assert found[-1].quality[0]["baselines"] == 3


# -- promises -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 3, 50])
def test_chunks_do_not_matter(chunk: int) -> None:
    points, found = watched(40)
    others, cut = watched(40, chunk=chunk)
    assert np.allclose(points, others, atol=1e-12)
    assert relative(cut[-1].values, found[-1].values) < 1e-12


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_every_type(dtype: torch.dtype) -> None:
    prepared = picture(12, 12)
    exact = explained(rectified(), prepared, IntegratedGradients(steps=32), 1)
    found = explained(rectified().to(dtype), prepared, IntegratedGradients(steps=32), 1)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert relative(found.double(), exact) < {torch.bfloat16: 0.3, torch.float32: 1e-2, torch.float64: 1e-15}[dtype]


def test_a_nan_is_kept_and_ends() -> None:
    class Broken(Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * torch.where(x.sum((1, 2, 3)) < -80, torch.nan, 1.0)[:, None]

    found = estimates(Broken(), picture(4, 4), IntegratedGradients(steps=64))
    assert found[-1].done >= 54
    assert found[-1].values.isnan().any()


class _Peak(TorchDispatchMode):
    """The most bytes that tensors made inside held at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: Any) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        size = storage.nbytes()
        self.now += size
        self.most = max(self.most, self.now)

        def gone() -> None:
            self._known.discard(key)
            self.now -= size

        weakref.finalize(storage, gone)


def peak(method: Method) -> int:
    problem = problem_of(fill(Convolutional()), picture(48, 48), [0, 1], chunk=4)
    problem.gradients(problem.pixels[None])
    gc.collect()
    mode = _Peak()
    with mode:
        for _ in method.estimates(problem):
            pass
    return mode.most


@pytest.mark.parametrize(
    ("method", "count"), [(IntegratedGradients, "steps"), (BlurIG, "steps"), (ExpectedGradients, "samples")]
)
def test_memory_does_not_depend_on_the_number_of_gradients(method: type[Method], count: str) -> None:
    # With 16 there is one batch that is full, whether the first one is or not.
    few, many = peak(method(**{count: 16})), peak(method(**{count: 512}))
    assert many <= 1.1 * few


def test_no_more_gradients_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[line.Line] = []
    make = line.Line.__init__

    def remember(self: line.Line, *args: Any) -> None:
        make(self, *args)
        lines.append(self)

    monkeypatch.setattr(line.Line, "__init__", remember)
    explained(rectified(), picture(12, 12), IntegratedGradients(steps=3000), 1)
    assert len(lines[0]._panels) <= line.MOST
    widths = [panel.right - panel.left for panel in lines[0]._panels]
    assert sum(widths) + lines[0]._left == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("parameters", "argument"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 4}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"steps": True}, "steps"),
        ({"steps": None}, "steps"),
        ({"tolerance": -1}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"tolerance": "little"}, "tolerance"),
        ({"baseline": "blak"}, "baseline"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
    ],
)
def test_bad_parameters_are_named(parameters: dict[str, Any], argument: str) -> None:
    with pytest.raises(InputError, match=f"^{argument}="):
        IntegratedGradients(**parameters)


def test_a_baseline_that_does_not_fit_is_refused_before_any_work() -> None:
    problem = Watched(problem_of(rectified(), picture(12, 12), [1]))
    with pytest.raises(InputError, match="baseline"):
        next(iter(IntegratedGradients(baseline=["black", np.zeros((3, 5, 5))]).compute(problem)))  # type: ignore[arg-type]
    assert not problem.points
