"""Scores of one detected box."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import Tensor

from saliency_widget.errors import InputError, ModelError
from saliency_widget.models.detectors import Rectangle
from saliency_widget.targets.base import find_class, words
from saliency_widget.targets.located import Located, needs
from saliency_widget.targets.reading import places_in
from saliency_widget.targets.scene import Box, Scene


@dataclass(frozen=True, eq=False)
class Detection(Located):
    """The score of one class of one box, bound to what stays when the picture changes a little.

    A box's rank among those that are left after suppression changes with the picture, so that a score bound to it jumps
    from one object to another. This one is bound to the query of a transformer, to the anchor of a one-stage detector,
    or to the region of a two-stage detector, which is pooled again at the same place.

    Parameters
    ----------
    which
        A class index, a label, or None for the class that is most probable there.
    query
        The number of a query: DETR, YOLOS and their kind.
    anchor
        The number of an anchor: RetinaNet, FCOS, SSD.
    region
        (top, left, bottom, right) in pixels of the picture that the model sees: Faster R-CNN and its kind. It need be
        none that the model proposed.
    at
        (row, column) in that picture: the most probable box that holds this place is taken, as by a click.
    of, activation
        Its "logit", or its "probability" or "log-probability" by softmax over the classes, "no object" or background
        among them (Faster R-CNN, SSD, DETR), or by the sigmoid (RetinaNet, FCOS, Deformable DETR). It is that of the
        class: FCOS multiplies it by how central the box is, for the probability that it shows.

    Notes
    -----
    Without a place it is the most probable box, of this class or of any. Boxes move with the picture; what is
    differentiated is the class's score, with the region held.

    Examples
    --------
    >>> import saliency_widget as sw
    >>> sw.boxes(model, "street.jpg")[0].target  # doctest: +SKIP
    >>> sw.explain(model, "street.jpg", target=sw.Detection("dog", at=(120, 88)))  # doctest: +SKIP
    """

    which: int | str | None = None
    query: int | None = field(default=None, kw_only=True)
    anchor: int | None = field(default=None, kw_only=True)
    region: Rectangle | None = field(default=None, kw_only=True)
    at: tuple[float, float] | None = field(default=None, kw_only=True)

    kind: ClassVar[str] = "box logit"

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in ("query", "anchor", "region", "at") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError("target", self.brief, f"names {' and '.join(given)}", "Give one of them.")
        for name in ("query", "anchor"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _whole(name, value))
        if self.region is not None:
            top, left, bottom, right = _numbers("region", self.region, 4)
            if top >= bottom or left >= right:
                raise InputError("region", self.region, "has no area", "Give (top, left, bottom, right) in pixels.")
            object.__setattr__(self, "region", (top, left, bottom, right))
        if self.at is not None:
            object.__setattr__(self, "at", _numbers("at", self.at, 2))

    @property
    def box(self) -> Rectangle | None:
        """(top, left, bottom, right) of the box that the model drew in this picture, where it drew one."""
        found: Rectangle | None = getattr(self, "_box", None)
        return found

    @property
    def key(self) -> str:
        """Short text that tells this target from every other of the same model."""
        return f"{self.kind}/{self.which}/{self._where}{self._tail}"

    @property
    def place(self) -> tuple[float, ...]:
        """The number of the query or of the anchor, the region, or (row, column)."""
        number = self.anchor if self.query is None else self.query
        return (self.region or self.at or ()) if number is None else (number,)

    @property
    def text(self) -> str:
        """The target in words: "logit of dog of query 17"."""
        what = "the most probable box" if self.which is None else f"{self._what} of {words(self.which, self.label)}"
        return f"{what} of {self._where}" if self._where else what

    @property
    def _where(self) -> str:
        if self.query is not None:
            return f"query {self.query}"
        if self.anchor is not None:
            return f"anchor {self.anchor}"
        edges = self.region or self.at
        if edges is None:
            return ""
        return f"the {'region' if self.region else 'box at'} {', '.join(f'{edge:.1f}' for edge in edges)}"

    def locate(self, scene: Scene) -> Detection:
        """Bind it to a class and a query, an anchor or a region; see :meth:`Located.locate`."""
        if not scene.place:
            raise needs("boxes", scene, self)
        given = next((name for name in ("query", "anchor", "region") if getattr(self, name) is not None), None)
        if given is None:
            found = self._seen(scene)
            return self._as_of(found, scene)
        if given != scene.place:
            raise InputError(
                "target",
                self.brief,
                f"names {_with_article(given)}, and this model's scores are of {_PLURAL[scene.place]}",
                f"Give {scene.place}=, or at=(row, column); boxes() lists what it sees.",
            )
        if given == "region":
            return self._in_region(scene)
        number = self.query if given == "query" else self.anchor
        assert number is not None
        assert scene.places is not None
        if not 0 <= number < len(scene.places):
            raise InputError(given, number, "is out of range", f"There are 0 to {len(scene.places) - 1}.")
        row = scene.places[number]
        index = int(row[: scene.choices].argmax()) if self.which is None else self._class(scene)
        known = [box.box for box in scene.boxes if getattr(box.target, given) == number]
        return self.bind(index, scene, _box=known[0] if known else None)

    def score(self, outputs: Any) -> Tensor:
        """The score (N,) from what the model returns.

        Raises
        ------
        ModelError
            It returns no scores of queries, anchors or regions, or fewer than before.
        """
        if self.index is None or not self.bound:
            raise InputError("target", self.brief, "is not bound to a place", "Call locate() first.")
        logits = places_in(outputs)
        slot = self.query if self.query is not None else self.anchor
        if self.region is not None:
            slot = self.__dict__.get("_row")
        if logits is None or slot is None or slot >= logits.shape[1]:
            raise ModelError(f"the score {self.text!r} is not among what the model returned for this picture.")
        return self._quantity(logits[:, slot], self.index)

    def among(self, regions: Sequence[Rectangle]) -> Detection:
        """The same target of a pass in which these regions are scored, in this order."""
        if self.region is None:
            return self
        found = copy(self)
        object.__setattr__(found, "_row", regions.index(self.region))
        return found

    def _as_of(self, box: Box, scene: Scene) -> Detection:
        """The same score of a box."""
        found: Detection = box.target
        if self.of == "logit":
            return found
        asked = replace(found, of=self.of, activation=self.activation)
        return asked.bind(box.index, scene, _box=box.box)

    def _class(self, scene: Scene) -> int:
        return find_class(self.which, scene.labels, scene.choices, None)

    def _seen(self, scene: Scene) -> Box:
        """The most probable box of this class, or of any, at this place, or anywhere."""
        index = None if self.which is None else self._class(scene)
        fitting = [box for box in scene.boxes if index is None or box.index == index]
        if self.at is not None:
            row, column = self.at
            fitting = [b for b in fitting if b.box[0] <= row <= b.box[2] and b.box[1] <= column <= b.box[3]]
        if not fitting:
            what = "box" if index is None else f"box of {words(index, _label(index, scene))}"
            seen = ", ".join(dict.fromkeys(box.label for box in scene.boxes[:5])) or "no box at all"
            raise InputError(
                "target",
                self.brief,
                f"fits no {what} that the model sees in this picture",
                f"It sees {seen}; boxes() lists them, and {_with_article(scene.place)} can be given by itself.",
            )
        return fitting[0]

    def _in_region(self, scene: Scene) -> Detection:
        assert self.region is not None
        top, left, bottom, right = self.region
        if bottom <= 0 or right <= 0 or top >= scene.height or left >= scene.width:
            raise InputError(
                "region", self.region, f"lies outside the picture, {scene.height} x {scene.width}", "Move it inside."
            )
        if self.which is None:
            known = [box for box in scene.boxes if box.target.region == self.region]
            if not known:
                raise InputError(
                    "target", self.brief, "names a region and no class", "Give Detection(class, region=...)."
                )
            return self._as_of(known[0], scene)
        return self.bind(self._class(scene), scene)


def _label(index: int, scene: Scene) -> str | None:
    return scene.labels[index] if index < len(scene.labels) else None


_PLURAL = {"query": "queries", "anchor": "anchors", "region": "regions"}


def _with_article(place: str) -> str:
    return f"an {place}" if place == "anchor" else f"a {place}"


def _whole(name: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise InputError(name, value, "is no number of one", "Give a whole number from 0.") from None


def _numbers(name: str, value: Any, count: int) -> tuple[Any, ...]:
    wanted = "(top, left, bottom, right)" if count == 4 else "(row, column)"
    try:
        found = tuple(float(one) for one in value)
    except (TypeError, ValueError):
        found = ()
    if len(found) != count or not all(abs(one) < float("inf") for one in found):
        raise InputError(name, value, "is no place", f"Give {wanted} in pixels of the picture that the model sees.")
    return found
