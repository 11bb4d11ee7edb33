"""Linear layers as LRP sees them: a map, which can be run forward and back with other weights, and its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Convolution:
    """A convolution of any dimension, transposed or not, without its bias."""

    stride: Sizes
    padding: Sizes
    dilation: Sizes
    transposed: bool
    output_padding: Sizes
    groups: int

    def forward(self, a: Tensor, weight: Tensor) -> Tensor:
        """The convolution."""
        z: Tensor = torch.ops.aten.convolution(a, weight, None, *self._options)
        return z

    def transpose(self, s: Tensor, weight: Tensor, like: Tensor) -> Tensor:
        """Its transpose, from the outputs' shape to that of the input."""
        found: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
            s, like, weight, None, *self._options, (True, False, False)
        )
        return found[0]

    def scaled(self, weight: Tensor, scale: Tensor) -> Tensor | None:
        """The weight of which each output channel is scaled; None where that is not one product."""
        if self.transposed:
            return None if self.groups > 1 else weight * scale.view(1, -1, *[1] * (weight.dim() - 2))
        return weight * scale.view(-1, *[1] * (weight.dim() - 1))

    @property
    def _options(self) -> tuple[Sizes, Sizes, Sizes, bool, Sizes, int]:
        return self.stride, self.padding, self.dilation, self.transposed, self.output_padding, self.groups


@dataclass(frozen=True)
class Dense:
    """A linear layer over the last dimension, without its bias."""

    def forward(self, a: Tensor, weight: Tensor) -> Tensor:
        """The product."""
        return torch.nn.functional.linear(a, weight)

    def transpose(self, s: Tensor, weight: Tensor, like: Tensor) -> Tensor:
        """Its transpose."""
        return s @ weight

    def scaled(self, weight: Tensor, scale: Tensor) -> Tensor:
        """The weight of which each output is scaled."""
        return weight * scale.view(-1, 1)


Map = Convolution | Dense


@dataclass(frozen=True, eq=False)
class Layer:
    """The numbers of one layer: its input ``a``, weights, and what is added (broadcast over the outputs)."""

    map: Map
    a: Tensor
    weight: Tensor
    bias: Tensor | None

    def outputs(self) -> Tensor:
        """What it computes."""
        z = self.map.forward(self.a, self.weight)
        return z if self.bias is None else z + self.bias

    def back(self, s: Tensor, weight: Tensor) -> Tensor:
        """The transpose of the layer with other weights."""
        return self.map.transpose(s, weight, self.a)


@dataclass(frozen=True, eq=False)
class Box:
    """Between which values (1, C, H, W) each input of the first layer can lie, and where there are inputs at all."""

    low: Tensor
    high: Tensor
    ones: Tensor

    def each(self, change: Callable[[Tensor], Tensor]) -> Box:
        """The same, changed."""
        return Box(change(self.low), change(self.high), change(self.ones))
