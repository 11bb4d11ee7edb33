"""Layer-wise relevance propagation for convolutional networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from saliency_widget.engine.lrp import RelevanceRules
from saliency_widget.engine.lrp_maps import Box
from saliency_widget.engine.lrp_operators import Composite, Named
from saliency_widget.engine.lrp_rules import Epsilon, Flat, Gamma, ZBox, ZPlus
from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, register
from saliency_widget.models.preprocess import PIXEL

_COMPOSITES = ("epsilon", "epsilon-plus", "epsilon-plus-flat", "epsilon-plus-box", "epsilon-gamma-box")
_BIASES = ("absorb", "ignore")


@register
@dataclass(frozen=True)
class LRP(Method):
    """Relevance: the score, handed back layer by layer, each unit's part shared among what contributed to it.

    A unit ``z_k = sum_j a_j w_jk + b_k`` of relevance ``R_k`` gives ``R_j = sum_k R_k q_jk / (sum_i q_ik + q_bk)`` to
    its inputs, where ``q_jk`` is by the rule of the layer

    - epsilon: ``a_j w_jk``, with ``epsilon rms(z) sign(z_k)`` added to the denominator;
    - gamma: ``a_j w_jk``, those of the sign of ``z_k`` counting ``1 + gamma`` times. Where inputs and outputs are
      positive, as in a ReLU network, this is the usual rule;
    - z-plus: those of the sign of ``z_k`` alone, which likewise becomes the usual rule (alpha 1, beta 0);
    - z-box, for the first layer: ``x_j w_jk - l_j max(w_jk, 0) - h_j min(w_jk, 0)``, black and white being ``l`` and
      ``h``;
    - flat, for the first layer: 1.

    The bias takes its share ``q_bk``, formed in the same way, except in the rules for the first layer (``q_bk = 0``).
    The rest of the network:

    - BatchNorm after a convolution, or a linear layer, is merged into it; elsewhere it is what it is, an affine layer.
      LayerNorm and GroupNorm are one too, their standard deviations being taken as given.
    - A sum (residual connections), a mean and a pooling share in proportion to the summands (epsilon 0); a maximum
      gives all to the largest.
    - An activation with f(0) = 0 (ReLU, ReLU6, SiLU, GELU, Hardswish, LeakyReLU, tanh, ...) passes its relevance
      unchanged to its input.
    - Of a product with a gate (sigmoid, Hardsigmoid, softmax, clamp: squeeze-and-excitation), the other factor gets
      all.
    - A linear layer that is reached only as a product of matrices, or inside a ScriptModule, has epsilon 0;
      ``quality["rules"]`` counts it apart.
    - Preprocessing belongs to the network: relevance is that of pixels against black. What a black picture makes of the
      first layer counts as its bias.

    Cost: 2 f + b, one forward pass of which proves that the scores are those of the plain model; on the way back, each
    layer is run forward once more (epsilon) or two to four times (the other rules), for all targets together, and back
    once to five times, for each. On the demo model and one CPU core: 3 (epsilon) to 5 times the plain gradient.

    Parameters
    ----------
    composite
        Which rule holds where:

        =================== ============ ============= =====================
        name                convolutions linear layers the first convolution
        =================== ============ ============= =====================
        "epsilon"           epsilon      epsilon       epsilon
        "epsilon-plus"      z-plus       epsilon       z-plus
        "epsilon-plus-flat" z-plus       epsilon       flat
        "epsilon-plus-box"  z-plus       epsilon       z-box
        "epsilon-gamma-box" gamma        epsilon       z-box
        =================== ============ ============= =====================

    epsilon
        The stabiliser of the epsilon rule, as a fraction of the root mean square of the layer's outputs. 0 makes the
        composite "epsilon" equal to pixel x gradient in a network whose activations are ReLU or LeakyReLU.
    gamma
        How much more contributions of the output's own sign count in the gamma rule. 0 is epsilon 0.
    biases
        Whether biases take a share of the score: "absorb"; or "ignore": in the z-plus rule, too, biases take no share,
        except all of a unit that no input explains. More of the score arrives at the pixels, but units that owe their
        value to the bias pass it on to small contributions, and rounding to float32 shows.

    Raises
    ------
    ModelError
        An operator on the way has no rule, such as attention, or a sigmoid that is no factor; the scores change.

    Notes
    -----
    The values are in the unit of the score, and of a target that is linear in the model's outputs (a logit) they sum to
    the score, except for what was absorbed. ``quality`` says how it came out, in fractions of the score: "conserved",
    the sum of the map; "biases" and "stabiliser", what these absorbed; "elsewhere", the remainder, if there is any.
    None stands for a fraction of a score of zero.

    Known failings: the rules are chosen by what the maps look like, and other rules give other maps. With z-plus or
    gamma in all convolutions, a map says little about the class and the layers above (Sixt et al. 2020): on the demo
    model and three photographs, the maps of the two most likely classes correlate at 0.99 (gradient: 0.54 to 0.97), and
    when the last layer is made random, |map| keeps a rank correlation of 0.88 to 0.99 (gradient: 0.33 to 0.48). The
    biases of normalisation layers take their share in each of them: of the demo model's logit, less than 2 % arrives
    at the pixels. By the rules that multiply by the pixel, relevance is zero where the picture is black.

    References
    ----------
    Bach et al. (2015), "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance
    Propagation", https://doi.org/10.1371/journal.pone.0130140

    Montavon et al. (2017), "Explaining NonLinear Classification Decisions with Deep Taylor Decomposition",
    https://arxiv.org/abs/1512.02479

    Montavon et al. (2019), "Layer-Wise Relevance Propagation: An Overview",
    https://doi.org/10.1007/978-3-030-28954-6_10

    Sixt, Granz and Landgraf (2020), "When Explanations Lie: Why Many Modified BP Attributions Fail",
    https://arxiv.org/abs/1912.09818
    """

    composite: str = declare.choice("epsilon-gamma-box", _COMPOSITES)
    epsilon: float = declare.number(1e-6, least=0)
    gamma: float = declare.number(0.25, least=0, most=2, soft=["most"], step=0.01)
    biases: str = declare.choice("absorb", _BIASES)

    name: ClassVar[str] = "lrp"
    label: ClassVar[str] = "LRP"
    summary: ClassVar[str] = "Hands the score back layer by layer, each unit's part to what contributed to it."
    unit: ClassVar[str] = "{score}"

    def __post_init__(self) -> None:
        if self.composite not in COMPOSITES:
            names = ", ".join(map(repr, COMPOSITES))
            raise InputError("composite", self.composite, "is no composite of rules", f"Give one of {names}.")
        if self.biases not in _BIASES:
            raise InputError("biases", self.biases, "says not what a bias does", "Give 'absorb' or 'ignore'.")
        for argument, usual in (("epsilon", 1e-6), ("gamma", 0.25)):
            value = getattr(self, argument)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not 0 <= value < math.inf:
                raise InputError(argument, value, "is no finite number from 0 on", f"Give one, such as {usual}.")

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the one estimate there is."""
        composite = COMPOSITES[self.composite](self)
        pixels = problem.pixels
        notes: list[str] = []
        if problem.variable == PIXEL:
            low, high = torch.zeros_like(pixels[:, 0, 0]), torch.ones_like(pixels[:, 0, 0])
        else:
            low, high = pixels.amin((1, 2)), pixels.amax((1, 2))
            if composite.first is _BOX:
                notes.append(
                    "what is black and white is not known: the z-box reaches from the least value to the largest"
                )
        rules = RelevanceRules(composite, problem.matrix, low, high)
        scores, relevance = problem.gradients(problem.pixels[None], rules=rules)
        assert rules.ledger is not None
        totals = relevance[0].double().sum((1, 2, 3)).tolist()
        quality = tuple(
            _quality(rules, notes, *numbers)
            for numbers in zip(scores[0].tolist(), totals, rules.ledger[0].tolist(), strict=True)
        )
        yield Estimate(values=relevance[0], scores=scores[0], done=1, total=1, final=True, quality=quality)


