"""Occlusion and RISE: the peers' numbers where windows are the same, arithmetic and statistics elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from saliency_widget.errors import InputError
from saliency_widget.explainer import explain
from saliency_widget.methods.base import Method
from saliency_widget.methods.blur import gaussian_blur
from saliency_widget.methods.occlusion import Occlusion, _coarse_to_fine
from saliency_widget.methods.rise import RISE
from tests.engine.support import fill, picture, problem_of, relative
from tests.engine.test_exact import Convolutional
from tests.methods.support import Constant, last, model_of_pixels, peak_of

METHODS: list[Method] = [Occlusion((5, 4), (2, 2)), RISE(70)]


class Additive(nn.Module):
    """Score k: sum of w_k over the pixels of the input."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(2)).double())

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("kchw,nchw->nk", self.w, x)


class Counting(Convolutional):
    def __init__(self) -> None:
        super().__init__()
        self.passes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        passes.append(len(x))
        return super().forward(x)


passes: list[int] = []


@pytest.mark.parametrize(
    ("window", "stride"), [((5, 7), (3, 2)), ((4, 4), (4, 4)), ((18, 3), (5, 3)), ((1, 23), (1, 9)), ((18, 23), (1, 1))]
)
def test_occlusion_is_the_peers(window: tuple[int, int], stride: tuple[int, int]) -> None:
    attr = pytest.importorskip("captum.attr")
    model, prepared = fill(Convolutional().double()), picture(18, 23)
    problem = problem_of(model, prepared, [0, 3])
    found = last(Occlusion(window, stride, "black"), problem)
    assert found.values.shape == (2, 1, 18, 23)
    peer = attr.Occlusion(model_of_pixels(model, prepared))
    for k, target in enumerate((0, 3)):
        wanted = peer.attribute(problem.pixels[None], (3, *window), (3, *stride), target=target, baselines=0.0)[0]
        # The peer's result is float32 whatever the model is.
        assert relative(found.values[k].expand(3, -1, -1), wanted.detach().double()) < 1e-6


@pytest.mark.parametrize("fill_with", ["mean", "grey", "white", "blur", (0.2, 0.5, 0.9), "array"])
def test_of_an_additive_model_a_window_hides_its_sum(fill_with: object) -> None:
    prepared = picture(12, 10)
    model = Additive(12, 10)
    problem = problem_of(model, prepared, [0, 1])
    pixels = problem.pixels
    array = np.random.default_rng(0).random((12, 10, 3))
    shown = {
        "mean": pixels.mean((1, 2), keepdim=True),
        "grey": torch.tensor(0.5),
        "white": torch.tensor(1.0),
        "blur": gaussian_blur(pixels, 3),
        "array": torch.from_numpy(array).permute(2, 0, 1),
    }.get(str(fill_with), torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)[:, None, None])
    method = Occlusion(window=(3, 2), stride=(3, 2), fill=array if fill_with == "array" else fill_with)
    found = last(method, problem).values
    parts = (torch.einsum("dc,kdhw->kchw", prepared.matrix, model.w.detach()) * (pixels - shown)).sum(1)
    blocks = parts.unfold(1, 3, 3).unfold(2, 2, 2).sum((-1, -2))
    assert torch.allclose(found[:, 0], blocks.repeat_interleave(3, 1).repeat_interleave(2, 2), rtol=1e-9, atol=1e-9)


