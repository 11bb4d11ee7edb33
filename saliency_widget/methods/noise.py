"""SmoothGrad: the statistics of the gradient in the neighbourhood of a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, register
from saliency_widget.methods.baselines import check_seed, generator_of
from saliency_widget.methods.checks import check_count, check_fraction
from saliency_widget.methods.moments import STATISTICS, Spread
from saliency_widget.methods.sampling import batches, rank_agreement, relative_error, wide


@register
@dataclass(frozen=True)
class SmoothGrad(Method):
    """A statistic of the gradient over pictures with Gaussian noise added.

    g_i = dS/dx (x + noise * range * z_i), z_i standard normal for each pixel and channel, nothing clamped. The map is

    - "mean": mean of g, SmoothGrad;
    - "mean_abs": mean of ``|g|``;
    - "square": mean of g^2, SmoothGrad-squared;
    - "variance": unbiased variance of g, VarGrad.

    The range is 1, from black to full scale; where the pixels are the model's own input, it is the picture's largest
    less its smallest value. Sample i is made from (seed, i) alone: the same for all targets, statistics, devices and
    lengths of run. One sample without noise gives the plain gradient.

    The plain gradient, which gives the score of the picture too, is the first estimate where it is anything like the
    map: of more than one sample, and not of their variance. It is of no sample, and no part of the map.

    Costs ``samples`` forward and backward passes, and one more for the first estimate, or one forward pass where there
    is none. Memory does not depend on ``samples``.

    Known failings: the mean is the gradient of a blurred score, not of the score, and at usual numbers of samples it is
    limited by chance (64 samples of the demo model on a photograph of a cat, noise 0.15: standard error 0.95 of the
    map, agreement 0.19): look at the standard error. Square and variance have lost the sign, and are largest where the
    gradient changes, not where it is large (Seo et al. 2018 show that the variance does not depend on the gradient
    itself).

    Parameters
    ----------
    samples
        How many noisy copies; at least 2 for the variance.
    noise
        Standard deviation as a fraction of the range, from 0 to 1.
    statistic
        Which statistic is the map.
    seed
        What the noise is made from: another seed, another noise.

    Notes
    -----
    ``quality`` holds

    - ``standard_error``: the sum over the pixels of the standard errors, divided by the sum of the magnitudes;
    - ``agreement``: Spearman's rank correlation between the map of the samples of even and of odd number, of the
      largest magnitude over the channels of each pixel. It asks what the eye asks of a heat map, which pixels are
      stronger than which, and no scale, clip or colour table changes it. The whole map, from twice the samples, is
      surer than either half.

    What is not defined, as with one sample, is left out. ``extras`` holds ``standard_error``, in the unit of the map,
    and the three other statistics, by name, from the same samples.

    References
    ----------
    Smilkov et al. (2017), "SmoothGrad: removing noise by adding noise", https://arxiv.org/abs/1706.03825.
    Square: Hooker et al. (2019), "A Benchmark for Interpretability Methods in Deep Neural Networks",
    https://arxiv.org/abs/1806.10758. Variance: Adebayo et al. (2018), "Local Explanation Methods for Deep Neural
    Networks Lack Sensitivity to Parameter Values", https://arxiv.org/abs/1810.03307. Analysis: Seo et al. (2018),
    "Noise-adding Methods of Saliency Map as Series of Higher Order Partial Derivative",
    https://arxiv.org/abs/1806.03000.
    """

    samples: int = declare.whole(50, least=1, most=500, soft=["most"])
    noise: float = declare.number(0.15, least=0, most=1, step=0.01)
    statistic: str = declare.choice("mean", STATISTICS)
    seed: int = declare.seed()

    name: ClassVar[str] = "smoothgrad"
    label: ClassVar[str] = "SmoothGrad"
    summary: ClassVar[str] = "The gradient, averaged over noisy copies of the picture."

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", check_count(self.samples, "samples", "samples"))
        object.__setattr__(self, "noise", check_fraction(self.noise, "noise"))
        object.__setattr__(self, "seed", check_seed(self.seed))
        if self.statistic not in STATISTICS:
            raise InputError("statistic", self.statistic, "is no statistic", f"Use one of {', '.join(STATISTICS)}.")
        if self.statistic == "variance" and self.samples < 2:
            raise InputError("samples", self.samples, "have no variance", "Give at least 2.")

    @property
    def unit(self) -> str:  # type: ignore[override]
        """Unit of the map: that of the gradient, or its square."""
        plain = "{score} per {variable}"
        return plain if self.statistic in ("mean", "mean_abs") else f"({plain})^2"

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the plain gradient, and then an estimate after every batch of samples."""
        if self.samples > 1 and self.statistic != "variance":
            found, gradients = problem.gradients(problem.pixels[None])
            scores, plain = found[0], self._spread(wide(gradients[0]))
            plain.add(wide(gradients[0]))
            yield self._estimate([plain, self._spread(plain.signed.mean)], scores, 0)
            del plain
        else:
            scores = problem.scores(problem.pixels[None])[0]
        scale = self.noise * _range(problem)
        halves: list[Spread] = []
        for start, stop in batches(self.samples, problem):
            noisy = torch.stack([_noisy(problem.pixels, scale, self.seed, i) for i in range(start, stop)])
            gradients = problem.gradients(noisy)[1]
            if not halves:
                halves = [self._spread(wide(gradients[0])) for _ in range(2)]
            # One by one, so that the map does not depend on how the samples were cut.
            for i, gradient in enumerate(gradients, start):
                halves[i % 2].add(wide(gradient))
            del noisy, gradients
            if stop > 1 or self.statistic != "variance":
                yield self._estimate(halves, scores, stop)

    def _spread(self, like: Tensor) -> Spread:
        return Spread(like, 2 if self.statistic in ("mean", "mean_abs") else 4)

    def _estimate(self, halves: list[Spread], scores: Tensor, done: int) -> Estimate:
        spread = halves[0].joined(halves[1])
        values = spread.statistic(self.statistic)
        assert values is not None
        error = spread.standard_error(self.statistic)
        known = {name: spread.statistic(name) for name in STATISTICS if name != self.statistic}
        extras = {name: maps for name, maps in {**known, "standard_error": error}.items() if maps is not None}
        even, odd = (half.statistic(self.statistic) for half in halves)
        nothing: list[float | None] = [None] * len(values)
        agreements = nothing if even is None or odd is None else rank_agreement(even, odd)
        quality = tuple(
            {name: figure for name, figure in figures.items() if figure is not None}
            for figures in (
                {"standard_error": uncertain, "agreement": alike}
                for uncertain, alike in zip(relative_error(error, values), agreements, strict=True)
            )
        )
        return Estimate(values, scores, done, self.samples, done == self.samples, quality, extras)


def _range(problem: Problem) -> float:
    if problem.variable == "full-scale pixel":
        return 1.0
    return float(problem.pixels.max() - problem.pixels.min())


def _noisy(pixels: Tensor, scale: float, seed: int, index: int) -> Tensor:
    # In float32 whatever the model's type, because another type would draw other numbers.
    drawn = torch.randn(pixels.shape, generator=generator_of(seed, index), dtype=torch.float32, device="cpu")
    return drawn.to(pixels.device, pixels.dtype).mul_(scale).add_(pixels)
