"""A matplotlib figure of one attribution: picture, map over it, map, and the bar of its colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saliency_widget.display.lettering import PLAIN, wrapped
from saliency_widget.display.marks import draw_mark
from saliency_widget.display.parts import LOOKS, extend_of, finish_bar, pixels_of, scale_of, show
from saliency_widget.display.view import Drawable, Seen, View
from saliency_widget.display.words import CAVEAT, scale_words, title_words
from saliency_widget.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.0
"""Inches: two columns of most journals."""

_NARROWEST, _WIDEST = 2.0, 40.0
_EDGE, _GAP, _BAR = 0.06, 0.1, 0.11
_BAR_ROOM = 0.78
_TALLEST, _LOWEST = 4.2, 0.35
# From this proportion on, panels stand one above the other.
_WIDE = 2.4
_TITLE, _NAME, _SMALL = 1.0, 0.8, 0.7
_LINE = 1.25 / 72


def draw_figure(
    attribution: Drawable,
    view: View | None = None,
    *,
    look: str | None = None,
    ax: Axes | None = None,
    width: float = WIDTH,
    colorbar: bool = True,
    title: bool = True,
    caption: bool = True,
) -> Figure:
    """Picture, map over it and map with a colour bar; or one of them in the caller's axes.

    No pyplot is used, so nothing of the caller's figures, backend or style is touched; the style that is set decides
    colours, font and its size.

    Parameters
    ----------
    attribution
        What is drawn.
    view
        How it is looked at.
    look
        "image", "overlay" or "map" alone; None is all three, and the map in axes of the caller's.
    ax
        The caller's axes.
    width
        Of a new figure, in inches; of a tall picture it may become less.
    colorbar, title, caption
        Whether these are there. The caption says what the colours mean; a journal may want it in its own.

    Returns
    -------
    matplotlib.figure.Figure
        The new one, or that of ``ax``.

    Raises
    ------
    InputError
        One of the arguments cannot be; nothing has been drawn then.
    """
    view = View() if view is None else view
    check_look(look)
    check_width(width)
    if ax is not None:
        check_axes(ax)
    seen = Seen(attribution, view)
    if ax is not None:
        return _into(ax, seen, look or "map", colorbar=colorbar, title=title, caption=caption)
    return _own(seen, LOOKS if look is None else (look,), width, colorbar=colorbar, title=title, caption=caption)


def check_look(look: object) -> None:
    """Raise :class:`~saliency_widget.InputError` where there is no such look."""
    if look is not None and (not isinstance(look, str) or look not in LOOKS):
        raise InputError("look", look, "is none", f"Use one of {', '.join(LOOKS)}, or None for all of them.")


def check_width(width: object) -> None:
    """Raise :class:`~saliency_widget.InputError` where a figure cannot be so wide."""
    good = isinstance(width, (int, float)) and not isinstance(width, bool) and _NARROWEST <= width <= _WIDEST
    if not good:
        raise InputError("width", width, "is no width of a figure", f"Give inches, from {_NARROWEST:g} to {_WIDEST:g}.")


def check_axes(ax: Any) -> None:
    """Raise :class:`~saliency_widget.InputError` where these are no axes on a figure."""
    if not hasattr(ax, "imshow") or not hasattr(getattr(ax, "figure", None), "colorbar"):
        raise InputError("ax", ax, "is no axes of matplotlib", "Give axes, such as plt.gca(), or None.")


def _into(ax: Any, seen: Seen, look: str, *, colorbar: bool, title: bool, caption: bool) -> Figure:
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    # A part of a figure has axes of its own too.
    owner = ax.figure
    root = owner
    while getattr(root, "figure", root) is not root and root.figure is not None:
        root = root.figure
    # The caller's style decides how pictures are brought to the resolution of a screen or a page.
    show(ax, pixels_of(seen, look), interpolation=None)
    draw_mark(ax, seen.attribution)
    box = ax.get_position()
    wide, tall = box.width * root.get_figwidth(), box.height * root.get_figheight()
    if title:
        size = FontProperties(size=rcParams["axes.titlesize"]).get_size_in_points()
        ax.set_title(wrapped(title_words(seen.attribution), size, max(wide, 1.0), 3), **PLAIN)
    size = FontProperties(size=rcParams["axes.labelsize"]).get_size_in_points() * _NAME
    if caption and look != "image":
        ax.set_xlabel(wrapped(scale_words(seen), size, max(wide, 1.0), 4), fontsize=size, **PLAIN)
    if colorbar and look != "image" and not seen.zero:
        view = seen.view
        scale = scale_of(view.sign, seen.level, view.colormap)
        extend = extend_of(view.sign, seen.largest > seen.level)
        bar = owner.colorbar(scale, ax=ax, fraction=0.046, pad=0.03, extend=extend)
        cut = None if seen.kept is None else seen.kept.cut
        height, across = seen.attribution.image.shape[:2]
        length = max(0.5, min(tall, 0.9 * wide * height / across))
        finish_bar(bar, view.sign, seen.level, seen.attribution.unit, size=size, length=length, cut=cut)
    return root  # type: ignore[no-any-return]


def _own(seen: Seen, looks: tuple[str, ...], width: float, *, colorbar: bool, title: bool, caption: bool) -> Figure:
    from matplotlib import rcParams

    from saliency_widget.display.notebook_figure import NotebookFigure

    height, across = seen.attribution.image.shape[:2]
    proportion = across / height
    count = len(looks)
    stacked = count > 1 and proportion > _WIDE
    with_bar = colorbar and looks != ("image",) and not seen.zero
    bar_room = _BAR_ROOM if with_bar else 0.0
    columns = 1 if stacked else count
    panel = (width - 2 * _EDGE - bar_room - (columns - 1) * _GAP) / columns
    tall = min(max(panel / proportion, _LOWEST), _TALLEST)
    panel = min(panel, max(tall * proportion, 0.6))
    # A column of narrow panels needs no more room than its words.
    width = max(columns * panel + (columns - 1) * _GAP + 2 * _EDGE + bar_room, min(width, 3.4))

    base = float(rcParams["font.size"])
    heading = wrapped(title_words(seen.attribution), base * _TITLE, width - 2 * _EDGE, 3) if title else ""
    said = f"{scale_words(seen)}. {CAVEAT}"
    words = wrapped(said, base * _SMALL, width - 2 * _EDGE, 5) if caption else ""
    above = _lines(heading) * base * _TITLE * _LINE + (0.08 if heading else 0.02)
    named = base * _NAME * _LINE + 0.03 if count > 1 else 0.03
    # The words at the ends of the bar need their room too.
    ends = base * 0.72 * _LINE + 0.08 if with_bar and seen.view.sign in ("signed", "negative") else 0.0
    rows = count if stacked else 1
    if with_bar and count == 1 and seen.view.sign in ("signed", "positive"):
        named = base * 0.72 * _LINE + 0.04
    below = _lines(words) * base * _SMALL * _LINE + (0.08 if words else 0.0) + ends
    total = above + rows * (tall + named) + below + _EDGE

    figure = NotebookFigure(figsize=(width, total), dpi=150)
    if heading:
        _text(figure, heading, _EDGE / width, 1 - _EDGE / total, base * _TITLE, "top")
    if words:
        _text(figure, words, _EDGE / width, _EDGE / total, base * _SMALL, "bottom")
    axes = []
    for place, look in enumerate(looks):
        row, column = (place, 0) if stacked else (0, place)
        left = _EDGE + column * (panel + _GAP)
        bottom = total - above - (row + 1) * (tall + named)
        ax = figure.add_axes((left / width, bottom / total, panel / width, tall / total))
        show(ax, pixels_of(seen, look))
        draw_mark(ax, seen.attribution)
        if count > 1:
            ax.set_title(look, fontsize=base * _NAME, loc="left", pad=3)
        axes.append(ax)
    if with_bar:
        left = _EDGE + columns * panel + (columns - 1) * _GAP + 0.1
        bottom = total - above - rows * (tall + named)
        length = rows * tall + (rows - 1) * named
        cax = figure.add_axes((left / width, bottom / total, _BAR / width, length / total))
        view = seen.view
        bar = figure.colorbar(
            scale_of(view.sign, seen.level, view.colormap),
            cax=cax,
            extend=extend_of(view.sign, seen.largest > seen.level),
            extendfrac=min(0.05, 0.08 / length),
        )
        cut = None if seen.kept is None else seen.kept.cut
        finish_bar(bar, view.sign, seen.level, seen.attribution.unit, size=base * 0.8, length=length, cut=cut)
    return figure


def _lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0


def _text(figure: Any, words: str, across: float, up: float, size: float, side: str) -> None:
    from matplotlib import rcParams

    figure.text(
        across, up, words, fontsize=size, va=side, ha="left", color=rcParams["text.color"], linespacing=1.2, **PLAIN
    )
