"""What the promises need to know of each method. A registered method that is not here fails a test."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saliency_widget.methods.base import Method, menu


@dataclass(frozen=True)
class Case:
    """One method, made quick.

    Attributes
    ----------
    parameters
        Its quick parameters.
    budget
        The parameter of which memory must not depend: the number of steps, samples or masks. "" where there is none.
    more
        Further parameters with which exactly so much is done as the budget says.
    family
        "conv" or "tokens": the tiny model that it is for.
    of_scores
        Whether the map depends on the score, so that a score that is constant or NaN shows in it.
    zero_if_constant
        Whether a score that does not depend on the picture gives a map of zeros.
    float32, bfloat16
        How far, relative L1, the map in that type may be from the one in float64; None where ranks or regions make it
        jump.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    budget: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    family: str = "conv"
    of_scores: bool = True
    zero_if_constant: bool = True
    float32: float | None = 1e-4
    bfloat16: float | None = 0.3


CASES: dict[str, Case] = {
    "gradient": Case(),
    "input-x-gradient": Case(),
    "smoothgrad": Case({"samples": 6}, budget="samples"),
    "integrated-gradients": Case({"steps": 8}, budget="steps"),
    "blur-ig": Case({"steps": 6, "max_sigma": 4.0}, budget="steps"),
    "guided-ig": Case({"steps": 6}, budget="steps", float32=None, bfloat16=None),
    "expected-gradients": Case({"samples": 6}, budget="samples"),
    "xrai": Case({"smallest": 4}, float32=None, bfloat16=None),
    "grad_cam": Case(),
    "grad_cam_plus_plus": Case(),
    "hires_cam": Case(),
    "layer_cam": Case(),
    "xgrad_cam": Case(),
    # The main direction of the activations, whatever the score is.
    "eigen_cam": Case(of_scores=False),
    # A softmax over the channels weighs them alike where all scores are equal: a known failing of the method.
    "score_cam": Case(zero_if_constant=False),
    "ablation_cam": Case(),
    "guided_backprop": Case(),
    "deconvolution": Case(),
    "guided_grad_cam": Case(),
    "lrp": Case(),
    # Differences of scores that bfloat16 has rounded to three digits.
    "occlusion": Case({"window": 6, "stride": 4}, bfloat16=0.6),
    "rise": Case({"masks": 12}, budget="masks"),
    "attention_rollout": Case(family="tokens", of_scores=False),
    "gradient_rollout": Case(family="tokens"),
}
"""By name; hyphens, underscores and capitals do not count."""


def case_of(name: str) -> Case:
    """The case of a method."""
    return _BY_LETTERS[_letters(name)]


def method_of(name: str, **more: Any) -> Method:
    """The method of this name with its quick parameters."""
    cls = next(method for method in menu() if method.name == name)
    return cls(**{**case_of(name).parameters, **more})


def names(*, budget: bool = False, of_scores: bool = False) -> list[str]:
    """The names of all methods that are registered and in the table."""
    found = [method.name for method in menu() if _letters(method.name) in _BY_LETTERS]
    if budget:
        found = [name for name in found if case_of(name).budget]
    return [name for name in found if case_of(name).of_scores] if of_scores else found


def missing() -> list[str]:
    """Methods that are registered and not in the table."""
    return [method.name for method in menu() if _letters(method.name) not in _BY_LETTERS]


def unknown_parameters() -> dict[str, list[str]]:
    """Names in the table that are no parameters of the method."""
    wrong: dict[str, list[str]] = {}
    for method in menu():
        case = _BY_LETTERS.get(_letters(method.name))
        if case is None:
            continue
        known = {item.name for item in dataclasses.fields(method)}
        named = [*case.parameters, *case.more, *([case.budget] if case.budget else [])]
        if bad := [name for name in named if name not in known]:
            wrong[method.name] = bad
    return wrong


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


_BY_LETTERS = {_letters(name): case for name, case in CASES.items()}
