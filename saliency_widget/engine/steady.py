"""Notice a forward whose randomness the sentinel cannot see: numpy's, Python's, a generator of the model's own."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saliency_widget.engine.sentinel import Trip

# Relative to the largest value. The two passes may use different kernels, because only one of them keeps a graph.
_ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-4}
_COARSE = 3e-2
_TF32 = 5e-3
# What is random may give the same twice, above all where it is a coin that is thrown.
_MORE = 7


class Steady:
    """Compares the first pass of a picture, which the sentinel watches, with the one that counts.

    Two passes that agree cost one forward pass for each shadow. A model that moves the random state of Python or numpy
    is looked at closer.
    """

    def __init__(self) -> None:
        self._python, self._numpy = random.getstate(), _numpy_state()
        self._wanted: list[Tensor] = []

    @property
    def more(self) -> int:
        """How many further passes are wanted, because the first one drew random numbers."""
        return _MORE if self._drew() else 0

    def expect(self, output: Any) -> None:
        """Remember what the first pass returned."""
        self._wanted = [tensor.detach().clone() for tensor in floats_in(output)]

    def compare(self, output: Any) -> None:
        """Compare what another pass returned.

        Raises
        ------
        Trip
            It differs by more than rounding. The random states are then what they were before the first pass.
        """
        found = [tensor.detach() for tensor in floats_in(output)]
        worst = max(map(_difference, self._wanted, found), default=0.0)
        if len(found) == len(self._wanted) and worst <= 1:
            return
        if self._drew():
            random.setstate(self._python)
            np.random.set_state(self._numpy)  # noqa: NPY002
        raise Trip("unsteady", "forward")

    def _drew(self) -> bool:
        ours, now = self._numpy, _numpy_state()
        return bool(random.getstate() != self._python or ours[2:] != now[2:] or (ours[1] != now[1]).any())


def _numpy_state() -> Any:
    return np.random.get_state()  # noqa: NPY002  (models draw from the legacy state)


def floats_in(output: Any, depth: int = 4) -> Iterator[Tensor]:
    """The floating tensors in a model's output, in order."""
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield output
    elif depth == 0:
        return
    elif isinstance(output, Mapping):
        for item in output.values():
            yield from floats_in(item, depth - 1)
    elif isinstance(output, (list, tuple)):
        for item in output:
            yield from floats_in(item, depth - 1)
    elif isinstance(getattr(output, "__dict__", None), dict) and not callable(output):
        yield from floats_in(output.__dict__, depth - 1)


def _difference(a: Tensor, b: Tensor) -> float:
    """By how many times what rounding explains two tensors differ."""
    if a.shape != b.shape:
        return float("inf")
    if not a.numel():
        return 0.0
    allowed = _ROUNDING.get(a.dtype, _COARSE)
    if a.device.type != "cpu" and a.dtype is torch.float32:
        allowed = _TF32
    a, b = a.double() if a.device.type != "mps" else a, b.double() if b.device.type != "mps" else b
    same = (a == b) | (a.isnan() & b.isnan())
    if bool(same.all()):
        return 0.0
    finite = a.isfinite() & b.isfinite()
    if not bool((same | finite).all()):
        return float("inf")
    size = torch.where(finite, a.abs(), 0).max()
    apart = torch.where(finite, (a - b).abs(), 0).max()
    return float(apart / (allowed * size)) if bool(size > 0) else float("inf")
