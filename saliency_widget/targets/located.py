"""Targets of a place of the picture: of a model that gives no score of the picture as a whole."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

from saliency_widget.errors import InputError
from saliency_widget.targets.base import OfOneClass, Target
from saliency_widget.targets.scene import Scene

L = TypeVar("L", bound="Located")


@dataclass(frozen=True, eq=False)
class Located(OfOneClass):
    """A score of one class at one place.

    Attributes
    ----------
    which
        A class index, a label, or None for the class that the model predicts there.
    label
        The name of the class, once located and where it has one.
    """

    label: str | None = field(default=None, kw_only=True)

    unit: ClassVar[str] = "logit"
    of_classes: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Located) and other.key == self.key

    def __hash__(self) -> int:
        return hash((type(self), self.key))

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
        bound = replace(self, **known)
        for name, value in {"_settled": True, **settled}.items():
            object.__setattr__(bound, name, value)
        return bound


def needs(what: str, scene: Scene, target: Target) -> InputError:
    """The error for a target that this model has no place for."""
    seen = {
        "segmentation": "this model gives a score for each pixel",
        "detection": "this model gives scores for boxes",
    }.get(scene.kind, "this model gives no scores of places")
    way = {
        "segmentation": "Give a Pixel, a Region or a Segment.",
        "detection": "Give a Detection.",
    }.get(scene.kind, "Give a class, or a Score of what the model returns.")
    return InputError("target", target, f"needs {what}, and {seen}", way)
