"""Whether a model's weights are the ones they were."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Hashable

import torch
from torch import Tensor, nn

from saliency_widget.engine.devices import neutral

_SAMPLED = 256
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def content_of(model: nn.Module) -> Hashable:
    """What the contents of all parameters and buffers come to: equal as long as none of them changes.

    Version counters miss fused optimisers, ``.data`` and numpy, so numbers are read: all of them by their norms, some
    of them as they are, because a norm is the same for weights that change places or signs. Some milliseconds for a
    large model.

    Parameters
    ----------
    model
        The user's, unwrapped.
    """
    norms: list[float] = []
    digest = hashlib.blake2b(digest_size=16)
    by_kind: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            held = tensor.detach()
            if held.layout is torch.strided and not held.is_meta and not held.is_quantized and held.numel():
                by_kind.setdefault((held.device, held.dtype), []).append(held)
        for (device, dtype), group in by_kind.items():
            # What of exotic types cannot be read is not watched; it is explained all the same.
            with contextlib.suppress(RuntimeError, NotImplementedError, TypeError), neutral(device):
                samples = torch.cat([_sample(held) for held in group])
                wide = torch.complex128 if dtype.is_complex else torch.float64 if device.type != "mps" else None
                read = samples.cpu().to(wide) if wide is not None else samples.cpu().double()
                digest.update(read.numpy().tobytes())
                if dtype.is_floating_point:
                    norms += torch.stack([norm.to(torch.float32) for norm in torch._foreach_norm(group)]).tolist()
                else:
                    norms += torch.stack([held.to("cpu", read.dtype).sum().abs() for held in group]).tolist()
    # NaN is not equal to itself.
    return (digest.hexdigest(), *("nan" if number != number else number for number in norms))


def bits_of(numbers: Tensor) -> Tensor:
    """Numbers (n,) as integers, to compare their bits: a NaN is not equal to itself, and zero is to its negative."""
    real = torch.view_as_real(numbers).reshape(-1) if numbers.is_complex() else numbers
    return real.view(_INTEGERS[real.element_size()])


def _sample(tensor: Tensor) -> Tensor:
    """Some numbers from all over a tensor, without a copy of it."""
    flat = tensor
    while flat.dim() > 1:
        # The diagonal meets every row and every column of the shorter side, whatever the strides are.
        flat = flat.diagonal(dim1=0, dim2=1) if flat.dim() == 2 else flat[:, :, flat.shape[2] // 2]
    if flat.dim() == 0:
        return flat[None]
    return flat[:: max(1, len(flat) // _SAMPLED)][:_SAMPLED]
