"""Count passes by torch's own dispatcher: which layers ran forward, which backward, and for whose gradient."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_FORWARD = torch.ops.aten.convolution.default
_BACKWARD = torch.ops.aten.convolution_backward.default
_PRODUCT = torch.ops.aten.mm.default


class Passes(TorchDispatchMode):
    """Counts what a model's convolutions do while it is on.

    Parameters
    ----------
    model
        Whose convolutions have weights of their own. A shadow's weights share their storage with it.

    Attributes
    ----------
    forward, backward : Counter
        Of each convolution, how many rows (pictures) went through it; "another" is one with weights made from the
        model's.
    calls : Counter
        How many calls that took, by ("forward" or "backward", name).
    wasted : list of str
        The operators that computed the gradient of a weight.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        parts = list(model.named_modules())
        self._names = {part.weight.data_ptr(): name for name, part in parts if isinstance(part, nn.Conv2d)}
        self._linear = {
            part.weight.data_ptr(): tuple(part.weight.shape) for _, part in parts if type(part) is nn.Linear
        }
        self.forward: Counter[str] = Counter()
        self.backward: Counter[str] = Counter()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.wasted: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is _FORWARD:
            self._note("forward", self.forward, args[1], len(args[0]))
        elif func is _BACKWARD:
            self._note("backward", self.backward, args[2], len(args[0]))
        # Convolutions and normalisations say last for which of (input, weight, bias) they give a gradient.
        masked = "backward" in func.__name__ and isinstance(args[-1], list) and len(args[-1]) == 3
        if (masked and any(args[-1][1:])) or (func is _PRODUCT and self._of_weight(args, result)):
            self.wasted.append(func.__name__)
        return result

    def _of_weight(self, factors: tuple[Any, ...], result: Tensor) -> bool:
        # The gradient of an input is a product with the weight, and can have any shape.
        shaped = tuple(result.shape) in self._linear.values()
        return shaped and not any(factor.data_ptr() in self._linear for factor in factors)

    def _note(self, way: str, rows: Counter[str], weight: Tensor, count: int) -> None:
        name = self._names.get(weight.data_ptr(), "another")
        rows[name] += count
        self.calls[way, name] += 1
