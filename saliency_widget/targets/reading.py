"""Scores of places in what a model returns: of each pixel, or of each query of a detector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from saliency_widget.models.detectors import Heard

_GRIDS = ("logits", "out")
_QUERIES = ("logits", "pred_logits")


class Queries(NamedTuple):
    """What a transformer says of each of its queries.

    Attributes
    ----------
    logits
        (N, queries, classes).
    boxes
        (N, queries, 4): middle (across, down), width and height, as parts of the picture.
    """

    logits: Tensor
    boxes: Tensor


def grid_in(output: Any, rows: int | None = None) -> Tensor | None:
    """The scores (N, classes, h, w) of the cells of a picture; None where there are none.

    A tensor is taken as it is; of an object or a mapping its ``logits`` or ``out``, or the only floating
    tensor with four dimensions; of a tuple or a list the first element. Of a model that classifies masks (MaskFormer)
    it is the sum over its queries of the class's probability times the mask's, by which such a model segments.
    """
    classes, masks = (_member(output, f"{name}_queries_logits") for name in ("class", "masks"))
    if isinstance(classes, Tensor) and isinstance(masks, Tensor):
        # The last class means that the query sees nothing.
        return torch.einsum("nqc,nqhw->nchw", classes.softmax(dim=2)[..., :-1], masks.sigmoid())
    for tensor in _candidates(output, _GRIDS, 4):
        if tensor.shape[2] * tensor.shape[3] > 1 and min(tensor.shape) > 0 and rows in (None, len(tensor)):
            return tensor
    return None


def classifies_masks(output: Any) -> bool:
    """Whether what :func:`grid_in` finds is a sum of probabilities (MaskFormer) rather than logits."""
    return all(isinstance(_member(output, f"{name}_queries_logits"), Tensor) for name in ("class", "masks"))


def queries_in(output: Any) -> Queries | None:
    """What a detector with queries returned; None where it is something else."""
    boxes = _member(output, "pred_boxes")
    if not isinstance(boxes, Tensor) or boxes.dim() != 3 or boxes.shape[2] != 4:
        return None
    for name in _QUERIES:
        logits = _member(output, name)
        if isinstance(logits, Tensor) and logits.is_floating_point() and logits.shape[:2] == boxes.shape[:2]:
            return Queries(logits, boxes)
    return None


def places_in(output: Any) -> Tensor | None:
    """The scores (N, places, classes) of a detector's queries, anchors or regions; None where there are none."""
    if isinstance(output, Heard):
        return output.logits
    if _fits(output, 3):
        known: Tensor = output
        return known
    queries = queries_in(output)
    return None if queries is None else queries.logits


def embedding_in(output: Any, rows: int | None = None) -> Tensor | None:
    """The one vector for each picture (N, D) in a model's output; None where there is none.

    A tensor is taken as it is; of an object or a mapping its ``image_embeds``, ``pooler_output``, ``logits``, or the
    only floating tensor with two dimensions; of a tuple or a list the first element.
    """
    for tensor in _candidates(output, ("image_embeds", "pooler_output", "logits"), 2):
        if rows in (None, len(tensor)) and tensor.shape[1] > 0:
            return tensor
    pooled = _member(output, "pooler_output")  # of convolutional nets it keeps a grid of 1 x 1
    if isinstance(pooled, Tensor) and pooled.dim() == 4 and rows in (None, len(pooled)) and pooled.shape[2:] == (1, 1):
        return pooled.flatten(1)
    return None


def upsampled(logits: Tensor, height: int, width: int) -> Tensor:
    """Scores (N, C, h, w) at the size of the picture, linear between the middles of the cells."""
    if logits.shape[2:] == (height, width):
        return logits
    return functional.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)


def at_pixels(logits: Tensor, mask: Tensor) -> Tensor:
    """The upsampled scores (N, C, P) at the P pixels of a mask (H, W).

    Only the rectangle around the mask is made.
    """
    rows, columns = (torch.where(mask.any(dim=axis))[0] for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    part = mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    if logits.shape[2:] == mask.shape:
        seen = logits[:, :, top : top + part.shape[0], left : left + part.shape[1]]
    else:
        sides = zip(logits.shape[2:], mask.shape, (top, left), part.shape, strict=True)
        down, across = (_stretch(n, side)[at : at + length].to(logits) for n, side, at, length in sides)
        seen = down @ logits @ across.T
    return seen[:, :, part.to(logits.device)]


def share_of_cells(mask: Tensor, height: int, width: int) -> Tensor:
    """The weights (h, w) of the cells whose weighted sum is the mean of the upsampled scores over a mask (H, W).

    Notes
    -----
    Bilinear upsampling is linear and separable; this is its transpose, applied to the mask.
    """
    dense = mask.to(torch.float64)
    if mask.shape != (height, width):
        down, across = (_stretch(n, side) for n, side in zip((height, width), mask.shape, strict=True))
        dense = down.T @ dense @ across
    return dense / float(mask.sum())


def _stretch(cells: int, pixels: int) -> Tensor:
    """(pixels, cells): how linear interpolation makes so many pixels of so many cells."""
    one = torch.eye(cells, dtype=torch.float64, device="cpu")[None]
    return functional.interpolate(one, size=pixels, mode="linear", align_corners=False)[0].T


def _member(output: Any, name: str) -> Any:
    return output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)


def floats_in(output: Any, dims: int) -> list[Tensor]:
    """All floating tensors of so many dimensions that an object or a mapping holds."""
    if isinstance(output, Mapping):
        values = list(output.values())
    else:
        values = list(vars(output).values()) if hasattr(output, "__dict__") else []
    return [one for one in values if _fits(one, dims)]


def _candidates(output: Any, names: tuple[str, ...], dims: int) -> list[Tensor]:
    """What may be the scores, likeliest first: floating tensors of so many dimensions."""
    if isinstance(output, (tuple, list)):
        output = output[0] if output else None
    if isinstance(output, Tensor):
        return [output] if _fits(output, dims) else []
    only = floats_in(output, dims)
    found = [_member(output, name) for name in names] + (only if len(only) == 1 else [])
    return [one for one in found if _fits(one, dims)]


def _fits(value: Any, dims: int) -> bool:
    return isinstance(value, Tensor) and value.dim() == dims and value.is_floating_point()
