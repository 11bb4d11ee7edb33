"""The mark of what a score is of: a pixel, a rectangle, the outline of a mask."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from saliency_widget.display.view import Drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Line: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""From (row, column) to (row, column), where the pixel in row 3 reaches from 3 to 4."""

_MOST_CELLS = 128
_LIGHT, _DARK = "white", "#1976d2"
# In points: seen over any map, and hiding little of it.
_BROAD, _NARROW, _PIXEL = 2.2, 1.0, 6.0


@dataclass(frozen=True)
class Mark:
    """What is drawn.

    Parameters
    ----------
    lines
        In pixels of the picture.
    pixel
        (row, column) of the middle of a single one, which may be too small to be seen.
    """

    lines: tuple[Line, ...] = ()
    pixel: tuple[float, float] | None = None


def mark_on(attribution: Drawable) -> Mark | None:
    """The mark of an attribution; None where it has none, or what a file says of it is none."""
    target = attribution.provenance.get("target")
    told = target.get("mark") if isinstance(target, Mapping) else None
    if not isinstance(told, Mapping):
        return None
    height, width = attribution.image.shape[:2]
    if isinstance(told.get("mask"), Mapping):
        lines = _outline(told["mask"], height, width)
        return Mark(lines) if lines else None
    place = told.get("place")
    if not isinstance(place, list) or not all(_is_number(one) for one in place):
        return None
    if len(place) == 2:
        inside = 0 <= place[0] < height and 0 <= place[1] < width
        return Mark(pixel=(math.floor(place[0]) + 0.5, math.floor(place[1]) + 0.5)) if inside else None
    if len(place) != 4:
        return None
    top, bottom = (min(max(one, 0), height) for one in place[::2])
    left, right = (min(max(one, 0), width) for one in place[1::2])
    if top >= bottom or left >= right:
        return None
    corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
    return Mark(tuple(zip(corners, [*corners[1:], corners[0]], strict=True)))


def draw_mark(ax: Axes, attribution: Drawable) -> None:
    """Draw it over a picture in axes: a light line under a dark one."""
    mark = mark_on(attribution)
    if mark is None:
        return
    from matplotlib.collections import LineCollection

    # A picture's axes count from the middle of the first pixel.
    lines = [[(column - 0.5, row - 0.5) for row, column in line] for line in mark.lines]
    for colour, width in ((_LIGHT, _BROAD), (_DARK, _NARROW)):
        if lines:
            ax.add_collection(
                LineCollection(lines, colors=colour, linewidths=width, capstyle="projecting"), autolim=False
            )
        if mark.pixel is not None:
            row, column = mark.pixel
            ax.plot(
                [column - 0.5],
                [row - 0.5],
                marker="s",
                markersize=_PIXEL,
                markerfacecolor="none",
                markeredgecolor=colour,
                markeredgewidth=width,
                linestyle="none",
                scalex=False,
                scaley=False,
            )


def _outline(mask: Mapping[str, Any], height: int, width: int) -> tuple[Line, ...]:
    """The edges between cells that are in it and cells that are not, those in a line as one."""
    cells = _cells(mask)
    if cells is None:
        return ()
    step = mask["step"]
    lines: list[Line] = []
    for turned in (False, True):
        grid = np.pad(cells.T if turned else cells, 1)
        edges = grid[1:] != grid[:-1]
        ends = (width, height) if turned else (height, width)
        for at in np.flatnonzero(edges.any(axis=1)):
            steps = np.flatnonzero(np.diff(edges[at].astype(np.int8), prepend=0, append=0))
            for start, stop in zip(steps[::2], steps[1::2], strict=True):
                across = min(int(at) * step, ends[0])
                a, b = (min(int(one - 1) * step, ends[1]) for one in (start, stop))
                lines.append(((a, across), (b, across)) if turned else ((across, a), (across, b)))
    return tuple(lines)


def _cells(mask: Mapping[str, Any]) -> npt.NDArray[np.bool_] | None:
    sides = [mask.get(name) for name in ("height", "width", "step")]
    if not all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in sides):
        return None
    rows, columns = int(mask["height"]), int(mask["width"])
    if max(rows, columns) > _MOST_CELLS or not isinstance(mask.get("bits"), str):
        return None
    try:
        bits = np.frombuffer(base64.b64decode(mask["bits"], validate=True), np.uint8)
    except (binascii.Error, ValueError):
        return None
    if 8 * bits.size < rows * columns:
        return None
    return np.unpackbits(bits, count=rows * columns).astype(bool).reshape(rows, columns)


def _is_number(one: object) -> bool:
    return isinstance(one, (int, float)) and not isinstance(one, bool) and math.isfinite(one)
