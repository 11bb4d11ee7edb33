"""Integrated gradients along the straight path from a baseline to the picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, register
from saliency_widget.methods.baselines import NAMES, check_baseline, check_seed, describe, make_baseline, several
from saliency_widget.methods.checks import check_count, check_tolerance
from saliency_widget.methods.line import PILOT, Line, Refinement, chunks
from saliency_widget.methods.quality import completeness_gaps, relative_change

# On the CPU as many as the first group has: more are hardly quicker there, and a short run needs no less memory than a
# long one.
_ROWS, _ROWS_ELSEWHERE = 4, 64
_CEILING = 4096
_FEWEST = 1 + len(PILOT)


@register
@dataclass(frozen=True)
class IntegratedGradients(Method):
    """The picture less a baseline, times the mean gradient on the straight line between them.

    phi_i = (x_i - b_i) * integral from 0 to 1 of dS/dx_i (b + alpha (x - b)) d alpha. The attributions of all pixels
    sum to S(x) - S(b) ("completeness"), so that their unit is that of the score.

    The integral is taken by an adaptive, nested rule (:mod:`saliency_widget.methods.line`): the gradient at the picture
    first, then every next point where the expected error is largest. The points of a run are the first ones of every
    longer run; a run can go on until the map stands still. Several targets share all points, which are then placed by
    the root of the sum of squares of their relative errors.

    Costs ``steps`` forward and backward passes for each baseline, and a forward pass at the baseline. Of several
    baselines, all share the gradient at the picture. Memory does not depend on ``steps`` or on the number of baselines:
    38 gradients of each target are kept.

    Known failings: what a baseline shows cannot be attributed (black objects get nothing on black); the straight line
    leads through pictures that the model never saw; on a saturated probability most of the path does not count. The
    completeness gap says little of the map: 14 % where the map was 4 % wrong (demo model, 64 gradients from black).

    Parameters
    ----------
    steps
        Gradients for each baseline, the one at the picture included; 5 at least. None: as many as ``tolerance`` needs,
        and at most 4096. Points are added in groups; a run ends before the group that would exceed ``steps``.
    baseline
        Where the path starts: "black", "white", "mean", "blur", "noise", a colour, an array, or a list of several, over
        which the maps are averaged; see :func:`saliency_widget.methods.baselines.check_baseline`.
    tolerance
        Stop as soon as the map of every target changed by no more than this (relative L1) while the number of gradients
        doubled, from 8 to 16 at first. The error is then about 0.6 times as large. None: never before ``steps``.
    seed
        What the "noise" baseline is made from.

    Notes
    -----
    ``quality`` holds ``steps``, the gradients used; ``expected_error``, the relative L1 error expected of the map
    (0.93 of the true one on average in benchmarks/ig_accuracy.md);
    ``map_change``, its relative change during the last doubling; ``completeness_gap``, the relative amount by which the
    sum misses S(x) - S(b) (None where that is 0). With several baselines they are means over the baselines,
    but for ``steps``, which counts all gradients.

    References
    ----------
    Sundararajan, Taly and Yan (2017), "Axiomatic Attribution for Deep Networks", https://arxiv.org/abs/1703.01365.
    Several baselines: Sturmfels, Lundberg and Lee (2020), "Visualizing the Impact of Feature Attribution Baselines",
    https://distill.pub/2020/attribution-baselines.
    """

    steps: int | None = declare.whole(64, least=_FEWEST, most=512, soft=["most"], optional=True)
    baseline: Any = declare.baseline("black", NAMES)
    tolerance: float | None = declare.number(None, least=0, most=0.5, soft=["most"], step=0.01)
    seed: int = declare.seed()

    name: ClassVar[str] = "integrated-gradients"
    label: ClassVar[str] = "Integrated gradients"
    summary: ClassVar[str] = "How the score was gained from a baseline, pixel by pixel."
    unit: ClassVar[str] = "{score}"

    def __post_init__(self) -> None:
        if self.steps is not None:
            object.__setattr__(self, "steps", check_count(self.steps, "steps", "gradients", _FEWEST))
        object.__setattr__(self, "baseline", check_baseline(self.baseline))
        object.__setattr__(self, "tolerance", check_tolerance(self.tolerance))
        if self.steps is None and self.tolerance is None:
            raise InputError("steps", None, "needs a tolerance", "Give steps, or a tolerance such as 0.05, or both.")
        object.__setattr__(self, "seed", check_seed(self.seed))

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result; a baseline that is an array by its digest."""
        return {**super().parameters(), "baseline": describe(self.baseline)}

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the picture less the baseline times the gradient, and then better and better integrals."""
        baselines = several(self.baseline)
        made = [make_baseline(one, problem.pixels, seed=self.seed, index=i) for i, one in enumerate(baselines[:1])]
        for one in baselines[1:]:
            # Whether it fits is said before any work; it is made when it is its turn, so that one is kept.
            make_baseline(one, problem.pixels, seed=self.seed)
        scores, gradients = problem.gradients(problem.pixels[None])
        done = 1
        summed: Tensor | None = None
        qualities: list[tuple[dict[str, Any], ...]] = []
        limit = _CEILING if self.steps is None else self.steps
        for i, one in enumerate(baselines):
            baseline = made.pop() if i == 0 else make_baseline(one, problem.pixels, seed=self.seed, index=i)
            path = _Path(problem, baseline, scores[0], gradients[0], limit, self.tolerance)
            for part in path.run():
                last = part.stopped and i == len(baselines) - 1
                values = part.values if summed is None else (summed + part.values) / (i + 1)
                spent = done + path.line.points - 1
                expected = spent if last else max(spent + 1, done + (len(baselines) - i) * (part.total - 1))
                yield Estimate(
                    values=values,
                    scores=scores[0],
                    done=spent,
                    total=expected,
                    final=last,
                    quality=_mean_quality([*qualities, part.quality]),
                )
            done += path.line.points - 1
            qualities.append(part.quality)
            summed = part.values if summed is None else summed + part.values
            # The room of one path is given back before the next takes its own.
            del path, part


@dataclass(frozen=True, eq=False)
class _Part:
    """One estimate for one baseline."""

    values: Tensor
    quality: tuple[dict[str, Any], ...]
    total: int
    stopped: bool


class _Path:
    """The run for one baseline."""

    def __init__(
        self,
        problem: Problem,
        baseline: Tensor,
        scores: Tensor,
        gradients: Tensor,
        limit: int,
        tolerance: float | None,
    ) -> None:
        self._problem, self._limit, self._tolerance = problem, limit, tolerance
        self._baseline = baseline
        self._displacement = problem.pixels.to(baseline.dtype) - baseline
        self._scores = scores
        self.line = Line(gradients, self._displacement)
        self._gained: Tensor | None = None
        self._kept: Tensor | None = None
        self._change: list[float | None] = [None] * len(scores)

    def run(self) -> Iterator[_Part]:
        """Yield an estimate after each group of points."""
        values, aim = self.line.attribution(), 8
        stopped = self.line.points >= self._limit
        while True:
            yield _Part(values, self._quality(values), self._total(), stopped)
            if stopped:
                return
            # Groups are a half of what there is, and end where the number of points has doubled, whatever the limit
            # is: the points of a run are then the first ones of a longer run.
            points = self.line.points
            group = self.line.plan(max(1, min(points // 2, aim - points)))
            fitting = []
            for refinement in group:
                points += len(refinement.points)
                if points > self._limit:
                    stopped = True
                    break
                fitting.append(refinement)
            self._add(fitting)
            values = self.line.attribution()
            if self.line.points >= aim:
                if self._kept is not None:
                    self._change = [relative_change(new, old) for new, old in zip(values, self._kept, strict=True)]
                self._kept, aim = values, 2 * self.line.points
                stopped = stopped or self._steady()
            stopped = stopped or self.line.points >= self._limit

    def _add(self, refinements: list[Refinement]) -> None:
        on_cpu = self._displacement.device.type == "cpu"
        rows = _ROWS if on_cpu else max(_ROWS, min(self._problem.batch, _ROWS_ELSEWHERE))
        for chunk in chunks(refinements, rows):
            self._visit(chunk)

    def _visit(self, chunk: list[tuple[Refinement, float]]) -> None:
        alphas = torch.tensor([point for _, point in chunk], dtype=torch.float64, device="cpu")
        alphas = alphas.to(self._displacement.dtype).to(self._displacement.device)
        _, gradients = self._problem.gradients(self._baseline + alphas[:, None, None, None] * self._displacement)
        for (refinement, _), gradient in zip(chunk, gradients, strict=True):
            self.line.take(refinement, gradient)

    def _steady(self) -> bool:
        return self._tolerance is not None and all(
            change is not None and change <= self._tolerance for change in self._change
        )

    def _total(self) -> int:
        """How many gradients this will take; a guess where the tolerance decides."""
        total, points = self._limit, self.line.points
        known = [change for change in self._change if change is not None and math.isfinite(change)]
        if self._tolerance is not None and known:
            # The error, and with it the change, is inverse to the number of gradients.
            guess = points * max(known) / self._tolerance if self._tolerance > 0 else math.inf
            total = min(total, max(points + 1, 2 ** math.ceil(math.log2(max(guess, 1))))) if guess < total else total
        return max(total, points)

    def _quality(self, values: Tensor) -> tuple[dict[str, Any], ...]:
        if self._gained is None and self.line.points > 1:
            self._gained = self._scores - self._problem.scores(self._baseline[None])[0]
        gaps = completeness_gaps(values, self._gained) if self._gained is not None else [None] * len(values)
        errors = self.line.error(values)
        return tuple(
            {
                "steps": self.line.points,
                "expected_error": errors[k],
                "map_change": self._change[k],
                "completeness_gap": gaps[k],
            }
            for k in range(len(values))
        )


def _mean_quality(qualities: list[tuple[dict[str, Any], ...]]) -> tuple[dict[str, Any], ...]:
    if len(qualities) == 1:
        return qualities[0]
    found: list[dict[str, Any]] = []
    for several_of_one in zip(*qualities, strict=True):
        mean: dict[str, Any] = {"baselines": len(qualities)}
        for key in several_of_one[0]:
            known = [quality[key] for quality in several_of_one if quality[key] is not None]
            mean[key] = sum(known) / len(known) if known else None
        # The gradient at the picture is shared.
        mean["steps"] = sum(quality["steps"] for quality in several_of_one) - (len(several_of_one) - 1)
        found.append(mean)
    return tuple(found)
