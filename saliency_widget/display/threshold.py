"""The strongest pixels: which stay above a threshold, how much they hold, where one pixel ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saliency_widget.display.reduce import FloatMap, magnitudes
from saliency_widget.errors import InputError


@dataclass(frozen=True, eq=False)
class Kept:
    """The pixels that stay above a threshold.

    Attributes
    ----------
    mask
        bool (H, W).
    cut
        The smallest magnitude kept, in the unit of the map; infinite where nothing is kept.
    area
        Kept pixels as a fraction of the finite ones.
    mass
        The kept share of the sum of |value|; None where that sum is 0.
    """

    mask: npt.NDArray[np.bool_]
    cut: float
    area: float
    mass: float | None


def check_percent(percent: object) -> float:
    """``percent`` as a percentage of the area, or an error."""
    if isinstance(percent, bool) or not isinstance(percent, (int, float, np.integer, np.floating)):
        raise InputError("threshold", percent, "is not a number", "Give the percentage of the area to keep.")
    if not 0 <= float(percent) <= 100:
        raise InputError("threshold", percent, "is no percentage", "Give a number from 0 to 100.")
    return float(percent)


def keep_strongest(reduced: FloatMap, percent: float) -> Kept:
    """Keep the strongest ``percent`` of the area by magnitude.

    Equal values stay or go together, so that a little more than ``percent`` may be kept.

    Parameters
    ----------
    reduced
        float32 (H, W), see :func:`~saliency_widget.display.reduce.reduce_channels`.
    percent
        From 0 (nothing) to 100 (everything).
    """
    percent = check_percent(percent)
    a = magnitudes(reduced)
    count = math.floor(percent * a.size / 100 + 0.5)
    if count == 0:
        return Kept(np.zeros(reduced.shape, dtype=bool), math.inf, 0.0, 0.0 if a.any() else None)
    cut = float(np.partition(a, a.size - count)[a.size - count])
    with np.errstate(invalid="ignore"):
        mask = np.abs(reduced) >= cut  # False for NaN
    total = float(a.sum(dtype=np.float64))
    mass = float(np.abs(reduced[mask]).sum(dtype=np.float64)) / total if total > 0 else None
    return Kept(mask, cut, float(mask.sum()) / a.size, mass)


def rank_of(reduced: FloatMap, row: int, column: int) -> tuple[int, float]:
    """Where one pixel stands among all finite ones by magnitude.

    Returns
    -------
    tuple of int and float
        The rank (1 is the strongest; equals share the better rank) and the percentage of pixels that are weaker.
    """
    a = magnitudes(reduced)
    value = abs(float(reduced[row, column]))
    if math.isnan(value):
        raise InputError("row, column", (row, column), "has no number", "Choose a pixel whose value is finite.")
    return 1 + int((a > value).sum()), 100 * float((a < value).sum()) / a.size
