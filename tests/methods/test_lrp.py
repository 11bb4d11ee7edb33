"""LRP: its rules written down once more, on explicit matrices; identities; and refusals."""

from __future__ import annotations

import dataclasses
import gc
import math
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.lrp import RelevanceRules
from saliency_widget.errors import InputError, ModelError
from saliency_widget.methods.base import Method
from saliency_widget.methods.guided import GuidedBackprop
from saliency_widget.methods.lrp import COMPOSITES, LRP
from saliency_widget.models.preprocess import Prepared
from saliency_widget.targets import Probability, Target
from tests.engine.support import fill, picture, plainly, problem_of, relative


def given(size: int = 8, matrix: Tensor | str = "identity", *, offset: bool = False, seed: int = 0) -> Prepared:
    """A picture; without an offset the model's input is ``matrix @ pixels``."""
    made = picture(size, size, matrix=matrix, seed=seed)
    shift = made.offset if offset else torch.zeros_like(made.offset)
    shown = (made.input.double() - made.offset[:, None, None] + shift[:, None, None]).float()
    pixels = torch.einsum("dc,chw->dhw", torch.linalg.inv(made.matrix), shown.double() - shift[:, None, None])
    return dataclasses.replace(made, offset=shift, input=shown, pixels=pixels)


def relevance(
    model: nn.Module, prepared: Prepared, method: LRP, *targets: Target | int, **options: Any
) -> tuple[Tensor, Tensor, tuple[dict[str, Any], ...]]:
    problem = problem_of(model, prepared, targets or (1,), **options)
    *_, last = method.estimates(problem)
    assert last.final
    return last.values, last.scores, last.quality


def accounted(quality: dict[str, Any]) -> float:
    assert "elsewhere" not in quality
    return float(quality["conserved"] + quality["biases"] + quality["stabiliser"])


def random(model: nn.Module) -> nn.Module:
    """Always the same random weights."""
    torch.manual_seed(0)
    for part in model.modules():
        if callable(reset := getattr(part, "reset_parameters", None)):
            reset()
    return fill(model.double())


def small(*, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(1)
    layers = [nn.Conv2d(3, 4, 3, padding=1, bias=bias), nn.ReLU(), nn.Conv2d(4, 5, 3, stride=2, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(5 * 3 * 3, 6, bias=bias)).double()


# -- exact answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("matrix", ["identity", "per channel", "BGR"])
def test_a_linear_model_gives_weight_times_pixel(matrix: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 4)).double()
    prepared = given(8, matrix, offset=True)
    values, scores, (quality,) = relevance(model, prepared, LRP("epsilon", epsilon=0), 2)
    weight = torch.einsum("dc,dhw->chw", prepared.matrix, model[1].weight[2].detach().view(3, 8, 8))
    assert relative(values[0], weight * prepared.pixels) < 1e-6  # the model's input is float32
    assert quality["conserved"] == pytest.approx(float(values.sum() / scores[0]), rel=1e-9)
    assert quality["stabiliser"] == 0
    assert accounted(quality) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("matrix", ["identity", "per channel", "BGR"])
def test_without_biases_epsilon_zero_is_pixel_times_gradient_and_sums_to_the_score(matrix: str) -> None:
    model, prepared = small(bias=False), given(8, matrix)
    values, scores, (quality,) = relevance(model, prepared, LRP("epsilon", epsilon=0))
    assert relative(values, prepared.pixels * plainly(model, prepared, 1)) < 1e-6
    assert values.sum().item() == pytest.approx(scores[0].item(), rel=1e-6)
    assert quality["conserved"] == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("matrix", ["identity", "per channel", "BGR"])
def test_without_biases_every_composite_conserves_the_score(composite: str, matrix: str) -> None:
    values, scores, (quality,) = relevance(small(bias=False), given(8, matrix), LRP(composite, epsilon=0), 3)
    assert values.shape == (1, 3, 8, 8)
    assert values.sum().item() == pytest.approx(scores[0].item(), rel=1e-6)
    assert quality["conserved"] == pytest.approx(1, rel=1e-6)


def test_z_plus_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Conv2d(2, 1, 1, bias=False), nn.Flatten()).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -1.0], [2.0, 1.0]])[:, :, None, None])
        model[0].bias.copy_(torch.tensor([1.0, -1.0]))
        model[2].weight.copy_(torch.tensor([[3.0, 1.0]])[:, :, None, None])
    pixels = torch.tensor([0.5, 0.25], dtype=torch.float64)[:, None, None]
    base = given(1)
    prepared = dataclasses.replace(
        base, input=pixels.float(), pixels=pixels, matrix=torch.eye(2).double(), offset=torch.zeros(2).double(),
        channels=("1", "2"),
    )  # fmt: skip
    # Hidden: 0.5 - 0.25 + 1 = 1.25 and 1 + 0.25 - 1 = 0.25. Score: 3.75 + 0.25 = 4.
    # First unit, 3.75: all of the first pixel. Second, 0.25: 1 of the first, 0.25 of the second: 0.2 and 0.05.
    values, scores, (quality,) = relevance(model, prepared, LRP("epsilon-plus"), 0)
    assert scores[0].item() == pytest.approx(4)
    assert values[0, :, 0, 0].tolist() == pytest.approx([1.45, 0.05], rel=1e-12)
    assert quality["conserved"] == pytest.approx(1.5 / 4)
    assert quality["biases"] == pytest.approx(2.5 / 4)
    assert quality["rules"] == "2 z-plus"
    values, _, (quality,) = relevance(model, prepared, LRP("epsilon-plus", biases="ignore"), 0)
    assert values[0, :, 0, 0].tolist() == pytest.approx([3.95, 0.05], rel=1e-12)
    assert quality["conserved"] == pytest.approx(1)
    assert quality["biases"] == 0
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[-1.0, -1.0], [2.0, 1.0]])[:, :, None, None])
    # First unit: -0.5 - 0.25 + 1 = 0.25. Its 0.75 of the score, 1, no pixel explains.
    for biases in ("absorb", "ignore"):
        values, _, (quality,) = relevance(model, prepared, LRP("epsilon-plus", biases=biases), 0)
        assert values[0, :, 0, 0].tolist() == pytest.approx([0.2, 0.05], rel=1e-12)
        assert quality["biases"] == pytest.approx(0.75)


