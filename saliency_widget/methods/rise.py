"""RISE: hide random parts of the picture and see with which the score goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, register
from saliency_widget.methods.baselines import check_seed, describe, generator_of
from saliency_widget.methods.blur import full_precision
from saliency_widget.methods.checks import check_count, check_fraction
from saliency_widget.methods.filling import FILLS, check_fill, make_fill
from saliency_widget.methods.sampling import batches, relative_error, wide


@register
@dataclass(frozen=True)
class RISE(Method):
    """How the score goes with a pixel being shown, over random masks.

    S_i = S(m_i * x + (1 - m_i) * fill), with smooth random masks m_i in [0, 1] of mean ``keep``: on a grid of ``grid``
    x ``grid`` cells each is kept with probability ``keep``; it is enlarged bilinearly to one cell more than the picture
    and shifted by a random part of a cell. Value of a pixel: cov(S, m) / keep, with n - 1 in the covariance. That is
    the mean score weighted by the mask, sum of S m / (n keep), which the paper takes, less the mean score: the same map
    around zero, without the error that the mean score times the chance deviation of the masks from ``keep`` adds.
    Positive: showing the pixel raises the score. The map has one channel.

    Mask i is made from (seed, i) alone: the same for all targets, devices and lengths of run.

    Costs ``masks`` forward passes and one for the picture, and no backward pass; all targets come from one run. Memory
    does not depend on ``masks``. The first estimate is the covariance of one mask and the picture itself, which is
    under a mask that hides nothing; the others are of masks alone.

    Known failings: limited by chance, look at the standard error: the paper takes 4,000 to 8,000 masks; nothing smaller
    than a cell is seen; a picture that is half hidden is one that the model was not made for, and what it says of it
    depends on ``fill``.

    Parameters
    ----------
    masks
        How many random masks, at least 2.
    grid
        Number of cells along each side.
    keep
        Probability that a cell is shown, between 0 and 1.
    fill
        What hides: "mean" (the mean of each channel of the picture), "grey", "black", "white", "blur" (the picture,
        blurred by the larger side of a cell), a colour of one number a channel from 0 to 1, or an array. The paper's
        code multiplies the normalised input, which hides by the mean colour of the training set.
    seed
        What the masks are made from.

    Notes
    -----
    ``quality`` holds ``standard_error``, the sum over the pixels of the standard errors divided by the sum of the
    magnitudes, and ``mean_score``, the mean over the masked pictures. ``extras`` holds ``standard_error``.

    References
    ----------
    Petsiuk, Das and Saenko (2018), "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    https://arxiv.org/abs/1806.07421
    """

    masks: int = declare.whole(2000, least=2, most=8000, soft=["most"])
    grid: int = declare.whole(7, least=1, most=32, soft=["most"])
    keep: float = declare.number(0.5, least=0.01, most=0.99, soft=["least", "most"], step=0.01)
    fill: Any = declare.baseline("mean", FILLS)
    seed: int = declare.seed()

    name: ClassVar[str] = "rise"
    label: ClassVar[str] = "RISE"
    summary: ClassVar[str] = "How the score goes with a pixel being shown, over random masks."
    unit: ClassVar[str] = "{score}"
    shares_passes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "masks", check_count(self.masks, "masks", "masks", least=2))
        object.__setattr__(self, "grid", check_count(self.grid, "grid", "cells"))
        if check_fraction(self.keep, "keep") in (0, 1):
            raise InputError("keep", self.keep, "hides nothing, or everything", "Give a number between 0 and 1.")
        object.__setattr__(self, "keep", float(self.keep))
        object.__setattr__(self, "fill", check_fill(self.fill))
        object.__setattr__(self, "seed", check_seed(self.seed))

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result, by name."""
        return {**super().parameters(), "fill": describe(self.fill)}

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield an estimate after every batch of masks."""
        pixels = problem.pixels
        size = (pixels.shape[1], pixels.shape[2])
        fill = make_fill(self.fill, pixels, max(-(-side // self.grid) for side in size))
        scores = problem.scores(pixels[None])[0]
        sums = _Sums(scores, size, self.keep)
        early: Tensor | None = None
        for start, stop in batches(self.masks, problem, first=2):
            masks = self.masks_of(range(start, stop), size, scores)
            shown = masks[:, None].to(pixels.dtype)
            seen = pixels * shown + fill * (1 - shown)
            if early is None:
                # One alone, so that there is a picture early.
                early = problem.scores(seen[:1])
                values = ((scores - early[0])[:, None, None] * (1 - masks[0]) / (2 * self.keep))[:, None]
                quality = tuple({"mean_score": mean} for mean in early[0].tolist())
                yield Estimate(values, scores, 1, self.masks, final=False, quality=quality)
                found = early if stop == 1 else torch.cat([early, problem.scores(seen[1:])])
            else:
                found = problem.scores(seen)
            del seen
            with full_precision(pixels.device):
                sums.add(masks, found)
            if stop == 1:
                # Of one mask there is no covariance.
                continue
            values, error = sums.estimate()
            means = (scores + sums.deviations / sums.count).tolist()
            quality = tuple(
                {"mean_score": mean} if uncertain is None else {"standard_error": uncertain, "mean_score": mean}
                for mean, uncertain in zip(means, relative_error(error, values), strict=True)
            )
            extras = {"standard_error": error}
            yield Estimate(values, scores, stop, self.masks, stop == self.masks, quality, extras)

    def masks_of(self, which: range, size: tuple[int, int], like: Tensor) -> Tensor:
        """(len(which), H, W), the masks of these numbers, in the type and on the device of ``like``."""
        bits, shifts = [], []
        for index in which:
            drawn = torch.rand(self.grid**2 + 2, generator=generator_of(self.seed, index), device="cpu")
            bits.append(drawn[2:].view(self.grid, self.grid) < self.keep)
            shifts.append(drawn[:2])
        cells = torch.stack(bits).to(like.device, like.dtype)
        shift = torch.stack(shifts)
        down, across = (
            _enlarging(side, self.grid, shift[:, axis]).to(like.device, like.dtype) for axis, side in enumerate(size)
        )
        with full_precision(like.device):
            return down @ cells @ across.mT


def _enlarging(side: int, grid: int, shift: Tensor) -> Tensor:
    """(N, side, grid), the weight of each cell at each position, bilinear between the centres of the cells."""
    cell = -(-side // grid)
    at = torch.arange(side, dtype=torch.float64, device="cpu") + (shift.double() * cell).floor()[:, None] + 0.5
    where = (at * (grid / ((grid + 1) * cell)) - 0.5).clamp(0, grid - 1)
    return (1 - (where[:, :, None] - torch.arange(grid, dtype=torch.float64, device="cpu")).abs()).clamp(min=0)


class _Sums:
    """What a covariance and its error need, from one pass.

    Scores are counted from those of the picture, masks from their mean, so that little cancels.
    """

    def __init__(self, scores: Tensor, size: tuple[int, int], keep: float) -> None:
        self.count = 0
        self.deviations = torch.zeros_like(scores)
        self._origin, self._keep, self._size = scores, keep, size
        pixels = size[0] * size[1]
        self._m, self._mm = (scores.new_zeros(pixels) for _ in range(2))
        self._sm, self._smm, self._ssmm = (scores.new_zeros(len(scores), pixels) for _ in range(3))

    def add(self, masks: Tensor, scores: Tensor) -> None:
        """Take in masks (N, H, W) and the scores (N, K) they led to."""
        s, m = wide(scores - self._origin).T, masks.flatten(1) - self._keep
        self.count += len(masks)
        self.deviations += s.sum(1)
        self._m += m.sum(0)
        self._mm += m.square().sum(0)
        self._sm += s @ m
        self._smm += s @ m.square()
        self._ssmm += s.square() @ m.square()

    def estimate(self) -> tuple[Tensor, Tensor]:
        """The map and its standard error, both (K, 1, H, W)."""
        n = self.count
        mean = (self.deviations / n)[:, None]
        values = (self._sm - mean * self._m) / ((n - 1) * self._keep)
        # Of the products (S - mean of S) (m - keep), of which the map is the mean.
        squares = self._ssmm - 2 * mean * self._smm + mean**2 * self._mm
        variance = (squares / n - (values * self._keep) ** 2).clamp(min=0)
        error = (variance / n).sqrt() / self._keep
        shape = (len(values), 1, *self._size)
        return values.view(shape), error.view(shape)
