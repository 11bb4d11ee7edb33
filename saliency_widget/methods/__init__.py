"""Attribution methods, one file a family.

Families are imported when one of their names is used, or all of them with ``MENU``, the order of the widget's menu, of
the command line and of the documentation: from the plain to the special.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saliency_widget.methods.base import Method
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

    MENU: tuple[type[Method], ...]

_ORDER = {
    "Gradient": "gradient",
    "InputXGradient": "gradient",
    "SmoothGrad": "noise",
    "IntegratedGradients": "path",
    "ExpectedGradients": "expected",
    "BlurIG": "blur_path",
    "GuidedIG": "guided_path",
    "XRAI": "xrai",
    "GradCAM": "cam",
    "GradCAMPlusPlus": "cam",
    "HiResCAM": "cam",
    "LayerCAM": "cam",
    "XGradCAM": "cam",
    "EigenCAM": "eigen_cam",
    "ScoreCAM": "channel_cam",
    "AblationCAM": "channel_cam",
    "GuidedGradCAM": "guided_cam",
    "GuidedBackprop": "guided",
    "Deconvolution": "guided",
    "LRP": "lrp",
    "Occlusion": "occlusion",
    "RISE": "rise",
    "AttentionRollout": "rollout",
    "GradientRollout": "rollout",
}

__all__ = [
    "LRP",
    "MENU",
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


def __getattr__(name: str) -> Any:
    if name == "MENU":
        value: Any = tuple(__getattr__(one) for one in _ORDER)
    elif name in _ORDER:
        value = getattr(import_module(f"{__name__}.{_ORDER[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
