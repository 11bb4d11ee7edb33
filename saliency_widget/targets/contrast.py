"""Why this class and not that one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.targets.base import ClassTarget, checked, find_class
from saliency_widget.targets.classes import Logit, LogProbability, Probability

_OF = tuple(one.kind for one in (Logit, Probability, LogProbability))


@dataclass(frozen=True)
class Contrast(ClassTarget):
    """The score of one class minus that of another, by default their logits: why A and not B.

    Parameters
    ----------
    which
        A: a class index, a label, or None for the class that the model predicts.
    other
        B, in the same way.
    of
        What is compared: "logit", "probability" or "log-probability".
    activation
        What makes the probabilities, as in :class:`~saliency_widget.Probability`.

    Attributes
    ----------
    other_label
        The name of B, once resolved and where it has one.

    Notes
    -----
    For a softmax model the difference of the logits is that of the log-probabilities, the log of the probabilities'
    ratio, whatever the other classes are. The difference of the probabilities depends on them: it is 0 where both are,
    and its gradient vanishes where the model is sure.
    """

    other: int | str | None = None
    other_label: str | None = field(default=None, kw_only=True)
    of: str = field(default="logit", kw_only=True)
    activation: str | None = field(default=None, kw_only=True)

    kind: ClassVar[str] = "contrast"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "other", checked(self.other))
        if self.of not in _OF:
            raise InputError("of", self.of, "is not what two classes are compared by", f"Use one of {', '.join(_OF)}.")
        if self.of == "logit" and self.activation is not None:
            raise InputError("activation", self.activation, "makes no logit", 'Leave it out, or give of="probability".')
        if self.which == self.other:
            raise self._same()
        self._side(self.which)

    def _side(self, which: int | str | None, label: str | None = None) -> ClassTarget:
        """The score of one of the two."""
        if self.of == "logit":
            return Logit(which, label=label)
        kind = Probability if self.of == "probability" else LogProbability
        return kind(which, label=label, activation=self.activation)

    @property
    def of_probabilities(self) -> bool:  # noqa: D102
        return self.of != "logit"

    @property
    def unit(self) -> str:
        """The unit of the score."""
        return self._side(self.which).unit

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
        parts = [super().key, str(self.other)]
        if self.of != "logit":
            parts.append(self.of)
        if self.activation == "sigmoid":
            parts.append(self.activation)
        return "/".join(parts)

    @property
    def text(self) -> str:
        """The target in words: "logit of tabby minus logit of lynx"."""
        one, other = self._side(self.which, self.label), self._side(self.other, self.other_label)
        return f"{one.text} minus {other.text}"

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
        activation = None if self.of == "logit" else self.activation or "softmax"
        return replace(self, which=first, other=second, label=label, other_label=other_label, activation=activation)

    def check(self, classes: int) -> None:
        """Raise :class:`~saliency_widget.InputError` where the model lacks one of the classes."""
        super().check(classes)
        if isinstance(self.other, int):
            find_class(self.other, (), classes, None)

    def probability(self, outputs: Tensor) -> float | None:
        """The probability of A, made as those that are compared."""
        return self._side(self.which).probability(outputs)

    def score(self, outputs: Tensor) -> Tensor:
        """Compute the difference (N,) of the two classes' scores from the outputs (N, classes)."""
        if not isinstance(self.other, int):
            raise InputError("target", self, "is not bound to two classes", "Call resolve() first.")
        if self.of == "log-probability" and self.activation != "sigmoid":
            # What the classes share cancels exactly, and need not be computed.
            return Logit(self._index()).score(outputs) - Logit(self.other).score(outputs)
        return self._side(self._index()).score(outputs) - self._side(self.other).score(outputs)

    def _same(self) -> InputError:
        return InputError(
            "target",
            f"Contrast({self.which!r}, {self.other!r})",
            "names one class twice, and its contrast with itself is 0 whatever the picture",
            "Give two different classes; None is the predicted one.",
        )
