"""What the synced traits hold: plain values made from results. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from saliency_widget.attribution import Attribution
from saliency_widget.display.encode import Packed, shrink
from saliency_widget.methods.base import menu
from saliency_widget.widget.protocol import VERSION

if TYPE_CHECKING:
    import numpy.typing as npt

    from saliency_widget.explainer import Explainer
    from saliency_widget.widget.session import Order


def header_of(key: str, attribution: Attribution, packed: Packed) -> dict[str, Any]:
    """What the front end must know of a map besides its bytes."""
    return {
        "key": key,
        "method": {"name": attribution.method.name, "label": attribution.method.label},
        "target": {
            "kind": attribution.target.kind,
            "index": attribution.target.index,
            "label": attribution.target.label,
            "text": attribution.target.text,
        },
        "shape": list(packed.shape),
        "dtype": "float16",
        "scale": packed.scale,
        "error": packed.error,
        "nonfinite": packed.nonfinite,
        "reduced_from": None if packed.reduced_from is None else list(packed.reduced_from),
        "unit": attribution.unit,
        "score": plain(attribution.score),
        "probability": plain(attribution.probability),
        "seconds": attribution.provenance.get("seconds"),
    }


def info_of(explainer: Explainer) -> dict[str, Any]:
    """What the front end must know of model and picture."""
    height, width = travelling_picture(explainer.prepared.picture).shape[:2]
    return {
        "version": VERSION,
        "model": explainer.model_name,
        "picture": {"height": height, "width": width},
        "channels": list(explainer.prepared.channels),
        "classes": explainer.classes,
        "prediction": [
            {
                "index": one.index,
                "label": one.label,
                "score": plain(one.score),
                "probability": plain(one.probability),
            }
            for one in explainer.prediction
        ],
        "probability": explainer.probability_kind,
        "preprocess": explainer.prepared.source,
        "score_kind": "logit",
        "methods": [{"name": one.name, "label": one.label, "summary": one.summary} for one in menu()],
        "notes": list(explainer.notes),
    }


def status_of(state: str, order: Order | None = None, message: str = "", trace: str = "") -> dict[str, Any]:
    """What the kernel is at: "idle", "computing" or "error"."""
    want = None if order is None else {"key": order.key, "text": order.target.text}
    return {"state": state, "want": want, "message": message, "traceback": trace}


def travelling_picture(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bring the picture to the pixels of a map that was reduced to travel."""
    small = shrink(picture.transpose(2, 0, 1).astype(np.float32))
    return np.ascontiguousarray(np.floor(small + 0.5).astype(np.uint8).transpose(1, 2, 0))


def plain(number: float | None) -> float | None:
    """JSON knows no NaN and no infinity; a missing number is null."""
    return None if number is None or not np.isfinite(number) else float(number)
