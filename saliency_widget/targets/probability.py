"""Probabilities of scores, written so that neither end of them cancels."""

from __future__ import annotations

import torch
from torch import Tensor

from saliency_widget.errors import InputError

ACTIVATIONS = ("softmax", "sigmoid")

UNITS = {"logit": "logit", "probability": "probability", "log-probability": "nat"}
"""What a score of a class can be, and its unit."""


def check_activation(activation: str | None, classes: int | None = None) -> None:
    """Refuse what makes no probability, and softmax where a model has one class.

    Raises
    ------
    InputError
        Naming what would do.
    """
    if activation not in (None, *ACTIVATIONS):
        raise InputError(
            "activation",
            activation,
            "makes no probability of an output",
            'Give "softmax" (one class is right), "sigmoid" (each class by itself), or None.',
        )
    if activation == "softmax" and classes == 1:
        raise InputError(
            "activation", "softmax", "over a model's one output is 1 whatever the picture", 'Give "sigmoid".'
        )


def quantity(of: str, scores: Tensor, index: int, activation: str | None) -> Tensor:
    """One class's logit, probability or log-probability.

    Parameters
    ----------
    of
        A key of :data:`UNITS`.
    scores
        (N, classes, ...).
    index
        The class.
    activation
        "sigmoid" or "softmax", which is meant elsewhere too where there are several classes.

    Returns
    -------
    Tensor
        (N, ...)

    Notes
    -----
    Softmax's derivative contains 1 - p, which rounds to 0 where the model is sure. This is the same number by the log
    of the odds against the class, which keeps it.
    """
    if of == "logit":
        return scores[:, index]
    against = _against(scores, index, activation)
    logs = -torch.logaddexp(torch.zeros_like(against), against)
    return logs if of == "log-probability" else logs.exp()


def _against(scores: Tensor, index: int, activation: str | None) -> Tensor:
    """By how much all else outweighs the class: p = 1 / (1 + exp of it)."""
    own = scores[:, index]
    if activation == "sigmoid" or scores.shape[1] == 1:
        return -own
    rest = torch.cat([scores[:, :index], scores[:, index + 1 :]], dim=1)
    return rest.logsumexp(dim=1) - own
