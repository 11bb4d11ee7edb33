"""What a front end must know of a map besides its bytes. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saliency_widget.attribution import Attribution
from saliency_widget.display.encode import Packed
from saliency_widget.display.quantise import Kept


@dataclass(frozen=True)
class Facts:
    """What an attribution does not say of itself.

    Attributes
    ----------
    key
        The name of the map.
    model, image
        Which of the models and pictures.
    parameters
        Those of the method, plain values.
    kind, other, other_label, place
        Of the score; the class that is taken off, where there is one; where it is of.
    mask
        The shape of that for the eye, where ``place`` does not say it; see :mod:`saliency_widget.targets.mark`.
    seconds
        Of work.
    done, total, final
        How far the method came, in its own units.
    snapshot
        Whether the weights moved meanwhile.
    baseline
        A small PNG in base64 of what the method compares with.
    """

    key: str
    model: int = 0
    image: int = 0
    parameters: Mapping[str, Any] | None = None
    kind: str = "logit"
    other: int | None = None
    other_label: str | None = None
    place: Sequence[float] = ()
    mask: Mapping[str, Any] | None = None
    seconds: float | None = None
    done: int = 1
    total: int = 1
    final: bool = True
    snapshot: bool = False
    baseline: str | None = None


def describe_map(attribution: Attribution, packed: Packed | Kept, facts: Facts) -> dict[str, Any]:
    """The header of a map, plain values."""
    header: dict[str, Any] = {
        "key": facts.key,
        "model": facts.model,
        "image": facts.image,
        "method": {
            "name": attribution.method.name,
            "label": attribution.method.label,
            "parameters": dict(facts.parameters or {}),
        },
        "target": {
            "kind": facts.kind,
            "index": attribution.target.index,
            "other": facts.other,
            "label": attribution.target.label,
            "other_label": facts.other_label,
            "place": list(facts.place),
            "mask": facts.mask,
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
        "seconds": None if facts.seconds is None else round(facts.seconds, 4),
        "quality": _figures(attribution.quality),
        "done": facts.done,
        "total": facts.total,
        "final": facts.final,
        "snapshot": facts.snapshot,
        "outdated": False,
        "baseline": facts.baseline,
    }
    if isinstance(packed, Kept):
        header["dtype"] = packed.dtype
        if packed.planes:
            header["planes"] = list(packed.planes)
            header["absolute_scale"] = packed.absolute_scale
            header["absolute_error"] = packed.absolute_error
    return header


def plain(number: float | None) -> float | None:
    """JSON knows no NaN and no infinity; a missing number is null."""
    return None if number is None or not np.isfinite(number) else float(number)


def _figures(quality: Mapping[str, Any]) -> dict[str, float]:
    """Those that are finite numbers."""
    numbers = {name: value for name, value in quality.items() if isinstance(value, (int, float))}
    return {name: value for name, value in numbers.items() if not isinstance(value, bool) and math.isfinite(value)}
