"""Whether a model's outputs are probabilities already, because a softmax or a sigmoid is the last of its layers."""

from __future__ import annotations

from torch import Tensor

# How far from 1 probabilities may sum to, in half precision.
_SUM = 1e-3
# So many numbers that keep between 0 and 1 and fill most of it, of an output that knows no bounds, are no chance.
_MANY, _SPREAD = 64, 0.5
_PROBABILITY = "the score that is named logit is then a probability, whose gradient vanishes where the model is sure"

ENDS = {
    "softmax": f"its outputs sum to 1, as those of a softmax inside the model do: {_PROBABILITY}",
    "log-softmax": "its outputs seem to be log-probabilities, as of a log-softmax inside the model, and no logits",
    "sigmoid": f"its outputs lie between 0 and 1, as those of a sigmoid inside the model do: {_PROBABILITY}; one class "
    "alone is taken as predicted from 0.5 on",
}
"""What it means, by what the model ends in."""


def end_of(scores: Tensor) -> str:
    """What a model's last layer seems to have made of its logits.

    Parameters
    ----------
    scores
        (classes,), or (classes, h, w) of the cells of a picture.

    Returns
    -------
    str
        One of :data:`ENDS`, or "" where they may well be logits. One picture's few scores between 0 and 1 are no sign
        of a sigmoid; those of many cells are, where they differ much.
    """
    least, most = float(scores.min()), float(scores.max())
    if len(scores) > 1 and least >= 0 and _sum_to_one(scores):
        return "softmax"
    if len(scores) > 1 and most <= 0 and _sum_to_one(scores.exp()):
        return "log-softmax"
    if scores.dim() > 1 and scores.numel() >= _MANY and least >= 0 and most <= 1 and most - least > _SPREAD:
        return "sigmoid"
    return ""


def _sum_to_one(scores: Tensor) -> bool:
    return bool((scores.sum(dim=0) - 1).abs().max() < _SUM)
