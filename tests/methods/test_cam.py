"""Class activation maps: exact answers, the peers where they are right, and where they are not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError, ModelError
from saliency_widget.methods.base import Estimate, Method, as_method
from saliency_widget.methods.cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from saliency_widget.methods.channel_cam import AblationCAM, ScoreCAM
from saliency_widget.methods.eigen_cam import EigenCAM
from saliency_widget.methods.guided_cam import GuidedGradCAM
from saliency_widget.targets import Logit, Probability
from tests.engine.support import fill, picture, problem_of, relative

FROM_GRADIENTS = (GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM, EigenCAM)
ALL: tuple[Callable[..., Method], ...] = (*FROM_GRADIENTS, ScoreCAM, AblationCAM, GuidedGradCAM)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


class Pooled(nn.Module):
    """A convolution, global average pooling and one linear layer: the net for which CAM was made."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1, stride=2)
        self.relu = nn.ReLU()
        self.head = nn.Linear(6, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.relu(self.conv(x)).mean((2, 3)))


class Deep(nn.Module):
    """Something behind the layer that is not linear, so that the methods differ."""

    def __init__(self, classes: int = 4, *, scale: float = 1.0, stride: int = 2) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, stride=stride), nn.ReLU())
        self.after = nn.Conv2d(6, 5, 3, padding=1)
        self.head = nn.Linear(5, classes)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        x = torch.sigmoid(self.after(self.features(x)))
        return self.scale * self.head(x.square().mean((2, 3)))


def last(method: Method, problem: Problem) -> Estimate:
    *_, final = method.estimates(problem)
    assert final.final
    return final


def maps(method: Method, problem: Problem) -> Tensor:
    return last(method, problem).values[:, 0]


def parts(problem: Problem, layer: str) -> tuple[Tensor, Tensor]:
    """Activations (c, h, w) and gradients (K, c, h, w), in float64 by plain autograd."""
    model = copy.deepcopy(problem.shadow.model)
    kept: list[Tensor] = []

    def hook(_module: nn.Module, _given: Any, output: Tensor) -> Tensor:
        kept.append(output.detach().clone().requires_grad_())
        return kept[0] * 1

    model.get_submodule(layer).register_forward_hook(hook)
    logits = model(problem._model_input(problem.pixels[None]))
    found = [
        torch.autograd.grad(target.score(logits).sum(), kept[0], retain_graph=True)[0][0] for target in problem.targets
    ]
    return kept[0].detach()[0], torch.stack(found)


# -- exact answers --------------------------------------------------------------------------------------------------


def test_with_pooling_and_a_linear_head_all_of_them_are_cam() -> None:
    model = fill(Pooled().double())
    problem = problem_of(model, picture(), [1, 3])
    activations = model.relu(model.conv(problem._input[None]))[0].detach()
    cam = torch.einsum("kc,chw->khw", model.head.weight[[1, 3]].detach(), activations)
    cells = activations.shape[1] * activations.shape[2]
    for method in (GradCAM(), HiResCAM(), XGradCAM()):
        found = last(method, problem)
        assert found.values.shape == (2, 1, 8, 8)
        assert torch.allclose(found.values[:, 0], cam / cells, rtol=1e-11)
        # The cells sum to the logit, but for the bias.
        bias = model.head.bias[[1, 3]].detach()
        assert torch.allclose(found.values.sum((1, 2, 3)), found.scores - bias, rtol=1e-11)
        assert [quality["grid"] for quality in found.quality] == ["8 x 8"] * 2
        assert found.quality[0]["layer"] == "relu"
    # Negative values are kept: that the layer speaks against the class is part of the map.
    assert (cam < 0).any()
    # Without a channel the score falls by that channel's share: Ablation-CAM is a sum weighted by those.
    shares = model.head.weight[[1, 3]].detach() * activations.mean((1, 2))
    wanted = torch.einsum("kc,chw->khw", shares, activations)
    assert torch.allclose(maps(AblationCAM(), problem), wanted, rtol=1e-9)


