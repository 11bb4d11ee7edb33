"""Attribution methods, one file a family. Importing a family registers its methods."""

from saliency_widget.methods.cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from saliency_widget.methods.channel_cam import AblationCAM, ScoreCAM
from saliency_widget.methods.eigen_cam import EigenCAM
from saliency_widget.methods.gradient import Gradient
from saliency_widget.methods.guided import Deconvolution, GuidedBackprop
from saliency_widget.methods.guided_cam import GuidedGradCAM
from saliency_widget.methods.lrp import LRP

__all__ = [
    "LRP",
    "AblationCAM",
    "Deconvolution",
    "EigenCAM",
    "GradCAM",
    "GradCAMPlusPlus",
    "Gradient",
    "GuidedBackprop",
    "GuidedGradCAM",
    "HiResCAM",
    "LayerCAM",
    "ScoreCAM",
    "XGradCAM",
]
