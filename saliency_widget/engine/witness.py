"""Notice any change of the weights that copies are made of: fused optimisers, ``.data`` and numpy leave no other trace.

They are read once a run, which takes as long as memory does; what is around that is kept short.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat

import torch
from torch import Tensor

from saliency_widget.engine.content import bits_of

# What is shorter is kept whole; and how many columns a table has, if it can.
_LONG = 4096
_COLUMNS = (128, 31)


class Witness:
    """What some tensors are at a moment: short ones whole, of long ones sums of bits.

    A long tensor is read as a table of integers, of which each row and each column is summed, modulo 2^64. So one
    number that changes is seen however little it changes, and so are two or three that change, or change places or
    signs: to hide, a change has to come to nothing in each row and in each column. Norms do not see a small number
    beside a million others, nor what changes its sign or its place.

    Parameters
    ----------
    tensors
        In an order that stays the same.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._sizes = _sizes(tensors)
        kinds: dict[tuple[torch.device, torch.dtype], list[int]] = {}
        for k, tensor in enumerate(tensors):
            kinds.setdefault((tensor.device, tensor.dtype), []).append(k)
        self._groups = [_Group(tensors, members) for members in kinds.values()]
        self._found = [group.read(tensors) for group in self._groups]

    def still(self, tensors: Sequence[Tensor]) -> bool:
        """Whether they are bit for bit what they were."""
        if _sizes(tensors) != self._sizes:
            return False
        try:
            return all(
                _equal(group.read(tensors), wanted) for group, wanted in zip(self._groups, self._found, strict=True)
            )
        except RuntimeError:
            # They lie elsewhere, or otherwise.
            return False


class _Group:
    """The tensors of one type on one device, and how the long ones are read as tables."""

    def __init__(self, tensors: Sequence[Tensor], members: list[int]) -> None:
        self._short: list[int] = []
        self._long: list[int] = []
        self._shapes: list[tuple[int, int]] = []
        self._steps: list[tuple[int, int]] = []
        for k in members:
            tensor = tensors[k]
            wide = 8 // tensor.element_size()
            long = tensor.numel() >= _LONG and wide > 0 and tensor.storage_offset() % wide == 0 and _is_dense(tensor)
            columns = _columns(tensor.numel(), wide) * wide if long else 0
            if columns == 0:
                self._short.append(k)
                continue
            self._long.append(k)
            self._shapes.append((tensor.numel() // columns, columns))
            self._steps.append((columns, 1))
        self._strides = self._strides_of(tensors)

    @torch.no_grad()
    def read(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """What they come to, as integers; nothing if they do not lie as they did."""
        if self._strides_of(tensors) != self._strides:
            return []
        found = []
        if self._short:
            short = map(tensors.__getitem__, self._short)
            numbers = torch.cat([one if one.dim() == 1 else one.reshape(-1) for one in short])
            found.append(bits_of(numbers))
        if self._long:
            long = map(Tensor.as_strided, map(tensors.__getitem__, self._long), self._shapes, self._steps)
            tables = map(Tensor.view, long, repeat(torch.int64))
            # The second sum finds most of a table still in the cache.
            found.append(torch.cat([table.sum(over) for table in tables for over in (1, 0)]))
        return found

    def _strides_of(self, tensors: Sequence[Tensor]) -> list[tuple[int, ...]]:
        return [*map(Tensor.stride, map(tensors.__getitem__, self._long))]


def _sizes(tensors: Sequence[Tensor]) -> list[torch.Size]:
    return [*map(Tensor.size, tensors)]


def _equal(found: list[Tensor], wanted: list[Tensor]) -> bool:
    return len(found) == len(wanted) and all(
        a.dtype == b.dtype and a.device == b.device and torch.equal(a, b) for a, b in zip(found, wanted, strict=True)
    )


@lru_cache(maxsize=4096)
def _columns(count: int, wide: int) -> int:
    """Into how many columns, each as ``wide`` as so many numbers, all of them go; 0 if into none that are worth it."""
    if wide == 0 or count % wide:
        return 0
    return next((columns for columns in range(*_COLUMNS, -1) if count // wide % columns == 0), 0)


def _is_dense(tensor: Tensor) -> bool:
    """Whether the numbers of a tensor lie side by side, in whichever order."""
    return tensor.is_contiguous() or (tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last))
