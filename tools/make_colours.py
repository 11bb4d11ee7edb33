"""Write the colour tables that Python and the front end share: ``python tools/make_colours.py``.

Sequential tables are matplotlib's (inferno and viridis, released to the public domain under CC0; gray, hot, jet). The
diverging ones are made here, in OKLab, where equal steps look about equally large. hot and jet are there because
people compare with older figures, and are listed as not uniform, so that whoever offers them can say so.

Why these are the defaults. A map lies at about 0.6 opacity over a photograph without colours, and most of a gradient
map is close to zero. "inferno" starts at black and "blue-orange" has a dark neutral: where a map is weak the
photograph is dimmed but keeps its contrast, and what is strong glows, in a light and in a dark notebook alike. A
white neutral lays a fog over the photograph in which fine detail drowns. Both defaults read the same way (brighter is
stronger), so that going from absolute to signed changes the question and not the reading. Lightness is the same
function of |value| on both sides of zero, so that neither sign looks stronger; blue against orange stays apart for
the common kinds of colour blindness.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt

FILE = Path(__file__).parent.parent / "saliency_widget" / "display" / "colours.json"
Array = npt.NDArray[np.float64]
NOT_UNIFORM = ("hot", "jet")

_TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def oklch_to_linear(lightness: Array, chroma: Array, hue: Array) -> Array:
    """Linear sRGB, not clamped (Ottosson 2020, "A perceptual color space for image processing")."""
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    result: Array = ((lab @ _TO_LMS.T) ** 3) @ _TO_RGB.T
    return result


def to_bytes(linear: Array) -> npt.NDArray[np.uint8]:
    """sRGB with its transfer function, rounded."""
    c = np.clip(linear, 0, 1)
    encoded = np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055)
    return np.floor(encoded * 255 + 0.5).astype(np.uint8)


def most_chroma(lightness: Array, hue: Array) -> Array:
    """The largest chroma that sRGB can show at each lightness and hue."""
    low, high = np.zeros_like(lightness), np.full_like(lightness, 0.4)
    for _ in range(40):
        middle = (low + high) / 2
        linear = oklch_to_linear(lightness, middle, hue)
        inside = ((linear >= -1e-4) & (linear <= 1 + 1e-4)).all(axis=-1)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low


def arm(neutral: float, end: float, hues: tuple[float, float], chroma: float) -> npt.NDArray[np.uint8]:
    """From the neutral (entry 0) to one end (entry 128): lightness is linear in |value|."""
    t = np.linspace(0, 1, 129)
    lightness = neutral + (end - neutral) * t
    hue = np.radians(hues[0] + (hues[1] - hues[0]) * t)
    # Chroma rises quickly, so that the sign can be told where the value is still small, and bends softly into what
    # sRGB can show: a corner there would look like an edge in the map.
    wanted = chroma * np.sin(np.minimum(1, 1.25 * t) * np.pi / 2)
    room = np.maximum(most_chroma(lightness, hue), 1e-9)
    return to_bytes(oklch_to_linear(lightness, wanted / (1 + (wanted / room) ** 4) ** 0.25, hue))


def coded(table: npt.NDArray[np.uint8]) -> str:
    """How much more or less each entry adds than the one before it did, which for most is -1, 0 or 1 in each colour.

    Those three are one letter from A to [, as a number of three digits to the base 3, each one more than it means.
    Any other three are six hexadecimal digits, modulo 256.
    """
    changes = table.astype(np.int64)
    for _ in range(2):
        changes = np.diff(changes, axis=0, prepend=np.zeros((1, 3), np.int64))
    return "".join(
        chr(65 + int((change + 1) @ [9, 3, 1]))
        if np.abs(change).max() <= 1
        else change.astype(np.uint8).tobytes().hex()
        for change in changes
    )


def diverging(neutral: float, end: float, blue: tuple[float, float], orange: tuple[float, float], chroma: float) -> str:
    """257 entries, the neutral at 128; blue is negative."""
    below, above = arm(neutral, end, blue, chroma), arm(neutral, end, orange, chroma)
    assert (below[0] == above[0]).all(), "both arms begin at the neutral"
    assert len(set(below[0].tolist())) == 1, "the neutral has no colour"
    return coded(np.concatenate([below[::-1], above[1:]]))


def sequential(name: str) -> str:
    """256 entries of matplotlib's table of that name."""
    table = matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3]
    return coded(table)


def tables() -> dict[str, dict[str, str] | list[str]]:
    """All tables, as they stand in the file."""
    return {
        "sequential": {name: sequential(name) for name in ("inferno", "viridis", "gray", *NOT_UNIFORM)},
        "diverging": {
            "blue-orange": diverging(0.17, 0.80, (258, 230), (40, 68), 0.19),
            "blue-white-orange": diverging(0.97, 0.46, (235, 262), (66, 40), 0.19),
        },
        "not_uniform": list(NOT_UNIFORM),
    }


def text() -> str:
    """The file as it should be."""
    return json.dumps(tables(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
