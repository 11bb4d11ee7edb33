"""Integrated gradients along a path that avoids steep places."""

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
from saliency_widget.methods.baselines import (
    NAMES,
    Baseline,
    check_baseline,
    check_seed,
    describe,
    make_baseline,
    several,
)
from saliency_widget.methods.checks import check_count, check_fraction
from saliency_widget.methods.early import gradient_first
from saliency_widget.methods.quality import completeness_gaps
from saliency_widget.methods.sampling import wide

_EVERY = 8
# Relative: how near the distance that is left has to come to the one wanted.
_CLOSE = 1e-9


@register
@dataclass(frozen=True)
class GuidedIG(Method):
    """Integrated gradients along a path that moves the pixels of the smallest gradient first.

    At each of ``steps`` steps the distance to the picture (L1) is lessened by one part in ``steps``, by moving only the
    ``fraction`` of the values whose gradient is smallest in magnitude, and no value further than ``max_dist`` of the
    whole path from where the straight path would have it. Each move counts as the gradient at the beginning of the step
    times the move. Steep places, which put noise into a map, are avoided as long as that can be. The attributions have
    the unit of the score and sum to S(x) - S(b), up to the error of the rule, which takes the gradient at the beginning
    of each step and is of first order.

    The path depends on the target, and every step on the one before. Cost: ``steps`` forward and backward passes for
    each target, of which all share the first forward pass, and a forward and backward pass for the first estimate,
    which is no part of the map: the gradient at the picture times the whole way to it. Nothing of the path is known
    before it was gone: the other early estimates hold the attributions of the part that was gone. The path is kept in
    float64 on devices that have it.

    Known failings: slow; the map changes with ``fraction`` and ``steps``, and does not settle to a limit that another
    rule would find too.

    Parameters
    ----------
    steps
        Gradients for each target.
    baseline
        Where the path starts, one picture: "black", "white", "mean", "blur", "noise", a colour or an array; see
        :func:`saliency_widget.methods.baselines.check_baseline`.
    fraction
        Share of the values that may move in a step.
    max_dist
        How far a value may be from the straight path, as a fraction of it: 0 is integrated gradients on the straight
        path, 1 leaves the path free.
    seed
        What the "noise" baseline is made from.

    Notes
    -----
    ``quality["completeness_gap"]``, in the last estimate, is the relative amount by which the sum misses S(x) - S(b).

    References
    ----------
    Kapishnikov, Venugopalan, Avci, Wedin, Terry and Bolukbasi (2021), "Guided Integrated Gradients: An Adaptive Path
    Method for Removing Noise", https://arxiv.org/abs/2106.09788
    """

    steps: int = declare.whole(64, least=1, most=256, soft=["most"])
    baseline: Any = declare.baseline("black", NAMES)
    fraction: float = declare.number(0.25, least=0.01, most=1, soft=["least"], step=0.01)
    max_dist: float = declare.number(0.02, least=0, most=1, step=0.01, label="Largest distance")
    seed: int = declare.seed()

    name: ClassVar[str] = "guided-ig"
    label: ClassVar[str] = "Guided integrated gradients"
    summary: ClassVar[str] = "How the score was gained from a baseline, along a path that avoids steep places."
    unit: ClassVar[str] = "{score}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", check_count(self.steps, "steps", "gradients"))
        baseline: Baseline = check_baseline(self.baseline)
        if len(several(baseline)) > 1:
            raise InputError("baseline", self.baseline, "is several baselines", "Give one.")
        object.__setattr__(self, "baseline", several(baseline)[0])
        fraction = check_fraction(self.fraction, "fraction")
        if fraction == 0:
            raise InputError("fraction", self.fraction, "lets nothing move", "Give a number above 0, such as 0.25.")
        object.__setattr__(self, "fraction", fraction)
        object.__setattr__(self, "max_dist", check_fraction(self.max_dist, "max_dist"))
        object.__setattr__(self, "seed", check_seed(self.seed))

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result; a baseline that is an array by its digest."""
        return {**super().parameters(), "baseline": describe(self.baseline)}

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the attributions of the part of the path that was gone, after what the gradient at its end says."""
        start = wide(make_baseline(self.baseline, problem.pixels, seed=self.seed))
        scores = yield from gradient_first(problem, wide(problem.pixels) - start, self.steps)
        gained = torch.zeros_like(scores)
        precise = torch.float32 if problem.device.type == "mps" else torch.float64
        end, begin = problem.pixels.to(precise), start.to(precise)
        walks = [_Walk(begin, end, self.fraction, self.max_dist) for _ in range(len(scores))]
        for step in range(1, self.steps + 1):
            if step == 1:
                # All walks begin at one place, and so share one forward pass.
                there, first = problem.gradients(start[None])
                gained, gradients = scores - there[0], list(first[0])
            else:
                gradients = [problem.gradients(walk.at[None], only=k)[1][0, 0] for k, walk in enumerate(walks)]
            for walk, gradient in zip(walks, gradients, strict=True):
                walk.step(gradient.to(precise), step / self.steps)
            final = step == self.steps
            if final or step % _EVERY == 0:
                values = torch.stack([walk.attribution for walk in walks]).to(start.dtype)
                gaps = completeness_gaps(values, gained) if final else []
                yield Estimate(
                    values=values,
                    scores=scores,
                    done=step,
                    total=self.steps,
                    final=final,
                    quality=tuple({"completeness_gap": gap} for gap in gaps),
                )


class _Walk:
    """The path of one target so far, and what was attributed on it."""

    def __init__(self, begin: Tensor, end: Tensor, fraction: float, reach: float) -> None:
        self.at = begin.clone()
        self.attribution = torch.zeros_like(begin)
        self._begin, self._end, self._way = begin, end, end - begin
        self._distance = float(self._way.abs().sum())
        self._fraction, self._reach = fraction, reach

    def step(self, gradient: Tensor, progress: float) -> None:
        """Go on until the distance to the end is 1 - ``progress`` of the whole."""
        if not self._distance:
            return
        lowest, highest = max(progress - self._reach, 0.0), min(progress + self._reach, 1.0)
        nearest = self._begin + self._way * lowest
        furthest = self._end.clone() if highest == 1 else self._begin + self._way * highest
        wanted = self._distance * (1 - progress)
        steepness = gradient.abs()
        before = self.at
        at = self.at.clone()
        # What fell behind is brought along first.
        behind = (at - nearest) * self._way.sign() < 0
        at = torch.where(behind, nearest, at)
        while True:
            left = float((at - self._end).abs().sum())
            if left - wanted <= _CLOSE * self._distance:
                break
            movable = (furthest - at) * self._way.sign() > 0
            room = int(movable.sum())
            if not room:
                break
            # The same number of values each time, of those that can still move.
            count = min(room, int(self._fraction * (movable.numel() - 1)) + 1)
            threshold = torch.where(movable, steepness, torch.inf).flatten().kthvalue(count).values
            chosen = movable & (steepness <= threshold)
            if not bool(chosen.any()):
                chosen = movable  # every gradient is NaN, which the map then shows
            share = (left - wanted) / float(((furthest - at).abs() * chosen).sum())
            if share >= 1:
                at = torch.where(chosen, furthest, at)
                continue
            at = torch.where(chosen, at + (furthest - at) * share, at)
            break
        self.attribution += (at - before) * gradient
        self.at = at
