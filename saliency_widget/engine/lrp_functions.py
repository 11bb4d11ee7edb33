"""The operators whose backward pass carries relevance; see :mod:`~saliency_widget.engine.lrp_rules` for coefficients.

What biases and stabilisers take is booked in a *ledger* (N, 3), an input of each operator that loses relevance: its
gradient is the sum over all of them, for each score that is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from saliency_widget.engine.lrp_maps import Box, Layer, Map
from saliency_widget.engine.lrp_rules import Rule
from saliency_widget.engine.ruled import ModelInput
from saliency_widget.errors import ModelError

SEED, BIASES, STABILISER = 0, 1, 2
COLUMNS = 3

Builder = Callable[[Layer, "Box | None"], Rule]


@dataclass(frozen=True, eq=False)
class Source:
    """The model's input, taken apart, as far as it has come.

    Attributes
    ----------
    delta
        (N, C, H, W), what the pixels make of it, over a black picture.
    black
        (1, C, H, W), what a black picture makes of it.
    box
        Between which values ``delta`` can lie.
    probe
        (N, C, H, W): the relevance of ``delta`` is its gradient.
    """

    delta: Tensor
    black: Tensor
    box: Box
    probe: Tensor

    def padded(self, pad: Any) -> Source:
        """With a border of zeros, as the model's input got one."""
        box = self.box.each(lambda end: F.pad(end, pad))
        return Source(F.pad(self.delta, pad), F.pad(self.black, pad), box, F.pad(self.probe, pad))


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a linear layer, and the rule that holds for it.

    Attributes
    ----------
    map, weight, bias
        The layer; the bias can be broadcast over its outputs.
    input
        What it was called with.
    source
        The same, where it is the model's own input.
    build
        Makes the rule.
    """

    map: Map
    weight: Tensor
    bias: Tensor | None
    input: Tensor
    source: Source | None
    build: Builder

    def scaled(self, scale: Tensor, shift: Tensor) -> Call | None:
        """The same with a normalisation of its outputs merged into it; None where that is not possible."""
        weight = self.map.scaled(self.weight, scale)
        if weight is None:
            return None
        spread = (-1,) if self.input.dim() == 2 else (-1,) + (1,) * (self.input.dim() - 2)
        bias = shift.view(spread)
        return replace(self, weight=weight, bias=bias if self.bias is None else bias + self.bias * scale.view(spread))

    def rule(self, a: Tensor) -> Rule:
        """The rule, in float32 or better."""
        wide = torch.promote_types(a.dtype, torch.float32)
        weight = self.weight.to(wide)
        bias = None if self.bias is None else self.bias.to(wide)
        if self.source is None:
            return self.build(Layer(self.map, a.to(wide), weight, bias), None)
        # In terms of the pixels: what a black picture gives is a part of the bias.
        black = self.map.forward(self.source.black.to(wide), weight)
        return self.build(
            Layer(self.map, self.source.delta.to(wide), weight, black if bias is None else black + bias),
            self.source.box.each(lambda end: end.to(wide)),
        )


class Through(torch.autograd.Function):
    """A linear layer with a rule."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, ledger: Tensor, call: Call, plain: Callable[[], Tensor]) -> Any:
        # Not the output: an operation in place may follow, as it may on a layer whose weights are not trained.
        ctx.save_for_backward(call.input.detach())
        ctx.call, ctx.prepared, ctx.rows = call, None, len(ledger)
        ctx.type, ctx.ledger_type = given.dtype, ledger.dtype
        return plain()

    @staticmethod
    def backward(ctx: Any, c: Tensor) -> Any:
        if ctx.prepared is None:
            (a,) = ctx.saved_tensors
            ctx.prepared = ctx.call.rule(a)
        inputs, biases, stabiliser = ctx.prepared.pass_on(c.to(torch.promote_types(c.dtype, torch.float32)))
        booked = _booked(ctx.rows, ctx.ledger_type, {BIASES: biases, STABILISER: stabiliser})
        if ctx.call.source is not None and not ctx.prepared.relevance:
            inputs = inputs * ctx.call.source.delta
        return inputs.to(ctx.type), booked, None, None


class Enter(torch.autograd.Function):
    """Pixels and an empty ledger, in one leaf, to the model's input, the probe of its relevance, and the ledger."""

    @staticmethod
    def forward(ctx: Any, leaf: Tensor, pixels: Tensor, model_input: ModelInput, matrix: Tensor) -> Any:
        given, black = model_input(pixels), model_input(torch.zeros_like(pixels[:1]))
        ctx.pixels, ctx.black, ctx.matrix = pixels, black, matrix
        probe = torch.zeros_like(given)
        return given, probe, leaf.new_zeros(len(leaf), COLUMNS)

    @staticmethod
    def backward(ctx: Any, c: Tensor, relevance: Tensor, ledger: Tensor) -> Any:
        wide = ledger.dtype
        matrix, c, pixels = ctx.matrix.to(wide), c.to(wide), ctx.pixels.to(wide)
        # A channel of the input that several of the pixel's channels make is shared by their weights.
        shares = matrix.abs() / matrix.abs().sum(1, keepdim=True)
        found = pixels * torch.einsum("dc,ndhw->nchw", matrix, c)
        found = found + torch.einsum("dc,ndhw->nchw", shares, relevance.to(wide))
        booked = _booked(len(pixels), wide, {BIASES: c * ctx.black.to(wide)})
        return torch.cat([found.flatten(1), ledger + booked], 1), None, None, None


