"""explain(), stream(), layers() and boxes(), and the Explainer that they share with the widget."""

from saliency_widget.explainer.api import boxes, explain, layers, stream
from saliency_widget.explainer.explainer import TRAINING_MODE, ClassScore, Explainer, LayerChoice, Step
from saliency_widget.explainer.ready import Ready, make_ready

__all__ = [
    "TRAINING_MODE",
    "ClassScore",
    "Explainer",
    "LayerChoice",
    "Ready",
    "Step",
    "boxes",
    "explain",
    "layers",
    "make_ready",
    "stream",
]
