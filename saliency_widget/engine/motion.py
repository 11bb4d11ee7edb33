"""Notice that a model's weights move while it is explained."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import torch
from torch import Tensor

from saliency_widget.engine.content import bits_of
from saliency_widget.engine.kinds import is_plain
from saliency_widget.engine.weights import Pair

_SAMPLED_TENSORS = 24
_SAMPLED_NUMBERS = 512
_VERSION = operator.attrgetter("_version")
_REQUIRES = operator.attrgetter("requires_grad")


class Mark:
    """A cheap proof that weights stand still.

    Version counters see ordinary writes; a few numbers of some tensors see those of fused optimisers, of ``.data`` and
    of numpy, which no version counter sees.

    Parameters
    ----------
    views
        Pairs of an original parameter (weakly) and the shadow's, which is attached.
    sampling
        Where the numbers lie; kept for the next time.
    """

    def __init__(self, views: list[Pair], sampling: Sampling) -> None:
        found = [tensor for reference, _ in views if (tensor := reference()) is not None]
        # Held while the run lasts, so that they need not be looked up again.
        self._counted = found
        if any(map(Tensor.is_inference, found)):
            self._counted = [tensor for tensor in found if not tensor.is_inference()]
        self._placed = self._counted
        try:
            self._read_places()
        except RuntimeError:
            self._placed = [tensor for tensor in self._counted if _has_pointer(tensor)]
        self._samples = sampling.of(views)
        self._before = self._read()

    def moved(self) -> bool:
        """Whether the weights changed since."""
        counts, places, numbers = self._before
        now_counts, now_places, now_numbers = self._read()
        if counts != now_counts or places != now_places:
            return True
        return not all(map(torch.equal, numbers, now_numbers))

    def _read(self) -> tuple[list[int], list[int], list[Tensor]]:
        counts = [*map(_VERSION, self._counted)]
        return counts, self._read_places(), [_numbers(group) for group in self._samples]

    def _read_places(self) -> list[int]:
        return [*map(Tensor.data_ptr, self._placed)]


class Sampling:
    """Which numbers of which weights are looked at: found once, as long as the weights are of the same shapes."""

    def __init__(self) -> None:
        self._trained: list[bool | None] = []
        self._chosen: list[Tensor] = []
        self._shapes: list[tuple[torch.Size, tuple[int, ...], int]] = []
        self._cuts: list[tuple[int, int, int]] = []

    def of(self, views: list[Pair]) -> list[list[Tensor]]:
        """Views of these numbers, by device and type; they hold the weights."""
        trained = [None if (tensor := reference()) is None else tensor.requires_grad for reference, _ in views]
        if trained != self._trained or _shapes(self._chosen) != self._shapes:
            self._choose(views, trained)
        groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        for own, (length, step, start) in zip(self._chosen, self._cuts, strict=True):
            groups.setdefault((own.device, own.dtype), []).append(own.as_strided((length,), (step,), start))
        return [*groups.values()]

    def _choose(self, views: list[Pair], trained: list[bool | None]) -> None:
        self._trained = trained
        moving = [own for (_, own), is_trained in zip(views, trained, strict=True) if is_trained]
        moving = [own for own in moving if own.is_floating_point()]
        step = max(1, -(-len(moving) // _SAMPLED_TENSORS))
        self._chosen = [own for own in moving[::step] if is_plain(own) and own.layout is torch.strided and own.numel()]
        self._shapes = _shapes(self._chosen)
        samples = [_sample(own) for own in self._chosen]
        self._cuts = [(one.numel(), one.stride(0) if one.dim() else 1, int(one.storage_offset())) for one in samples]


def _shapes(tensors: Sequence[Tensor]) -> list[tuple[torch.Size, tuple[int, ...], int]]:
    return [(one.shape, one.stride(), int(one.storage_offset())) for one in tensors]


def _numbers(group: list[Tensor]) -> Tensor:
    return bits_of(torch.cat(group))


def _sample(tensor: Tensor) -> Tensor:
    data = tensor.detach()
    while data.dim() > 1:
        data = data[:, 0] if data.shape[0] >= data.shape[1] else data[-1]
    return data[:_SAMPLED_NUMBERS] if data.dim() else data


def _has_pointer(tensor: Tensor) -> bool:
    try:
        tensor.data_ptr()
    except RuntimeError:
        return False
    return True