def _matrix_of(layer: nn.Module, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """(inputs, outputs) and (outputs,): a layer as a matrix and what it adds."""
    zero = layer(torch.zeros(1, *shape, dtype=torch.float64)).detach().flatten()
    units = torch.eye(math.prod(shape), dtype=torch.float64).view(-1, *shape)
    return layer(units).detach().flatten(1) - zero, zero


def _reference(model: nn.Sequential, pixels: Tensor, target: int, rules: list[Callable[..., Tensor]]) -> Tensor:
    """The classical rules, in terms of relevances, layer by layer."""
    values, layers = [pixels[None]], []
    for layer in model:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layers.append((values[-1].flatten(), *_matrix_of(layer, values[-1].shape[1:])))
        values.append(layer(values[-1]).detach())
    last = values[-1].flatten()
    carried = torch.where(torch.arange(len(last)) == target, last, 0)
    for (a, w, b), rule in zip(reversed(layers), reversed(rules), strict=True):
        carried = rule(a, w, b, carried)
    return carried.view(pixels.shape)


def _shared(contributions: Tensor, total: Tensor, carried: Tensor) -> Tensor:
    safe = torch.where(total == 0, 1, total)
    return (contributions * torch.where(total == 0, 0, carried / safe)).sum(1)


def _epsilon(epsilon: float) -> Callable[..., Tensor]:
    def rule(a: Tensor, w: Tensor, b: Tensor, carried: Tensor) -> Tensor:
        z = a @ w + b
        return _shared(a[:, None] * w, z + epsilon * z.square().mean().sqrt() * z.sign(), carried)

    return rule


def _gamma(gamma: float) -> Callable[..., Tensor]:
    def rule(a: Tensor, w: Tensor, b: Tensor, carried: Tensor) -> Tensor:
        w, b = w + gamma * w.clamp(min=0), b + gamma * b.clamp(min=0)
        return _shared(a[:, None] * w, a @ w + b, carried)

    return rule


def _plus(a: Tensor, w: Tensor, b: Tensor, carried: Tensor) -> Tensor:
    w, b = w.clamp(min=0), b.clamp(min=0)
    return _shared(a[:, None] * w, a @ w + b, carried)


def _ignoring(a: Tensor, w: Tensor, b: Tensor, carried: Tensor) -> Tensor:
    return _plus(a, w, torch.zeros_like(b), carried)


def _box(a: Tensor, w: Tensor, b: Tensor, carried: Tensor) -> Tensor:
    shares = a[:, None] * w - w.clamp(max=0)  # black is 0, white is 1
    return _shared(shares, shares.sum(0), carried)


def _flat(a: Tensor, w: Tensor, b: Tensor, carried: Tensor) -> Tensor:
    shares = (w != 0).double()
    return _shared(shares, shares.sum(0), carried)


@pytest.mark.parametrize(
    ("method", "rules"),
    [
        (LRP("epsilon", epsilon=0.25), [_epsilon(0.25)] * 3),
        (LRP("epsilon-plus", epsilon=0.1), [_plus, _plus, _epsilon(0.1)]),
        (LRP("epsilon-plus-flat", epsilon=0), [_flat, _plus, _epsilon(0)]),
        (LRP("epsilon-plus-box", epsilon=0, biases="ignore"), [_box, _ignoring, _epsilon(0)]),
        (LRP("epsilon-gamma-box", epsilon=0.1, gamma=0.4), [_box, _gamma(0.4), _epsilon(0.1)]),
    ],
    ids=COMPOSITES,
)
def test_the_rules_as_they_are_written(method: LRP, rules: list[Callable[..., Tensor]]) -> None:
    model, prepared = small(), given()
    expected = _reference(model, prepared.input.double(), 4, rules)
    values, _, (quality,) = relevance(model, prepared, method, 4)
    assert relative(values[0], expected) < 1e-9
    assert quality["conserved"] != pytest.approx(1, rel=1e-3)
    assert accounted(quality) == pytest.approx(1, abs=1e-9)


def test_gamma_goes_to_z_plus() -> None:
    layers = [nn.Conv2d(3, 6, 3, bias=False), nn.SiLU(), nn.Conv2d(6, 6, 3, bias=False)]
    model = random(nn.Sequential(*layers, nn.Flatten(), nn.Linear(96, 5)))
    box = relevance(model, given(), LRP("epsilon-gamma-box", gamma=1e9))[0]
    assert relative(relevance(model, given(), LRP("epsilon-plus-box"))[0], box) < 1e-6


# -- the rest of a network ------------------------------------------------------------------------------------------


class Network(nn.Module):
    """Of everything a convolutional network is made of; ``frozen`` writes its rules down as constants."""

    def __init__(self, act: Callable[[Tensor], Tensor], *, frozen: bool, gate: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.act, self.frozen, self.gate = act, frozen, gate
        self.one, self.two, self.down = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.norm, self.squeeze, self.layer = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1), nn.LayerNorm([8, 4, 4])
        self.group = nn.GroupNorm(2, 8)
        self.up, self.head = nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Linear(20, 5)

    def activate(self, x: Tensor) -> Tensor:
        y = self.act(x.clone())
        return x * (y / x).detach() if self.frozen else y

    def constant(self, x: Tensor) -> Tensor:
        return x.detach() if self.frozen else x

    def normalise(self, x: Tensor, norm: Any, over: Callable[[Tensor], Tensor]) -> Tensor:
        if not self.frozen:
            return norm(x)
        rows = over(x)
        centred = (rows - rows.mean(-1, keepdim=True)) * torch.rsqrt(
            rows.var(-1, correction=0, keepdim=True).detach() + norm.eps
        )
        shape = (-1, 1, 1) if norm is self.group else norm.weight.shape
        return centred.view(x.shape) * norm.weight.view(shape) + norm.bias.view(shape)

    def forward(self, x: Tensor) -> Tensor:
        h = self.activate(self.norm(self.one(x)) + 0.1)
        h = self.down(h) + self.activate(self.two(h) * 0.5 - 0.05)
        h = h * self.constant(self.gate(self.squeeze(h.mean((2, 3), keepdim=True))))
        h = F.max_pool2d(h, 2)
        h = self.normalise(h, self.layer, lambda t: t.flatten(1))
        h = self.normalise(h, self.group, lambda t: t.reshape(len(t), 2, -1))
        h = torch.cat([h[:, ::2], self.up(F.avg_pool2d(h, 2)), h.flip(1).roll(1, 2)], 1)
        h = F.interpolate(h, scale_factor=2.0, mode="bilinear")
        h = F.adaptive_avg_pool2d(self.activate(h), 1).flatten(1)
        return self.head(torch.cat([h, h], 1)[:, :20] if h.shape[1] < 20 else h[:, :20])


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu_": lambda x: x.relu_(),
    "relu6": nn.ReLU6(inplace=True),
    "clamp": lambda x: x.clamp(-0.2, 0.3),
    "hardtanh": lambda x: F.hardtanh(x, -0.5, 0.1),
    "silu": nn.SiLU(inplace=True),
    "silu by hand": lambda x: x * torch.sigmoid(x),
    "swish in place": lambda x: x.mul_(x.sigmoid()),
    "hardswish": nn.Hardswish(),
    "hardswish by hand": lambda x: x * F.relu6(x + 3) / 6,
    "hardswish in place": lambda x: x.mul_(F.relu6(x + 3.0, inplace=True).div_(6.0)),
    "gelu": nn.GELU(),
    "gelu, tanh": nn.GELU(approximate="tanh"),
    "mish": nn.Mish(),
    "leaky": nn.LeakyReLU(0.1),
    "prelu": lambda x: F.prelu(x, torch.tensor([0.2], dtype=x.dtype)),
    "elu": nn.ELU(),
    "selu": F.selu,
    "celu": nn.CELU(),
    "tanh": torch.tanh,
    "softsign": nn.Softsign(),
    "mask": lambda x: x * (x > 0),
    "where": lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
}
GATES: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "module": nn.Sigmoid(),
    "method": lambda x: x.sigmoid_(),
    "hardsigmoid": nn.Hardsigmoid(),
    "hardsigmoid in place": nn.Hardsigmoid(inplace=True),
    "by hand": lambda x: F.relu6(x + 3) / 6,
    "clamp": lambda x: (x + 0.5).clamp(0, 1),
    "softmax": lambda x: x.softmax(1).view_as(x),
    "expanded": lambda x: torch.sigmoid(x).flatten(1)[:, :, None, None].expand(-1, -1, 8, 8),
    "doubled": lambda x: 2 * torch.sigmoid(x),
}