def test_the_formulas() -> None:
    problem = problem_of(fill(Deep(scale=30).double()), picture(), [0, 2])
    a, g = parts(problem, "features")
    layer = "features"
    assert relative(maps(GradCAM(layer), problem), (g.mean((2, 3), keepdim=True) * a).sum(1)) < 1e-12
    assert relative(maps(HiResCAM(layer), problem), (g * a).sum(1)) < 1e-12
    assert relative(maps(LayerCAM(layer), problem), (g.clamp(min=0) * a).sum(1)) < 1e-12
    weights = (g * a).sum((2, 3)) / a.sum((1, 2))
    assert relative(maps(XGradCAM(layer), problem), torch.einsum("kc,chw->khw", weights, a)) < 1e-12
    # What XGrad-CAM is made for: its cells sum to those of HiResCAM.
    sums = [maps(method, problem).sum((1, 2)) for method in (XGradCAM(layer), HiResCAM(layer))]
    assert torch.allclose(*sums, rtol=1e-10)
    alpha = g**2 / (2 * g**2 + a.sum((1, 2))[:, None, None] * g**3)
    weights = (g.clamp(min=0) * torch.where(g == 0, 0, alpha)).sum((2, 3))
    assert relative(maps(GradCAMPlusPlus(layer), problem), torch.einsum("kc,chw->khw", weights, a)) < 1e-10


def test_without_biases_hires_cam_sums_to_the_score() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.Conv2d(6, 4, 3, bias=False), nn.ReLU(), nn.Flatten(),
        nn.Linear(4 * 144, 3, bias=False),
    )  # fmt: skip
    problem = problem_of(fill(model.double()), picture(), [0, 1, 2])
    for layer in ("0", "1", "2", None):
        found = last(HiResCAM(layer), problem)
        assert torch.allclose(found.values.sum((1, 2, 3)), found.scores, rtol=1e-10)


def test_ablation_is_the_fall_of_the_score_without_each_channel() -> None:
    model = fill(Deep().double())
    problem = problem_of(model, picture(), [0, Probability(2)])
    a, _ = parts(problem, "features")
    falls = []
    for channel in range(len(a)):
        rows = a.clone()
        rows[channel] = 0
        logits = model.scale * model.head(torch.sigmoid(model.after(rows[None])).square().mean((2, 3)))
        without = torch.stack([target.score(logits)[0] for target in problem.targets])
        falls.append(problem.scores(problem.pixels[None])[0] - without.detach())
    wanted = torch.einsum("ck,chw->khw", torch.stack(falls), a)
    assert relative(maps(AblationCAM("features"), problem), wanted) < 1e-11


def test_ablation_starts_with_the_first_order_and_ends_with_the_truth() -> None:
    problem = problem_of(fill(Deep().double()), picture(), [0, 2])
    a, g = parts(problem, "features")
    first, *rest = AblationCAM("features").estimates(problem)
    wanted = torch.einsum("kc,chw->khw", (g * a).sum((2, 3)), a)
    assert relative(first.values[:, 0], wanted) < 1e-11
    assert (first.done, first.total, first.final) == (1, 7, False)
    assert rest[-1].done == 7
    assert 0 < relative(first.values, rest[-1].values) < 0.5
    # What was given out is not changed by what follows.
    assert relative(first.values[:, 0], wanted) < 1e-11


@pytest.mark.parametrize("hidden", ["zero", "black"])
def test_score_cam_is_the_softmax_over_pictures_seen_through_channels(hidden: str) -> None:
    problem = problem_of(fill(Deep(scale=10).double()), picture(), [0, 2])
    a, _ = parts(problem, "features")
    low, high = a.amin((1, 2), keepdim=True), a.amax((1, 2), keepdim=True)
    masks = F.interpolate(((a - low) / (high - low))[None], (16, 16), mode="bilinear")[0]
    offset = problem._prepared.offset / problem._prepared.matrix.diagonal()
    behind = -offset[:, None, None] if hidden == "zero" else torch.zeros(3, 1, 1).double()
    seen = torch.stack([behind + mask * (problem.pixels - behind) for mask in masks])
    weights = problem.scores(seen).softmax(0)
    found = last(ScoreCAM("features", hidden=hidden), problem)
    assert relative(found.values[:, 0], torch.einsum("ck,chw->khw", weights, a)) < 1e-12
    assert found.quality[0]["constant_channels"] == 0
    if hidden == "zero":
        # What is hidden is zero for the model.
        assert torch.allclose(problem._model_input(problem.zero.expand(3, 16, 16)[None]), torch.zeros(()).double())


