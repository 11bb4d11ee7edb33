"""Guided backpropagation and deconvolution: gradients whose way back through the rectifiers is another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from saliency_widget.engine.problem import Problem
from saliency_widget.engine.rectifiers import Backward, RectifierRules, deconvolution, guided
from saliency_widget.methods.base import Estimate, Method, register


@register
@dataclass(frozen=True)
class GuidedBackprop(Method):
    """The gradient, with negative gradients cut off at every rectifier on the way back.

    A rectifier ``y = min(max(x, 0), c)`` passes ``max(dy, 0)`` on to ``x`` where ``0 < x < c``, and 0 elsewhere. ReLU,
    ReLU6, Hardtanh(0, c), Threshold(0, 0), clamp and maximum at 0 are changed, as module, function, method or operator,
    and in place where the call is. Other nonlinearities keep their derivative: ``quality["rectifiers"]`` says how many
    were changed ("14 of 33 nonlinearities"), ``quality["unchanged"]`` which were not ("19 hardswish").

    Cost: 2 f + b; one of the forward passes proves that the scores are those of the plain model.

    Known failings: the map is no derivative of anything. It hardly depends on the score or on the weights above the
    first layers: it stays the same when they are randomised (Adebayo et al. 2018), because it partly reconstructs the
    picture (Nie et al. 2018). On the demo model and three photographs, the maps of the most likely class and of one in
    the middle of the ranking correlate at 0.99 or more (gradient: -0.15 to 0.26), and when the last layer is made
    random, |map| keeps a rank correlation of 0.99 (gradient: 0.33 to 0.48). Look at edges with it, and not for reasons.

    Raises
    ------
    ModelError
        The model has no rectifier, one runs where its rule cannot be changed (a ScriptModule), or the scores change.

    References
    ----------
    Springenberg, Dosovitskiy, Brox and Riedmiller (2015), "Striving for Simplicity: The All Convolutional Net",
    https://arxiv.org/abs/1412.6806

    Adebayo et al. (2018), "Sanity Checks for Saliency Maps", https://arxiv.org/abs/1810.03292

    Nie, Zhang and Patel (2018), "A Theoretical Explanation for Perplexing Behaviors of Backpropagation-based
    Visualizations", https://arxiv.org/abs/1805.07039
    """

    name: ClassVar[str] = "guided-backprop"
    label: ClassVar[str] = "Guided backprop"
    summary: ClassVar[str] = "Sharp, but hardly dependent on the model's weights: it shows edges, and no reasons."
    # No derivative of the score, so that no picture may say what more light would do.
    unit: ClassVar[str] = "modified {score} per {variable}"

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the one estimate there is."""
        yield _estimate(problem, guided)


@register
@dataclass(frozen=True)
class Deconvolution(Method):
    """The gradient, with every rectifier applied to the gradient on the way back instead of its own derivative.

    A rectifier ``y = min(max(x, 0), c)`` passes ``max(dy, 0)`` on to ``x``, whatever ``x`` is. Which calls are
    rectifiers, and what ``quality`` says about them, is as in :class:`GuidedBackprop`.

    Cost: 2 f + b; one of the forward passes proves that the scores are those of the plain model.

    Known failings: the map is no derivative of anything. Of the picture it knows only where the maxima of the pooling
    layers lie, and what other nonlinearities let through: in a network of convolutions and rectifiers alone it is the
    same for every picture. It hardly depends on the score (Mahendran and Vedaldi 2016) and partly reconstructs the
    picture where there is pooling (Nie et al. 2018).

    Raises
    ------
    ModelError
        The model has no rectifier, one runs where its rule cannot be changed (a ScriptModule), or the scores change.

    References
    ----------
    Zeiler and Fergus (2014), "Visualizing and Understanding Convolutional Networks", https://arxiv.org/abs/1311.2901

    Mahendran and Vedaldi (2016), "Salient Deconvolutional Networks",
    https://www.robots.ox.ac.uk/~vedaldi/assets/pubs/mahendran16salient.pdf

    Nie, Zhang and Patel (2018), "A Theoretical Explanation for Perplexing Behaviors of Backpropagation-based
    Visualizations", https://arxiv.org/abs/1805.07039
    """

    name: ClassVar[str] = "deconvolution"
    label: ClassVar[str] = "Deconvolution"
    summary: ClassVar[str] = "What the strongest features look like; hardly dependent on the score."
    unit: ClassVar[str] = "modified {score} per {variable}"

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the one estimate there is."""
        yield _estimate(problem, deconvolution)


def _estimate(problem: Problem, backward: Backward) -> Estimate:
    rules = RectifierRules(backward)
    scores, gradients = problem.gradients(problem.pixels[None], rules=rules)
    quality = tuple(dict(rules.quality) for _ in range(len(gradients[0])))
    return Estimate(values=gradients[0], scores=scores[0], done=1, total=1, final=True, quality=quality)