def network(act: str, gate: str, *, frozen: bool) -> nn.Module:
    return random(Network(ACTIVATIONS[act], frozen=frozen, gate=GATES[gate]))


def assert_frozen_gradient(act: str, gate: str) -> None:
    prepared = given()
    values, _, (quality,) = relevance(network(act, gate, frozen=False), prepared, LRP("epsilon", epsilon=0))
    expected = prepared.pixels * plainly(network(act, gate, frozen=True), prepared, 1)
    assert relative(values, expected) < 1e-6
    assert accounted(quality) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_relevance_passes_an_activation_unchanged(act: str) -> None:
    assert_frozen_gradient(act, "sigmoid")


@pytest.mark.parametrize("gate", GATES)
def test_of_a_gated_product_the_other_factor_gets_all(gate: str) -> None:
    assert_frozen_gradient("silu", gate)


@pytest.mark.parametrize("composite", [name for name in COMPOSITES if name != "epsilon"])
@pytest.mark.parametrize("offset", [False, True])
def test_nothing_gets_lost_unaccounted(composite: str, offset: bool) -> None:
    values, scores, (quality,) = relevance(
        network("silu", "sigmoid", frozen=False), given(offset=offset), LRP(composite, epsilon=0.1)
    )
    assert accounted(quality) == pytest.approx(1, abs=1e-9)
    assert quality["conserved"] == pytest.approx(float(values.sum() / scores[0]), rel=1e-9)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.block = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.act, self.head = nn.ReLU(inplace=True), nn.Linear(6, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.first(x))
        h = h + self.act(self.block(h))
        return self.head(h.mean((2, 3)))


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_residual_connection_shares_in_proportion(composite: str) -> None:
    model = random(Residual())
    values, scores, (quality,) = relevance(model, given(), LRP(composite, epsilon=0))
    assert values.sum().item() == pytest.approx(scores[0].item(), rel=1e-6)
    assert quality["conserved"] == pytest.approx(1, rel=1e-6)


