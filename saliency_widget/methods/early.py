"""The first estimate of methods that add up gradients on the way to the picture: what the gradient at its end says."""

from __future__ import annotations

from collections.abc import Generator

from torch import Tensor

from saliency_widget.engine.problem import Problem
from saliency_widget.methods.base import Estimate
from saliency_widget.methods.sampling import wide


def gradient_first(problem: Problem, way: Tensor, total: int) -> Generator[Estimate, None, Tensor]:
    """Yield the gradient at the picture times the whole way, which is no part of the map; nothing of a total of one.

    Parameters
    ----------
    way
        (C, H, W), from where the way begins to the picture.
    total
        How many gradients the map is made of.

    Returns
    -------
    Tensor
        (K,), the scores of the picture, which come with the gradient.
    """
    if total == 1:
        return problem.scores(problem.pixels[None])[0]
    scores, gradients = problem.gradients(problem.pixels[None])
    yield Estimate(wide(gradients[0]) * way, scores[0], 0, total, final=False)
    return scores[0]
