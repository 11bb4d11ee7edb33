"""How the values of a map are spread."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saliency_widget.display.reduce import FloatMap, Sign, check_sign
from saliency_widget.errors import InputError


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of the finite pixels of a map.

    Attributes
    ----------
    start, end
        Where the first bin begins and the last one ends, in the unit of the map.
    counts
        int64 (bins,): bin k counts the values from its lower edge up to, but without, its upper one. What lies beyond
        an end is counted in the bin at that end.
    """

    start: float
    end: float
    counts: npt.NDArray[np.int64]


def histogram(reduced: FloatMap, sign: Sign, bins: int = 64, level: float | None = None) -> Histogram:
    """Count values in bins of equal width.

    Parameters
    ----------
    reduced
        float32 (H, W), see :func:`~saliency_widget.display.reduce.reduce_channels`. NaN is not counted.
    sign
        "signed" counts values from -end to end, the others magnitudes from 0 to end.
    bins
        How many there are. An odd number keeps zero in the middle of a bin of a signed map.
    level
        The end, such as the clip level; None is the largest magnitude. The zeros of a map whose end is 0 are counted
        in the first bin, and in the middle one of a signed map.
    """
    sign = check_sign(sign)
    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1:
        raise InputError("bins", bins, "is no number of bins", "Give a whole number from 1.")
    if level is not None and not (math.isfinite(level) and level >= 0):
        raise InputError("level", level, "is no end for magnitudes", "Give a number from 0, or None.")
    finite = reduced[np.isfinite(reduced)]
    values = np.sort((finite if sign == "signed" else np.abs(finite)).astype(np.float64))
    largest = float(np.abs(values).max()) if values.size else 0.0
    end = largest if level is None else float(level)
    start = 0.0 - end if sign == "signed" else 0.0
    counts = np.zeros(bins, np.int64)
    if end == 0:
        middle = bins // 2 if sign == "signed" else 0
        below = int((values < 0).sum())
        above = int((values > 0).sum())
        counts[middle] = values.size - below - above
        counts[0] += below
        counts[-1] += above
        return Histogram(start, end, counts)
    inner = np.arange(1, bins, dtype=np.float64)
    edges = end * (2 * inner - bins) / bins if sign == "signed" else end * inner / bins
    below_each = np.concatenate([[0], np.searchsorted(values, edges, side="left"), [values.size]])
    return Histogram(start, end, np.diff(below_each).astype(np.int64))