class Folded(nn.Module):
    """A convolution, transposed or not, and its normalisation: as two layers or as one."""

    def __init__(self, kind: str, *, folded: bool) -> None:
        super().__init__()
        self.folded, self.kind = folded, kind
        conv = nn.ConvTranspose2d if kind == "transposed" else nn.Conv2d
        self.conv = conv(3, 6, 3, padding=1, groups=3 if kind == "groups" else 1, bias=kind == "bias")
        self.norm = timm.layers.BatchNormAct2d(6) if kind == "timm" else nn.BatchNorm2d(6)
        self.dense, self.norm1 = nn.Linear(6 * 64, 10), nn.BatchNorm1d(10)
        self.head = nn.Linear(10, 4)

    def features(self, x: Tensor) -> Tensor:
        n = self.norm
        if not self.folded:
            if self.kind == "functional":
                h = F.batch_norm(self.conv(x), n.running_mean, n.running_var, n.weight, n.bias, False, 0.1, n.eps)
                return F.relu(h)
            return F.relu(n(self.conv(x)))
        scale = n.weight / torch.sqrt(n.running_var + n.eps)
        shape = (1, -1, 1, 1) if self.kind == "transposed" else (-1, 1, 1, 1)
        bias = n.bias - n.running_mean * scale + (0 if self.conv.bias is None else self.conv.bias * scale)
        run = F.conv_transpose2d if self.kind == "transposed" else F.conv2d
        return F.relu(run(x, self.conv.weight * scale.view(shape), bias, padding=1, groups=self.conv.groups))

    def forward(self, x: Tensor) -> Tensor:
        h = self.dense(self.features(x).flatten(1))
        if not self.folded:
            return self.head(self.norm1(h))
        n = self.norm1
        scale = n.weight / torch.sqrt(n.running_var + n.eps)
        return self.head(F.linear(self.features(x).flatten(1), self.dense.weight * scale[:, None],
                                  (self.dense.bias - n.running_mean) * scale + n.bias))  # fmt: skip


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("kind", ["plain", "bias", "groups", "transposed", "functional", "timm"])
def test_a_normalisation_is_merged_into_its_layer(kind: str, composite: str) -> None:
    method = LRP(composite, epsilon=0.2)
    prepared = given(offset=True)
    values, _, (quality,) = relevance(random(Folded(kind, folded=False)), prepared, method)
    expected, _, (other,) = relevance(random(Folded(kind, folded=True)), prepared, method)
    assert relative(values, expected) < 1e-9
    assert quality["rules"].endswith("; 2 merged with a normalisation")
    assert accounted(quality) == pytest.approx(accounted(other), abs=1e-9)


