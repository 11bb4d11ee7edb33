"""Integrated gradients along the path on which the picture gets sharp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from saliency_widget.engine.batching import one_first
from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, register
from saliency_widget.methods.blur import check_sigma, gaussian_blur
from saliency_widget.methods.checks import check_count
from saliency_widget.methods.early import gradient_first
from saliency_widget.methods.quality import completeness_gaps
from saliency_widget.methods.sampling import wide

_ROWS = 8


@register
@dataclass(frozen=True)
class BlurIG(Method):
    """Integrated gradients along the path from a blurred picture to the picture itself.

    phi = - integral from 0 to sigma_max of dS/dx (B(x, sigma)) * dB(x, sigma)/d sigma d sigma, where B is the Gaussian
    blur. Taken as the sum over cells of the gradient at each cell's middle times the change of the picture over the
    cell, which is exact for a linear model at any number of steps. The attributions sum to S(x) - S(B(x, sigma_max)),
    and have the unit of the score. Cells get wider with sigma (sigma = sigma_max u^2, cells of equal width in u),
    because a picture changes most where the blur is small.

    Differs from the authors' code in three ways. That takes the gradient at the beginning of each cell and the change
    of the blur over 0.01 pixels there, which misses completeness at few steps; it uses cells of equal width by default;
    and it blurs towards black beyond the border, where this averages over the picture alone, so that no dark frame is
    attributed.

    Costs ``steps`` forward and backward passes, one more for the first estimate, a forward pass and 3 ``steps`` blurs.
    Memory does not depend on ``steps``. The first estimate, where there are more steps than one, is the gradient at the
    picture times the whole change of the picture, which is no part of the sum. Then the cells are visited from coarse
    to fine: an early estimate is that of a coarser rule.

    Known failings: no baseline is to be chosen, but sigma_max is; what is as sharp as it is blurred (a flat area) gets
    nothing.

    Parameters
    ----------
    steps
        Gradients on the way.
    max_sigma
        Standard deviation of the widest blur, in pixels of the picture that the model sees.

    Notes
    -----
    ``quality["completeness_gap"]`` is the relative amount by which the sum misses S(x) - S(B(x, sigma_max)).

    References
    ----------
    Xu, Venugopalan and Sundararajan (2020), "Attribution in Scale and Space", https://arxiv.org/abs/2004.03383
    """

    steps: int = declare.whole(64, least=1, most=512, soft=["most"])
    max_sigma: float = declare.number(50.0, least=0.5, most=100, soft=["least", "most"], step=0.5, label="Widest blur")

    name: ClassVar[str] = "blur-ig"
    label: ClassVar[str] = "Blur integrated gradients"
    summary: ClassVar[str] = "How the score was gained as the picture got sharp."
    unit: ClassVar[str] = "{score}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", check_count(self.steps, "steps", "gradients"))
        sigma = check_sigma(self.max_sigma, "max_sigma")
        if sigma == 0:
            raise InputError("max_sigma", self.max_sigma, "blurs nothing", "Give a number of pixels above 0.")
        object.__setattr__(self, "max_sigma", sigma)

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield estimates of finer and finer rules."""
        picture = wide(problem.pixels)
        blurred = gaussian_blur(picture, self.max_sigma)
        scores = yield from gradient_first(problem, picture - blurred, self.steps)
        gained = scores - problem.scores(blurred[None])[0]
        del blurred
        total: Tensor | None = None
        order = coarse_to_fine(self.steps)
        for start, done in one_first(self.steps, _ROWS):
            part = self._part(problem, picture, order[start:done])
            total = part if total is None else total.add_(part)
            final = done == self.steps
            if done == 1 and not final:
                # The middle of the first cell, whose blur changes next to nothing.
                continue
            values = total.clone() if final else total * (self.steps / done)
            gaps = completeness_gaps(values, gained)
            yield Estimate(
                values=values,
                scores=scores,
                done=done,
                total=self.steps,
                final=final,
                quality=tuple({"completeness_gap": gap} for gap in gaps),
            )

    def _part(self, problem: Problem, picture: Tensor, cells: list[int]) -> Tensor:
        """(K, C, H, W), what some cells add to the sum."""
        middles = torch.stack([gaussian_blur(picture, self._sigma(cell + 0.5)) for cell in cells])
        _, gradients = problem.gradients(middles)
        total = torch.zeros_like(wide(gradients[0]))
        for cell, gradient in zip(cells, gradients, strict=True):
            change = gaussian_blur(picture, self._sigma(cell)) - gaussian_blur(picture, self._sigma(cell + 1))
            total += wide(gradient) * change
        return total

    def _sigma(self, cell: float) -> float:
        return self.max_sigma * (cell / self.steps) ** 2


def coarse_to_fine(count: int) -> list[int]:
    """All cells of a row, in an order in which the first ones are spread evenly, whatever their number."""
    bits = max(1, (count - 1).bit_length())
    return [k for k in (int(f"{i:0{bits}b}"[::-1], 2) for i in range(2**bits)) if k < count]
