"""Many maps in one figure: rows and columns, with one scale for all whose unit is the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from saliency_widget.display.cells import Between
from saliency_widget.display.figure import WIDTH, check_look, check_width
from saliency_widget.display.lettering import PLAIN, wrapped
from saliency_widget.display.marks import draw_mark
from saliency_widget.display.parts import extend_of, finish_bar, pixels_of, scale_of, show
from saliency_widget.display.reduce import DEFAULT_CLIP, Reduction, Sign
from saliency_widget.display.table import Table, names_of, table_of
from saliency_widget.display.view import Drawable, Photo, Seen, View
from saliency_widget.display.words import CAVEAT, number, one_line, scale_words
from saliency_widget.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALES = ("shared", "own")
_EDGE, _GAP, _BAR, _BAR_ROOM = 0.06, 0.07, 0.1, 0.72
_LEAST_PANEL, _MOST_PROPORTION = 0.8, 1.8
_LINE = 1.25 / 72


def plot_grid(
    attributions: Any,
    sign: Sign = "absolute",
    *,
    clip: float = DEFAULT_CLIP,
    between: Between = "smooth",
    reduce: Reduction | None = None,
    colormap: str | None = None,
    look: str = "map",
    threshold: float = 100.0,
    opacity: float = 0.6,
    photo: Photo = "grey",
    scale: str = "shared",
    images: bool = True,
    width: float = WIDTH,
    title: bool = True,
    caption: bool = True,
) -> Figure:
    """A matplotlib figure of several maps, such as classes times methods, on one scale.

    Maps of one unit share one scale: the largest of the ends that each would have by itself. Where units differ, each
    has its own bar, under its column or beside its row.

    Parameters
    ----------
    attributions
        A list of Attributions, a list of lists (the rows), or a dict whose keys name the rows, of lists or of dicts
        whose keys name the columns; a dict of Attributions is one row. None leaves a place empty. What is not named is
        named by what its maps have in common: method, target, model, image.
    sign, clip, between, reduce, colormap, threshold, opacity, photo
        As in :meth:`Attribution.plot`, for all.
    look
        "map" or "overlay".
    scale
        "shared", or "own": each map by itself, with the end of its colours written under it.
    images
        Begin a row with the picture where all its maps are of one.
    width
        In inches; more where panels would become too small.
    title, caption
        Whether these are there.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        These are no Attributions, or another argument cannot be.
    """
    table = table_of(attributions)
    check_look(look)
    check_width(width)
    if look not in ("map", "overlay"):
        raise InputError("look", look, "shows no map", "Use 'map' or 'overlay'.")
    if not isinstance(scale, str) or scale not in SCALES:
        raise InputError("scale", scale, "is none", f"Use one of {', '.join(map(repr, SCALES))}.")
    view = View(sign, reduce, clip, colormap, between, threshold, opacity, photo)
    by_itself = {id(one): Seen(one, view) for one in table.all}
    levels: dict[str, float] = {}
    if scale == "shared":
        for one in table.all:
            levels[one.unit] = max(levels.get(one.unit, 0.0), by_itself[id(one)].level)
    sharing = {unit: sum(one.unit == unit for one in table.all) for unit in levels}
    seen = {
        id(one): Seen(one, view.at(levels[one.unit])) if levels.get(one.unit) and sharing[one.unit] > 1 else own
        for one, own in ((one, by_itself[id(one)]) for one in table.all)
    }
    return _drawn(table, seen, levels, view, look=look, images=images, width=width, title=title, caption=caption)


def _drawn(
    table: Table,
    seen: Mapping[int, Seen],
    levels: Mapping[str, float],
    view: View,
    *,
    look: str,
    images: bool,
    width: float,
    title: bool,
    caption: bool,
) -> Figure:
    from matplotlib import rcParams

    from saliency_widget.display.notebook_figure import NotebookFigure

    base = float(rcParams["font.size"])
    name_size, small, heading_size = base * 0.8, base * 0.66, base
    row_names, column_names, cell_names, common = names_of(table)
    pictures = _pictures(table) if images else [None] * len(table.cells)
    with_pictures = any(picture is not None for picture in pictures)
    maps = len(table.cells[0])
    units = [unit for unit, level in levels.items() if level > 0]
    bars = _bars(table, units)
    beside = bars in ("one", "rows")
    lead = 2 * name_size * _LINE + 0.06 if any(row_names) else 0.0
    columns = maps + int(with_pictures)
    free = width - 2 * _EDGE - lead - (_BAR_ROOM if beside else 0.0) - (columns - 1) * _GAP
    panel = min(max(free / columns, _LEAST_PANEL), 2.4)
    width = columns * panel + (columns - 1) * _GAP + 2 * _EDGE + lead + (_BAR_ROOM if beside else 0.0)
    # Room for a title of some words over few and narrow panels.
    width = max(width, 2.6)

    tops = [wrapped(name, name_size, panel, 3) for name in column_names]
    heads = [*["image"] * int(with_pictures), *tops]
    above_columns = _height(heads, name_size) + (0.04 if any(heads) else 0.0)
    # A line for the score, and one more each for what else is to be said.
    ended = levels if bars != "none" else {}
    unders = [[_under(one, seen, cell_names, ended, small, panel) for one in row] for row in table.cells]
    talls = [_tall(row, panel) for row in table.cells]
    feet = [_height([text for text in row if text], small) + 0.06 for row in unders]
    bar_foot = 0.62 if bars == "columns" else 0.0
    heading = wrapped(common[:1].upper() + common[1:], heading_size, width - 2 * _EDGE, 2) if title else ""
    ends = base * 0.6 * _LINE + 0.05 if view.sign in ("signed", "positive") and beside else 0.0
    above = _height([heading], heading_size) + (0.08 if heading else 0.0) + max(above_columns, ends) + _EDGE
    said = f"{_caption(seen, levels, table)}. {CAVEAT}" if caption else ""
    words = wrapped(said, base * 0.7, width - 2 * _EDGE, 5)
    below = _height([words], base * 0.7) + (0.06 if words else 0.0) + bar_foot + _EDGE
    total = above + sum(talls) + sum(feet) + below

    figure = NotebookFigure(figsize=(width, total), dpi=150)
    colour = rcParams["text.color"]

    def letter(text: str, across: float, up: float, size: float, **more: Any) -> None:
        options = {"va": "top", "ha": "left", "color": colour, "linespacing": 1.15, **more, **PLAIN}
        figure.text(across / width, up / total, text, fontsize=size, **options)

    if heading:
        letter(heading, _EDGE, total - _EDGE, heading_size)
    if words:
        letter(words, _EDGE, _EDGE, base * 0.7, va="bottom")

    def left_of(column: int) -> float:
        return _EDGE + lead + column * (panel + _GAP)

    start = int(with_pictures)
    first_top = total - above
    for place, text in enumerate(heads):
        # Line by line, so that the lowest of all stand on one line whatever their signs are.
        for k, line in enumerate(reversed(text.splitlines())):
            letter(line, left_of(place), first_top + 0.06 + k * name_size * _LINE, name_size, va="baseline")
    up = first_top
    for i, row in enumerate(table.cells):
        bottom = up - talls[i]
        box = (panel / width, talls[i] / total)
        if row_names[i : i + 1] and row_names[i]:
            text = wrapped(row_names[i], name_size, talls[i], 2)
            letter(text, _EDGE, bottom + talls[i] / 2, name_size, va="center", rotation=90, ha="left")
        if pictures[i] is not None and (i == 0 or pictures[i] is not pictures[i - 1]):
            ax = figure.add_axes((left_of(0) / width, bottom / total, *box))
            show(ax, pictures[i])  # type: ignore[arg-type]
            ax.set_anchor("NW")
        for j, one in enumerate(row):
            if one is None:
                continue
            ax = figure.add_axes((left_of(start + j) / width, bottom / total, *box))
            show(ax, pixels_of(seen[id(one)], look))
            draw_mark(ax, one)
            ax.set_anchor("NW")
            letter(unders[i][j], left_of(start + j), bottom - 0.03, small)
        if bars == "rows":
            unit = next(one.unit for one in row if one is not None)
            # Within its row, with the words at its ends.
            beside_it = (left_of(columns) + 0.02, bottom + 0.1, max(talls[i] - 0.25, 0.3))
            _bar(figure, view, seen, levels, unit, beside_it, name_size)
        up = bottom - feet[i]
    if bars == "one" and units:
        length = min(first_top - (up + feet[-1]), 3.2)
        _bar(figure, view, seen, levels, units[0], (left_of(columns) + 0.02, first_top - length, length), name_size)
    if bars == "columns":
        for j in range(maps):
            of_column = next((row[j] for row in table.cells if row[j] is not None), None)
            if of_column is not None:
                below_it = (left_of(start + j), up - 0.06, panel)
                _bar(figure, view, seen, levels, of_column.unit, below_it, name_size, upright=False)
    return figure


def _bars(table: Table, units: Sequence[str]) -> str:
    """Where the bars stand: "one" for all, under "columns", beside "rows", or "none": then each map has its number."""
    if not units:
        return "none"
    if len(units) == 1:
        return "one"
    columns = zip(*table.cells, strict=True)
    if all(len({one.unit for one in column if one is not None}) <= 1 for column in columns):
        return "columns"
    if all(len({one.unit for one in row if one is not None}) == 1 for row in table.cells):
        return "rows"
    return "none"


def _bar(
    figure: Any,
    view: View,
    seen: Mapping[int, Seen],
    levels: Mapping[str, float],
    unit: str,
    place: tuple[float, float, float],
    size: float,
    *,
    upright: bool = True,
) -> None:
    level = levels.get(unit, 0.0)
    if level == 0:
        return
    left, bottom, length = place
    width, total = figure.get_size_inches()
    inches = (left, bottom, _BAR, length) if upright else (left, bottom - _BAR, length, _BAR)
    box = (inches[0] / width, inches[1] / total, inches[2] / width, inches[3] / total)
    cax = figure.add_axes(box)
    clipped = any(one.largest > level for one in seen.values() if one.attribution.unit == unit)
    bar = figure.colorbar(
        scale_of(view.sign, level, view.colormap),
        cax=cax,
        orientation="vertical" if upright else "horizontal",
        extend=extend_of(view.sign, clipped),
        extendfrac=min(0.06, 0.07 / length),
    )
    finish_bar(bar, view.sign, level, unit, size=size if upright else size * 0.85, length=length)


def _under(
    one: Drawable | None,
    seen: Mapping[int, Seen],
    names: Mapping[int, str],
    levels: Mapping[str, float],
    size: float,
    panel: float,
) -> str:
    """What stands under a map."""
    if one is None:
        return ""
    own = seen[id(one)]
    lines = [wrapped(names[id(one)], size, panel, 2)] if names[id(one)] else []
    lines.append(wrapped(f"score {number(one.score)}", size, panel, 1))
    if own.missing == own.reduced.size:
        lines.append(wrapped("no value is a number", size, panel, 2))
    elif own.zero:
        lines.append(wrapped("zero everywhere", size, panel, 2))
    elif one.unit not in levels:
        lines.append(wrapped(f"colours end at {number(own.level, 3)} {one_line(one.unit, 80)}", size, panel, 3))
    return "\n".join(lines)


def _caption(seen: Mapping[int, Seen], levels: Mapping[str, float], table: Table) -> str:
    """The scale in words, of the first map that has one."""
    everyone = [seen[id(one)] for one in table.all]
    shown = next((one for one in everyone if not one.zero), everyone[0])
    unit = shown.attribution.unit
    sharing = sum(one.attribution.unit == unit for one in everyone) if unit in levels else 1
    if len(levels) > 1:
        sharing = max(2, sharing)
    return scale_words(shown, shared=sharing, units=max(1, len(levels)), several=len(everyone) > 1)


def _pictures(table: Table) -> list[Any]:
    """The one picture of each row; None where its maps are of several."""
    found: list[Any] = []
    for row in table.cells:
        different = {one.image.tobytes(): one.image for one in row if one is not None}
        found.append(next(iter(different.values())) if len(different) == 1 else None)
        # The same object for the same picture, so that it is drawn once.
        if len(found) > 1 and found[-1] is not None and found[-2] is not None and np.array_equal(found[-1], found[-2]):
            found[-1] = found[-2]
    return found


def _tall(row: Sequence[Drawable | None], panel: float) -> float:
    """How tall a row of panels is: that of its tallest picture."""
    proportions = [one.image.shape[0] / one.image.shape[1] for one in row if one is not None]
    return panel * min(max(proportions, default=1.0), _MOST_PROPORTION)


def _height(texts: Iterable[str], size: float) -> float:
    return max((text.count("\n") + 1 for text in texts if text), default=0) * size * _LINE
