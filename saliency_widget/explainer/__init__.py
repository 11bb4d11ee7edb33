"""explain() and stream(), and the Explainer that they share with the widget."""

from saliency_widget.explainer.api import explain, stream
from saliency_widget.explainer.explainer import TRAINING_MODE, ClassScore, Explainer, LayerChoice, Step
from saliency_widget.explainer.ready import Ready, make_ready

__all__ = [
    "TRAINING_MODE",
    "ClassScore",
    "Explainer",
    "LayerChoice",
    "Ready",
    "Step",
    "explain",
    "make_ready",
    "stream",
]