def test_what_stands_between_keeps_a_normalisation_apart() -> None:
    class Apart(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.head = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Linear(6, 4)

        def forward(self, x: Tensor) -> Tensor:
            h = self.conv(x)
            h.mul_(2)
            return self.head(F.relu(self.norm(h)).mean((2, 3)))

    model, prepared = random(Apart()), given()
    values, _, (quality,) = relevance(model, prepared, LRP("epsilon", epsilon=0))
    assert "merged" not in quality["rules"]
    assert relative(values, prepared.pixels * plainly(model, prepared, 1)) < 1e-6
    assert accounted(quality) == pytest.approx(1, abs=1e-9)


class Padded(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.conv, self.head = nn.Conv2d(3, 6, 4), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        w, b = self.conv.weight, self.conv.bias
        if self.how == "same":
            h = F.conv2d(x, w, b, padding="same")
        elif self.how == "pad":
            h = F.conv2d(F.pad(x, (1, 2, 1, 2)), w, b)
        elif self.how == "module":
            h = self.conv(nn.ZeroPad2d((1, 2, 1, 2))(x.contiguous()))
        elif self.how == "aten":
            h = torch.ops.aten.convolution.default(
                torch.ops.aten.constant_pad_nd.default(x, (1, 2, 1, 2)), w, b, (1, 1), (0, 0), (1, 1), False, (0, 0), 1
            )
        else:
            h = torch.conv2d(input=F.pad(x, [1, 2, 1, 2], mode="constant", value=0.0), weight=w, bias=b)
        return self.head(torch.relu(h).mean((2, 3)))


@pytest.mark.parametrize("composite", COMPOSITES)
def test_padding_is_seen_through_in_every_spelling(composite: str) -> None:
    found = {}
    for how in ("same", "pad", "module", "keywords", "aten"):
        values, _, (quality,) = relevance(random(Padded(how)), given(offset=True), LRP(composite))
        found[how] = values
        assert "notes" not in quality
    for how, values in found.items():
        assert relative(values, found["same"]) < 1e-12, how


def test_colours_in_another_order() -> None:
    model, swapped = small(), small()
    with torch.no_grad():
        swapped[0].weight.copy_(model[0].weight.flip(1))
    flipped = torch.eye(3).flip(0)
    for composite in COMPOSITES:
        one, *_ = relevance(model, given(), LRP(composite))
        two, *_ = relevance(swapped, given(matrix=flipped), LRP(composite))
        assert relative(two, one) < 1e-5  # the model's input is float32, inverted in float64


def test_a_first_layer_that_hides_is_noted() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, 4)
            self.register_buffer("mean", torch.full((3, 1, 1), 0.4))

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.conv((x - self.mean) / 0.3)).mean((2, 3)))

    for composite in ("epsilon-gamma-box", "epsilon-plus-flat"):
        *_, (quality,) = relevance(random(Hidden()), given(), LRP(composite))
        assert "was not applied" in quality["notes"][0]
        assert accounted(quality) == pytest.approx(1, abs=1e-9)


