"""Targets of a place of the picture: of a model that gives no score of the picture as a whole."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.models.words import Shown
from saliency_widget.targets.base import OfOneClass
from saliency_widget.targets.probability import UNITS, check_activation, quantity
from saliency_widget.targets.scene import Scene

L = TypeVar("L", bound="Located")


@dataclass(frozen=True, eq=False)
class Located(OfOneClass):
    """A score of one class at one place.

    Parameters
    ----------
    of
        "logit", "probability" or "log-probability" of the class, among all classes of the same place.
    activation
        What makes the probability: "softmax", where the classes exclude each other, or "sigmoid", where they do not.
        None is what the model's kind does. The target's text names it.

    Attributes
    ----------
    which
        A class index, a label, or None for the class that the model predicts there.
    label
        The name of the class, once located and where it has one.
    """

    of: str = field(default="logit", kw_only=True)
    activation: str | None = field(default=None, kw_only=True)
    label: str | None = field(default=None, kw_only=True)

    of_classes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.of not in UNITS:
            raise InputError("of", self.of, "is no score of a class at a place", f"Use one of {', '.join(UNITS)}.")
        check_activation(self.activation)
        if self.of == "logit" and self.activation is not None:
            raise InputError("activation", self.activation, "makes no logit", 'Leave it out, or give of="probability".')
        # "pixel logit" is the kind of its class; this one may be a pixel's probability.
        object.__setattr__(self, "kind", kind_of(type(self), self.of))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Located) and other.key == self.key

    def __hash__(self) -> int:
        return hash((type(self), self.key))

    @property
    def unit(self) -> str:
        """The unit of the score."""
        return UNITS[self.of]

    @property
    def bound(self) -> bool:
        """Whether the place is settled, see :meth:`locate`."""
        return bool(getattr(self, "_settled", False))

    @property
    def place(self) -> tuple[float, ...]:
        """Where it is, in numbers that :func:`~saliency_widget.targets.at_place` takes; () is nowhere in particular."""
        return ()

    @abstractmethod
    def locate(self: L, scene: Scene) -> L:
        """Bind the target to a class and a place of this picture.

        Raises
        ------
        InputError
            The model has no such class or the picture no such place, or the model gives no scores of places.
        """

    def bind(self: L, index: int, scene: Scene, **settled: Any) -> L:
        """The same target of this class; what is settled is kept beside the parameters."""
        known: Any = {"which": index, "label": scene.labels[index] if index < len(scene.labels) else None}
        if self.of != "logit":
            if not scene.activation:
                raise InputError(
                    "of",
                    self.of,
                    f"cannot be had of a model that ends in a {scene.end}: its scores are probabilities already"
                    if scene.end
                    else "cannot be had of a model that classifies masks: its scores are sums of probabilities",
                    'Leave it out, for "logit".',
                )
            known["activation"] = self.activation or scene.activation
            check_activation(known["activation"], scene.classes)
        bound = replace(self, **known)
        for name, value in {"_settled": True, **settled}.items():
            object.__setattr__(bound, name, value)
        return bound

    @property
    def brief(self) -> Shown:
        """The target as it was written, for an error: without what was left as it is."""
        told = [f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if self._differs(one)]
        return Shown(f"{type(self).__name__}({', '.join(told)})")

    def _differs(self, one: Field[Any]) -> bool:
        value = getattr(self, one.name)
        return one.name != "label" and value is not one.default and repr(value) != repr(one.default)

    @property
    def _what(self) -> str:
        """What the score is, with what makes it: "softmax probability"."""
        return f"{self.activation} {self.of}" if self.activation else self.of

    @property
    def _tail(self) -> str:
        """What tells the score's key from that of the logit."""
        if self.of == "logit":
            return ""
        return "/sigmoid" if self.activation == "sigmoid" else "/softmax"

    def _quantity(self, scores: Tensor, index: int) -> Tensor:
        if scores.dtype not in (torch.float32, torch.float64):
            scores = scores.float()
        return quantity(self.of, scores, index, self.activation)


def kind_of(place: type[Located], of: str) -> str:
    """The kind of a target of such a place: "pixel probability"."""
    return f"{place.kind.removesuffix('logit')}{of}"


def needs(what: str, scene: Scene, target: Located) -> InputError:
    """The error for a target that this model has no place for."""
    seen = {
        "segmentation": "this model gives a score for each pixel",
        "detection": "this model gives scores for boxes",
    }.get(scene.kind, "this model gives no scores of places")
    way = {
        "segmentation": "Give a Pixel, a Region or a Segment.",
        "detection": "Give a Detection.",
    }.get(scene.kind, "Give a class, or a Score of what the model returns.")
    return InputError("target", target.brief, f"needs {what}, and {seen}", way)
