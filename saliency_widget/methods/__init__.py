"""Attribution methods, one file a family. Importing a family registers its methods."""

from saliency_widget.methods.gradient import Gradient, InputXGradient
from saliency_widget.methods.noise import SmoothGrad
from saliency_widget.methods.occlusion import Occlusion
from saliency_widget.methods.rise import RISE

__all__ = ["RISE", "Gradient", "InputXGradient", "Occlusion", "SmoothGrad"]