def test_score_cam_does_not_overflow_and_leaves_out_what_makes_no_mask() -> None:
    model = fill(Deep(scale=1e5).double())
    with torch.no_grad():
        model.features[0].weight[2], model.features[0].bias[2] = 0, 0.3
    problem = problem_of(model, picture(), [0, 1])
    found = last(ScoreCAM("features"), problem)
    assert torch.isfinite(found.values).all()
    assert found.quality[0]["constant_channels"] == 1
    with torch.no_grad():
        model.features[0].weight.zero_()
    found = last(ScoreCAM("features"), problem)
    assert found.quality[0]["constant_channels"] == 6
    assert not found.values.any()


def test_eigen_cam_projects_on_the_strongest_direction_and_the_gradient_gives_its_sign() -> None:
    model = fill(Deep().double())
    problem = problem_of(model, picture(), [0, 1, 2, 3])
    a, g = parts(problem, "features")
    cells = a.flatten(1).T.numpy()
    _, values, vectors = np.linalg.svd(cells)
    found = last(EigenCAM("features"), problem)
    for k in range(4):
        direction = torch.from_numpy(vectors[0])
        sign = torch.sign((g[k].sum((1, 2)) * direction).sum())
        wanted = sign * torch.from_numpy(cells @ vectors[0]).reshape(8, 8)
        assert relative(found.values[k, 0], wanted) < 1e-10
        assert found.quality[k]["explained"] == pytest.approx(values[0] ** 2 / (values**2).sum())
        assert found.quality[k]["sign_known"]
    # Two opposite scores get opposite maps.
    with torch.no_grad():
        model.head.weight[1] = -model.head.weight[0]
    found = last(EigenCAM("features"), problem_of(model, picture(), [0, 1]))
    assert torch.allclose(found.values[0], -found.values[1], rtol=1e-12)


def test_guided_grad_cam_is_the_product() -> None:
    problem = problem_of(fill(Deep().double()), picture(), [0, 2])
    guided = last(as_method("guided-backprop"), problem).values
    gate = F.interpolate(maps(GradCAM("features"), problem)[:, None].clamp(min=0), (16, 16), mode="bilinear")
    found = last(GuidedGradCAM("features"), problem)
    assert found.values.shape == (2, 3, 16, 16)
    assert torch.equal(found.values, gate * guided)
    assert found.quality[0]["rectifiers"] == "1 of 2 nonlinearities"
    assert found.quality[0]["layer"] == "features"


def test_contrasts_are_differences_where_the_method_is_linear_in_the_score() -> None:
    class Difference(Logit):
        def score(self, outputs: Tensor) -> Tensor:
            return outputs[:, 0] - outputs[:, 2]

    problem = problem_of(fill(Deep().double()), picture(), [Logit(0), Logit(2), Difference(0)])
    for method in (GradCAM("features"), HiResCAM("features"), XGradCAM("features"), AblationCAM("features")):
        found = maps(method, problem)
        assert relative(found[2], found[0] - found[1]) < 1e-9


# -- the peers ------------------------------------------------------------------------------------------------------


def peer(kind: str, problem: Problem, layer: str, k: int, **options: Any) -> Tensor:
    """What pytorch-grad-cam computes, before it cuts off what is negative and scales the rest."""
    grad_cam = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model = copy.deepcopy(problem.shadow.model)
    given = problem._model_input(problem.pixels[None])
    module = model.get_submodule(layer)
    with getattr(grad_cam, kind)(model, [module], **options) as cam:
        outputs = cam.activations_and_grads(given)
        gradients = None
        if cam.uses_gradients:
            outputs[0, k].backward()
            gradients = cam.activations_and_grads.gradients[0].numpy()
        activations = cam.activations_and_grads.activations[0].detach().numpy()
        found = cam.get_cam_image(given, module, [ClassifierOutputTarget(k)], activations, gradients, False)
    return torch.from_numpy(np.asarray(found, dtype=np.float64))[0]


