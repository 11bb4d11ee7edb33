"""Attribution methods, one file a family. Importing a family registers its methods; ``MENU`` is their order."""

from saliency_widget.methods.blur_path import BlurIG
from saliency_widget.methods.cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from saliency_widget.methods.channel_cam import AblationCAM, ScoreCAM
from saliency_widget.methods.eigen_cam import EigenCAM
from saliency_widget.methods.expected import ExpectedGradients
from saliency_widget.methods.gradient import Gradient, InputXGradient
from saliency_widget.methods.guided import Deconvolution, GuidedBackprop
from saliency_widget.methods.guided_cam import GuidedGradCAM
from saliency_widget.methods.guided_path import GuidedIG
from saliency_widget.methods.lrp import LRP
from saliency_widget.methods.noise import SmoothGrad
from saliency_widget.methods.occlusion import Occlusion
from saliency_widget.methods.path import IntegratedGradients
from saliency_widget.methods.rise import RISE
from saliency_widget.methods.rollout import AttentionRollout, GradientRollout
from saliency_widget.methods.xrai import XRAI

__all__ = [
    "LRP",
    "RISE",
    "XRAI",
    "AblationCAM",
    "AttentionRollout",
    "BlurIG",
    "Deconvolution",
    "EigenCAM",
    "ExpectedGradients",
    "GradCAM",
    "GradCAMPlusPlus",
    "Gradient",
    "GradientRollout",
    "GuidedBackprop",
    "GuidedGradCAM",
    "GuidedIG",
    "HiResCAM",
    "InputXGradient",
    "IntegratedGradients",
    "LayerCAM",
    "Occlusion",
    "ScoreCAM",
    "SmoothGrad",
    "XGradCAM",
]

# The order of the widget's menu, the command line and the documentation: from the plain to the special.
MENU = (
    Gradient,
    InputXGradient,
    SmoothGrad,
    IntegratedGradients,
    ExpectedGradients,
    BlurIG,
    GuidedIG,
    XRAI,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    XGradCAM,
    EigenCAM,
    ScoreCAM,
    AblationCAM,
    GuidedGradCAM,
    GuidedBackprop,
    Deconvolution,
    LRP,
    Occlusion,
    RISE,
    AttentionRollout,
    GradientRollout,
)
