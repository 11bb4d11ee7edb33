"""What the synced traits hold: plain values made from results. Pure."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from saliency_widget.attribution import Attribution
from saliency_widget.display.encode import Packed, shrink
from saliency_widget.methods.plain import plain_parameters
from saliency_widget.widget.wants import kind_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from saliency_widget.explainer import Step
    from saliency_widget.widget.session import Order
    from saliency_widget.widget.subjects import Place

_THUMBNAIL = 48


def header_of(
    order: Order, attribution: Attribution, packed: Packed, step: Step, place: Place, baseline: str | None
) -> dict[str, Any]:
    """What the front end must know of a map besides its bytes."""
    kind, other = kind_of(order.target)
    return {
        "key": order.key,
        "model": place.model,
        "image": place.image,
        "method": {
            "name": attribution.method.name,
            "label": attribution.method.label,
            "parameters": plain_parameters(order.method),
        },
        "target": {
            "kind": kind,
            "index": attribution.target.index,
            "other": other,
            "label": attribution.target.label,
            "other_label": getattr(order.target, "other_label", None),
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
        "seconds": round(step.seconds, 4),
        "quality": _figures(attribution.quality),
        "done": step.done,
        "total": step.total,
        "final": step.final,
        "snapshot": step.snapshot,
        "outdated": False,
        "baseline": baseline,
    }


def _figures(quality: Mapping[str, Any]) -> dict[str, float]:
    """Those that are finite numbers."""
    numbers = {name: value for name, value in quality.items() if isinstance(value, (int, float))}
    return {name: value for name, value in numbers.items() if not isinstance(value, bool) and math.isfinite(value)}


def baseline_of(order: Order) -> str | None:
    """A small picture of what the method compares with, a PNG in base64; None where it compares with nothing."""
    compared = order.explainer.compared_with(order.method)
    if compared is None:
        return None
    step = -(-max(compared.shape[:2]) // _THUMBNAIL)
    picture = Image.fromarray(np.ascontiguousarray(compared[::step, ::step]))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def status_of(
    state: str,
    order: Order | None = None,
    message: str = "",
    trace: str = "",
    want: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the kernel is at: "idle", "computing" or "error"; ``want`` is what more a page must know of the order."""
    what = None if order is None else {**(want or {}), "key": order.key, "text": order.target.text}
    return {"state": state, "want": what, "message": message, "traceback": trace}


def travelling_picture(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bring the picture to the pixels of a map that was reduced to travel."""
    small = shrink(picture.transpose(2, 0, 1).astype(np.float32))
    return np.ascontiguousarray(np.floor(small + 0.5).astype(np.uint8).transpose(1, 2, 0))


def plain(number: float | None) -> float | None:
    """JSON knows no NaN and no infinity; a missing number is null."""
    return None if number is None or not np.isfinite(number) else float(number)
