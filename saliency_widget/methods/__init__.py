"""Attribution methods, one file a family. Importing a family registers its methods."""

from saliency_widget.methods.cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from saliency_widget.methods.channel_cam import AblationCAM, ScoreCAM
from saliency_widget.methods.eigen_cam import EigenCAM
from saliency_widget.methods.gradient import Gradient

__all__ = [
    "AblationCAM",
    "EigenCAM",
    "GradCAM",
    "GradCAMPlusPlus",
    "Gradient",
    "HiResCAM",
    "LayerCAM",
    "ScoreCAM",
    "XGradCAM",
]
