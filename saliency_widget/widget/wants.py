"""What somebody wants to see, from the plain values of traits and messages to a method and a target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from saliency_widget.errors import InputError
from saliency_widget.methods.base import Method, as_method
from saliency_widget.methods.controls import method_from_plain
from saliency_widget.methods.plain import key_of, plain_parameters
from saliency_widget.targets import KINDS, PLACED, UNITS, Contrast, Located, Scene, Target, at_place, target_of_kind
from saliency_widget.widget.protocol import is_whole

if TYPE_CHECKING:
    from saliency_widget.widget.session import Order
    from saliency_widget.widget.subjects import Subjects

_LONGEST_NAME = 200
# What is asked for first, by what the model does.
_USUAL = {"": "logit", "segmentation": "segment logit", "detection": "box logit"}
# What two classes are compared by. For a softmax the difference of the log-probabilities is that of the logits, and
# is shown as that.
_COMPARED = ("logit", "log-probability", "contrast", "probability")


@dataclass(frozen=True)
class Wanted:
    """A map in the plain values of traits: see :func:`wanted_of`."""

    model: int
    image: int
    method: str
    parameters: Mapping[str, Any]
    kind: str
    index: int
    other: int
    place: tuple[float, ...] = ()

    @property
    def choices(self) -> dict[str, Any]:
        """As the traits of the choices have it; -1 is no class."""
        return {
            "model_index": self.model,
            "image_index": self.image,
            "class_index": self.index,
            "versus": self.other,
            "score": self.kind,
            "place": list(self.place),
            "method": self.method,
            "parameters": dict(self.parameters),
        }

    @property
    def plain(self) -> dict[str, Any]:
        """As a message and the trait of the panels have it; None is no class."""
        index, other = (None if one < 0 else one for one in (self.index, self.other))
        return {
            "model": self.model,
            "image": self.image,
            "method": self.method,
            "parameters": dict(self.parameters),
            "target": {
                "kind": self.kind,
                "index": index,
                "other": other,
                **({"place": list(self.place)} if self.place else {}),
            },
        }


def wanted_of(order: Order, subjects: Subjects) -> Wanted:
    """What an order computes, in plain values."""
    place = subjects.place(order.explainer)
    index = -1 if order.target.index is None else order.target.index
    kind, other = kind_of(order.target)
    return Wanted(
        place.model,
        place.image,
        order.method.name,
        plain_parameters(order.method),
        kind,
        index,
        -1 if other is None else other,
        place_of(order.target),
    )


def place_of(target: Target) -> tuple[float, ...]:
    """Where the score is of; () where it is of the picture as a whole, or of no place in particular."""
    return target.place if isinstance(target, Located) else ()


def kind_of(target: Target) -> tuple[str, int | None]:
    """The kind of score, and the class that it is compared with."""
    if isinstance(target, Contrast):
        return target.of, target.other if isinstance(target.other, int) else None
    return target.kind, None


def fill(raw: Mapping[str, Any], now: Wanted, scene: str = "") -> dict[str, Any]:
    """Complete a want by what is looked at now; see the fields of :attr:`Wanted.plain`.

    Parameters
    ----------
    raw
        Some of it.
    now
        What is looked at.
    scene
        What the model does that is wanted: see :attr:`Scene.kind`.
    """
    target = raw.get("target")
    target = target if isinstance(target, Mapping) else {}
    given = now.plain
    own = {"place": [], **given["target"]}
    moved = any(raw.get(name, given[name]) != given[name] for name in ("model", "image"))
    fits = PLACED.get(own["kind"], "") == scene
    if (own["kind"] in KINDS or own["kind"] in PLACED) and (not fits or (moved and scene)):
        # Another picture has other boxes and other segments: it is asked for its own.
        own = {"kind": _USUAL[scene], "index": None, "other": None, "place": []}
    if "place" in target:
        # As by a click: what is predicted there, and of that what was asked for elsewhere.
        own = {**own, "index": None, "kind": own["kind"].rpartition(" ")[2] if fits and scene else own["kind"]}
    method = raw.get("method", given["method"])
    kind = target.get("kind", own["kind"])
    return {
        "model": raw.get("model", given["model"]),
        "image": raw.get("image", given["image"]),
        "method": method,
        "parameters": raw.get("parameters", given["parameters"] if method == given["method"] else None),
        "target": {
            "kind": kind,
            "index": target.get("index", own["index"]),
            "other": target.get("other", own["other"] if kind in _COMPARED else None),
            "place": target.get("place", own["place"]),
        },
    }


def method_of(name: Any, parameters: Any, known: Mapping[str, Method]) -> Method:
    """The method of this name with these parameters.

    Parameters
    ----------
    name
        Of a method.
    parameters
        Plain values by name; what is missing has its default. None: as it was last used.
    known
        The methods last used, by name, which hold what plain values cannot.

    Raises
    ------
    InputError
        There is no such method, or it takes no such parameters.
    """
    if not isinstance(name, str):
        raise InputError("method", name, "is not the name of a method", "Give a name such as 'gradient'.")
    if name not in known:
        # Compared with all names there are, which takes its time for one of ten million letters.
        name = as_method(name[:_LONGEST_NAME]).name
    like = known.get(name)
    if parameters is None:
        return like if like is not None else as_method(name)
    if not isinstance(parameters, Mapping):
        raise InputError("parameters", parameters, "are not values by name", "Give a dict such as {'samples': 50}.")
    if like is not None and plain_parameters(like) == dict(parameters):
        return like
    return method_from_plain(name, parameters, like)


def target_of(raw: Mapping[str, Any], known: Iterable[Target], scene: Scene) -> Target:
    """The score that ``raw`` names by kind, index, other and place; not resolved.

    Parameters
    ----------
    raw
        The target of a want, complete.
    known
        Targets that were looked at, latest first: what they hold beside their class is kept, and a score that is not of
        one class can be had again.
    scene
        What the model says of the places of the picture.

    Raises
    ------
    InputError
        There is no such kind of score, or the index is none, or the place.
    """
    kind, index, other, place = raw["kind"], raw["index"], raw["other"], raw["place"]
    known = list(known)
    if scene.kind and (kind is None or (isinstance(kind, str) and (kind in PLACED or kind in UNITS))):
        return _placed(kind, index, other, place, known, scene)
    if place not in ([], ()):
        raise InputError("place", place, "is none: this model scores the picture as a whole", "Give [].")
    if index is None:
        for target in known:
            if target.kind == kind and target.index is None:
                return target
        if other is None and isinstance(kind, str) and kind in KINDS:
            return target_of_kind(kind, None)
    if not is_whole(index):
        raise InputError("index", index, "is no class index", "Give a whole number from 0.")
    if other is not None:
        if not is_whole(other):
            raise InputError("versus", other, "is no class index", "Give a whole number from 0, or -1 for none.")
        if kind not in _COMPARED:
            raise InputError(
                "score",
                kind,
                "is not what two classes are compared by",
                "Choose 'logit' or 'probability', or no class to compare with.",
            )
        for target in known:
            if isinstance(target, Contrast) and target.of == kind:
                return replace(target, which=index, other=other, label=None, other_label=None)
        return Contrast(index, other, of="probability" if kind == "probability" else "logit")
    like = next((target for target in known if target.kind == kind and target.index is not None), None)
    return target_of_kind("logit" if kind == "contrast" else kind, index, like)


def _placed(kind: str | None, index: Any, other: Any, place: Any, known: Iterable[Target], scene: Scene) -> Target:
    if other is not None:
        raise InputError("versus", other, "cannot be taken off the score of a place", "Give -1, which is none.")
    if index is not None and not is_whole(index):
        raise InputError(
            "index", index, "is no class index", "Give a whole number from 0, or -1 for the predicted one."
        )
    target = at_place(place, index, scene, known)
    # "probability" is that of the place, "pixel probability" that of a pixel.
    of = "logit" if kind is None else kind if kind in UNITS else kind.partition(" ")[2]
    if of != target.of:
        target = replace(target, of=of, activation=None)
    if kind in PLACED and kind != target.kind:
        raise InputError(
            "score", kind, f"is not that of place={list(place)}", f"It is {target.kind!r} there; set the place instead."
        )
    return target


def key_for(place: str, method: Method, target: Target) -> str:
    """The name of a map: the same key is the same map."""
    return f"{place}{key_of(method)}/{target.key}"
