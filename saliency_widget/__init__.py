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
    from saliency_widget.engine.guard import ModelGuard
    from saliency_widget.errors import (
        Cancelled,
        InputError,
        ModelChangedError,
        ModelError,
        SaliencyError,
        SaliencyWarning,
    )
    from saliency_widget.explainer import explain, stream
    from saliency_widget.methods.blur_path import BlurIG
    from saliency_widget.methods.expected import ExpectedGradients
    from saliency_widget.methods.gradient import Gradient, InputXGradient
    from saliency_widget.methods.guided_path import GuidedIG
    from saliency_widget.methods.noise import SmoothGrad
    from saliency_widget.methods.occlusion import Occlusion
    from saliency_widget.methods.path import IntegratedGradients
    from saliency_widget.methods.rise import RISE
    from saliency_widget.methods.xrai import XRAI
    from saliency_widget.models import demo
    from saliency_widget.models.preprocess import Preprocess
    from saliency_widget.targets import Logit, Probability, Target
    from saliency_widget.widget.widget import SaliencyWidget

# Where each public name lives.
_HOME = {
    "RISE": "saliency_widget.methods.rise",
    "XRAI": "saliency_widget.methods.xrai",
    "Attribution": "saliency_widget.attribution",
    "BlurIG": "saliency_widget.methods.blur_path",
    "Cancelled": "saliency_widget.errors",
    "ExpectedGradients": "saliency_widget.methods.expected",
    "Gradient": "saliency_widget.methods.gradient",
    "GuidedIG": "saliency_widget.methods.guided_path",
    "InputError": "saliency_widget.errors",
    "InputXGradient": "saliency_widget.methods.gradient",
    "IntegratedGradients": "saliency_widget.methods.path",
    "Logit": "saliency_widget.targets",
    "ModelChangedError": "saliency_widget.errors",
    "ModelError": "saliency_widget.errors",
    "ModelGuard": "saliency_widget.engine.guard",
    "Occlusion": "saliency_widget.methods.occlusion",
    "Preprocess": "saliency_widget.models.preprocess",
    "Probability": "saliency_widget.targets",
    "SaliencyError": "saliency_widget.errors",
    "SaliencyWarning": "saliency_widget.errors",
    "SaliencyWidget": "saliency_widget.widget.widget",
    "SmoothGrad": "saliency_widget.methods.noise",
    "Target": "saliency_widget.targets",
    "demo": "saliency_widget.models",
    "explain": "saliency_widget.explainer",
    "stream": "saliency_widget.explainer",
}

__all__ = [
    "RISE",
    "XRAI",
    "Attribution",
    "BlurIG",
    "Cancelled",
    "ExpectedGradients",
    "Gradient",
    "GuidedIG",
    "InputError",
    "InputXGradient",
    "IntegratedGradients",
    "Logit",
    "ModelChangedError",
    "ModelError",
    "ModelGuard",
    "Occlusion",
    "Preprocess",
    "Probability",
    "SaliencyError",
    "SaliencyWarning",
    "SaliencyWidget",
    "SmoothGrad",
    "Target",
    "__version__",
    "demo",
    "explain",
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
