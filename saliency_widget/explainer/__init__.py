"""explain(), stream(), layers() and boxes(), and the Explainer that they share with the widget.

Names are imported when they are first used: the Explainer needs nearly all of the engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saliency_widget.explainer.api import boxes, explain, layers, stream
    from saliency_widget.explainer.explainer import TRAINING_MODE, ClassScore, Explainer, LayerChoice, Step
    from saliency_widget.explainer.ready import Ready, make_ready

_HOME = {
    "TRAINING_MODE": "explainer",
    "ClassScore": "explainer",
    "Explainer": "explainer",
    "LayerChoice": "explainer",
    "Ready": "ready",
    "Step": "explainer",
    "boxes": "api",
    "explain": "api",
    "layers": "api",
    "make_ready": "ready",
    "stream": "api",
}

__all__ = [
    "TRAINING_MODE",
    "ClassScore",
    "Explainer",
    "LayerChoice",
    "Ready",
    "Step",
    "boxes",
    "explain",
    "layers",
    "make_ready",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
