"""Models with known answers, and a measure of the memory that tensors take."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from saliency_widget.engine.problem import Problem
from saliency_widget.methods.base import Estimate, Method
from saliency_widget.models.preprocess import Prepared


class Quadratic(nn.Module):
    """Score k: sum of a_k x^2 / 2, so that its gradient is a_k x."""

    def __init__(self, classes: int = 2, size: int = 6) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.a = nn.Parameter(torch.randn(classes, 3, size, size, generator=generator, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("kchw,nchw->nk", self.a, x.square()) / 2


class Constant(nn.Module):
    """A score that depends on the picture, but never changes."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(5, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((1, 2, 3))[:, None] * self.w


def last(method: Method, problem: Problem) -> Estimate:
    *_, found = method.estimates(problem)
    assert found.final
    return found


class Peak(TorchDispatchMode):
    """The largest number of bytes that tensors made in here occupied at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for storage in _storages(result):
            if storage._cdata in self._known:
                continue
            self._known.add(storage._cdata)
            size = storage.nbytes()
            self.bytes += size
            weakref.finalize(storage, self._freed, storage._cdata, size)
        self.peak = max(self.peak, self.bytes)
        return result

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.bytes -= size


def _storages(result: Any) -> Iterator[torch.UntypedStorage]:
    for leaf in tree_leaves(result):
        if isinstance(leaf, Tensor):
            yield leaf.untyped_storage()


def peak_of(method: Method, problem: Problem) -> int:
    with Peak() as peak:
        for _ in method.estimates(problem):
            pass
    return peak.peak


def model_of_pixels(model: nn.Module, prepared: Prepared) -> Callable[[Tensor], Tensor]:
    """The model as a function of pixels, for the peers."""

    def forward(pixels: Tensor) -> Tensor:
        matrix, offset = prepared.matrix.to(pixels), prepared.offset.to(pixels)
        outputs: Tensor = model(torch.einsum("dc,nchw->ndhw", matrix, pixels) + offset[:, None, None])
        return outputs

    return forward
