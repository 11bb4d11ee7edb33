"""Take notes of the attention in a model's forward pass, and change nothing in it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from saliency_widget.engine.attention_calls import AttentionMode


@dataclass
class Survey:
    """What a forward pass showed about the attention in a model.

    Attributes
    ----------
    shapes
        Of the attention weights, in order: (..., L, S).
    fused
        How many of them a fused kernel hides.
    unused
        Shapes of square softmaxes whose result went another way than to the values.
    grids
        Height and width of what the convolutions before the first attention returned.
    lengths
        How many tokens the layers that treat each alone were given.
    parallel
        Some attentions read the same tokens, side by side.
    """

    shapes: list[tuple[int, ...]] = field(default_factory=list)
    fused: int = 0
    unused: list[tuple[int, ...]] = field(default_factory=list)
    grids: list[tuple[int, int]] = field(default_factory=list)
    lengths: set[int] = field(default_factory=set)
    parallel: bool = False


class Surveyor(AttentionMode):
    """Takes notes of a forward pass and changes nothing in it.

    Attributes
    ----------
    survey
        The notes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.survey = Survey()
        # What was normalised before the last attention, and since: side by side if it is the same tensor.
        self._before: list[Tensor] = []
        self._since: list[Tensor] = []
        self._values: Tensor | None = None

    def finish(self) -> Survey:
        """The notes, when the forward pass is over."""
        self.survey.unused = self.unused
        return self.survey

    def fused(self, func: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Tensor:
        """Note its shape."""
        call = {**dict(zip(("query", "key", "value"), args, strict=False)), **options}
        query, key = call["query"], call["key"]
        batch = query.shape[:-2]
        if not call.get("enable_gqa"):
            batch = torch.broadcast_shapes(batch, key.shape[:-2])  # type: ignore[no-untyped-call]
        self._saw((*batch, query.shape[-2], key.shape[-2]), call["value"])
        self.survey.fused += 1
        output: Tensor = func(*args, **options)
        return output

    def written(self, weights: Tensor, values: Tensor) -> Tensor:
        """Note its shape."""
        self._saw(tuple(weights.shape), values)
        return weights

    def passed(self, func: Any, args: tuple[Any, ...], output: Any) -> None:
        """Note grids and tokens."""
        if func is F.conv2d:
            height, width = output.shape[-2:]
            self.survey.lengths.add(height * width)
            if not self.survey.shapes:
                self.survey.grids.append((height, width))
        elif func in (F.linear, F.layer_norm) and isinstance(args[0], Tensor):
            shape = args[0].shape
            self.survey.lengths.update(shape[:-1] if len(shape) == 3 else [math.prod(shape[1:-1])])
            if func is F.layer_norm and len(shape) == 3:
                self._since.append(args[0])

    def _saw(self, shape: tuple[int, ...], values: Tensor) -> None:
        self.survey.shapes.append(shape)
        twice = any(one is other for one in self._since for other in self._before)
        self.survey.parallel |= twice or values is self._values
        self._before, self._since, self._values = self._since, [], values