class Seed(torch.autograd.Function):
    """The model's outputs, which book what they are asked to distribute."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, ledger: Tensor) -> Any:
        ctx.outputs, ctx.ledger_type = outputs.detach().to(ledger.dtype), ledger.dtype
        return outputs.clone()

    @staticmethod
    def backward(ctx: Any, c: Tensor) -> Any:
        seeded = ctx.outputs * c.to(ctx.ledger_type)
        return c, _booked(len(c), ctx.ledger_type, {SEED: seeded})


class Shifted(torch.autograd.Function):
    """An operator that multiplies its input by a constant and adds another."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, ledger: Tensor, plain: Callable[[Tensor], Tensor], factor: Tensor | float, added: Tensor
    ) -> Any:
        ctx.factor, ctx.added, ctx.rows, ctx.ledger_type = factor, added, len(ledger), ledger.dtype
        return plain(x)

    @staticmethod
    def backward(ctx: Any, c: Tensor) -> Any:
        lost = c.to(ctx.ledger_type) * ctx.added
        return c * ctx.factor, _booked(ctx.rows, ctx.ledger_type, {BIASES: lost}), None, None, None


class Activation(torch.autograd.Function):
    """An elementwise function with f(0) = 0, through which relevance passes unchanged."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, plain: Callable[[Tensor], Tensor], bounded: bool) -> Any:
        y = plain(x)
        given = x.detach()
        ctx.save_for_backward(torch.where(given == 0, 0, y / torch.where(given == 0, 1, given)))
        # Read where it is a factor of a product.
        ctx.gate = 1 if bounded else 0
        return y

    @staticmethod
    def backward(ctx: Any, c: Tensor) -> Any:
        (share,) = ctx.saved_tensors
        return c * share, None, None


class Gate(torch.autograd.Function):
    """A function that is nowhere near 0 at 0, such as the sigmoid: good as a factor, which gets no relevance."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, plain: Callable[[Tensor], Tensor], name: str) -> Any:
        ctx.gate, ctx.name = 2, name
        return plain(x)

    @staticmethod
    def backward(ctx: Any, c: Tensor) -> Any:
        raise ModelError(
            f"LRP has no rule for a {ctx.name} that is not a factor of a product. If it is the model's last step, "
            "return the scores before it; otherwise use another method, such as 'gradient'."
        )


class Normalised(torch.autograd.Function):
    """Layer and group normalisation, the standard deviation taken as given: an affine function of what is left."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, ledger: Tensor, plain: Callable[[Tensor], Tensor], groups: Tensor, eps: float,
        weight: Tensor | None, bias: Tensor | None,
    ) -> Any:  # fmt: skip
        wide = torch.promote_types(x.dtype, torch.float32)
        rows = groups.to(wide)
        ctx.inverse = torch.rsqrt(rows.var(-1, correction=0, keepdim=True) + eps)
        ctx.shape, ctx.wide, ctx.weight, ctx.bias = groups.shape, wide, weight, bias
        ctx.rows, ctx.ledger_type = len(ledger), ledger.dtype
        return plain(x)

    @staticmethod
    def backward(ctx: Any, c: Tensor) -> Any:
        wide = c.to(ctx.wide)
        lost = torch.zeros_like(wide) if ctx.bias is None else wide * ctx.bias.to(ctx.wide)
        rows = (wide if ctx.weight is None else wide * ctx.weight.to(ctx.wide)).reshape(ctx.shape) * ctx.inverse
        inputs = (rows - rows.mean(-1, keepdim=True)).reshape(c.shape).to(c.dtype)
        return inputs, _booked(ctx.rows, ctx.ledger_type, {BIASES: lost}), None, None, None, None, None


def gate_of(factor: Tensor) -> int:
    """How much a factor of a product looks like a gate: 2 a sigmoid, 1 a clamped activation, 0 neither."""
    node: Any = factor.grad_fn
    while node is not None:
        if hasattr(node, "gate"):
            return int(node.gate)
        if not any(type(node).__name__.startswith(name) for name in _RESHAPING):
            return 0
        before = [function for function, _ in node.next_functions if function is not None]
        # Copied into another tensor, by an operation in place: what was copied comes last.
        if type(node).__name__ == "CopyBackwards":
            before = before[-1:]
        node = before[0] if len(before) == 1 else None
    return 0


# What may stand between a gate and its product: reshaping, and multiples.
_RESHAPING = (
    "View", "UnsafeView", "ReshapeAlias", "Expand", "Unsqueeze", "Squeeze", "Permute", "Transpose", "Clone", "ToCopy",
    "Alias", "Copy", "Slice", "Split", "Mul", "Div", "Upsample",
)  # fmt: skip


def _booked(rows: int, dtype: torch.dtype, columns: dict[int, Tensor]) -> Tensor:
    sums = {
        column: lost.to(dtype).sum()[None] if rows == 1 else lost.to(dtype).reshape(rows, -1).sum(1)
        for column, lost in columns.items()
    }
    nothing = torch.zeros_like(next(iter(sums.values())))
    return torch.stack([sums.get(column, nothing) for column in range(COLUMNS)], 1)
