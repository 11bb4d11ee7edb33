"""Targets: which number of the model's output is differentiated."""

from saliency_widget.targets.base import ClassTarget, Target
from saliency_widget.targets.classes import Logit, LogProbability, Margin, Probability
from saliency_widget.targets.contrast import Contrast
from saliency_widget.targets.detection import Detection
from saliency_widget.targets.kinds import KINDS, as_target, target_of_kind
from saliency_widget.targets.located import Located
from saliency_widget.targets.places import PLACED, at_place
from saliency_widget.targets.probability import UNITS
from saliency_widget.targets.scene import Box, Scene
from saliency_widget.targets.score import Score
from saliency_widget.targets.segmentation import Pixel, Region, Segment
from saliency_widget.targets.similarity import Similarity

__all__ = [
    "KINDS",
    "PLACED",
    "UNITS",
    "Box",
    "ClassTarget",
    "Contrast",
    "Detection",
    "Located",
    "LogProbability",
    "Logit",
    "Margin",
    "Pixel",
    "Probability",
    "Region",
    "Scene",
    "Score",
    "Segment",
    "Similarity",
    "Target",
    "as_target",
    "at_place",
    "target_of_kind",
]
