"""From what a user or a menu names to a target."""

from __future__ import annotations

from typing import Any

from saliency_widget.errors import InputError
from saliency_widget.targets.base import ClassTarget, Target
from saliency_widget.targets.classes import Logit, LogProbability, Margin, Probability

KINDS: dict[str, type[ClassTarget]] = {target.kind: target for target in (Logit, Probability, LogProbability, Margin)}
"""The kinds of score that a class alone decides, in the order in which a menu shows them."""


def as_target(spec: Any) -> Target:
    """Turn what a user writes into a target.

    Parameters
    ----------
    spec
        None (the predicted class), a class index, a label, or a :class:`Target`.

    Raises
    ------
    InputError
        It is none of these.
    """
    return spec if isinstance(spec, Target) else Logit(spec)


def target_of_kind(kind: Any, which: int | str | None, like: Target | None = None) -> Target:
    """The target of this kind, as a menu or a message names it.

    Parameters
    ----------
    kind
        One of :data:`KINDS`, or that of ``like``.
    which
        A class index, a label, or None for the class that the model predicts.
    like
        A target whose other parameters are kept if it is of the same kind, such as the other class of a contrast.

    Raises
    ------
    InputError
        There is no such kind.
    """
    if isinstance(like, ClassTarget) and kind == like.kind:
        return like.of_class(which)
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError("kind", kind, "is no kind of score", f"Use one of {', '.join(KINDS)}.")
    return KINDS[kind](which)