@pytest.mark.parametrize(
    ("method", "tolerance"),
    [
        (GradCAM, 1e-12),
        (HiResCAM, 1e-12),
        (LayerCAM, 1e-12),
        # These two put a small constant into a denominator: 1e-7 and 1e-6.
        (XGradCAM, 1e-6),
        (GradCAMPlusPlus, 1e-6),
    ],
)
def test_pytorch_grad_cam_agrees(method: type[Any], tolerance: float) -> None:
    problem = problem_of(fill(Deep(scale=1e6).double()), picture(), [0, 2])
    found = maps(method("features"), problem)
    for row, k in zip(found, (0, 2), strict=True):
        assert relative(peer(method.__name__, problem, "features", k), row) < tolerance


def test_pytorch_grad_cam_agrees_on_eigen_cam_but_for_the_sign() -> None:
    problem = problem_of(fill(Deep().double()), picture(), [0])
    found = maps(EigenCAM("features", centred=True), problem)[0]
    other = peer("EigenCAM", problem, "features", 0)
    # It rounds to float32.
    assert min(relative(other, found), relative(-other, found)) < 1e-6


def test_pytorch_grad_cam_agrees_on_ablation_but_for_the_division_by_the_score() -> None:
    problem = problem_of(fill(Deep(scale=1e3).double()), picture(), [0, 2])
    found = last(AblationCAM("features"), problem)
    for k, index in enumerate((0, 2)):
        other = peer("AblationCAM", problem, "features", index)
        # It subtracts scores that it rounded to float32.
        assert relative(other * found.scores[k], found.values[k, 0]) < 1e-5


def test_pytorch_grad_cam_agrees_on_score_cam_where_nothing_is_resized() -> None:
    # It brings masks to the picture's size corner on corner, which moves them by up to half a cell.
    model = fill(Deep(scale=10, stride=1).double())
    with torch.no_grad():
        # No channel may be the same everywhere: it makes a mask there, of zeros.
        model.features[0].bias += 1
    problem = problem_of(model, picture(matrix="identity"), [0, 2])
    found = maps(ScoreCAM("features"), problem)
    assert found.shape == (2, 16, 16)
    for row, k in zip(found, (0, 2), strict=True):
        # It rounds scores to float32 and adds 1e-8 to the range of a mask.
        assert relative(peer("ScoreCAM", problem, "features", k), row) < 1e-6


@pytest.mark.parametrize("layer", ["features", "after"])
def test_captum_agrees(layer: str) -> None:
    captum = pytest.importorskip("captum.attr")
    problem = problem_of(fill(Deep().double()), picture(), [0, 2])
    model = problem.shadow.model
    found = maps(GradCAM(layer), problem)
    for row, k in zip(found, (0, 2), strict=True):
        other = captum.LayerGradCam(model, model.get_submodule(layer)).attribute(
            problem._model_input(problem.pixels[None]), target=k, relu_attributions=False
        )
        assert relative(other[0, 0].detach(), row) < 1e-12


# -- what is wrong with the peers, and not here ---------------------------------------------------------------------


def test_small_gradients_do_not_drown_in_a_constant() -> None:
    found, other = [], []
    for scale in (1e6, 1e-2):
        problem = problem_of(fill(Deep(scale=scale).double()), picture(), [0])
        a, g = parts(problem, "features")
        alpha = torch.where(g > 0, 1 / (2 + a.sum((1, 2))[:, None, None] * g), 0)
        wanted = torch.einsum("kc,chw->khw", (g.clamp(min=0) * alpha).sum((2, 3)), a)
        found.append(relative(maps(GradCAMPlusPlus("features"), problem), wanted))
        other.append(relative(peer("GradCAMPlusPlus", problem, "features", 0), wanted[0]))
    assert max(found) < 1e-12
    assert other[0] < 1e-6
    assert other[1] > 0.9


