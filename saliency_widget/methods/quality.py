"""Figures on how good a map is that several methods share."""

from __future__ import annotations

import math

from torch import Tensor


def completeness_gaps(values: Tensor, gained: Tensor) -> list[float | None]:
    """For each target, by how much of the score's change the attributions miss it.

    Parameters
    ----------
    values
        (K, C, H, W)
    gained
        (K,), what they should sum to.

    Returns
    -------
    list
        Relative to ``gained``; None where that is 0, or where something is not finite.
    """
    misses = (values.sum((1, 2, 3)) - gained).abs().tolist()
    return [ratio(miss, abs(gain)) for miss, gain in zip(misses, gained.tolist(), strict=True)]


def relative_change(new: Tensor, old: Tensor) -> float | None:
    """L1 distance of two maps relative to the new one; None where that is 0 and the old one is not."""
    moved = float((new - old).abs().sum())
    return 0.0 if moved == 0 else ratio(moved, float(new.abs().sum()))


def ratio(part: float, whole: float) -> float | None:
    """``part / whole``, or None where that is no number."""
    found = part / whole if whole else math.nan
    return found if math.isfinite(found) else None
