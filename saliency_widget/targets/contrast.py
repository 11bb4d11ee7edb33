"""Why this class and not that one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.targets.base import ClassTarget, checked, find_class, words


@dataclass(frozen=True)
class Contrast(ClassTarget):
    """The logit of one class minus the logit of another: why A and not B.

    For a softmax model this is the log of the two probabilities' ratio, whatever the other classes are.

    Parameters
    ----------
    which
        A: a class index, a label, or None for the class that the model predicts.
    other
        B, in the same way.

    Attributes
    ----------
    other_label
        The name of B, once resolved and where it has one.
    """

    other: int | str | None = None
    other_label: str | None = field(default=None, kw_only=True)

    kind: ClassVar[str] = "contrast"
    unit: ClassVar[str] = "logit"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "other", checked(self.other))
        if self.which == self.other:
            raise self._same()

    @property
    def named(self) -> tuple[int | str, ...]:
        """Those of the two classes that are given by index or by label."""
        return (*super().named, *(() if self.other is None else (self.other,)))

    @property
    def bound(self) -> bool:
        """Whether both classes are known."""
        return self.index is not None and isinstance(self.other, int)

    @property
    def key(self) -> str:
        """Short text that tells this target from every other of the same model."""
        return f"{super().key}/{self.other}"

    @property
    def text(self) -> str:
        """The target in words: "logit of tabby minus logit of lynx"."""
        return f"logit of {words(self.which, self.label)} minus logit of {words(self.other, self.other_label)}"

    def resolve(self, labels: Sequence[str], classes: int, outputs: Tensor | None) -> Contrast:
        """Bind the target to two classes.

        Raises
        ------
        InputError
            One of them does not exist, or they are the same.
        """
        first = find_class(self.which, labels, classes, outputs)
        second = find_class(self.other, labels, classes, outputs)
        if first == second:
            raise self._same()
        names = (labels[k] if k < len(labels) else None for k in (first, second))
        label, other_label = names
        return replace(self, which=first, other=second, label=label, other_label=other_label)

    def check(self, classes: int) -> None:
        """Raise :class:`~saliency_widget.InputError` where the model lacks one of the classes."""
        super().check(classes)
        if isinstance(self.other, int):
            find_class(self.other, (), classes, None)

    def score(self, outputs: Tensor) -> Tensor:
        """Compute the difference (N,) of two columns of the outputs (N, classes)."""
        if not isinstance(self.other, int):
            raise InputError("target", self, "is not bound to two classes", "Call resolve() first.")
        return outputs[:, self._index()] - outputs[:, self.other]

    def _same(self) -> InputError:
        return InputError(
            "target",
            f"Contrast({self.which!r}, {self.other!r})",
            "names one class twice, and its contrast with itself is 0 whatever the picture",
            "Give two different classes; None is the predicted one.",
        )