def test_without_black_and_white_the_box_is_the_pictures_own() -> None:
    prepared = dataclasses.replace(given(), variable="input unit")
    values, _, (quality,) = relevance(small(), prepared, LRP())
    assert "black and white is not known" in quality["notes"][0]
    assert torch.isfinite(values).all()
    assert accounted(quality) == pytest.approx(1, abs=1e-9)
    *_, (quality,) = relevance(small(), prepared, LRP("epsilon-plus"))
    assert "notes" not in quality


# -- peers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("composite", ["epsilon", "epsilon-plus", "epsilon-gamma-box"])
def test_equals_captum_on_a_sequence_of_modules(composite: str) -> None:
    captum = pytest.importorskip("captum.attr")
    from captum.attr._utils import lrp_rules

    # Captum's gamma rule leaves the bias as it is where the weights are changed.
    biases = composite != "epsilon-gamma-box"
    model, prepared = small(bias=biases), given()
    convolution = {
        "epsilon": lambda: lrp_rules.EpsilonRule(1e-12),
        "epsilon-plus": lambda: lrp_rules.Alpha1_Beta0_Rule(set_bias_to_zero=True),
        "epsilon-gamma-box": lambda: lrp_rules.GammaRule(0.25),
    }[composite]
    for layer in model:
        layer.rule = convolution() if isinstance(layer, nn.Conv2d) else lrp_rules.EpsilonRule(1e-12)
    theirs = captum.LRP(model).attribute(prepared.input.double()[None].requires_grad_(), target=4)
    rules = COMPOSITES[composite](LRP(epsilon=1e-12, biases="ignore"))
    problem = problem_of(small(bias=biases), prepared, [4])
    ends = torch.zeros(3).double(), torch.ones(3).double()
    ours = problem.gradients(
        problem.pixels[None], RelevanceRules(dataclasses.replace(rules, first=None), problem.matrix, *ends)
    )
    assert relative(ours[1][0], theirs.detach()) < 1e-6


def test_captum_loses_the_score_in_a_residual_connection() -> None:
    captum = pytest.importorskip("captum.attr")

    class Once(Residual):
        def __init__(self) -> None:
            super().__init__()
            self.act, self.again = nn.ReLU(), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            h = self.act(self.first(x))
            h = h + self.again(self.block(h))
            return self.head(h.mean((2, 3)))

    model, prepared = random(Once()), given()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = captum.LRP(model).attribute(prepared.input.double()[None].requires_grad_(), target=1)
    values, scores, _ = relevance(random(Once()), prepared, LRP("epsilon", epsilon=0))
    assert values.sum().item() == pytest.approx(scores[0].item(), rel=1e-6)
    assert abs(theirs.sum().item() / scores[0].item() - 1) > 0.1


# -- what cannot be done --------------------------------------------------------------------------------------------


