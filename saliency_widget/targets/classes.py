"""Scores of one class: its logit, its probability, and by how much it leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.targets.base import ClassTarget, words
from saliency_widget.targets.probability import check_activation, quantity

P = TypeVar("P", bound="_OfProbability")


@dataclass(frozen=True)
class Logit(ClassTarget):
    """A class's output as the model gives it, before any softmax. The default target.

    Parameters
    ----------
    which
        A class index, a label, or None for the class that the model predicts.
    """

    kind: ClassVar[str] = "logit"
    unit = "logit"

    def score(self, outputs: Tensor) -> Tensor:
        """Select the class's column (N,) of the outputs (N, classes)."""
        return outputs[:, self._index()]


@dataclass(frozen=True)
class _OfProbability(ClassTarget):
    activation: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)

    @property
    def of_probabilities(self) -> bool:
        return True

    @property
    def text(self) -> str:
        """The target in words, with what makes the probability: "softmax probability of tiger cat"."""
        return f"{self.activation} {super().text}" if self.activation else super().text

    @property
    def key(self) -> str:
        """Short text that tells this target from every other of the same model."""
        return f"{super().key}/sigmoid" if self.activation == "sigmoid" else super().key

    def resolve(self: P, labels: Sequence[str], classes: int, outputs: Tensor | None) -> P:
        """Bind the target to one class, and name what makes its probability."""
        bound = super().resolve(labels, classes, outputs)
        return replace(bound, activation=self.activation or ("sigmoid" if classes == 1 else "softmax"))

    def check(self, classes: int) -> None:
        """Raise :class:`~saliency_widget.InputError` where a model with so many classes has no such score."""
        super().check(classes)
        check_activation(self.activation, classes)

    def probability(self, outputs: Tensor) -> float | None:
        """The probability of the class, made as the score's own is."""
        if self.activation == "sigmoid" and self.index is not None:
            return float(outputs[0, self.index].sigmoid())
        return super().probability(outputs)


@dataclass(frozen=True)
class Probability(_OfProbability):
    """A class's probability.

    Parameters
    ----------
    which
        A class index, a label, or None for the class that the model predicts.
    activation
        "softmax", for a model whose classes exclude each other; "sigmoid", for one whose classes do not (multi-label);
        None is the sigmoid where the model has one output, and softmax elsewhere. The target's text names it.

    Notes
    -----
    Softmax's p = exp(s_c) / sum_j exp(s_j), the sigmoid's p = 1 / (1 + exp(-s_c)). Its gradient is p (1 - p) times that
    of the log-odds, and vanishes where the model is sure.
    """

    kind: ClassVar[str] = "probability"
    unit = "probability"

    def score(self, outputs: Tensor) -> Tensor:
        """Compute the probability (N,) from the outputs (N, classes)."""
        return quantity(self.kind, outputs, self._index(), self.activation)


@dataclass(frozen=True)
class LogProbability(_OfProbability):
    """The natural logarithm of a class's probability.

    Parameters
    ----------
    which, activation
        As in :class:`Probability`.

    Notes
    -----
    Its gradient is 1 - p times that of the log-odds: unlike the probability's it does not vanish where p is near 0.
    """

    kind: ClassVar[str] = "log-probability"
    unit = "nat"

    def score(self, outputs: Tensor) -> Tensor:
        """Compute the log-probability (N,) from the outputs (N, classes)."""
        return quantity(self.kind, outputs, self._index(), self.activation)


@dataclass(frozen=True)
class Margin(ClassTarget):
    """By how much a class leads: its logit minus the k-th largest logit among all other classes.

    Parameters
    ----------
    which
        A class index, a label, or None for the class that the model predicts.
    k
        1 is the best other class, so that the score is positive just where the class is predicted.

    Notes
    -----
    Which other class that is, is decided for each row by itself: for each noisy sample, each step of a path. The score
    is continuous, and differentiable except where two others are equally good; there the derivative is that of one of
    them. To hold on to one other class use :class:`Contrast`.
    """

    k: int = field(default=1, kw_only=True)

    kind: ClassVar[str] = "margin"
    unit = "logit"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1:
            raise InputError("k", self.k, "is no rank", "Give a whole number from 1, the best other class.")

    @property
    def text(self) -> str:
        """The target in words: "margin of tiger cat over the best other class"."""
        rank = "the best other class" if self.k == 1 else f"number {self.k} of the other classes"
        return f"margin of {words(self.which, self.label)} over {rank}"

    @property
    def key(self) -> str:
        """Short text that tells this target from every other of the same model."""
        return super().key if self.k == 1 else f"{super().key}/{self.k}"

    def check(self, classes: int) -> None:
        """Raise :class:`~saliency_widget.InputError` where a model has no such class, or too few others."""
        super().check(classes)
        if self.k >= classes:
            raise InputError(
                "k",
                self.k,
                f"is more than the model has other classes, which is {classes - 1}",
                f"Give 1 to {classes - 1}." if classes > 1 else "Use Logit for a model with one output.",
            )

    def score(self, outputs: Tensor) -> Tensor:
        """Compute the margin (N,) from the outputs (N, classes)."""
        index = self._index()
        others = torch.cat([outputs[:, :index], outputs[:, index + 1 :]], dim=1)
        return outputs[:, index] - others.topk(self.k, dim=1).values[:, -1]
