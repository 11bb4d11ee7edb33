"""Models whose gradient is known, and plain autograd in float64 where it is not."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from saliency_widget.engine import classes as classes_module
from saliency_widget.engine.problem import Problem
from saliency_widget.engine.shadow import shadow_of
from saliency_widget.errors import InputError
from saliency_widget.targets import Logit, Probability
from tests.engine.support import MATRICES, explain, fill, picture, plainly, problem_of, relative


class Linear(nn.Module):
    def __init__(self, size: int = 4, classes: int = 5) -> None:
        super().__init__()
        self.head = nn.Linear(3 * size * size, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))


class Convolutional(nn.Module):
    def __init__(self, classes: int = 6) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.GELU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.SiLU()
        )
        self.head = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x).mean((2, 3)))


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_linear_model_gives_its_weights_with_the_preprocessing_folded_in(matrix: str) -> None:
    model = Linear().double()
    prepared = picture(4, 4, matrix=matrix)
    values, scores = explain(model, prepared, 2)
    weights = model.head.weight[2].detach().view(3, 4, 4)
    assert torch.allclose(values[0], torch.einsum("dc,dhw->chw", prepared.matrix, weights), rtol=1e-12)
    assert torch.allclose(scores, model(prepared.input.double()[None])[0, 2].detach(), rtol=1e-14)


def test_the_model_gets_the_output_of_the_preprocessing_bit_for_bit() -> None:
    seen: list[Tensor] = []

    class Recording(Linear):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x.detach().clone())
            return super().forward(x)

    for matrix in MATRICES:
        prepared = picture(4, 4, matrix=matrix)
        explain(Recording(), prepared, 0)
        assert torch.equal(seen[-1][0], prepared.input)


def test_a_quadratic() -> None:
    class Quadratic(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x.square().sum((1, 2, 3)), 3 * x.square().sum((1, 2, 3))], 1)

    prepared = picture(4, 4)
    values, _ = explain(Quadratic(), prepared, 0, 1)
    expected = 2 * torch.diagonal(prepared.matrix).float()[:, None, None] * prepared.input
    assert torch.allclose(values[0], expected, rtol=1e-6)
    assert torch.allclose(values[1], 3 * values[0], rtol=1e-6)


def test_a_relu_net_without_biases_is_homogeneous() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, bias=False), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(8 * 3 * 3, 4, bias=False)).double()
    prepared = picture(8, 8)
    values, scores = explain(model, prepared, 3)
    # Input x gradient sums to the logit; in the pixels that is (pixels + matrix^-1 offset) x gradient.
    shift = torch.linalg.solve(prepared.matrix, prepared.offset)[:, None, None]
    assert torch.allclose(((prepared.pixels + shift) * values[0]).sum(), scores[0], rtol=1e-10)


def test_probability_gradients_sum_to_zero_over_the_classes() -> None:
    model = fill(Convolutional().double())
    values, scores = explain(model, picture(12, 12), *[Probability(k) for k in range(6)])
    assert scores.sum().item() == pytest.approx(1, abs=1e-12)
    assert values.sum(0).abs().max() < 1e-12 * values.abs().max()
    assert relative(values, plainly(model, picture(12, 12), *[Probability(k) for k in range(6)])) < 1e-9


@pytest.mark.parametrize("margin", [-60.0, -5.0, 0.0, 5.0, 12.0, 30.0, 60.0])
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_the_probability_keeps_its_gradient_where_softmax_rounds_to_one(margin: float, classes: int) -> None:
    exact = torch.zeros(1, classes, dtype=torch.float64)
    exact[0, 0] = margin
    outputs = exact.float().requires_grad_()
    Probability(0).score(outputs).sum().backward()
    odds = torch.tensor(margin, dtype=torch.float64) - torch.tensor(max(classes - 1, 1), dtype=torch.float64).log()
    slope = torch.sigmoid(odds) * torch.sigmoid(-odds)
    assert outputs.grad is not None
    assert outputs.grad[0, 0].item() == pytest.approx(slope.item(), rel=1e-5)
    value = Probability(0).score(exact)
    plain = exact.softmax(1)[:, 0] if classes > 1 else exact.sigmoid()[:, 0]
    assert torch.allclose(value, plain, rtol=1e-12)


@pytest.mark.parametrize("classes", ["loop", "vmap"])
def test_many_targets_equal_one_at_a_time(classes: str) -> None:
    model = fill(Convolutional().double())
    prepared = picture(12, 12)
    targets = [Logit(4), Probability(0), Logit(0), Logit(4)]
    values, scores = explain(model, prepared, *targets, classes=classes)
    for k, target in enumerate(targets):
        alone, score = explain(model, prepared, target)
        assert relative(values[k], alone[0]) < 1e-12
        assert torch.equal(scores[k], score[0])


def test_vmap_that_is_wrong_or_fails_is_found_and_named() -> None:
    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x.square()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return 2 * x * grad * (1.0 if float(grad.abs().sum()) >= 0 else -1.0)

    class Distances(Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(torch.cdist(x[:, 0], x[:, 1], p=1.5).flatten(1).repeat(1, 3))

    class Own(Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(Custom.apply(x))

    for model in (Distances().double(), Own().double()):
        problem = problem_of(model, picture(4, 4), [0, 1, 2], classes="vmap")
        found = problem.gradients(problem.pixels[None])[1]
        alone = [explain(model, picture(4, 4), k)[0][0] for k in range(3)]
        assert relative(found[0], torch.stack(alone)) < 1e-9
        if problem.provenance["classes"] == "loop":
            assert "one after another" in problem.provenance["notes"][0]
    assert problem.provenance["classes"] == "loop"


def test_many_classes_that_do_not_fit_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    vmapped, widths = classes_module._vmapped, []

    def scarce(scores: Tensor, pixels: Tensor, start: int, stop: int) -> Tensor:
        widths.append((len(pixels), stop - start))
        if len(pixels) * (stop - start) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return vmapped(scores, pixels, start, stop)

    monkeypatch.setattr(classes_module, "_vmapped", scarce)
    model = fill(Convolutional().double())
    batch = torch.rand(2, 3, 12, 12, dtype=torch.float64)
    found = problem_of(model, picture(12, 12), range(6), classes="vmap", chunk=2).gradients(batch)[1]
    assert relative(found, problem_of(model, picture(12, 12), range(6)).gradients(batch)[1]) < 1e-12
    # One row alone first, to watch it; rows are cut before classes.
    assert [width for width in widths if width[1] == 6] == [(1, 6)]
    assert widths[-1] == (1, 1) or widths[-1][1] <= 2


def test_rows_and_chunks_do_not_matter() -> None:
    model = fill(Convolutional().double())
    batch = torch.rand(7, 3, 12, 12, dtype=torch.float64)
    whole = problem_of(model, picture(12, 12), [1, 3], chunk=7).gradients(batch)
    for chunk in (1, 2, 3, 100, None):
        cut = problem_of(model, picture(12, 12), [1, 3], chunk=chunk).gradients(batch)
        assert torch.allclose(cut[0], whole[0], rtol=1e-12)
        assert relative(cut[1], whole[1]) < 1e-12
    for k in range(7):
        alone = problem_of(model, picture(12, 12), [1, 3]).gradients(batch[k : k + 1])
        assert relative(alone[1][0], whole[1][k]) < 1e-12


REAL = {
    "resnet18": lambda: torchvision.models.resnet18(num_classes=10),
    "mobilenet_v3": lambda: torchvision.models.mobilenet_v3_small(num_classes=10),
    "densenet": lambda: torchvision.models.DenseNet(8, (2, 2), 16, num_classes=10),
    "swin": lambda: timm.create_model("swin_tiny_patch4_window7_224", img_size=56, depths=(2, 2, 1, 1), num_classes=10),
    "convnext": lambda: timm.create_model("convnext_atto", num_classes=10),
    "vit": lambda: timm.create_model("vit_tiny_patch16_224", img_size=64, depth=4, num_classes=10),
    "efficientnet": lambda: timm.create_model("tf_efficientnet_lite0", num_classes=10),
    "torchvision vit": lambda: torchvision.models.VisionTransformer(64, 16, 3, 4, 64, 128, num_classes=10),
}


@pytest.mark.parametrize("name", REAL)
def test_real_architectures_equal_plain_autograd(name: str) -> None:
    torch.manual_seed(0)
    model = fill(REAL[name]().double())
    size = {"swin": 56, "mobilenet_v3": 32}.get(name, 64)
    prepared = picture(size, size)
    values, scores = explain(model, prepared, 3, 7)
    assert relative(values, plainly(model, prepared, 3, 7)) < 1e-9
    assert torch.allclose(scores, model(prepared.input.double()[None])[0, [3, 7]].detach(), rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_it_computes_in_the_models_type(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = fill(Convolutional())
    exact, _ = explain(model.double(), picture(12, 12), 1)
    problem = problem_of(model.to(dtype), picture(12, 12), [1])
    scores, values = problem.gradients(problem.pixels[None])
    assert values.dtype is problem.outputs(problem.pixels[None]).dtype is dtype
    assert scores.dtype is (torch.float64 if dtype is torch.float64 else torch.float32)
    assert problem.provenance["dtype"] == str(dtype).removeprefix("torch.")
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5}.get(dtype, 0.05)
    assert relative(values[0].double(), exact) < tolerance


def test_one_forward_binds_the_targets_too() -> None:
    passes = []

    class Counting(Convolutional):
        def forward(self, x: Tensor) -> Tensor:
            passes.append(len(x))
            return super().forward(x)

    model = fill(Counting())
    problem = Problem(shadow_of(model), picture(12, 12), [Logit(), Logit("b"), Probability()], labels="abcdef")
    problem.gradients(problem.pixels[None])
    # The first pass of a shadow is watched; the second one counts.
    assert passes == [1, 1]
    best = int(problem.logits.argmax())
    assert [target.index for target in problem.targets] == [best, 1, best]
    assert [target.label for target in problem.targets] == ["abcdef"[best], "b", "abcdef"[best]]
    assert passes == [1, 1]
    late = Problem(shadow_of(model), picture(12, 12), [Logit()])
    late.gradients(torch.rand(2, 3, 12, 12))
    assert late.targets[0].index == best


def test_bad_batches_and_options_are_refused() -> None:
    problem = problem_of(Linear(), picture(4, 4), [0])
    for wrong in (torch.rand(3, 4, 4), torch.rand(1, 3, 4, 5), torch.rand(0, 3, 4, 4), None):
        with pytest.raises(InputError, match="batch"):
            problem.gradients(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="chunk"):
        problem_of(Linear(), picture(4, 4), [0], chunk=0)
    with pytest.raises(InputError, match="classes"):
        problem_of(Linear(), picture(4, 4), [0], classes="map")
    with pytest.raises(InputError, match="targets"):
        problem_of(Linear(), picture(4, 4), []).gradients(problem.pixels[None])
    with pytest.raises(InputError, match="5 classes"):
        problem_of(Linear(), picture(4, 4), [5]).gradients(problem.pixels[None])
