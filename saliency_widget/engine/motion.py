"""Notice that a model's weights move while it is explained."""

from __future__ import annotations

import operator

import torch
from torch import Tensor

from saliency_widget.engine.kinds import is_plain
from saliency_widget.engine.weights import Pair

_SAMPLED_TENSORS = 24
_SAMPLED_NUMBERS = 512
_VERSION = operator.attrgetter("_version")


class Mark:
    """A cheap proof that weights stand still.

    Version counters see ordinary writes; a few numbers of some tensors see those of fused optimisers, of ``.data`` and
    of numpy, which no version counter sees.
    """

    def __init__(self, views: list[Pair]) -> None:
        found = [(reference(), own) for reference, own in views]
        # Held while the run lasts, so that they need not be looked up again.
        self._counted = [tensor for tensor, _ in found if tensor is not None and not tensor.is_inference()]
        self._placed = [tensor for tensor in self._counted if _has_pointer(tensor)]
        moving = [
            own for tensor, own in found if tensor is not None and tensor.requires_grad and own.is_floating_point()
        ]
        step = max(1, -(-len(moving) // _SAMPLED_TENSORS))
        chosen = [own for own in moving[::step] if is_plain(own) and own.layout is torch.strided and own.numel()]
        self._samples: dict[torch.device, list[Tensor]] = {}
        for own in chosen:
            self._samples.setdefault(own.device, []).append(_sample(own))
        self._before = self._read()

    def moved(self) -> bool:
        """Whether the weights changed since."""
        counts, places, norms = self._before
        now_counts, now_places, now_norms = self._read()
        if counts != now_counts or places != now_places:
            return True
        return any(not bool(((a == b) | (a.isnan() & b.isnan())).all()) for a, b in zip(norms, now_norms, strict=True))

    def _read(self) -> tuple[list[int], list[int], list[Tensor]]:
        counts = list(map(_VERSION, self._counted))
        places = list(map(Tensor.data_ptr, self._placed))
        return counts, places, [_norms(group) for group in self._samples.values()]


def _norms(group: list[Tensor]) -> Tensor:
    kinds = {tensor.dtype for tensor in group}
    norms = torch._foreach_norm(group)
    if len(kinds) == 1:
        return torch.stack([*norms])
    wide = torch.float32 if norms[0].device.type == "mps" else torch.float64
    return torch.stack([norm.to(wide) for norm in norms])


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
