"""Targets in plain values, as JSON holds them, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from saliency_widget._plain import plain
from saliency_widget.errors import InputError
from saliency_widget.targets.base import Target
from saliency_widget.targets.contrast import Contrast
from saliency_widget.targets.detection import Detection
from saliency_widget.targets.kinds import KINDS
from saliency_widget.targets.located import kind_of
from saliency_widget.targets.mark import mark_of
from saliency_widget.targets.probability import UNITS
from saliency_widget.targets.segmentation import Pixel, Region, Segment

_TOLD = ("kind", "index", "label", "text")


def plain_target(target: Target) -> dict[str, Any]:
    """A target by its kind, class, label and words, by its further parameters, and by what is marked of it.

    What JSON cannot hold, such as the function of a :class:`~saliency_widget.Score`, is left out.
    """
    found = {name: plain(getattr(target, name)) for name in _TOLD}
    for item in dataclasses.fields(target):
        value = getattr(target, item.name)
        if item.name in (*_TOLD, "which"):
            continue
        if value is None or isinstance(value, (bool, int, float, str)):
            found[item.name] = plain(value)
        elif isinstance(value, tuple) and all(isinstance(one, (int, float)) for one in value):
            found[item.name] = [plain(one) for one in value]
    mark = mark_of(target)
    return found if mark is None else {**found, "mark": mark}


def target_from_plain(told: Mapping[str, Any]) -> Target:
    """The target that :func:`plain_target` told of, not resolved.

    Raises
    ------
    InputError
        It is none that its plain values make: a function of the user's is not among them.
    """
    places = (Pixel, Region, Segment, Detection)
    kinds: dict[Any, Any] = {**KINDS, Contrast.kind: Contrast, **{kind_of(o, of): o for o in places for of in UNITS}}
    kind, index = told.get("kind"), told.get("index")
    known = isinstance(kind, str) and kind in kinds and isinstance(index, int) and not isinstance(index, bool)
    # A mask that was drawn by hand is not among the plain values.
    if not known or (kinds[kind] is Region and "mask" not in told):
        raise InputError(
            "target",
            None,
            f"is needed: {told.get('text')!r} is more than a class and a kind of score",
            "Give the target itself: target=...",
        )
    fields = {item.name for item in dataclasses.fields(kinds[kind])} - {"which", "label", "other_label"}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items() if name in fields}
    target: Target = kinds[kind](which=index, **given)
    return target
