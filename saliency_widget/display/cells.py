"""A map on a coarser grid than its picture, brought to the picture's size.

A grid of h x w cells covers the picture evenly: cell (i, j) is the rectangle from (i H/h, j W/w) to ((i+1) H/h, (j+1)
W/w), and its value stands at the middle of it. Pixel (y, x) is read at (y + 1/2, x + 1/2).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from saliency_widget.display.reduce import FloatMap, check_values
from saliency_widget.errors import InputError

Between: TypeAlias = Literal["smooth", "cells"]
Indices: TypeAlias = npt.NDArray[np.int64]

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
    rows, columns = _nearest(array.shape[1], height), _nearest(array.shape[2], width)
    own: FloatMap = array[:, rows[:, None], columns[None, :]]
    if between == "cells":
        return own
    above, below, down = _between(array.shape[1], height)
    left, right, along = _between(array.shape[2], width)
    down, along = down[:, None], along[None, :]
    total = np.zeros(own.shape)
    weight = np.zeros(own.shape)
    for row, column, share in (
        (above, left, (1 - down) * (1 - along)),
        (above, right, (1 - down) * along),
        (below, left, down * (1 - along)),
        (below, right, down * along),
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


def _nearest(cells: int, pixels: int) -> Indices:
    """The cell in which the middle of each pixel lies."""
    found: Indices = (np.arange(pixels) * 2 + 1) * cells // (2 * pixels)
    return found


def _between(cells: int, pixels: int) -> tuple[Indices, Indices, npt.NDArray[np.float64]]:
    """For each pixel the cells whose middles it lies between, and how far it is on the way to the second."""
    at = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    first: Indices = np.floor(at).astype(np.int64)
    return first, np.minimum(first + 1, cells - 1), at - first
