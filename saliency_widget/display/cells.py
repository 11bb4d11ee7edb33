"""A map on a coarser grid than its picture, brought to the picture's size.

A grid of h x w cells covers the picture evenly: cell (i, j) is the rectangle from (i H/h, j W/w) to ((i+1) H/h, (j+1)
W/w), and its value stands at the middle of it. Pixel (y, x) is read at (y + 1/2, x + 1/2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from saliency_widget.display.geometry import Geometry
from saliency_widget.display.reduce import FloatMap, check_values
from saliency_widget.errors import InputError

Between: TypeAlias = Literal["smooth", "cells"]
Indices: TypeAlias = npt.NDArray[np.int64]

_STRIP = 256

BETWEEN: tuple[Between, ...] = ("smooth", "cells")


def check_between(between: object) -> Between:
    """``between`` itself, or an :class:`~saliency_widget.errors.InputError` that names the two there are."""
    for known in BETWEEN:
        if isinstance(between, str) and between == known:
            return known
    raise InputError("between", between, "is no way to fill a picture from cells", "Use 'smooth' or 'cells'.")


def to_picture(values: npt.ArrayLike, height: int, width: int, between: Between = "smooth") -> FloatMap:
    """Bring a map to the size of its picture.

    Parameters
    ----------
    values
        Signed attribution, (C, h, w).
    height, width
        Of the picture.
    between
        "smooth" is linear between the middles of the cells and constant outside the outermost; "cells" shows each cell
        as the rectangle it is.

    Returns
    -------
    numpy.ndarray
        float32 (C, H, W); ``values`` themselves where they have that size. Where the cell of a pixel is not finite it
        is that cell's value; such cells do not spread to their neighbours.
    """
    between = check_between(between)
    array = check_values(values)
    if array.shape[1:] == (height, width):
        return array
    (down, across) = (_middles(cells, side) for cells, side in zip(array.shape[1:], (height, width), strict=True))
    return _read(array, down, across, between)


def on_original(values: npt.ArrayLike, geometry: Geometry, between: Between = "smooth") -> FloatMap:
    """Lay a map over the picture from which the model's picture was cut and resized.

    Parameters
    ----------
    values
        Signed attribution, (C, h, w), over the picture that the model saw.
    geometry
        Where that lies in the original.
    between
        As in :func:`to_picture`.

    Returns
    -------
    numpy.ndarray
        float32 (C, H, W) at the size of the original: NaN where the model did not see it. Values are not rescaled; they
        are still those of the model's pixels, each of which may cover many of the original's, or be one of many in it.
    """
    between = check_between(between)
    array = check_values(values)
    top, left, bottom, right = geometry.box
    found = np.full((len(array), geometry.height, geometry.width), np.nan, dtype=np.float32)
    rows, down = _under(geometry.height, top, bottom, array.shape[1])
    columns, across = _under(geometry.width, left, right, array.shape[2])
    # In strips, because a large picture times the corners of its cells is more than the picture by far.
    for start in range(0, len(rows), _STRIP):
        strip = slice(start, start + _STRIP)
        found[:, rows[strip][:, None], columns[None, :]] = _read(array, down.part(strip), across, between)
    return found


@dataclass(frozen=True)
class _Reading:
    """Along one side: the cell at each pixel, the two whose middles it lies between, and how far on the way."""

    own: Indices
    first: Indices
    second: Indices
    share: npt.NDArray[np.float64]

    def part(self, which: slice) -> _Reading:
        return _Reading(self.own[which], self.first[which], self.second[which], self.share[which])


def _middles(cells: int, pixels: int) -> _Reading:
    """At the middles of pixels that cover all cells evenly."""
    # In whole numbers, so that both languages agree on a pixel whose middle lies on an edge.
    own: Indices = (np.arange(pixels) * 2 + 1) * cells // (2 * pixels)
    return _between(own, (np.arange(pixels) + 0.5) * cells / pixels, cells)


def _under(pixels: int, start: float, end: float, cells: int) -> tuple[Indices, _Reading]:
    """Which pixels have their middle between two edges, over which the cells are spread; and what is read there."""
    at = np.asarray((np.arange(pixels) + 0.5 - start) * cells / (end - start), dtype=np.float64)
    which: Indices = np.flatnonzero((at >= 0) & (at < cells))
    at = at[which]
    return which, _between(np.floor(at).astype(np.int64), at, cells)


def _between(own: Indices, at: npt.NDArray[np.float64], cells: int) -> _Reading:
    at = np.clip(at - 0.5, 0, cells - 1)
    first: Indices = np.floor(at).astype(np.int64)
    return _Reading(own, first, np.minimum(first + 1, cells - 1), at - first)


def _read(array: FloatMap, down: _Reading, across: _Reading, between: Between) -> FloatMap:
    own: FloatMap = array[:, down.own[:, None], across.own[None, :]]
    if between == "cells":
        return own
    lower, along = down.share[:, None], across.share[None, :]
    total = np.zeros(own.shape)
    weight = np.zeros(own.shape)
    for row, column, share in (
        (down.first, across.first, (1 - lower) * (1 - along)),
        (down.first, across.second, (1 - lower) * along),
        (down.second, across.first, lower * (1 - along)),
        (down.second, across.second, lower * along),
    ):
        corner = array[:, row[:, None], column[None, :]].astype(np.float64)
        finite = np.isfinite(corner)
        total += np.where(finite, corner, 0.0) * share
        weight += np.where(finite, share, 0.0)
    whole = np.isfinite(array).all()
    if not whole:
        # Only where a corner is missing, so that a whole map is not divided by a rounded 1.
        total = np.divide(total, weight, out=total, where=(weight > 0) & (weight < 1))
    result: FloatMap = total.astype(np.float32)
    return result if whole else np.where(np.isfinite(own), result, own)
