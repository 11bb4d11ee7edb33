"""See what a vision model's score is sensitive to.

Names are imported when they are first used, so that ``import saliency_widget`` costs little more than ``import torch``
where torch is needed, and nothing of it where only a saved :class:`Attribution` is read.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from saliency_widget._version import __version__

if TYPE_CHECKING:
    from saliency_widget.attribution import Attribution
    from saliency_widget.display.grid import plot_grid
    from saliency_widget.engine.guard import ModelGuard
    from saliency_widget.errors import (
        Cancelled,
        InputError,
        ModelChangedError,
        ModelError,
        SaliencyError,
        SaliencyWarning,
    )
    from saliency_widget.explainer import boxes, explain, layers, stream
    from saliency_widget.export.embedded import read_provenance
    from saliency_widget.export.reproduce import reproduce
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
    from saliency_widget.models import demo
    from saliency_widget.models.channels import Channels
    from saliency_widget.models.dicom import read_dicom
    from saliency_widget.models.preprocess import Preprocess
    from saliency_widget.targets import (
        Contrast,
        Detection,
        Logit,
        LogProbability,
        Margin,
        Pixel,
        Probability,
        Region,
        Score,
        Segment,
        Similarity,
        Target,
    )
    from saliency_widget.widget.showing import display_as
    from saliency_widget.widget.widget import SaliencyWidget

# Where each public name lives.
_HOME = {
    "AblationCAM": "saliency_widget.methods.channel_cam",
    "AttentionRollout": "saliency_widget.methods.rollout",
    "Attribution": "saliency_widget.attribution",
    "BlurIG": "saliency_widget.methods.blur_path",
    "Cancelled": "saliency_widget.errors",
    "Channels": "saliency_widget.models.channels",
    "Contrast": "saliency_widget.targets",
    "Deconvolution": "saliency_widget.methods.guided",
    "Detection": "saliency_widget.targets",
    "EigenCAM": "saliency_widget.methods.eigen_cam",
    "ExpectedGradients": "saliency_widget.methods.expected",
    "GradCAM": "saliency_widget.methods.cam",
    "GradCAMPlusPlus": "saliency_widget.methods.cam",
    "Gradient": "saliency_widget.methods.gradient",
    "GradientRollout": "saliency_widget.methods.rollout",
    "GuidedBackprop": "saliency_widget.methods.guided",
    "GuidedGradCAM": "saliency_widget.methods.guided_cam",
    "GuidedIG": "saliency_widget.methods.guided_path",
    "HiResCAM": "saliency_widget.methods.cam",
    "InputError": "saliency_widget.errors",
    "InputXGradient": "saliency_widget.methods.gradient",
    "IntegratedGradients": "saliency_widget.methods.path",
    "LRP": "saliency_widget.methods.lrp",
    "LayerCAM": "saliency_widget.methods.cam",
    "LogProbability": "saliency_widget.targets",
    "Logit": "saliency_widget.targets",
    "Margin": "saliency_widget.targets",
    "ModelChangedError": "saliency_widget.errors",
    "ModelError": "saliency_widget.errors",
    "ModelGuard": "saliency_widget.engine.guard",
    "Occlusion": "saliency_widget.methods.occlusion",
    "Pixel": "saliency_widget.targets",
    "Preprocess": "saliency_widget.models.preprocess",
    "Probability": "saliency_widget.targets",
    "RISE": "saliency_widget.methods.rise",
    "Region": "saliency_widget.targets",
    "SaliencyError": "saliency_widget.errors",
    "SaliencyWarning": "saliency_widget.errors",
    "SaliencyWidget": "saliency_widget.widget.widget",
    "Score": "saliency_widget.targets",
    "ScoreCAM": "saliency_widget.methods.channel_cam",
    "Segment": "saliency_widget.targets",
    "Similarity": "saliency_widget.targets",
    "SmoothGrad": "saliency_widget.methods.noise",
    "Target": "saliency_widget.targets",
    "XGradCAM": "saliency_widget.methods.cam",
    "XRAI": "saliency_widget.methods.xrai",
    "boxes": "saliency_widget.explainer",
    "demo": "saliency_widget.models",
    "display_as": "saliency_widget.widget.showing",
    "explain": "saliency_widget.explainer",
    "plot_grid": "saliency_widget.display.grid",
    "read_provenance": "saliency_widget.export.embedded",
    "reproduce": "saliency_widget.export.reproduce",
    "layers": "saliency_widget.explainer",
    "read_dicom": "saliency_widget.models.dicom",
    "stream": "saliency_widget.explainer",
}

__all__ = [
    "LRP",
    "RISE",
    "XRAI",
    "AblationCAM",
    "AttentionRollout",
    "Attribution",
    "BlurIG",
    "Cancelled",
    "Channels",
    "Contrast",
    "Deconvolution",
    "Detection",
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
    "InputError",
    "InputXGradient",
    "IntegratedGradients",
    "LayerCAM",
    "LogProbability",
    "Logit",
    "Margin",
    "ModelChangedError",
    "ModelError",
    "ModelGuard",
    "Occlusion",
    "Pixel",
    "Preprocess",
    "Probability",
    "Region",
    "SaliencyError",
    "SaliencyWarning",
    "SaliencyWidget",
    "Score",
    "ScoreCAM",
    "Segment",
    "Similarity",
    "SmoothGrad",
    "Target",
    "XGradCAM",
    "__version__",
    "boxes",
    "demo",
    "display_as",
    "explain",
    "layers",
    "plot_grid",
    "read_dicom",
    "read_provenance",
    "reproduce",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOME[name])
    # A submodule (sw.demo) is no attribute of its package until it is imported.
    value = import_module(f"{_HOME[name]}.{name}") if name == "demo" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
