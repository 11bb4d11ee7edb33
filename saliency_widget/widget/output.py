"""What a widget leaves beside its view: a figure, and the picture and the words that its output keeps."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from saliency_widget.display.colours import table_names
from saliency_widget.display.encode import LONGEST_SIDE, shrink
from saliency_widget.display.view import Seen, View
from saliency_widget.display.words import one_line, percent, scale_words, title_words
from saliency_widget.export.picture import travelling_picture
from saliency_widget.export.still import still_of_map, still_of_picture

if TYPE_CHECKING:
    from saliency_widget.attribution import Attribution
    from saliency_widget.widget.widget import SaliencyWidget

_LOG = logging.getLogger("saliency_widget")
_PNG = "image/png"
_NOT_YET = "The map was still being computed when this output was made: run the cell again, or wait() before its end."


def view_of(widget: SaliencyWidget, attribution: Attribution) -> View:
    """How the widget shows a map that it holds.

    A colour table of the other kind, or a channel that this map does not have, is not what is shown either.
    """
    channel = widget.reduction.isdigit() and int(widget.reduction) >= len(attribution.values)
    view = View(
        sign=widget.sign,
        reduce=None if widget.reduction == "default" or channel else widget.reduction,
        clip=widget.clip,
        colormap=widget.colormap if widget.colormap in table_names(widget.sign) else None,
        between="cells" if widget.cells else "smooth",
        threshold=widget.threshold,
        opacity=widget.opacity,
        photo="colour" if widget.photo == "colour" else "grey",
    )
    level = _level(widget, attribution, view)
    return view if level is None else view.at(level)


def _level(widget: SaliencyWidget, attribution: Attribution, view: View) -> float | None:
    """The magnitude at the end of the colours, where it is not the map's own."""
    if widget.scale == "locked":
        return widget.level if widget.level > 0 else None
    if widget.scale != "shared":
        return None
    beside = [widget._attributions[key] for key in sorted(widget._panel_keys) if key in widget._attributions]
    levels = [Seen(one, _fitting(view, one)).level for one in (attribution, *beside)] if beside else []
    return max(levels) if levels and max(levels) > 0 else None


def _fitting(view: View, attribution: Attribution) -> View:
    """The same view of a map that may have fewer channels."""
    named = view.reduce in (None, "max", "sum", "mean", "l2")
    if named or int(view.reduce or 0) < len(attribution.values):
        return view
    return View(sign=view.sign, clip=view.clip)


def figure_of(widget: SaliencyWidget, attribution: Attribution, options: dict[str, Any]) -> Any:
    """A matplotlib figure of a map as the widget shows it."""
    view = view_of(widget, attribution)
    chosen = {name: getattr(view, name) for name in View.__dataclass_fields__}
    return attribution.plot(**{**chosen, **options})


def words_of(widget: SaliencyWidget) -> str:
    """What the model says, and what is on display, in one line."""
    attribution = widget._attributions.get(widget.shown)
    said = _prediction(widget)
    return said if attribution is None else f"{said}; {title_words(attribution)}"


def _prediction(widget: SaliencyWidget) -> str:
    """What the model says of the picture on display: "EfficientNet: tiger cat, 0.41"."""
    subjects = widget._info.get("subjects") or [{}]
    at = (widget.model_index, widget.image_index)
    subject = next((one for one in subjects if (one.get("model"), one.get("image")) == at), subjects[0])
    name = one_line(subject.get("model_name", "a model"), 80)
    best = (subject.get("prediction") or [None])[0]
    if best is None:
        return name
    sure = "" if best["probability"] is None else f", {best['probability']:.2f}"
    return f"{name}: {one_line(best['label'], 120)}{sure}"


def add_still(widget: SaliencyWidget, data: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Put a picture of what is on display beside the widget's view in its output.

    Whatever goes wrong with it is logged and leaves it out: the view itself must be shown.
    """
    try:
        content, alt = still_of(widget)
    except Exception:
        _LOG.debug("there is no picture of a widget", exc_info=True)
        return
    data[_PNG] = base64.b64encode(content).decode("ascii")
    metadata[_PNG] = {"alt": alt}


def still_of(widget: SaliencyWidget) -> tuple[bytes, str]:
    """A PNG of what is on display, and the words for whoever does not see it."""
    with widget._lock:
        draw, alt = _still(widget)
    # A large map takes its time, and what is drawn of does not change any more.
    return draw(), alt


def _still(widget: SaliencyWidget) -> tuple[Callable[[], bytes], str]:
    """What draws the picture of what is on display now, and the words for whoever does not see it."""
    attribution = widget._attributions.get(widget.shown)
    said = _prediction(widget)
    name, colon, best = said.partition(": ")
    heading = f"The model says: {best} ({name})" if colon else said
    if attribution is None:
        error = widget._reporter.error
        why = _NOT_YET if error is None else f"There is no map: {one_line(error, 240)}"
        picture = widget._subjects.at(widget.model_index, widget.image_index).prepared.picture
        return partial(still_of_picture, picture, heading, why), f"{said}. {why}"
    title = title_words(attribution)
    if widget.look == "image":
        why = f"The photograph; the map ({title}) is there and is not shown."
        return partial(still_of_picture, attribution.image, heading, why), f"{said}. {why}"
    more = []
    shown = attribution
    if max(attribution.values.shape[1:]) > LONGEST_SIDE:
        # As it travels to the front end.
        more.append(f"Reduced from {attribution.values.shape[2]} x {attribution.values.shape[1]}.")
        picture = travelling_picture(attribution.image)
        shown = replace(attribution, values=shrink(attribution.values), image=picture, extras={})
    seen = Seen(shown, view_of(widget, shown))
    if widget.look == "overlay" and not seen.zero:
        more.append(f"The map is shown at {percent(widget.opacity)} opacity over the photograph.")
    if widget.panels:
        others = "map is" if len(widget.panels) == 1 else "maps are"
        more.append(f"{len(widget.panels)} more {others} beside it in the widget.")
    draw = partial(still_of_map, seen, widget.look, heading, title, " ".join(more))
    return draw, f"{said}; {title}. {scale_words(seen)}."
