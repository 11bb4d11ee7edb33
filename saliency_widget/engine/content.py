"""Whether a model's weights are the ones they were."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn

from saliency_widget.engine.devices import neutral

_SAMPLED = 256


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


def witness_of(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The same in less time, of tensors that copies are made of: short ones whole, of long ones norms and samples.

    To be compared by :func:`same_witness`.
    """
    by_kind: dict[tuple[torch.device, torch.dtype], tuple[list[Tensor], list[Tensor]]] = {}
    with torch.no_grad():
        for tensor in tensors:
            short, long = by_kind.setdefault((tensor.device, tensor.dtype), ([], []))
            (short if tensor.dim() < 2 else long).append(tensor)
        found = []
        for short, long in by_kind.values():
            samples = [tensor.reshape(-1)[:: max(1, tensor.numel() // _SAMPLED)] for tensor in long]
            found.append(torch.cat([*(tensor.reshape(-1) for tensor in short), *samples]))
            if long:
                found.append(torch.stack([*torch._foreach_norm(long)]))
    return found


def same_witness(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    """Whether nothing changed. NaN is not equal to itself."""
    return len(one) == len(other) and all(
        a.device == b.device and a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(one, other, strict=True)
    )


def _sample(tensor: Tensor) -> Tensor:
    """Some numbers from all over a tensor, without a copy of it."""
    flat = tensor
    while flat.dim() > 1:
        # The diagonal meets every row and every column of the shorter side, whatever the strides are.
        flat = flat.diagonal(dim1=0, dim2=1) if flat.dim() == 2 else flat[:, :, flat.shape[2] // 2]
    if flat.dim() == 0:
        return flat[None]
    return flat[:: max(1, len(flat) // _SAMPLED)][:_SAMPLED]
