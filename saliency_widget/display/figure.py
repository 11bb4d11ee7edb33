"""A matplotlib figure of one attribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from saliency_widget.display.cells import Between, check_between, to_picture
from saliency_widget.display.colours import check_colormap, colour_table, colourise, is_uniform, overlay
from saliency_widget.display.reduce import (
    DEFAULT_CLIP,
    FloatMap,
    Reduction,
    Sign,
    check_clip,
    check_reduction,
    check_sign,
    clip_level,
    reduce_channels,
    scale_to_heat,
)
from saliency_widget.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAVEAT = "A map shows what the score is sensitive to, not what caused it."


class Drawable(Protocol):
    """What a figure needs of an attribution; stated here because ``attribution`` stands above ``display``."""

    @property
    def values(self) -> FloatMap: ...
    @property
    def image(self) -> npt.NDArray[np.uint8]: ...
    @property
    def target(self) -> Any: ...
    @property
    def method(self) -> Any: ...
    @property
    def score(self) -> float: ...
    @property
    def unit(self) -> str: ...
    @property
    def channels(self) -> tuple[str, ...]: ...


def ordinal(number: float) -> str:
    """99 -> "99th", 2.5 -> "2.5th"."""
    if float(number).is_integer():
        whole = int(number)
        ending = "th" if 10 <= whole % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(whole % 10, "th")
        return f"{whole}{ending}"
    return f"{number:g}th"


_WORDS = {"max": "strongest", "sum": "sum", "mean": "mean", "l2": "Euclidean length with the sign of the sum"}
_MAGNITUDE_WORDS = {"max": "maximum of |value|", "sum": "sum of |value|", "mean": "mean of |value|"}
_RANGE_WORDS: dict[Sign, str] = {
    "absolute": "",
    "signed": "; zero is the neutral colour",
    "positive": ", where it is above zero",
    "negative": ", where it is below zero",
}


def scale_words(
    sign: Sign,
    level: float,
    clip: float,
    *,
    channels: int = 3,
    reduce: Reduction | None = None,
    names: Sequence[str] = (),
    colormap: str | None = None,
) -> str:
    """What the ends of the colour bar mean, in words.

    Parameters
    ----------
    sign, clip, reduce, colormap
        As the map is shown.
    level
        The magnitude at the end of the colours.
    channels
        How many the map has.
    names
        Their names, where they have any.
    """
    if level == 0:
        return "every value is zero"
    chosen = check_reduction(reduce, sign, channels)
    if channels == 1:
        words = "|value|" if sign == "absolute" else "value"
    elif isinstance(chosen, int):
        what = "|value|" if sign == "absolute" else "value"
        words = f"{what} of channel {names[chosen] if len(names) == channels else chosen}"
    elif sign == "absolute":
        words = f"{_MAGNITUDE_WORDS.get(chosen, 'Euclidean length')} over channels"
    else:
        words = f"{_WORDS[chosen]} over channels"
    # What equal steps of such a table look like is no property of the map.
    uneven = "" if is_uniform(check_colormap(sign, colormap)) else "; colours not uniform"
    return f"{words}{_RANGE_WORDS[sign]}; clipped at the {ordinal(clip)} percentile of |value|{uneven}"


def grid_words(attribution: Drawable) -> str:
    """That a map is coarser than its picture, in words; nothing where it is not."""
    height, width = attribution.values.shape[1:]
    return "" if (height, width) == attribution.image.shape[:2] else f"{height} x {width} cells; "


def reduced_map(attribution: Drawable, sign: Sign, between: Between, reduce: Reduction | None = None) -> FloatMap:
    """One number a pixel of the picture."""
    height, width = attribution.image.shape[:2]
    return reduce_channels(to_picture(attribution.values, height, width, between), sign, reduce)


def draw_map(
    ax: Axes,
    attribution: Drawable,
    sign: Sign,
    *,
    clip: float,
    opacity: float = 1.0,
    between: Between = "smooth",
    reduce: Reduction | None = None,
    colormap: str | None = None,
) -> Any:
    """Draw the map into ``ax``; returns the scale, from which a colour bar can be made."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    reduced = reduced_map(attribution, sign, between, reduce)
    level = clip_level(reduced, clip)
    coloured = colourise(scale_to_heat(reduced, level), sign, colormap)
    # Coloured here and not by matplotlib, so that a figure, a PNG and the widget show the same colours.
    ax.imshow(coloured if opacity == 1 else overlay(attribution.image, coloured, opacity), interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    top = level if level > 0 else 1.0
    ends = {"absolute": (0.0, top), "positive": (0.0, top), "signed": (-top, top), "negative": (-top, 0.0)}
    table = colour_table(sign, colormap) / 255.0
    # The table of a negative map begins at zero, which stands at the upper end of its bar.
    return ScalarMappable(Normalize(*ends[sign]), ListedColormap(table[::-1] if sign == "negative" else table))


def draw_figure(
    attribution: Drawable,
    sign: Sign = "absolute",
    *,
    clip: float = DEFAULT_CLIP,
    opacity: float = 0.6,
    between: Between = "smooth",
    ax: Axes | None = None,
    reduce: Reduction | None = None,
    colormap: str | None = None,
) -> Figure:
    """Picture, overlay and map side by side, with a colour bar; or the map alone in the caller's axes.

    No pyplot is used, so nothing of the caller's figures, backend or style is touched.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        One of the arguments cannot be; nothing has been drawn then.
    """
    from matplotlib.figure import Figure

    from saliency_widget.display.notebook_figure import NotebookFigure

    sign, clip, between = check_sign(sign), check_clip(clip), check_between(between)
    colormap = check_colormap(sign, colormap)
    check_reduction(reduce, sign, len(attribution.values))
    title = f"{attribution.method.label}, {attribution.target.text} = {attribution.score:.4g}"
    if ax is not None:
        if not hasattr(ax, "get_figure") or not hasattr(ax, "imshow"):
            raise InputError("ax", ax, "is no axes of matplotlib", "Give axes, such as plt.gca(), or None.")
        owner = ax.get_figure()
        if not isinstance(owner, Figure):
            raise InputError("ax", ax, "belongs to no plain figure", "Give axes of a matplotlib Figure.")
        drawn = draw_map(ax, attribution, sign, clip=clip, between=between, reduce=reduce, colormap=colormap)
        bar = owner.colorbar(drawn, ax=ax, fraction=0.046, pad=0.03, extend=_extend(sign))
        bar.set_label(attribution.unit)
        ax.set_title(title)
        return owner

    height, width = attribution.image.shape[:2]
    panel = 3.2
    figure = NotebookFigure(
        figsize=(3 * panel + 1.1, panel * min(max(height / width, 0.4), 2.0) + 1.0), layout="constrained"
    )
    axes = figure.subplots(1, 3)
    axes[0].imshow(attribution.image, interpolation="nearest")
    axes[0].set_xticks([])
    axes[0].set_yticks([])
    for one, strength in ((axes[1], opacity), (axes[2], 1.0)):
        drawn = draw_map(
            one, attribution, sign, clip=clip, opacity=strength, between=between, reduce=reduce, colormap=colormap
        )
    for one, name in zip(axes, ("what the model saw", "map over it", "map"), strict=True):
        one.set_title(name, fontsize=9)
    bar = figure.colorbar(drawn, ax=list(axes), fraction=0.02, pad=0.01, extend=_extend(sign))
    bar.set_label(attribution.unit, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    if sign in ("signed", "positive"):
        bar.ax.set_title("raises", fontsize=8)
    if sign in ("signed", "negative"):
        bar.ax.set_xlabel("lowers", fontsize=8)
    level = clip_level(reduced_map(attribution, sign, between, reduce), clip)
    words = scale_words(
        sign,
        level,
        clip,
        channels=len(attribution.values),
        reduce=reduce,
        names=attribution.channels,
        colormap=colormap,
    )
    figure.suptitle(title, fontsize=11)
    figure.supxlabel(f"{grid_words(attribution)}{words}. {CAVEAT}", fontsize=8)
    return figure


def _extend(sign: Sign) -> str:
    return {"absolute": "max", "signed": "both", "positive": "max", "negative": "min"}[sign]
