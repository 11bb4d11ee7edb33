"""Notice that a model's weights move while it is explained."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from saliency_widget.engine.kinds import is_plain
from saliency_widget.engine.weights import Pair

_SAMPLED_TENSORS = 24
_SAMPLED_NUMBERS = 512


class Mark:
    """A cheap proof that weights stand still.

    Version counters see ordinary writes; a few numbers of some tensors see those of fused optimisers, of ``.data`` and
    of numpy, which no version counter sees.
    """

    def __init__(self, views: list[Pair]) -> None:
        self._views = views
        moving = [own for reference, own in views if own.is_floating_point() and _learns(reference())]
        step = max(1, -(-len(moving) // _SAMPLED_TENSORS))
        chosen = [own for own in moving[::step] if is_plain(own) and own.layout is torch.strided and own.numel()]
        self._samples = [_sample(own) for own in chosen]
        self._before = self._read()

    def moved(self) -> bool:
        """Whether the weights changed since."""
        versions, norms = self._before
        now_versions, now_norms = self._read()
        if versions != now_versions or len(norms) != len(now_norms):
            return True
        return any(not bool(((a == b) | (a.isnan() & b.isnan())).all()) for a, b in zip(norms, now_norms, strict=True))

    def _read(self) -> tuple[list[Any], list[Tensor]]:
        versions: list[Any] = []
        for reference, _ in self._views:
            tensor = reference()
            if tensor is None:
                versions.append(None)
            elif tensor.is_inference():
                versions.append(0)
            else:
                versions.append((tensor._version, _pointer(tensor)))
        if not self._samples:
            return versions, []
        by_device: dict[torch.device, list[Tensor]] = {}
        for norm in torch._foreach_norm(self._samples):
            by_device.setdefault(norm.device, []).append(norm.double() if norm.device.type != "mps" else norm)
        return versions, [torch.stack(group) for group in by_device.values()]


def _sample(tensor: Tensor) -> Tensor:
    data = tensor.detach()
    while data.dim() > 1:
        data = data[:, 0] if data.shape[0] >= data.shape[1] else data[-1]
    return data[:_SAMPLED_NUMBERS] if data.dim() else data


def _learns(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.requires_grad


def _pointer(tensor: Tensor) -> int:
    try:
        return tensor.data_ptr()
    except RuntimeError:
        return 0
