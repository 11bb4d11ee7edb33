"""How much two maps agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saliency_widget.display.cells import to_picture
from saliency_widget.display.reduce import FloatMap
from saliency_widget.display.threshold import keep_strongest

STRONGEST_PERCENT = 5.0


@dataclass(frozen=True)
class Agreement:
    """Two numbers for two maps. Both are None where one of the maps is the same everywhere, and has no strongest pixel.

    Attributes
    ----------
    spearman
        Rank correlation of the magnitudes, from -1 to 1; equal magnitudes share the mean of their ranks.
    overlap
        Of the pixels that are among the strongest 5 % of either map, the fraction that are so of both (intersection
        over union). Zero is never strong. None also where the maps are too small to have 5 %.
    """

    spearman: float | None
    overlap: float | None


def agreement(first: FloatMap, second: FloatMap) -> Agreement:
    """Compare two reduced maps of one picture, by magnitude.

    Parameters
    ----------
    first, second
        float32 (H, W), see :func:`~saliency_widget.display.reduce.reduce_channels`. Where their grids differ, they are
        compared on the finer one, a coarse map as the cells it has. Pixels that are NaN in either do not count.
    """
    height = max(first.shape[0], second.shape[0])
    width = max(first.shape[1], second.shape[1])
    a, b = (np.abs(to_picture(one[None], height, width, "cells")[0]).ravel() for one in (first, second))
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if a.size == 0 or a.min() == a.max() or b.min() == b.max():
        return Agreement(None, None)
    x, y = _centred_ranks(a), _centred_ranks(b)
    correlation = float(x @ y) / float(np.sqrt((x @ x) * (y @ y)))
    # Equals are kept together: without the second condition a map that is mostly zero would keep everything.
    kept, other = (keep_strongest(one, STRONGEST_PERCENT).mask & (one > 0) for one in (a, b))
    union = int((kept | other).sum())
    overlap = int((kept & other).sum()) / union if union else None
    return Agreement(min(1.0, max(-1.0, correlation)), overlap)


def _centred_ranks(values: FloatMap) -> npt.NDArray[np.float64]:
    """The rank of each value less the mean of all ranks; equals share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle = last - (counts - 1) / 2.0
    ranks: npt.NDArray[np.float64] = middle[place.reshape(-1)] - (values.size + 1) / 2.0
    return ranks
