"""Text on a matplotlib figure: measured before it is set, and never read as a formula."""

from __future__ import annotations

from functools import cache
from typing import Any

# What is not data's to decide: a dollar sign in a label is a dollar sign, also where the user's style sets TeX.
PLAIN = {"parse_math": False, "usetex": False}

# As coarse as a figure is shown, where signs are set to whole pixels and take more room, and a little more for luck.
_DPI, _MORE = 150.0, 1.02


@cache
def _renderer() -> Any:
    from matplotlib.backends import backend_agg

    agg: Any = backend_agg
    return agg.RendererAgg(1, 1, _DPI)


def width_of(text: str, size: float) -> float:
    """The width of a line in inches, in the font that is set now at ``size`` points."""
    from matplotlib.font_manager import FontProperties

    width, _, _ = _renderer().get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
    return float(width) / _DPI * _MORE


def wrapped(text: str, size: float, width: float, lines: int = 2) -> str:
    """``text`` broken into at most so many lines of so many inches; what does not fit ends in "…"."""
    out: list[str] = []
    words = text.split()
    while words and len(out) < lines:
        last = len(out) == lines - 1
        line = ""
        while words and width_of(f"{line} {words[0]}".strip(), size) <= width:
            line = f"{line} {words.pop(0)}".strip()
        if words and (last or not line):
            # A word that is longer than a line is cut; on the last line, so is the rest.
            rest = f"{line} {' '.join(words)}".strip()
            fits = _fitting(rest, size, width, ending="…" if last else "")
            words = [] if last else [rest[len(fits) :], *words[1:]]
            line = f"{fits.rstrip()}…" if last else fits
        out.append(line)
    return "\n".join(out)


def _fitting(text: str, size: float, width: float, ending: str) -> str:
    """The longest beginning of a text, of one sign at least, that fits with its ending."""
    low, high = 1, max(1, min(len(text), 400))
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(text[:middle].rstrip() + ending, size) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low]
