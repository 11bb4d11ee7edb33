"""What is said beside a map: its score, its scale, its state. Labels are untrusted text, and are made harmless here."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from saliency_widget.display.colours import check_colormap, is_uniform
from saliency_widget.display.reduce import Reduction, Sign, check_reduction
from saliency_widget.display.view import Drawable, Seen

CAVEAT = "A map shows what the score is sensitive to, not what caused it."

_LONGEST = 300
# Control signs, halves of surrogate pairs, signs that end a line, and those that turn the direction of what follows.
_UNSEEN = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
_TURNS = {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
_WORDS = {"max": "strongest", "sum": "sum", "mean": "mean", "l2": "Euclidean length with the sign of the sum"}
_MAGNITUDE_WORDS = {"max": "maximum of |value|", "sum": "sum of |value|", "mean": "mean of |value|"}
_RANGE_WORDS: dict[Sign, str] = {
    "absolute": "",
    "signed": "; zero is the neutral colour",
    "positive": ", where it is above zero",
    "negative": ", where it is below zero",
}


def one_line(text: object, longest: int = _LONGEST) -> str:
    """Any text as one line of signs that are seen, not longer than ``longest``."""
    begun = str(text)[: 4 * longest]
    seen = "".join(" " if sign in _TURNS or unicodedata.category(sign) in _UNSEEN else sign for sign in begun)
    words = " ".join(seen.split())
    return words if len(words) <= longest else f"{words[: longest - 1].rstrip()}…"


def ordinal(number: float) -> str:
    """99 -> "99th", 2.5 -> "2.5th"."""
    if float(number).is_integer():
        whole = int(number)
        ending = "th" if 10 <= whole % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(whole % 10, "th")
        return f"{whole}{ending}"
    return f"{number:g}th"


def number(value: float, digits: int = 4) -> str:
    """A number with its true minus: "−8.123"."""
    return f"{value:.{digits}g}".replace("-", "−")


def percent(share: float) -> str:
    """A fraction in per cent, that claims neither nothing nor all where it is neither."""
    if 0 < share < 1e-4:
        return "<0.01 %"
    if 0.999 < share < 1:
        return f"{int(share * 1e4) / 100:.2f} %"
    return f"{share * 100:.3g} %"


def title_words(attribution: Drawable) -> str:
    """What the map is of, in one line: "Gradient, logit of tiger cat = 8.123"."""
    return f"{one_line(attribution.method.label, 80)}, {score_words(attribution)}"


def score_words(attribution: Drawable) -> str:
    """The score, by name, and its value."""
    return f"{_apart(one_line(attribution.target.text))} = {number(attribution.score)}"


def _apart(text: str) -> str:
    """Keep what follows a text that is written from right to left out of it."""
    backwards = any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in text)
    return f"{text}\u200e" if backwards else text


def reduction_words(sign: Sign, reduce: Reduction | None, channels: int, names: Sequence[str] = ()) -> str:
    """What one pixel's number is made of its channels: "maximum of |value| over channels"."""
    chosen = check_reduction(reduce, sign, channels)
    what = "|value|" if sign == "absolute" else "value"
    if channels == 1:
        words = what
    elif isinstance(chosen, int):
        words = f"{what} of channel {one_line(names[chosen], 40) if len(names) == channels else chosen}"
    elif sign == "absolute":
        words = f"{_MAGNITUDE_WORDS.get(chosen, 'Euclidean length')} over channels"
    else:
        words = f"{_WORDS[chosen]} over channels"
    return f"{words}{_RANGE_WORDS[sign]}"


def scale_words(seen: Seen, *, shared: int = 1, units: int = 1, several: bool = False) -> str:
    """Everything that is between the values of the map and the colours, in words.

    Parameters
    ----------
    seen
        The map as it is looked at.
    shared
        How many maps have this scale.
    units
        In how many units there are maps, each with a scale.
    several
        Whether it is said of several maps, each of which has its own share of its total.
    """
    attribution, view = seen.attribution, seen.view
    if seen.missing == seen.reduced.size:
        return "No value is a number"
    parts = [grid_words(attribution)]
    if seen.zero:
        parts.append("every value is zero")
    else:
        parts.append(reduction_words(view.sign, seen.reduction, len(attribution.values), attribution.channels))
        clip = f"clipped at the {ordinal(view.clip)} percentile of |value|"
        if shared > 1:
            which = f"one scale for {shared} maps" if units == 1 else "one scale for the maps of a unit"
            parts.append(
                f"{which}, which ends at the highest {ordinal(view.clip)} percentile of |value| of any of them"
            )
        else:
            parts.append(clip if view.level is None else f"colours end at {number(seen.level, 3)}")
        if seen.kept is not None and several:
            parts.append(f"the strongest {percent(view.threshold / 100)} of the area of each is shown")
        elif seen.kept is not None:
            holds = "" if seen.kept.mass is None else f", which holds {percent(seen.kept.mass)} of the total"
            parts.append(f"the strongest {percent(seen.kept.area)} of the area is shown{holds}")
        # What equal steps of such a table look like is no property of the map.
        if not is_uniform(check_colormap(view.sign, view.colormap)):
            parts.append("colours not uniform")
    if seen.missing:
        parts.append(f"{seen.missing} of {seen.reduced.size} values are no number (grey)")
    said = "; ".join(part for part in parts if part)
    return said[:1].upper() + said[1:]


def grid_words(attribution: Drawable) -> str:
    """That a map is coarser than its picture, in words; nothing where it is not."""
    height, width = attribution.values.shape[1:]
    return "" if (height, width) == attribution.image.shape[:2] else f"{height} x {width} cells"
