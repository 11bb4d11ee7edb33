"""Whether a model's weights are the ones they were."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import nn

from saliency_widget.engine.devices import neutral


def content_of(model: nn.Module) -> Hashable:
    """What the contents of all parameters and buffers come to: equal as long as none of them changes.

    Version counters miss fused optimisers, ``.data`` and numpy, so the norms are read: a few milliseconds for a large
    model.

    Parameters
    ----------
    model
        The user's, unwrapped.
    """
    tensors = [*model.parameters(), *model.buffers()]
    by_kind: dict[tuple[torch.device, torch.dtype], list[torch.Tensor]] = {}
    sums: list[float] = []
    with torch.no_grad():
        for tensor in tensors:
            held = tensor.detach()
            if held.layout is not torch.strided or held.is_meta:
                continue
            if held.is_floating_point():
                by_kind.setdefault((held.device, held.dtype), []).append(held)
            elif held.numel():
                sums.append(float(held.to(torch.complex128 if held.is_complex() else torch.float64).sum().abs()))
        for (device, _), group in by_kind.items():
            with neutral(device):
                sums += torch.stack([norm.to(torch.float32) for norm in torch._foreach_norm(group)]).tolist()
    # NaN is not equal to itself.
    return tuple("nan" if number != number else number for number in sums)
