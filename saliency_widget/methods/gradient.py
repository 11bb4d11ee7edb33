"""The plain gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from saliency_widget.engine.problem import Problem
from saliency_widget.methods.base import Estimate, Method, register


@register
@dataclass(frozen=True)
class Gradient(Method):
    """The derivative of the score with respect to each pixel: what a small change would do.

    M = dS/dx. Cost: 1 f + 1 b for each target.

    Known failings: it is noisy, because the gradient of a deep network changes between neighbouring pixels; and where
    the score is saturated it is small for what decided.

    References
    ----------
    Simonyan, Vedaldi and Zisserman (2014), "Deep Inside Convolutional Networks", https://arxiv.org/abs/1312.6034
    """

    name: ClassVar[str] = "gradient"
    label: ClassVar[str] = "Gradient"
    summary: ClassVar[str] = "How the score changes with each pixel, to first order."

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the one estimate there is."""
        scores, gradients = problem.gradients(problem.pixels[None])
        yield Estimate(values=gradients[0], scores=scores[0], done=1, total=1, final=True)
