"""From a place in plain numbers, as a menu or a message has it, to a target there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from saliency_widget.errors import InputError
from saliency_widget.targets.base import Target
from saliency_widget.targets.detection import Detection
from saliency_widget.targets.located import Located, kind_of
from saliency_widget.targets.probability import UNITS
from saliency_widget.targets.scene import Scene
from saliency_widget.targets.segmentation import Mask, Pixel, Region, Segment

PLACED: dict[str, str] = {
    **{kind_of(one, of): "segmentation" for one in (Pixel, Region, Segment) for of in UNITS},
    **{kind_of(Detection, of): "detection" for of in UNITS},
}
"""What a model must do for a kind of score of a place: see :attr:`Scene.kind`."""

_WAYS = {
    "segmentation": "Give [row, column], a rectangle [top, left, bottom, right], or [] for all that is of the class.",
    "query": "Give the number of a query as [number], a place as [row, column], or [] for the most probable box.",
    "anchor": "Give the number of an anchor as [number], a place as [row, column], or [] for the most probable box.",
    "region": "Give a region [top, left, bottom, right], a place [row, column], or [] for the most probable box.",
}
# Numbers beyond it are not exact in a float, and no picture is so large.
_LARGEST = 2**53


def at_place(place: Any, which: int | str | None, scene: Scene, known: Iterable[Target] = ()) -> Located:
    """The target at a place of a scene, not located yet.

    Parameters
    ----------
    place
        As :attr:`Located.place` has it: [row, column] is a pixel, or the most probable box that holds it; a rectangle
        [top, left, bottom, right] is a region; one number is a query, an anchor, or a mask among ``known``; [] is the
        class wherever it is predicted, or its most probable box.
    which
        A class index, a label, or None for the class that is predicted there.
    scene
        Of a segmentation or of a detection.
    known
        Targets that were looked at: a mask that was drawn by hand is among them, because no number can make it again.

    Raises
    ------
    InputError
        It is no place of such a model.
    """
    numbers = _numbers(place, scene)
    if scene.kind == "detection":
        return _box(numbers, which, scene)
    if len(numbers) == 4:
        top, left, bottom, right = numbers
        # All pixels that the rectangle touches.
        return Region((math.floor(top), math.floor(left), math.ceil(bottom), math.ceil(right)), which)
    if len(numbers) == 2:
        return Pixel(math.floor(numbers[0]), math.floor(numbers[1]), which)
    if not numbers:
        return Segment(which)
    for one in known:
        if isinstance(one, Region) and isinstance(one.mask, Mask) and one.place == numbers:
            return replace(one, which=which, label=None)
    raise _refused(place, "is no mask that was looked at here", scene)


def _box(numbers: tuple[float, ...], which: int | str | None, scene: Scene) -> Detection:
    if len(numbers) == 2:
        return Detection(which, at=(numbers[0], numbers[1]))
    if len(numbers) == 4 and scene.place == "region":
        return Detection(which, region=(numbers[0], numbers[1], numbers[2], numbers[3]))
    if len(numbers) == 1 and scene.place != "region" and numbers[0] == int(numbers[0]):
        given: Any = {scene.place: int(numbers[0])}
        return Detection(which, **given)
    if numbers:
        raise _refused(list(numbers), f"is no {scene.place}", scene)
    return Detection(which)


def _numbers(place: Any, scene: Scene) -> tuple[float, ...]:
    many = isinstance(place, (list, tuple)) and len(place) in (0, 1, 2, 4)
    if not many or not all(_is_number(one) for one in place):
        raise _refused(place, "is no place", scene)
    return tuple(place)


def _is_number(one: Any) -> bool:
    return isinstance(one, (int, float)) and not isinstance(one, bool) and abs(one) <= _LARGEST


def _refused(place: Any, problem: str, scene: Scene) -> InputError:
    return InputError("place", place, problem, _WAYS[scene.place or scene.kind])