def test_occlusion_goes_from_coarse_to_fine_and_is_whole_from_the_start() -> None:
    model, prepared = fill(Convolutional().double()), picture(24, 24)
    estimates = list(Occlusion(3, 3, "grey").estimates(problem_of(model, prepared, [2], chunk=4)))
    assert [estimate.done for estimate in estimates[:3]] == [1, 3, 7]
    assert estimates[-1].done == estimates[-1].total == 64
    exact = estimates[-1].values
    for estimate in estimates:
        assert (estimate.values != 0).all()
        # What stands for its surroundings is one of the windows.
        assert torch.isin(estimate.values.round(decimals=12), exact.round(decimals=12)).all()
    assert estimates[0].values.unique().numel() == 1
    right = [(abs(estimate.values - exact) < 1e-12).double().mean() for estimate in estimates]
    assert right == sorted(right)
    assert relative(estimates[len(estimates) // 2].values, exact) < relative(estimates[0].values, exact)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (8, 8), (9, 2)])
def test_every_window_comes_once(shape: tuple[int, int]) -> None:
    order, levels = _coarse_to_fine(*shape)
    assert sorted(order) == [(i, j) for i in range(shape[0]) for j in range(shape[1])]
    assert levels[-1] == (1, len(order))
    assert levels[0][1] == 1


def test_occlusion_takes_an_eighth_of_the_picture_by_itself() -> None:
    found = last(Occlusion(), problem_of(fill(Convolutional()), picture(32, 50), [2]))
    assert found.quality == ({"window": [4, 6], "stride": [2, 3]},)
    assert found.total == 15 * 16


def test_rise_is_the_papers_sum_around_its_mean() -> None:
    model, prepared = fill(Convolutional().double()), picture(17, 12)
    method = RISE(60, grid=3, keep=0.3, fill="black", seed=4)
    problem = problem_of(model, prepared, [0, 3])
    found = last(method, problem)
    masks = method.masks_of(range(60), (17, 12), torch.zeros(1, dtype=torch.float64))
    scores = problem.scores(problem.pixels * masks[:, None])
    paper = torch.einsum("nk,nhw->khw", scores, masks) / (60 * 0.3)
    deviation = masks.mean(0) / 0.3
    centred = (paper - scores.mean(0)[:, None, None] * deviation) * 60 / 59
    assert relative(found.values[:, 0], centred) < 1e-10
    assert [quality["mean_score"] for quality in found.quality] == pytest.approx(scores.mean(0).tolist(), rel=1e-12)
    # The standard error is that of a mean of products.
    products = (scores - scores.mean(0)).T[:, :, None, None] * (masks - 0.3) / 0.3
    error = products.std(1, unbiased=False) / 60**0.5
    assert relative(found.extras["standard_error"][:, 0], error) < 0.01


@pytest.mark.parametrize("chunk", [1, 4])
def test_rise_begins_with_one_mask_beside_the_picture_itself(chunk: int) -> None:
    model, prepared = fill(Convolutional().double()), picture(17, 12)
    method = RISE(9, grid=3, keep=0.3, fill="black", seed=4)
    problem = problem_of(model, prepared, [0, 3], chunk=chunk)
    estimates = list(method.estimates(problem))
    assert [estimate.done for estimate in estimates] == ([1, *range(2, 10)] if chunk == 1 else [1, 2, 6, 9])
    assert all(estimate.values.isfinite().all() for estimate in estimates)
    masks = torch.stack([torch.ones(17, 12), method.masks_of(range(1), (17, 12), torch.zeros(1))[0]]).double()
    scores = problem.scores(problem.pixels * masks[:, None])
    for k, values in enumerate(estimates[0].values[:, 0]):
        each = [torch.stack([scores[:, k], masks[:, i, j]]).cov()[0, 1] for i in range(17) for j in range(12)]
        assert relative(values, torch.stack(each).view(17, 12) / 0.3) < 1e-6
    assert [quality["mean_score"] for quality in estimates[0].quality] == pytest.approx(scores[1].tolist())


def test_the_standard_error_of_rise_is_how_far_runs_are_apart() -> None:
    model, prepared = fill(Convolutional().double()), picture(16, 16)
    runs = [last(RISE(128, seed=seed), problem_of(model, prepared, [1], chunk=32)) for seed in range(30)]
    apart = torch.stack([run.values for run in runs]).std(0).mean()
    stated = torch.stack([run.extras["standard_error"] for run in runs]).mean()
    assert float(apart / stated) == pytest.approx(1, abs=0.15)
    larger = last(RISE(512), problem_of(model, prepared, [1], chunk=32)).quality[0]["standard_error"]
    assert larger == pytest.approx(runs[0].quality[0]["standard_error"] / 2, rel=0.3)


def test_masks_are_smooth_lie_between_nothing_and_all_and_keep_what_they_say() -> None:
    masks = RISE(2, grid=4, keep=0.3).masks_of(range(3000), (19, 23), torch.zeros(1))
    assert masks.shape == (3000, 19, 23)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert float((masks.mean(0) - 0.3).abs().max()) < 0.05
    # A cell is 5 x 6 pixels, and an enlarged one 6.25 x 7.5.
    assert float(masks.diff(dim=1).abs().max()) <= 1 / 6.25 + 1e-5
    assert float(masks.diff(dim=2).abs().max()) <= 1 / 7.5 + 1e-5
    assert torch.equal(masks[7], RISE(2, grid=4, keep=0.3).masks_of(range(7, 8), (19, 23), torch.zeros(1))[0])


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_same_map_again_and_other_chunks_only_round(method: Method) -> None:
    model, prepared = fill(Convolutional().double()), picture(16, 16)
    state = torch.get_rng_state()
    first = last(method, problem_of(model, prepared, [1, 4, 1], chunk=4))
    assert torch.equal(last(method, problem_of(model, prepared, [1, 4, 1], chunk=4)).values, first.values)
    for chunk in (1, 7, 64):
        assert relative(last(method, problem_of(model, prepared, [1, 4, 1], chunk=chunk)).values, first.values) < 1e-12
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.values[0], first.values[2])
    assert relative(last(method, problem_of(model, prepared, [4])).values[0], first.values[1]) < 1e-12
    assert torch.equal(first.scores, last(RISE(2), problem_of(model, prepared, [1, 4, 1])).scores)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_all_targets_share_the_forward_passes(method: Method) -> None:
    model = fill(Counting())
    # The first pass of a shadow is made twice.
    last(method, problem_of(model, picture(16, 16), [0]))
    counts = []
    for targets in ([1], [0, 1, 2, 3, 4, 5]):
        passes.clear()
        found = last(method, problem_of(model, picture(16, 16), targets))
        counts.append(sum(passes))
    assert counts == [found.total + 1] * 2


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_closing_the_generator_stops_the_work(method: Method) -> None:
    estimates = method.estimates(problem_of(fill(Counting()), picture(16, 16), [1], chunk=2))
    passes.clear()
    next(estimates)
    before = sum(passes)
    next(estimates)
    estimates.close()
    # The first two masks of RISE come one by one.
    assert sum(passes) == before + (1 if method.name == "rise" else 2)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_works_in_the_models_type(method: Method, dtype: torch.dtype) -> None:
    exact = last(method, problem_of(fill(Convolutional().double()), picture(16, 16), [1]))
    found = last(method, problem_of(fill(Convolutional()).to(dtype), picture(16, 16), [1]))
    assert found.values.dtype is torch.float32
    # Differently filled weights: what counts here is that it runs and is finite.
    assert found.values.isfinite().all()
    assert found.values.shape == exact.values.shape


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_zero_is_zero_and_nan_is_nan(method: Method) -> None:
    model = Constant()
    found = last(method, problem_of(model, picture(16, 16), [0]))
    assert not found.values.any()
    assert found.quality[0].get("standard_error", 0.0) == 0.0
    with torch.no_grad():
        model.w.fill_(float("nan"))
    found = last(method, problem_of(model, picture(16, 16), [0]))
    assert found.values.isnan().all()
    assert "standard_error" not in found.quality[0]


@pytest.mark.parametrize(
    ("few", "many"), [(RISE(8), RISE(512)), (Occlusion(8, 8), Occlusion(8, 1))], ids=["rise", "occlusion"]
)
def test_memory_does_not_grow_with_the_passes(few: Method, many: Method) -> None:
    model, prepared = fill(Convolutional()), picture(32, 24)
    peaks = [peak_of(method, problem_of(model, prepared, [0, 1], chunk=4)) for method in (few, many)]
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize(
    ("method", "parameters", "argument"),
    [
        (Occlusion, {"window": 0}, "window"),
        (Occlusion, {"window": (3, 4, 5)}, "window"),
        (Occlusion, {"window": 2.5}, "window"),
        (Occlusion, {"window": True}, "window"),
        (Occlusion, {"stride": "2"}, "stride"),
        (Occlusion, {"window": 3, "stride": (2, 4)}, "stride"),
        (Occlusion, {"fill": "noise"}, "fill"),
        (Occlusion, {"fill": ["black", "white"]}, "fill"),
        (Occlusion, {"fill": "pink"}, "fill"),
        (Occlusion, {"fill": (0.1, 2.0, 0.3)}, "fill"),
        (RISE, {"masks": 1}, "masks"),
        (RISE, {"masks": 10.0}, "masks"),
        (RISE, {"grid": 0}, "grid"),
        (RISE, {"keep": 0}, "keep"),
        (RISE, {"keep": 1}, "keep"),
        (RISE, {"keep": True}, "keep"),
        (RISE, {"seed": -3}, "seed"),
        (RISE, {"fill": None}, "fill"),
    ],
)
def test_bad_parameters_are_refused(method: type[Method], parameters: dict[str, object], argument: str) -> None:
    with pytest.raises(InputError, match=f"{argument}="):
        method(**parameters)


@pytest.mark.parametrize(
    ("method", "argument"),
    [
        (Occlusion(9), "window"),
        (Occlusion((4, 9)), "window"),
        (Occlusion(stride=3), "stride"),
        (Occlusion(fill=(0.5, 0.5)), "fill"),
        (RISE(2, fill=np.zeros((3, 4, 5))), "fill"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_picture_is_refused_before_the_model_runs(method: Method, argument: str) -> None:
    problem = problem_of(fill(Counting()), picture(8, 8), [0])
    passes.clear()
    with pytest.raises(InputError, match=f"{argument}="):
        next(method.estimates(problem))
    assert passes == []


def test_the_unit_is_the_scores() -> None:
    for method in (Occlusion(4), RISE(4, fill=torch.zeros(3, 12, 12))):
        found = explain(fill(Convolutional()), torch.rand(3, 12, 12), target=0, method=method)
        assert found.unit == "logit"  # type: ignore[union-attr]
        assert isinstance(found.method.parameters["fill"], str)  # type: ignore[union-attr]
    assert Occlusion(fill=np.zeros((3, 2, 2))) == Occlusion(fill=np.zeros((3, 2, 2)))
