"""What methods that average over samples have in common: batches, types, and how sure the average is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saliency_widget.engine.problem import Problem

Floats = npt.NDArray[np.float64]

_MOST = 64


def batches(total: int, problem: Problem, first: int = 1) -> Iterator[tuple[int, int]]:
    """Cut samples into batches: a small one for an early estimate, then as many at once as are worth it.

    Yields
    ------
    tuple of int
        (start, stop). No batch depends on ``total`` but the last, so that memory does not either.
    """
    start, size = 0, first
    while start < total:
        stop = min(start + min(size, max(1, min(problem.batch, _MOST))), total)
        yield start, stop
        size = 2 * (stop - start)
        start = stop


def wide(tensor: Tensor) -> Tensor:
    """The tensor in a type in which to accumulate: its own, float32 at least."""
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def relative_error(error: Tensor | None, values: Tensor) -> list[float | None]:
    """For each target, the sum of the standard errors divided by the sum of the magnitudes.

    About 1.25 times the relative L1 error to be expected. None where it is not defined: too few samples, a map that is
    zero everywhere but uncertain, NaN.

    Parameters
    ----------
    error, values
        (K, C, H, W).
    """
    if error is None:
        return [None] * len(values)
    sums = torch.stack([error.flatten(1).sum(1), values.abs().flatten(1).sum(1)]).cpu().double()
    found: list[float | None] = []
    for uncertain, size in sums.T.tolist():
        if uncertain == 0 and size == size:
            found.append(0.0)
        else:
            found.append(_finite(uncertain / size if size else float("nan")))
    return found


def rank_agreement(one: Tensor, other: Tensor) -> list[float | None]:
    """For each target, how far two maps order the pixels alike: Spearman's rank correlation of their magnitudes.

    The magnitude of a pixel is its largest over the channels; equal ones share their mean rank. 1: the same order;
    0: no relation. None where a map has no order, being the same everywhere, or is not finite.

    Parameters
    ----------
    one, other
        (K, C, H, W).
    """
    found = []
    for pair in zip(one, other, strict=True):
        a, b = (maps.abs().amax(0).flatten().cpu().double().numpy() for maps in pair)
        found.append(_correlation(_ranks(a), _ranks(b)) if np.isfinite(a.sum() + b.sum()) else None)
    return found


def _ranks(values: Floats) -> Floats:
    """Ranks less their mean; equal values share theirs."""
    order = values.argsort()
    ordered = values[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    starts = np.append(np.flatnonzero(first), len(values))
    ranks = np.empty(len(values))
    ranks[order] = ((starts[1:] + starts[:-1] - len(values)) / 2)[first.cumsum() - 1]
    return ranks


def _correlation(a: Floats, b: Floats) -> float | None:
    scale = ((a @ a) * (b @ b)) ** 0.5
    return float(a @ b / scale) if scale else None


def _finite(number: float) -> float | None:
    return number if abs(number) < float("inf") else None
