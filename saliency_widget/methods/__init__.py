"""Attribution methods, one file a family. Importing a family registers its methods."""

from saliency_widget.methods.gradient import Gradient, InputXGradient
from saliency_widget.methods.noise import SmoothGrad

__all__ = ["Gradient", "InputXGradient", "SmoothGrad"]
