"""Targets in plain values, as JSON holds them, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from saliency_widget._plain import plain
from saliency_widget.errors import InputError
from saliency_widget.targets.base import ClassTarget, Target
from saliency_widget.targets.contrast import Contrast
from saliency_widget.targets.kinds import KINDS

_TOLD = ("kind", "index", "label", "text")


def plain_target(target: Target) -> dict[str, Any]:
    """A target by its kind, class, label and words, and by its further parameters.

    What JSON cannot hold, such as the function of a :class:`~saliency_widget.Score`, is left out.
    """
    found = {name: plain(getattr(target, name)) for name in _TOLD}
    for item in dataclasses.fields(target):
        value = getattr(target, item.name)
        if item.name not in (*_TOLD, "which") and (value is None or isinstance(value, (bool, int, float, str))):
            found[item.name] = plain(value)
    return found


def target_from_plain(told: Mapping[str, Any]) -> Target:
    """The target that :func:`plain_target` told of, not resolved.

    Raises
    ------
    InputError
        It is none that its plain values make: a function of the user's is not among them.
    """
    kinds: dict[Any, type[ClassTarget]] = {**KINDS, Contrast.kind: Contrast}
    kind, index = told.get("kind"), told.get("index")
    if not isinstance(kind, str) or kind not in kinds or isinstance(index, bool) or not isinstance(index, int):
        raise InputError(
            "target",
            None,
            f"is needed: {told.get('text')!r} is more than a class and a kind of score",
            "Give the target itself: target=...",
        )
    fields = {item.name for item in dataclasses.fields(kinds[kind])} - {"which", "label", "other_label"}
    return kinds[kind](index, **{name: value for name, value in told.items() if name in fields})
