"""The parts of a figure: a picture in its axes, and the bar of its colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from saliency_widget.display.colours import colour_table
from saliency_widget.display.lettering import PLAIN, wrapped
from saliency_widget.display.reduce import Sign
from saliency_widget.display.view import Seen
from saliency_widget.display.words import one_line

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

LOOKS = ("image", "overlay", "map")
_PLAIN_FROM, _PLAIN_TO = -3, 4
_THIN = 0.5


def show(ax: Axes, pixels: npt.NDArray[np.uint8], interpolation: str | None = "antialiased") -> None:
    """Put pixels into axes, with nothing around them but a thin frame."""
    ax.imshow(pixels, interpolation=interpolation)
    # A style may have a grid over everything, ticks, or no frame.
    ax.grid(False)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(_THIN)


def pixels_of(seen: Seen, look: str) -> npt.NDArray[np.uint8]:
    """What a look shows, RGB; RGBA, clear where the map is hidden, for a map under a threshold."""
    if look == "image":
        return seen.attribution.image
    if look == "overlay":
        return seen.over
    if seen.mask is None:
        return seen.coloured
    return np.dstack([seen.coloured, np.where(seen.mask, np.uint8(255), np.uint8(0))])


def scale_of(sign: Sign, level: float, colormap: str | None) -> Any:
    """What matplotlib makes a colour bar of."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    ends = {"absolute": (0.0, level), "positive": (0.0, level), "signed": (-level, level), "negative": (-level, 0.0)}
    table = colour_table(sign, colormap) / 255.0
    # The table of a negative map begins at zero, which stands at the upper end of its bar.
    return ScalarMappable(Normalize(*ends[sign]), ListedColormap(table[::-1] if sign == "negative" else table))


def extend_of(sign: Sign, clipped: bool) -> str:
    """At which ends of the bar there are values beyond it."""
    ends = {"absolute": "max", "signed": "both", "positive": "max", "negative": "min"}
    return ends[sign] if clipped else "neither"


def finish_bar(
    bar: Any,
    sign: Sign,
    level: float,
    unit: str,
    *,
    size: float,
    length: float,
    cut: float | None = None,
    lines: int = 2,
) -> None:
    """Letter a colour bar: its unit, few ticks, which end raises the score, and where a threshold cuts.

    Parameters
    ----------
    bar
        The colour bar.
    sign, level
        As in :func:`scale_of`.
    unit
        Of its numbers.
    size
        Of the letters, in points.
    length
        Of the bar, in inches.
    cut
        The smallest magnitude that is shown.
    """
    from matplotlib import rcParams
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    exponent = math.floor(math.log10(level)) if level > 0 else 0
    factor = 1.0 if _PLAIN_FROM <= exponent < _PLAIN_TO else 10.0**exponent
    minus = "\u2212" if rcParams["axes.unicode_minus"] else "-"
    upright = bar.orientation == "vertical"
    low, high = bar.vmin, bar.vmax
    room = max(2, min(6, int(length / 0.28)))
    ticks = [tick for tick in MaxNLocator(room, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= tick <= high]
    bar.locator = FixedLocator(ticks)
    bar.formatter = FuncFormatter(lambda value, _: f"{value / factor:g}".replace("-", minus))
    bar.update_ticks()
    words = one_line(unit, 120) if factor == 1 else f"1e{exponent} {one_line(unit, 120)}".replace("e-", f"e{minus}")
    bar.set_label(wrapped(words, size, length * 1.15, 2), fontsize=size, **PLAIN)
    bar.ax.tick_params(labelsize=size * 0.9, width=_THIN, length=2.5)
    bar.ax.grid(False)
    bar.outline.set_linewidth(_THIN)
    if cut is not None and 0 < cut < level:
        for at in (cut, -cut) if sign == "signed" else (-cut if sign == "negative" else cut,):
            draw = bar.ax.axhline if upright else bar.ax.axvline
            draw(at, color=bar.outline.get_edgecolor(), linewidth=1.0)
    if upright:
        if sign in ("signed", "positive"):
            bar.ax.set_title("raises", fontsize=size * 0.9, pad=4, loc="left")
        if sign in ("signed", "negative"):
            bar.ax.set_xlabel(
                "lowers", fontsize=size * 0.9, labelpad=3 if bar.extend == "neither" else 9, x=0, ha="left"
            )
