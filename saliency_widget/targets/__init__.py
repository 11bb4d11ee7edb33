"""Targets: which number of the model's output is differentiated."""

from saliency_widget.targets.base import ClassTarget, Target
from saliency_widget.targets.classes import Logit, LogProbability, Margin, Probability
from saliency_widget.targets.contrast import Contrast
from saliency_widget.targets.kinds import KINDS, as_target, target_of_kind
from saliency_widget.targets.score import Score

__all__ = [
    "KINDS",
    "ClassTarget",
    "Contrast",
    "LogProbability",
    "Logit",
    "Margin",
    "Probability",
    "Score",
    "Target",
    "as_target",
    "target_of_kind",
]