class InPlace(Deep):
    """A rectifier in place right behind the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features[1] = nn.ReLU(inplace=True)


def test_a_rectifier_in_place_behind_the_layer_does_not_reach_the_activations() -> None:
    problem = problem_of(fill(InPlace().double()), picture(), [0])
    a, g = parts(problem, "features.0")
    assert (a < 0).any()
    wanted = (g.mean((2, 3), keepdim=True) * a).sum(1)
    for _ in range(3):
        assert relative(maps(GradCAM("features.0"), problem), wanted) < 1e-12
    assert relative(peer("GradCAM", problem, "features.0", 0), wanted[0]) > 0.1


def test_a_channel_is_ablated_to_zero_also_where_activations_are_negative() -> None:
    # A peer sets it to ten million below the smallest activation there.
    model = fill(Deep().double())
    problem = problem_of(model, picture(), [0])
    a, _ = parts(problem, "after")
    assert (a < 0).any()
    falls = torch.stack([a.where(torch.arange(5)[:, None, None] != channel, 0) for channel in range(5)])
    scores = model.head(torch.sigmoid(falls).square().mean((2, 3)))[:, 0].detach()
    wanted = torch.einsum("c,chw->hw", problem.scores(problem.pixels[None])[0, 0] - scores, a)
    found = last(AblationCAM("after"), problem)
    assert relative(found.values[0, 0], wanted) < 1e-10
    assert relative(peer("AblationCAM", problem, "after", 0) * found.scores[0], wanted) > 0.1


def test_maps_of_two_classes_keep_their_scales_and_signs() -> None:
    model = fill(Pooled().double())
    with torch.no_grad():
        model.head.weight[1] = model.head.weight[0] * -1e-3
    found = maps(GradCAM(), problem_of(model, picture(), [0, 1]))
    assert torch.allclose(found[1], found[0] * -1e-3, rtol=1e-12)
    assert (found[0] < 0).any()


def test_dead_channels_and_dead_layers_divide_nothing() -> None:
    model = fill(Deep().double())
    with torch.no_grad():
        model.features[0].weight[1], model.features[0].bias[1] = 0, -1
    problem = problem_of(model, picture(), [0])
    for method in ALL:
        assert torch.isfinite(last(method("features"), problem).values).all()
    with torch.no_grad():
        model.features[0].weight.zero_()
        model.features[0].bias.fill_(-1)
    for method in ALL:
        found = last(method("features"), problem_of(model, picture(), [0]))
        assert not found.values.any(), method
    assert last(EigenCAM("features"), problem_of(model, picture(), [0])).quality[0]["explained"] is None


def test_a_nan_is_a_nan() -> None:
    model = fill(Deep().double())
    with torch.no_grad():
        model.features[0].weight[1, 0, 0, 0] = torch.nan
    for method in FROM_GRADIENTS:
        found = last(method("features"), problem_of(model, picture(), [0]))
        assert torch.isnan(found.values).any(), method


# -- what every method owes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("layer", [None, "features.0"])
def test_targets_together_are_targets_alone_whatever_the_chunk(method: type[Any], layer: str | None) -> None:
    model = fill(Deep(scale=5).double())
    together = last(method(layer), problem_of(model, picture(), [0, Probability(1), 3]))
    for k, target in enumerate((0, Probability(1), 3)):
        alone = last(method(layer), problem_of(model, picture(), [target], chunk=1))
        assert relative(together.values[k], alone.values[0]) < 1e-10
        assert torch.allclose(together.scores[k], alone.scores[0], rtol=1e-12)


@pytest.mark.parametrize("method", [ScoreCAM, AblationCAM])
def test_the_batch_decides_nothing_and_any_estimate_may_be_the_last(
    method: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from saliency_widget.methods import channel_cam

    model = fill(Deep(scale=5).double())
    problem = problem_of(model, picture(), [0, 2])
    wanted = last(method("features"), problem)
    monkeypatch.setattr(channel_cam, "_PICTURES", 1)
    monkeypatch.setattr(channel_cam, "_ROWS", 1)
    estimates = list(method("features").estimates(problem))
    assert len(estimates) == wanted.total == estimates[-1].total
    assert [estimate.done for estimate in estimates] == list(range(1, wanted.total + 1))
    assert relative(estimates[-1].values, wanted.values) < 1e-12
    distances = [relative(estimate.values, wanted.values) for estimate in estimates]
    assert distances[-1] < distances[0]
    # Cancelled: nothing stays switched on, and the next run is the same.
    running = method("features").estimates(problem)
    next(running)
    running.close()
    assert torch.equal(last(method("features"), problem).values, estimates[-1].values)


@pytest.mark.parametrize("method", ALL)
def test_low_precision_keeps_the_map(method: type[Any]) -> None:
    model = fill(Deep(scale=5).double())
    wanted = last(method("features"), problem_of(model, picture(), [0])).values
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.bfloat16, 0.3)):
        low = copy.deepcopy(model).to(dtype)
        found = last(method("features"), problem_of(low, picture(), [0])).values
        assert found.dtype is torch.float32
        # The weights of Ablation-CAM are differences of scores, each rounded to the model's type.
        tolerance *= 2 if method is AblationCAM else 1
        assert relative(found.double(), wanted) < tolerance


@pytest.mark.parametrize("method", ALL)
def test_the_model_is_untouched_and_tokens_will_do(method: type[Any]) -> None:
    timm = pytest.importorskip("timm")
    model = timm.models.VisionTransformer(img_size=32, patch_size=8, embed_dim=8, depth=2, num_heads=2, num_classes=5)
    fill(model)
    for block in model.blocks:
        block.mlp.act = nn.ReLU()
    with ModelGuard(model):
        found = last(method(), problem_of(model, picture(32, 32), [0, 4]))
    assert found.values.shape == ((2, 3, 32, 32) if method is GuidedGradCAM else (2, 1, 4, 4))
    assert (found.quality[0]["layer"], found.quality[0]["grid"]) == ("blocks.1.norm1", "4 x 4")
    assert found.values.any()


def test_one_forward_pass_serves_all_targets() -> None:
    seen: list[int] = []

    class Counting(Deep):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(len(x))
            return super().forward(x)

    problem = problem_of(fill(Counting(classes=10)), picture(), list(range(10)))
    for method in FROM_GRADIENTS:
        for _ in range(3):
            seen.clear()
            last(method("features"), problem)
        assert seen == [1], method
    # Score-CAM: one more row for each channel, for however many targets.
    seen.clear()
    last(ScoreCAM("features"), problem)
    assert sum(seen) == 1 + 6


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("layer", ["", 3, ["features"]])
def test_what_is_no_layer_is_refused_before_any_work(method: type[Any], layer: Any) -> None:
    with pytest.raises(InputError, match=r"layer=.*is no layer.*dotted name"):
        method(layer)


def test_other_bad_parameters() -> None:
    with pytest.raises(InputError, match=r"hidden='mean'.*black"):
        ScoreCAM(hidden="mean")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="centred=1"):
        EigenCAM(centred=1)  # type: ignore[arg-type]


def test_a_layer_given_as_a_module() -> None:
    model = fill(Deep().double())
    method = GradCAM(model.features)
    found = last(method, problem_of(model, picture(), [0]))
    assert torch.equal(found.values, last(GradCAM("features"), problem_of(model, picture(), [0])).values)
    assert found.quality[0]["layer"] == "features"
    assert method.parameters() == {"layer": "Sequential"}
    with pytest.raises(InputError, match="no part of this"):
        last(GradCAM(copy.deepcopy(model.features)), problem_of(model, picture(), [0]))
    with pytest.raises(ModelError, match="spatial grid"):
        last(GradCAM(), problem_of(nn.Sequential(nn.Flatten(), nn.Linear(768, 4)), picture(), [0]))


@pytest.mark.parametrize("spec", ["grad-cam", "Grad-CAM", "gradcam", "GradCAM"])
def test_names(spec: str) -> None:
    assert as_method(spec) == GradCAM()


@pytest.mark.parametrize("spec", ["Grad-CAM++", "grad-cam-plus-plus", "GradCAMPlusPlus", "gradcam++"])
def test_two_crosses_are_part_of_a_name(spec: str) -> None:
    assert as_method(spec) == GradCAMPlusPlus()


def test_the_result_has_its_unit_its_grid_and_a_picture() -> None:
    model = fill(Deep())
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = sw.explain(model, image, target=[0, sw.Probability(1)], method="grad-cam", preprocess="none")
    assert [one.unit for one in found] == ["logit", "probability"]
    assert found[0].values.shape == (1, 16, 16)
    assert found[0].channels == ("map",)
    assert found[0].quality["grid"] == "16 x 16"
    assert found[0].heatmap("signed").shape == (32, 32)
    assert found[0].method.parameters == {"layer": None}
    eigen = sw.explain(model, image, method=sw.EigenCAM("features"), preprocess="none")
    assert eigen.unit == "activation"
