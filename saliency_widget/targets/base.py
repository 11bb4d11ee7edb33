"""What a target is: one number for each row of a model's output."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from saliency_widget.errors import InputError

T = TypeVar("T", bound="Target")
C = TypeVar("C", bound="ClassTarget")


@dataclass(frozen=True)
class Target(ABC):
    """A score: one number for each row of the model's output, to be differentiated.

    Attributes
    ----------
    kind
        "logit", "probability", ...
    of_classes
        Whether it needs scores (N, classes). One that does not gets whatever the model returns.
    of_probabilities
        Whether it is made of the probabilities of such scores.
    """

    kind: ClassVar[str]
    of_classes: ClassVar[bool] = True

    @property
    def of_probabilities(self) -> bool:  # noqa: D102
        return False

    @property
    @abstractmethod
    def unit(self) -> str:
        """The unit of the score."""

    @property
    def index(self) -> int | None:
        """The class it is of, where it is of one and that is known."""
        return None

    @property
    def label(self) -> str | None:
        """The name of that class, where it has one."""
        return None

    @property
    def named(self) -> tuple[int | str, ...]:
        """The classes that it names, by index or by label; the predicted one is not named."""
        return ()

    @property
    def bound(self) -> bool:
        """Whether everything it names is settled, so that :meth:`score` can be called."""
        return True

    @property
    def key(self) -> str:
        """Short text that tells this target from every other of the same model."""
        return f"{self.kind}/{self.index}"

    @property
    @abstractmethod
    def text(self) -> str:
        """The target in words: "logit of tiger cat"."""

    def resolve(self: T, labels: Sequence[str], classes: int, outputs: Tensor | None) -> T:
        """Bind the target to a model.

        Parameters
        ----------
        labels
            Names of the classes in order; may be empty.
        classes
            How many classes the model has.
        outputs
            The model's output (N, classes), of which row 0 decides the predicted class; needed only where a class is
            given as None.

        Returns
        -------
        Target
            The same kind of target, :attr:`bound`.

        Raises
        ------
        InputError
            No class has this index or label, or the prediction is not a number.
        """
        return self

    def check(self, classes: int) -> None:  # noqa: B027  (not every target has something to check)
        """Raise :class:`~saliency_widget.InputError` where a model with so many classes has no such score."""

    def probability(self, outputs: Tensor) -> float | None:
        """The probability of the class it is of, from one row (1, classes) of scores; None where it is of none."""
        return None

    @abstractmethod
    def score(self, outputs: Any) -> Tensor:
        """The score of each row.

        Parameters
        ----------
        outputs
            (N, classes), differentiable; or what the model returns, where that is something else.

        Returns
        -------
        Tensor
            (N,)
        """


class OfOneClass(Target):
    """A score of one class, of the whole picture or of a place in it.

    Attributes
    ----------
    which
        A class index, a label, or None for the class that the model predicts.
    label
        The name of the class, once it is known which and where it has one.
    """

    if TYPE_CHECKING:  # fields of the subclasses, in which other parameters come first

        @property
        def which(self) -> int | str | None: ...  # noqa: D102

    def __post_init__(self) -> None:
        object.__setattr__(self, "which", checked(self.which))

    @property
    def index(self) -> int | None:
        """The class index; None until a target given by label, or by None, is bound."""
        return self.which if isinstance(self.which, int) else None

    @property
    def named(self) -> tuple[int | str, ...]:
        """The class, where it is given by index or by label."""
        return () if self.which is None else (self.which,)


@dataclass(frozen=True)
class ClassTarget(OfOneClass):
    """A score of one class, read from scores (N, classes).

    Parameters
    ----------
    which
        A class index, a label, or None for the class that the model predicts.

    Attributes
    ----------
    label
        The name of the class, once resolved and where it has one.
    """

    which: int | str | None = None
    label: str | None = field(default=None, kw_only=True)

    @property
    def bound(self) -> bool:
        """Whether the class is known."""
        return self.index is not None

    @property
    def text(self) -> str:
        """The target in words: "logit of tiger cat"."""
        return f"{self.kind} of {words(self.which, self.label)}"

    def of_class(self: C, which: int | str | None) -> C:
        """The same score of another class, not resolved."""
        return replace(self, which=which, label=None)

    def resolve(self: C, labels: Sequence[str], classes: int, outputs: Tensor | None) -> C:
        """Bind the target to one class; see :meth:`Target.resolve`."""
        index = find_class(self.which, labels, classes, outputs)
        bound = replace(self, which=index, label=labels[index] if index < len(labels) else None)
        bound.check(classes)
        return bound

    def check(self, classes: int) -> None:
        """Raise :class:`~saliency_widget.InputError` where the model has no such class."""
        if self.index is not None:
            find_class(self.index, (), classes, None)

    def probability(self, outputs: Tensor) -> float | None:
        """The probability of the class: softmax over the classes, or the sigmoid where the model has one output."""
        if self.index is None:
            return None
        row = outputs[0]
        return float(row.sigmoid()[0] if len(row) == 1 else row.softmax(dim=0)[self.index])

    def _index(self) -> int:
        if self.index is None:
            raise InputError("target", self, "is not bound to a class", "Call resolve() first.")
        return self.index


def words(which: int | str | None, label: str | None) -> str:
    """A class in words: its name, or what is known of it."""
    if label:
        return label
    if which is None:
        return "the predicted class"
    return which if isinstance(which, str) else f"class {which}"


def find_class(which: int | str | None, labels: Sequence[str], classes: int, outputs: Tensor | None) -> int:
    """The index of a class that is given as an index, a label, or None for the predicted one.

    Raises
    ------
    InputError
        There is no such class, or no prediction.
    """
    if which is None:
        return _predicted(outputs)
    if isinstance(which, str):
        if not labels:
            raise InputError(
                "target",
                which,
                "is a label, but this model has none",
                f"Give a class index from 0 to {classes - 1}, or the names of the classes as labels=[...].",
            )
        # Only a label needs the label search, and `import saliency_widget.targets` stays light.
        from saliency_widget.models.labels import find_label

        return int(find_label(labels, which))
    if not 0 <= which < classes:
        raise InputError(
            "target",
            which,
            f"is out of range: the model has {classes} class{'es' if classes != 1 else ''}",
            f"Give an index from 0 to {classes - 1}." if classes > 1 else "Give 0.",
        )
    return which


def _predicted(outputs: Tensor | None) -> int:
    if outputs is None:
        raise InputError("target", None, "means the predicted class, but there is no prediction", "Give a class.")
    row = outputs[0]
    if bool(torch.isnan(row).any()):
        raise InputError(
            "target",
            None,
            "means the predicted class, but the model's output holds NaN",
            "Give a class, or look for the NaN in the model or in the picture.",
        )
    return int(row.argmax())


def checked(which: Any) -> int | str | None:
    """A class as a user writes it, as an int, a str or None.

    Raises
    ------
    InputError
        It is none of these.
    """
    if which is None:
        return None
    if isinstance(which, str):
        if not which.strip():
            raise InputError("target", which, "is an empty label", "Give a class index or a label.")
        return str(which)
    remedy = "Give None for the predicted class, a class index, a label, or a Target such as Probability('tabby')."
    is_bool = isinstance(which, (bool, np.bool_)) or getattr(which, "dtype", None) in (torch.bool, np.dtype(bool))
    if is_bool:
        raise InputError("target", which, "is a bool, which names no class", remedy)
    try:
        # Takes integers of numpy and torch too, and refuses floats.
        return operator.index(which)
    except (TypeError, RuntimeError, ValueError):
        raise InputError("target", which, "is not a target", remedy) from None