_BOX = Named("z-box", lambda layer, box: ZBox(layer, _known(box)))
_FLAT = Named("flat", lambda layer, box: Flat(layer, _known(box)))


def _epsilon(epsilon: float) -> Named:
    return Named("epsilon", lambda layer, box: Epsilon(layer, epsilon))


def _gamma(gamma: float) -> Named:
    return Named("gamma", lambda layer, box: Gamma(layer, gamma))


def _plus(biases: str) -> Named:
    return Named("z-plus", lambda layer, box: ZPlus(layer, absorb=biases == "absorb"))


def _known(box: Box | None) -> Box:
    assert box is not None, "a rule for the first layer stands only there"
    return box


COMPOSITES: dict[str, Callable[[LRP], Composite]] = {
    "epsilon": lambda lrp: Composite(_epsilon(lrp.epsilon), _epsilon(lrp.epsilon)),
    "epsilon-plus": lambda lrp: Composite(_plus(lrp.biases), _epsilon(lrp.epsilon)),
    "epsilon-plus-flat": lambda lrp: Composite(_plus(lrp.biases), _epsilon(lrp.epsilon), _FLAT),
    "epsilon-plus-box": lambda lrp: Composite(_plus(lrp.biases), _epsilon(lrp.epsilon), _BOX),
    "epsilon-gamma-box": lambda lrp: Composite(_gamma(lrp.gamma), _epsilon(lrp.epsilon), _BOX),
}
"""The rules of each composite, from the method's parameters."""

# Of the score: more than rounding adds up to.
_NOTABLE = 1e-3


def _quality(
    rules: RelevanceRules, notes: list[str], score: float, total: float, ledger: list[float]
) -> dict[str, Any]:
    seeded, biases, stabiliser = ledger
    rest = seeded - total - biases - stabiliser
    known: dict[str, Any] = {
        "conserved": _share(total, score),
        "biases": _share(biases, score),
        "stabiliser": _share(stabiliser, score),
        "rules": rules.summary,
    }
    if not abs(rest) <= _NOTABLE * (abs(score) + abs(total) + abs(biases)):
        known["elsewhere"] = _share(rest, score)
    if not abs(seeded - score) <= _NOTABLE * abs(score):
        known["distributed"] = _share(seeded, score)
    if notes or rules.notes:
        known["notes"] = [*notes, *rules.notes]
    return known


def _share(part: float, score: float) -> float | None:
    return part / score if score and math.isfinite(part) and math.isfinite(score) else None
