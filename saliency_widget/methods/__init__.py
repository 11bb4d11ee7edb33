"""Attribution methods, one file a family. Importing a family registers its methods."""

from saliency_widget.methods.gradient import Gradient
from saliency_widget.methods.guided import Deconvolution, GuidedBackprop
from saliency_widget.methods.lrp import LRP

__all__ = ["LRP", "Deconvolution", "Gradient", "GuidedBackprop"]
