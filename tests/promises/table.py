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
    float32, bfloat16
        How far, relative L1, the map in that type may be from the one in float64; None where ranks or regions make it
        jump.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    budget: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    family: str = "conv"
    of_scores: bool = True
    float32: float | None = 1e-4
    bfloat16: float | None = 0.3


CASES: dict[str, Case] = {
    "gradient": Case(),
}


def method_of(name: str, **more: Any) -> Method:
    """The method of this name with its quick parameters."""
    cls = next(method for method in menu() if method.name == name)
    return cls(**{**CASES[name].parameters, **more})


def names(*, budget: bool = False, of_scores: bool = False) -> list[str]:
    """The names of all methods that are registered and in the table."""
    found = [method.name for method in menu() if method.name in CASES]
    if budget:
        found = [name for name in found if CASES[name].budget]
    return [name for name in found if CASES[name].of_scores] if of_scores else found


def missing() -> list[str]:
    """Methods that are registered and not in the table."""
    return [method.name for method in menu() if method.name not in CASES]


def unknown_parameters() -> dict[str, list[str]]:
    """Names in the table that are no parameters of the method."""
    wrong: dict[str, list[str]] = {}
    for method in menu():
        case = CASES.get(method.name)
        if case is None:
            continue
        known = {item.name for item in dataclasses.fields(method)}
        named = [*case.parameters, *case.more, *([case.budget] if case.budget else [])]
        if bad := [name for name in named if name not in known]:
            wrong[method.name] = bad
    return wrong
