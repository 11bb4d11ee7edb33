"""A picture where a model is, in its type, and what follows from the picture alone; made once for each of the two."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from saliency_widget.engine.devices import neutral

if TYPE_CHECKING:
    from saliency_widget.models.preprocess import Prepared


class Placed(NamedTuple):
    """A picture; problems have it in common, so nothing writes into it.

    Attributes
    ----------
    device, dtype
        Where and in what type it is.
    pixels, input
        (C, H, W).
    matrix
        (C, C): the input is ``matrix @ pixels`` and something constant.
    zero
        (C, 1, 1), the colour for which the input is zero.
    scale
        (C, 1, 1), the matrix where it is diagonal; None where it is not.
    """

    device: torch.device
    dtype: torch.dtype
    pixels: Tensor
    input: Tensor
    matrix: Tensor
    zero: Tensor
    scale: Tensor | None


_kept: weakref.WeakKeyDictionary[Prepared, tuple[Placed, list[int]]] = weakref.WeakKeyDictionary()


def placed(prepared: Prepared, device: torch.device, dtype: torch.dtype) -> Placed:
    """A picture on a device, in a floating type."""
    kept = _kept.get(prepared)
    if kept is not None and kept[0][:2] == (device, dtype) and kept[1] == _versions(prepared, kept[0]):
        return kept[0]
    with neutral(device):
        made = _placed(prepared, device, dtype)
    versions = _versions(prepared, made)
    if versions is not None:
        _kept[prepared] = (made, versions)
    return made


def _placed(prepared: Prepared, device: torch.device, dtype: torch.dtype) -> Placed:
    def here(tensor: Tensor) -> Tensor:
        # A copy, because what was made in inference mode cannot take part in a graph.
        return tensor.detach().to(device, dtype, copy=True)

    offset, matrix = prepared.offset, here(prepared.matrix)
    colour = torch.linalg.solve(prepared.matrix, -offset) if bool(offset.any()) else torch.zeros_like(offset)
    diagonal = torch.diagonal(matrix)
    straight = torch.equal(matrix, torch.diag(diagonal))
    return Placed(
        device,
        dtype,
        here(prepared.pixels),
        here(prepared.input),
        matrix,
        here(colour)[:, None, None],
        diagonal[:, None, None] if straight else None,
    )


def _versions(prepared: Prepared, made: Placed) -> list[int] | None:
    """How often somebody wrote into a picture, or into what was made of it; None where nothing counts that."""
    tensors = (prepared.input, prepared.matrix, prepared.offset, prepared.pixels)
    if any(map(Tensor.is_inference, tensors)):
        return None
    return [one._version for one in (*tensors, made.pixels, made.input, made.matrix, made.zero)]
