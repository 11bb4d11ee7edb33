"""How one linear layer passes relevance on.

Relevance is carried as a *coefficient*: a value ``a`` with the coefficient ``c`` has the relevance ``a c``. A sum, a
mean, a pooling or a reshaping then passes coefficients on as it passes gradients on: each summand gets its share in
proportion to its value, and nothing is divided. Only a layer whose rule is another one needs what stands here.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import torch
from torch import Tensor

from saliency_widget.engine.lrp_maps import Box, Layer


class Rule(Protocol):
    """A rule for one layer, with what does not depend on the score already computed.

    Attributes
    ----------
    relevance
        It gives the relevance of the inputs rather than their coefficients: a rule for the first layer.
    """

    relevance: ClassVar[bool]

    def pass_on(self, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coefficients of the outputs to those of the inputs.

        Returns
        -------
        inputs : Tensor
            Coefficients of the inputs, or their relevance.
        biases, stabiliser : Tensor
            The relevance that these took, of the outputs' shape.
        """


class Epsilon:
    """In proportion to the contributions; a stabiliser of so many times the outputs' rms takes its share too."""

    relevance: ClassVar[bool] = False

    def __init__(self, layer: Layer, epsilon: float) -> None:
        self._layer = layer
        self._outputs = self._share = None
        if epsilon:
            z = layer.outputs()
            rms = z.flatten(1).square().mean(1).sqrt().view(-1, *[1] * (z.dim() - 1))
            size = z.abs() + epsilon * rms
            self._outputs, self._share = z, z.abs() / torch.where(size > 0, size, 1)

    def pass_on(self, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Rule`."""
        layer = self._layer
        s = c if self._share is None else c * self._share
        lost = torch.zeros_like(c) if self._outputs is None else self._outputs * (c - s)
        return layer.back(s, layer.weight), _times(s, layer.bias), lost


class _Signed:
    """Of a layer, the contributions to each output that are positive, and those that are negative."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        a, weight = layer.a, layer.weight
        self._up, self._down = weight.clamp(min=0), weight.clamp(max=0)
        self._mixed = bool((a < 0).any())
        above = a.clamp(min=0) if self._mixed else a
        positive, negative = layer.map.forward(above, self._up), layer.map.forward(above, self._down)
        if self._mixed:
            below = a.clamp(max=0)
            positive = positive + layer.map.forward(below, self._down)
            negative = negative + layer.map.forward(below, self._up)
        self.positive, self.negative = positive, negative

    def back(self, above: Tensor, below: Tensor) -> Tensor:
        """Coefficients of the inputs: ``above`` of the positive contributions, ``below`` of the negative ones."""
        layer = self._layer
        inputs = layer.back(above, self._up) + layer.back(below, self._down)
        if not self._mixed:
            return inputs
        return torch.where(layer.a > 0, inputs, layer.back(above, self._down) + layer.back(below, self._up))


class Gamma:
    """Contributions of the output's own sign count ``1 + gamma`` times, that of the bias too.

    The gamma rule, in the form that holds for inputs and outputs of either sign: the share ``z / (z + gamma z+)`` that
    scales an output is between 0 and 1.
    """

    relevance: ClassVar[bool] = False

    def __init__(self, layer: Layer, gamma: float) -> None:
        self._layer, self._gamma = layer, gamma
        self._parts = parts = _Signed(layer)
        z, up, down = parts.positive + parts.negative, parts.positive, parts.negative
        self._bias_up = self._bias_down = None
        if layer.bias is not None:
            self._bias_up, self._bias_down = layer.bias.clamp(min=0), layer.bias.clamp(max=0)
            z, up, down = z + layer.bias, up + self._bias_up, down + self._bias_down
        size = z.abs() + gamma * torch.where(z > 0, up, -down)
        self._share = z.abs() / torch.where(size > 0, size, 1)
        self._above, self._below = z > 0, z < 0

    def pass_on(self, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Rule`."""
        layer = self._layer
        s = c * self._share
        above, below = self._gamma * s * self._above, self._gamma * s * self._below
        biases = _times(s, layer.bias) + _times(above, self._bias_up) + _times(below, self._bias_down)
        return layer.back(s, layer.weight) + self._parts.back(above, below), biases, torch.zeros_like(c)


class ZPlus:
    """Contributions of the output's own sign count alone; where there are none, the bias takes all.

    The z-plus rule (alpha 1, beta 0), in the form that holds for inputs and outputs of either sign.
    """

    relevance: ClassVar[bool] = False

    def __init__(self, layer: Layer, *, absorb: bool) -> None:
        self._parts = parts = _Signed(layer)
        z, up, down = parts.positive + parts.negative, parts.positive, parts.negative
        self._bias_up = self._bias_down = None
        if layer.bias is not None:
            z = z + layer.bias
            if absorb:
                self._bias_up, self._bias_down = layer.bias.clamp(min=0), layer.bias.clamp(max=0)
                up, down = up + self._bias_up, down + self._bias_down
        self._outputs, self._above, self._below = z, z > 0, z < 0
        size = torch.where(self._above, up, -down)
        self._some = size > 16 * torch.finfo(z.dtype).eps * z.abs()
        self._share = torch.where(self._some, z.abs() / torch.where(self._some, size, 1), 0)

    def pass_on(self, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Rule`."""
        s = c * self._share
        above, below = s * self._above, s * self._below
        biases = _times(above, self._bias_up) + _times(below, self._bias_down) + c * self._outputs * ~self._some
        return self._parts.back(above, below), biases, torch.zeros_like(c)


class ZBox:
    """For the first layer: contributions are counted from the end of the box at which they are least."""

    relevance: ClassVar[bool] = True

    def __init__(self, layer: Layer, box: Box) -> None:
        self._layer, self._box = layer, box
        self._up, self._down = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
        self._outputs = layer.outputs()
        least = layer.map.forward(box.low, self._up) + layer.map.forward(box.high, self._down)
        self._inverse = _inverse(layer.map.forward(layer.a, layer.weight) - least)

    def pass_on(self, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Rule`."""
        layer, box = self._layer, self._box
        s = c * self._outputs * self._inverse
        relevance = (
            layer.a * layer.back(s, layer.weight)
            - box.low * layer.back(s, self._up)
            - box.high * layer.back(s, self._down)
        )
        return relevance, torch.zeros_like(c), c * self._outputs * (self._inverse == 0)


class Flat:
    """For the first layer: every input that an output sees gets the same."""

    relevance: ClassVar[bool] = True

    def __init__(self, layer: Layer, box: Box) -> None:
        self._layer, self._box = layer, box
        self._outputs, self._ones = layer.outputs(), torch.ones_like(layer.weight)
        self._inverse = _inverse(layer.map.forward(box.ones, self._ones))

    def pass_on(self, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Rule`."""
        s = c * self._outputs * self._inverse
        lost = c * self._outputs * (self._inverse == 0)
        return self._box.ones * self._layer.back(s, self._ones), torch.zeros_like(c), lost


def _times(s: Tensor, bias: Tensor | None) -> Tensor:
    return torch.zeros_like(s) if bias is None else s * bias


def _inverse(size: Tensor) -> Tensor:
    """1 / size, and 0 where there is nothing but rounding."""
    largest = size.abs().amax(tuple(range(1, size.dim())), keepdim=True)
    some = size > 16 * torch.finfo(size.dtype).eps * largest
    return torch.where(some, 1 / torch.where(some, size, 1), 0)
