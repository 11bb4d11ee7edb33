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
    from saliency_widget.methods.gradient import Gradient
    from saliency_widget.methods.rollout import AttentionRollout, GradientRollout
    from saliency_widget.models import demo
    from saliency_widget.models.preprocess import Preprocess
    from saliency_widget.targets import Logit, Probability, Target
    from saliency_widget.widget.widget import SaliencyWidget

# Where each public name lives.
_HOME = {
    "AttentionRollout": "saliency_widget.methods.rollout",
    "Attribution": "saliency_widget.attribution",
    "Cancelled": "saliency_widget.errors",
    "Gradient": "saliency_widget.methods.gradient",
    "GradientRollout": "saliency_widget.methods.rollout",
    "InputError": "saliency_widget.errors",
    "Logit": "saliency_widget.targets",
    "ModelChangedError": "saliency_widget.errors",
    "ModelError": "saliency_widget.errors",
    "ModelGuard": "saliency_widget.engine.guard",
    "Preprocess": "saliency_widget.models.preprocess",
    "Probability": "saliency_widget.targets",
    "SaliencyError": "saliency_widget.errors",
    "SaliencyWarning": "saliency_widget.errors",
    "SaliencyWidget": "saliency_widget.widget.widget",
    "Target": "saliency_widget.targets",
    "demo": "saliency_widget.models",
    "explain": "saliency_widget.explainer",
    "stream": "saliency_widget.explainer",
}

__all__ = [
    "AttentionRollout",
    "Attribution",
    "Cancelled",
    "Gradient",
    "GradientRollout",
    "InputError",
    "Logit",
    "ModelChangedError",
    "ModelError",
    "ModelGuard",
    "Preprocess",
    "Probability",
    "SaliencyError",
    "SaliencyWarning",
    "SaliencyWidget",
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
