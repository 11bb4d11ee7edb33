"""Attribution methods, one file a family. Importing a family registers its methods."""

from saliency_widget.methods.blur_path import BlurIG
from saliency_widget.methods.expected import ExpectedGradients
from saliency_widget.methods.gradient import Gradient, InputXGradient
from saliency_widget.methods.guided_path import GuidedIG
from saliency_widget.methods.noise import SmoothGrad
from saliency_widget.methods.occlusion import Occlusion
from saliency_widget.methods.path import IntegratedGradients
from saliency_widget.methods.rise import RISE
from saliency_widget.methods.xrai import XRAI

__all__ = [
    "RISE",
    "XRAI",
    "BlurIG",
    "ExpectedGradients",
    "Gradient",
    "GuidedIG",
    "InputXGradient",
    "IntegratedGradients",
    "Occlusion",
    "SmoothGrad",
]
