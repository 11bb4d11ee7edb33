"""A page of one attribution, when the model is gone."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from saliency_widget._plain import plain
from saliency_widget.attribution import Attribution
from saliency_widget.display.marks import mark_on
from saliency_widget.display.quantise import check_keep
from saliency_widget.display.view import View
from saliency_widget.errors import InputError
from saliency_widget.export.assemble import Entry, assemble, keep_for
from saliency_widget.export.header import Facts
from saliency_widget.export.page import Page, check_page, write_page
from saliency_widget.export.picture import travelling_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

# As the widget calls what a figure calls otherwise.
_LOOKS = {
    "sign": "sign",
    "reduce": "reduction",
    "clip": "clip",
    "colormap": "colormap",
    "threshold": "threshold",
    "opacity": "opacity",
}


def page_of(attribution: Attribution, *, keep: str | None = None, **looks: Any) -> Page:
    """The page that shows one attribution.

    Parameters
    ----------
    attribution
        The map.
    keep
        How exactly: see :mod:`saliency_widget.display.quantise`. None is "signs", or "channels" for another reduction.
    **looks
        What it opens with: ``sign``, ``reduce``, ``clip``, ``colormap``, ``threshold`` and ``opacity``, as for
        :meth:`Attribution.plot`.

    Raises
    ------
    InputError
        One of them cannot be.
    """
    for name in looks:
        if name not in _LOOKS:
            raise InputError(name, looks[name], "is no option of a page", f"Use keep, {', '.join(_LOOKS)}.")
    view = View(**looks)
    reduction = "default" if view.reduce is None else str(view.reduce)
    kept = check_keep(keep_for(keep, reduction))
    picture = travelling_picture(attribution.image)
    method, known = attribution.method, attribution.provenance
    entry = Entry(
        attribution,
        Facts(
            key="map",
            parameters=plain(method.parameters),
            **_score(attribution),
            **_where(attribution),
            seconds=_seconds(known.get("seconds")),
        ),
    )
    return assemble(
        [entry],
        shown="map",
        info=_catalogue(attribution, picture.shape[:2]),
        pictures={(0, 0): picture},
        originals={},
        looks={
            **{trait: getattr(view, name) for name, trait in _LOOKS.items() if getattr(view, name) is not None},
            "reduction": reduction,
        },
        keep=kept,
    )


def write_html(attribution: Attribution, path: str | os.PathLike[str], **options: Any) -> None:
    """Write one attribution as a page, atomically: a failure leaves what was there.

    Parameters
    ----------
    attribution, **options
        As in :func:`page_of`.
    path
        Where to; it ends in .html.
    """
    goal = check_page(path)
    write_page(page_of(attribution, **options), goal)


def _catalogue(attribution: Attribution, size: Sequence[int]) -> dict[str, Any]:
    """What the widget knows of a model and a picture, as far as a map tells."""
    method, known, kind = attribution.method, attribution.provenance, _score(attribution)["kind"]
    model = str(known.get("model", "")).rpartition(".")[2]
    several = len(attribution.channels) > 1
    subject = {
        "model": 0,
        "image": 0,
        "model_name": model,
        "image_name": "",
        "picture": {"height": size[0], "width": size[1]},
        "original": None,
        # A map over cells has a channel of its own; the picture it lies over is shown in red, green and blue.
        "channels": list(attribution.channels) if several else ["R", "G", "B"],
        "classes": 0,
        "prediction": _prediction(known.get("prediction")),
        "probability": "",
        "scene": _scene(attribution),
        "preprocess": str(known.get("preprocess", "")),
        "score_kind": "logit",
        "labels": 0,
        "layers": [],
        "notes": [],
    }
    return {
        "version": 2,
        "methods": [{"name": method.name, "label": method.label, "summary": "", "parameters": []}],
        "scores": [{"kind": kind, "label": kind}],
        "models": [model],
        "images": [""],
        "subjects": [subject],
    }


def _score(attribution: Attribution) -> dict[str, Any]:
    """Its kind and, of a contrast, the class that is taken off, as the widget has them: what the target alone lacks."""
    kind, told = attribution.target.kind, attribution.provenance.get("target")
    if kind != "contrast" or not isinstance(told, Mapping):
        return {"kind": kind}
    of, other, label = (told.get(name) for name in ("of", "other", "other_label"))
    if not isinstance(of, str) or isinstance(other, bool) or not isinstance(other, int) or other < 0:
        return {"kind": kind}
    return {"kind": of, "other": other, "other_label": label if isinstance(label, str) else None}


def _where(attribution: Attribution) -> dict[str, Any]:
    """What is marked in the picture, where something is and it can be drawn."""
    told = attribution.provenance.get("target")
    if mark_on(attribution) is None or not isinstance(told, Mapping):
        return {}
    mark = told["mark"]
    return {"mask": mark["mask"]} if "mask" in mark else {"place": mark["place"]}


def _scene(attribution: Attribution) -> dict[str, Any] | None:
    """That the score is of a place, of a picture of this size; the others that could be chosen are not known."""
    if not _where(attribution):
        return None
    height, width = attribution.image.shape[:2]
    return {"kind": "segmentation", "height": height, "width": width, "areas": [], "boxes": []}


def _seconds(told: Any) -> float | None:
    """What the provenance says of it, likewise."""
    return told if isinstance(told, float) and math.isfinite(told) else None


def _prediction(told: Any) -> list[dict[str, Any]]:
    """What the provenance says of it; a file from elsewhere may say anything."""
    rows = told if isinstance(told, list) else []
    return [
        {name: one.get(name) for name in ("index", "label", "probability")} for one in rows if isinstance(one, dict)
    ]