class Ending(nn.Module):
    def __init__(self, end: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.head, self.end = nn.Conv2d(3, 6, 3), nn.Linear(6, 4), end

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(F.relu(self.conv(x)).mean((2, 3))))


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda x: x.softmax(1), "softmax that is not a factor.*return the scores before it"),
        (torch.sigmoid, "sigmoid that is not a factor"),
        (lambda x: x + torch.sigmoid(x), "sigmoid that is not a factor"),
        (lambda x: x * x, "1 mul"),
        (lambda x: x.square(), "1 pow"),
        (lambda x: x * torch.tanh(x.flip(1)), "1 mul"),
        (lambda x: x / (1 + x.abs()), "abs.*div|div.*abs"),
        (lambda x: F.softplus(x), "1 softplus"),
        (lambda x: F.normalize(x), "norm"),
        (lambda x: x.log_softmax(1), "log_softmax"),
    ],
)
def test_an_operator_without_a_rule_is_refused(end: Callable[[Tensor], Tensor], words: str) -> None:
    for classes in ("loop", "vmap"):
        with pytest.raises(ModelError, match=words):
            relevance(random(Ending(end)), given(), LRP(), 0, 1, classes=classes)


def test_attention_is_refused() -> None:
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=1, num_classes=4)
    with pytest.raises(ModelError, match=r"scaled_dot_product.*without attention"):
        relevance(model, given(32), LRP())


