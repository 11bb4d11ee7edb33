"""Targets: which number of the model's output is differentiated."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from saliency_widget.errors import InputError

T = TypeVar("T", bound="Target")


@dataclass(frozen=True)
class Target(ABC):
    """A score of one class, made from the model's output.

    Parameters
    ----------
    which
        A class index, a label, or None for the class the model predicts.

    Attributes
    ----------
    kind
        "logit", "probability", ...
    unit
        The unit of the score.
    label
        The name of the class, once resolved and where it has one.
    """

    which: int | str | None = None
    label: str | None = field(default=None, kw_only=True)

    kind: ClassVar[str]
    unit: ClassVar[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "which", _checked(self.which))

    @property
    def index(self) -> int | None:
        """The class index; None until a target given by label, or by None, is resolved."""
        return self.which if isinstance(self.which, int) else None

    @property
    def text(self) -> str:
        """The target in words: "logit of tiger cat"."""
        if self.label:
            return f"{self.kind} of {self.label}"
        if self.which is None:
            return f"{self.kind} of the predicted class"
        return f"{self.kind} of {self.which if isinstance(self.which, str) else f'class {self.which}'}"

    def resolve(self: T, labels: Sequence[str], classes: int, outputs: Tensor | None) -> T:
        """Bind the target to one class of a model.

        Parameters
        ----------
        labels
            Names of the classes in order; may be empty.
        classes
            How many classes the model has.
        outputs
            The model's output (N, classes), of which row 0 decides the predicted class; needed only where ``which``
            is None.

        Returns
        -------
        Target
            The same kind of target with an integer ``which`` and its ``label``.

        Raises
        ------
        InputError
            No class has this index or label, or the prediction is not a number.
        """
        index = self._class(labels, classes, outputs)
        return replace(self, which=index, label=labels[index] if index < len(labels) else None)

    def _class(self, labels: Sequence[str], classes: int, outputs: Tensor | None) -> int:
        if self.which is None:
            if outputs is None:
                raise InputError(
                    "target", None, "means the predicted class, but there is no prediction", "Give a class."
                )
            row = outputs[0]
            if bool(torch.isnan(row).any()):
                raise InputError(
                    "target",
                    None,
                    "means the predicted class, but the model's output holds NaN",
                    "Give a class, or look for the NaN in the model or in the picture.",
                )
            return int(row.argmax())
        if isinstance(self.which, str):
            if not labels:
                raise InputError(
                    "target",
                    self.which,
                    "is a label, but this model has none",
                    f"Give a class index from 0 to {classes - 1}, or the names of the classes as labels=[...].",
                )
            # Only a label needs the label search, and `import saliency_widget.targets` stays light.
            from saliency_widget.models.labels import find_label

            return int(find_label(labels, self.which))
        if not 0 <= self.which < classes:
            raise InputError(
                "target",
                self.which,
                f"is out of range: the model has {classes} class{'es' if classes != 1 else ''}",
                f"Give an index from 0 to {classes - 1}." if classes > 1 else "Give 0.",
            )
        return self.which

    def _index(self) -> int:
        if self.index is None:
            raise InputError("target", self, "is not bound to a class", "Call resolve() first.")
        return self.index

    @abstractmethod
    def score(self, outputs: Tensor) -> Tensor:
        """The score of each row.

        Parameters
        ----------
        outputs
            (N, classes), differentiable.

        Returns
        -------
        Tensor
            (N,)
        """


@dataclass(frozen=True)
class Logit(Target):
    """A class's output as the model gives it, before any softmax. The default target."""

    kind: ClassVar[str] = "logit"
    unit: ClassVar[str] = "logit"

    def score(self, outputs: Tensor) -> Tensor:
        """Select the class's column (N,) of the outputs (N, classes)."""
        return outputs[:, self._index()]


@dataclass(frozen=True)
class Probability(Target):
    """A class's probability: softmax over the classes, or the sigmoid where the model has one output."""

    kind: ClassVar[str] = "probability"
    unit: ClassVar[str] = "probability"

    def score(self, outputs: Tensor) -> Tensor:
        """Compute the probability (N,) from the outputs (N, classes)."""
        index = self._index()
        own = outputs[:, index]
        zero = torch.zeros_like(own)
        if outputs.shape[1] == 1:
            rest = zero
        else:
            rest = torch.cat([outputs[:, :index], outputs[:, index + 1 :]], dim=1).logsumexp(dim=1)
        # Softmax's derivative contains 1 - p, which rounds to 0 where the model is sure. This is the same number,
        # p = 1 / (1 + exp(rest - own)), written so that neither end cancels.
        return torch.exp(-torch.logaddexp(zero, rest - own))


def as_target(spec: Any) -> Target:
    """Turn what a user writes into a target.

    Parameters
    ----------
    spec
        None (the predicted class), a class index, a label, or a :class:`Target`.

    Raises
    ------
    InputError
        It is none of these.
    """
    return spec if isinstance(spec, Target) else Logit(spec)


def _checked(which: Any) -> int | str | None:
    if which is None:
        return None
    if isinstance(which, str):
        if not which.strip():
            raise InputError("target", which, "is an empty label", "Give a class index or a label.")
        return str(which)
    remedy = "Give None for the predicted class, a class index, a label, or a Target such as Probability('tabby')."
    is_bool = isinstance(which, (bool, np.bool_)) or getattr(which, "dtype", None) in (
        torch.bool,
        np.dtype(bool),
    )
    if is_bool:
        raise InputError("target", which, "is a bool, which names no class", remedy)
    try:
        # Takes integers of numpy and torch too, and refuses floats.
        return operator.index(which)
    except (TypeError, RuntimeError, ValueError):
        raise InputError("target", which, "is not a target", remedy) from None


KINDS: dict[str, type[Target]] = {target.kind: target for target in (Logit, Probability)}


def target_of_kind(kind: Any, which: int | str | None) -> Target:
    """The target of this kind, as a menu or a message names it.

    Raises
    ------
    InputError
        There is no such kind.
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError("kind", kind, "is no kind of score", f"Use one of {', '.join(KINDS)}.")
    return KINDS[kind](which)
