"""Expected gradients: integrated gradients averaged over many baselines, by sampling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from saliency_widget.engine.batching import one_first
from saliency_widget.engine.problem import Problem
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, register
from saliency_widget.methods.baselines import (
    NAMES,
    Baseline,
    check_baseline,
    check_seed,
    describe,
    generator_of,
    make_baseline,
    several,
)
from saliency_widget.methods.checks import check_count
from saliency_widget.methods.early import gradient_first
from saliency_widget.methods.moments import Moments
from saliency_widget.methods.sampling import relative_error, wide

_ROWS = 8


@register
@dataclass(frozen=True)
class ExpectedGradients(Method):
    """The mean, over images of a set and over places on the way from each, of the path's length times the gradient.

    phi = E over b and alpha of (x - b) * dS/dx (b + alpha (x - b)), b uniform over the set, alpha uniform from 0 to 1:
    the mean of integrated gradients over all baselines of the set, without integrating any of them. The attributions
    sum to S(x) less the mean of S over the set, in expectation, and have the unit of the score. Also called
    GradientSHAP, where noise is added to x.

    The gradient at the picture, times the way to it from the mean of the set, is the first estimate of more than one
    sample: what would be true if the gradient were the same everywhere. It is of no sample, and no part of the map.

    Costs ``samples`` forward and backward passes, and one more for the first estimate. Memory does not depend on
    ``samples``, but the set is kept. All targets share the samples.

    Known failings: noise, which falls with the root of the number of samples; with few baselines and a budget of
    gradients, ``IntegratedGradients(baseline=[...])`` is more accurate.

    Parameters
    ----------
    samples
        Gradients, each at a place between a baseline and the picture.
    baseline
        The set: a list of arrays, colours or names; see :func:`saliency_widget.methods.baselines.check_baseline`.
        "noise" is a new picture of uniform noise in each sample.
    seed
        What the samples are drawn from: sample i is made from (seed, i) alone.

    Notes
    -----
    ``extras["standard_error"]`` is the standard error of each value, and ``quality["standard_error"]`` their sum
    relative to the sum of the magnitudes of the map.

    References
    ----------
    Erion, Janizek, Sturmfels, Lundberg and Lee (2021), "Improving performance of deep learning models with axiomatic
    attribution priors and expected gradients", https://arxiv.org/abs/1906.10670
    """

    samples: int = declare.whole(64, least=1, most=512, soft=["most"])
    baseline: Any = declare.baseline("noise", NAMES)
    seed: int = declare.seed()

    name: ClassVar[str] = "expected-gradients"
    label: ClassVar[str] = "Expected gradients"
    summary: ClassVar[str] = "How the score was gained from a set of baselines, on average."
    unit: ClassVar[str] = "{score}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", check_count(self.samples, "samples", "gradients"))
        baseline: Baseline = check_baseline(self.baseline)
        object.__setattr__(self, "baseline", baseline)
        object.__setattr__(self, "seed", check_seed(self.seed))

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result; a baseline that is an array by its digest."""
        return {**super().parameters(), "baseline": describe(self.baseline)}

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield what the gradient at the picture says, and then the mean of more and more samples."""
        picture = wide(problem.pixels)
        scores = yield from gradient_first(problem, picture - self._middle(picture), self.samples)
        moments: Moments | None = None
        for start, stop in one_first(self.samples, _ROWS):
            starts, alphas = zip(*(self._sample(i, picture) for i in range(start, stop)), strict=True)
            baselines = torch.stack(starts)
            ways = picture - baselines
            places = torch.tensor(alphas, dtype=torch.float64, device="cpu").to(picture.dtype).to(picture.device)
            _, gradients = problem.gradients(baselines + places[:, None, None, None] * ways)
            for gradient, way in zip(gradients, ways, strict=True):
                part = wide(gradient) * way
                moments = moments or Moments(part)
                moments.add(part)
            assert moments is not None
            # Not kept while the next batch is computed.
            del starts, baselines, ways, gradients, gradient, way, part
            if stop == 1 < self.samples:
                # Further off than the first estimate.
                continue
            error = (moments.sums[0] / (stop - 1) / stop).sqrt() if stop > 1 else None
            uncertain = relative_error(error, moments.mean)
            yield Estimate(
                values=moments.mean.clone(),
                scores=scores,
                done=stop,
                total=self.samples,
                final=stop == self.samples,
                quality=tuple({} if one is None else {"standard_error": one} for one in uncertain),
                extras={} if error is None else {"standard_error": error},
            )

    def _middle(self, picture: Tensor) -> Tensor:
        """The mean of the set, by which it is seen whether each baseline fits, too."""
        choices = several(self.baseline)
        total = torch.zeros_like(picture)
        for one in choices:
            made = make_baseline(one, picture, seed=self.seed)
            # Another one in each sample: what they all are on average.
            total += 0.5 if one == "noise" else made
        return total / len(choices)

    def _sample(self, index: int, picture: Tensor) -> tuple[Tensor, float]:
        """Baseline and place of one sample."""
        choices = several(self.baseline)
        generator = generator_of(self.seed, index)
        alpha = float(torch.rand((), generator=generator, dtype=torch.float64, device="cpu"))
        chosen = int(torch.randint(len(choices), (), generator=generator, device="cpu"))
        return make_baseline(choices[chosen], picture, seed=self.seed, index=index), alpha
