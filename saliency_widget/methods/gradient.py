"""The plain gradient, and the gradient times the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from saliency_widget.engine.problem import Problem
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, register
from saliency_widget.methods.blur import check_sigma, gaussian_blur
from saliency_widget.methods.sampling import wide


@register
@dataclass(frozen=True)
class Gradient(Method):
    """The derivative of the score with respect to each pixel: what a small change would do.

    dS/dx at the picture x. With ``blur`` it is dS/dp at the blurred picture p, with respect to the pixels of p; the
    blur itself is not differentiated. It says what a small change of that picture would do.

    Costs one forward and one backward pass; another forward pass with ``blur``.

    Known failings: it is of first order, so it says nothing of larger changes; where the score is saturated it is small
    although the pixels matter; it is noisy from pixel to pixel. A blurred picture is not the picture: the model may say
    something else of it, see ``blurred_score`` in ``quality``.

    Parameters
    ----------
    blur
        Standard deviation, in pixels, of the Gaussian by which the picture is blurred first; 0 is none. See
        :func:`saliency_widget.methods.blur.gaussian_blur` for what happens at the border.

    References
    ----------
    Simonyan, Vedaldi and Zisserman (2014), "Deep Inside Convolutional Networks", https://arxiv.org/abs/1312.6034
    """

    blur: float = declare.number(0.0, least=0, most=20, soft=["most"], step=0.5)

    name: ClassVar[str] = "gradient"
    label: ClassVar[str] = "Gradient"
    summary: ClassVar[str] = "How the score changes with each pixel, to first order."

    def __post_init__(self) -> None:
        object.__setattr__(self, "blur", check_sigma(self.blur, "blur"))

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the one estimate there is."""
        if self.blur == 0:
            scores, gradients = problem.gradients(problem.pixels[None])
            yield Estimate(values=gradients[0], scores=scores[0], done=1, total=1, final=True)
            return
        scores = problem.scores(problem.pixels[None])
        there, gradients = problem.gradients(gaussian_blur(problem.pixels, self.blur)[None])
        quality = tuple({"blurred_score": score} for score in there[0].tolist())
        yield Estimate(gradients[0], scores[0], done=1, total=1, final=True, quality=quality)


@register
@dataclass(frozen=True)
class InputXGradient(Method):
    """The gradient times the picture: what each pixel contributes to the score, to first order, counted from black.

    x * dS/dx, for each pixel and channel. The sum is S(x) - S(black) where the score is linear between the two. It is
    taken in pixels, where black is 0; after normalisation, as other tools do it, 0 is the grey of the training set.

    Costs one forward and one backward pass.

    Known failings: black pixels get 0 whatever they mean; for a score that is not linear the map sums to nothing in
    particular.

    References
    ----------
    Shrikumar et al. (2016), "Not Just a Black Box: Learning Important Features Through Propagating Activation
    Differences", https://arxiv.org/abs/1605.01713
    """

    name: ClassVar[str] = "input-x-gradient"
    label: ClassVar[str] = "Input × gradient"
    summary: ClassVar[str] = "What each pixel contributes to the score, to first order, counted from black."
    unit: ClassVar[str] = "{score}"

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the one estimate there is."""
        scores, gradients = problem.gradients(problem.pixels[None])
        yield Estimate(wide(problem.pixels) * wide(gradients[0]), scores[0], done=1, total=1, final=True)