def test_a_script_module_has_epsilon_zero_and_is_counted() -> None:
    class Child(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(6, 6, 1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.conv(x))

    class Parent(nn.Module):
        def __init__(self, child: nn.Module) -> None:
            super().__init__()
            self.first, self.child, self.head = nn.Conv2d(3, 6, 3), child, nn.Linear(6, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.child(F.relu(self.first(x))).mean((2, 3)))

    child = random(Child())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = random(Parent(torch.jit.script(child)))
    values, _, (quality,) = relevance(model, given(), LRP("epsilon", epsilon=0))
    assert quality["rules"] == "2 epsilon, 1 with epsilon 0"
    plain = Parent(child).double()
    plain.load_state_dict(model.state_dict())
    assert relative(values, relevance(plain.eval(), given(), LRP("epsilon", epsilon=0))[0]) < 1e-9
    assert "elsewhere" in quality  # its biases are not seen


def test_an_input_that_is_overwritten_is_refused() -> None:
    class Overwriting(Ending):
        def forward(self, x: Tensor) -> Tensor:
            h = F.relu(self.conv(x))
            y = F.conv2d(h, torch.ones(6, 6, 1, 1, dtype=h.dtype))
            h.mul_(0.5)
            return self.head((y + h).mean((2, 3)))

    with pytest.raises(ModelError, match="out of place"):
        relevance(random(Overwriting(F.relu)), given(), LRP())


@pytest.mark.parametrize(
    "options",
    [
        {"composite": "epsilon+"},
        {"composite": None},
        {"epsilon": -1},
        {"epsilon": math.nan},
        {"gamma": math.inf},
        {"gamma": "0.25"},
        {"epsilon": True},
        {"biases": False},
    ],
)
def test_bad_parameters(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"{next(iter(options))}=.*Give"):
        LRP(**options)


# -- as a method of the engine --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["resnet18", "tf_efficientnet_lite0", "mobilenetv3_small_050", "efficientnet_b0", "convnext_atto"]
)
@pytest.mark.parametrize("composite", ["epsilon-plus", "epsilon-gamma-box"])
def test_real_architectures(name: str, composite: str) -> None:
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=4).double().eval()
    with ModelGuard(model):
        values, _, (quality,) = relevance(model, given(32, "per channel", offset=True), LRP(composite))
    assert torch.isfinite(values).all()
    assert values.abs().sum() > 0
    assert "notes" not in quality
    assert accounted(quality) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_several_targets_share_the_passes_forward(composite: str) -> None:
    seen: list[int] = []

    class Counting(Network):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(len(x))
            return super().forward(x)

    model = random(Counting(F.silu, frozen=False, gate=torch.sigmoid))
    problem = problem_of(model, given(), [0, 1, 4])
    problem.outputs(problem.pixels[None])
    seen.clear()
    *_, last = LRP(composite).estimates(problem)
    assert seen == [1, 1]
    vmapped, _, qualities = relevance(model, given(), LRP(composite), 0, 1, 4, classes="vmap")
    assert relative(vmapped, last.values) < 1e-12
    for k, target in enumerate((0, 1, 4)):
        alone, _, (quality,) = relevance(model, given(), LRP(composite), target)
        assert relative(last.values[k], alone[0]) < 1e-12
        for key in ("conserved", "biases", "stabiliser"):
            assert last.quality[k][key] == pytest.approx(quality[key], abs=1e-9)
            assert qualities[k][key] == pytest.approx(quality[key], abs=1e-9)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_rows_do_not_depend_on_the_chunk(composite: str) -> None:
    found, ledgers = [], []
    for chunk in (1, 2, 5):
        problem = problem_of(network("silu", "sigmoid", frozen=False), given(), [0, 2], chunk=chunk)
        rows = torch.stack([problem.pixels.roll(k, 2) for k in range(5)])
        ends = torch.zeros(3).double(), torch.ones(3).double()
        rules = RelevanceRules(COMPOSITES[composite](LRP(epsilon=0.1)), problem.matrix, *ends)
        found.append(problem.gradients(rows, rules)[1])
        assert rules.ledger is not None
        ledgers.append(rules.ledger)
    assert found[0].shape == (5, 2, 3, 8, 8)
    for values, ledger in zip(found[1:], ledgers[1:], strict=True):
        assert relative(values, found[0]) < 1e-11
        assert torch.allclose(ledger, ledgers[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_the_callers_mode_makes_no_difference(mode: Callable[[], Any]) -> None:
    expected, *_ = relevance(network("relu_", "sigmoid", frozen=False), given(), LRP())
    model = network("relu_", "sigmoid", frozen=False)
    with mode():
        values, _, (quality,) = relevance(model, given(), LRP())
        assert torch.equal(values, expected)
    assert accounted(quality) == pytest.approx(1, abs=1e-9)


def test_of_a_probability_the_first_order_part_is_distributed() -> None:
    values, scores, (quality,) = relevance(small(bias=False), given(), LRP("epsilon", epsilon=0), Probability(1))
    total = values.sum().item()
    assert quality["distributed"] == pytest.approx(total / scores[0].item(), rel=1e-6)
    assert quality["conserved"] == pytest.approx(quality["distributed"], rel=1e-6)


def test_a_score_of_zero_has_no_fractions() -> None:
    model = small(bias=False)
    with torch.no_grad():
        model[5].weight.zero_()
    values, _, (quality,) = relevance(model, given(), LRP())
    assert quality["conserved"] is None
    assert not values.any()


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_type_of_the_model(dtype: torch.dtype, composite: str) -> None:
    expected, *_ = relevance(network("silu", "sigmoid", frozen=False), given(), LRP(composite))
    model = network("silu", "sigmoid", frozen=False).to(dtype)
    values, _, (quality,) = relevance(model, given(), LRP(composite))
    assert values.dtype == torch.float32
    assert relative(values.double(), expected) < (1e-4 if dtype is torch.float32 else 0.3)
    assert "merged" in quality["rules"]


def test_the_unit_is_that_of_the_score() -> None:
    from PIL import Image

    import saliency_widget as sw

    image = Image.new("RGB", (8, 8), (200, 100, 50))
    result = sw.explain(small().float().eval(), image, method="lrp", target=1, preprocess="none")
    assert isinstance(result, sw.Attribution)
    assert result.unit == "logit"
    assert result.quality["rules"] == "1 z-box, 1 gamma, 1 epsilon"
    assert sw.explain(small().float().eval(), image, target=1, preprocess="none").unit == "logit per full-scale pixel"


def _tensors() -> int:
    # By type: to be asked for its class, an object may run code of its own.
    return sum(issubclass(type(thing), Tensor) for thing in gc.get_objects())


@pytest.mark.parametrize("method", [LRP(), LRP("epsilon"), GuidedBackprop()], ids=lambda method: method.name)
def test_nothing_is_left_for_the_garbage_collector(method: Method) -> None:
    problem = problem_of(network("relu_", "sigmoid", frozen=False), given(), [0, 1])
    list(method.estimates(problem))
    gc.collect()
    gc.disable()
    try:
        before = _tensors()
        list(method.estimates(problem))
        assert _tensors() == before
    finally:
        gc.enable()


def test_the_model_is_untouched_and_let_go() -> None:
    model, refused = network("relu6", "hardsigmoid", frozen=False).train(), random(Ending(lambda x: x * x))
    with ModelGuard(model), ModelGuard(refused):
        relevance(model, given(), LRP())
        with pytest.raises(ModelError):
            relevance(refused, given(), LRP())
    assert not torch.overrides._get_current_function_mode_stack()
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
