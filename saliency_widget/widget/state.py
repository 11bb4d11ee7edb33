"""What the synced traits hold: plain values made from results. Pure."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from saliency_widget.attribution import Attribution
from saliency_widget.display.encode import Packed
from saliency_widget.export.header import Facts, describe_map
from saliency_widget.methods.plain import plain_parameters
from saliency_widget.targets.mark import mask_of
from saliency_widget.widget.wants import kind_of, place_of

if TYPE_CHECKING:
    from saliency_widget.explainer import Step
    from saliency_widget.widget.session import Order
    from saliency_widget.widget.subjects import Place

_THUMBNAIL = 48


def facts_of(order: Order, step: Step, place: Place, baseline: str | None) -> Facts:
    """What an attribution does not say of itself."""
    kind, other = kind_of(order.target)
    return Facts(
        key=order.key,
        model=place.model,
        image=place.image,
        parameters=plain_parameters(order.method),
        kind=kind,
        other=other,
        other_label=getattr(order.target, "other_label", None),
        place=place_of(order.target),
        mask=mask_of(order.target),
        seconds=step.seconds,
        done=step.done,
        total=step.total,
        final=step.final,
        snapshot=step.snapshot,
        baseline=baseline,
    )


def facts_in(header: Mapping[str, Any]) -> Facts:
    """The same, read from a header."""
    target = header["target"]
    same = ("key", "model", "image", "seconds", "done", "total", "final", "snapshot", "baseline")
    return Facts(
        parameters=header["method"]["parameters"],
        kind=target["kind"],
        other=target["other"],
        other_label=target["other_label"],
        place=target["place"],
        mask=target["mask"],
        **{name: header[name] for name in same},
    )


def header_of(
    order: Order, attribution: Attribution, packed: Packed, step: Step, place: Place, baseline: str | None
) -> dict[str, Any]:
    """What the front end must know of a map besides its bytes."""
    return describe_map(attribution, packed, facts_of(order, step, place, baseline))


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
