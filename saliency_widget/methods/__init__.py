"""Attribution methods, one file a family. Importing a family registers its methods."""

from saliency_widget.methods.blur_path import BlurIG
from saliency_widget.methods.expected import ExpectedGradients
from saliency_widget.methods.gradient import Gradient
from saliency_widget.methods.guided_path import GuidedIG
from saliency_widget.methods.path import IntegratedGradients

__all__ = ["BlurIG", "ExpectedGradients", "Gradient", "GuidedIG", "IntegratedGradients"]
