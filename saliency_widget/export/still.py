"""A small picture of a map with its words, made in some ten milliseconds: what a notebook keeps beside the widget.

Without matplotlib, whose import alone would be felt whenever a widget is shown.
"""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from saliency_widget.display.colours import colour_table
from saliency_widget.display.marks import Mark, mark_on
from saliency_widget.display.parts import pixels_of
from saliency_widget.display.view import Seen
from saliency_widget.display.words import CAVEAT, number, one_line, scale_words

MOST_BYTES = 150_000
_PIXEL = 5
_WIDEST, _NARROWEST, _TALLEST = 600, 440, 900
_EDGE, _LINE, _BAR = 12, 18, 10
_SIZE, _SMALL = 14, 12
_INK, _FAINT, _PAPER, _HIDDEN = 31, 89, 255, 238
# Of the palette: greys of the words, steps of the bar; the picture has the rest.
_GREYS, _STEPS = 16, 48
_LARGE = 320 * 320
# Where no picture becomes smaller any more.
_LEAST = 64


def still_of_map(seen: Seen, look: str, heading: str, title: str, more: str = "") -> bytes:
    """A PNG of a map as it is looked at, its colour bar, and what both mean in words.

    Parameters
    ----------
    seen
        The map as it is looked at.
    look
        "overlay" or "map".
    heading, title
        The two lines above it, such as what the model says, and of what the map is.
    more
        A sentence after those on the scale.

    Returns
    -------
    bytes
        At most :data:`MOST_BYTES`.
    """
    pixels = pixels_of(seen, look)
    if pixels.shape[2] == 4:
        pixels = np.where(pixels[..., 3:] > 0, pixels[..., :3], np.uint8(_HIDDEN))
    said = f"{scale_words(seen)}. {more}{' ' if more else ''}{CAVEAT}"
    return _small(pixels, [heading, title], None if seen.zero else seen, said, mark_on(seen.attribution))


def still_of_picture(picture: npt.NDArray[np.uint8], heading: str, said: str) -> bytes:
    """A PNG of a picture without a map, and a sentence that says why there is none."""
    return _small(picture, [heading], None, said)


def _small(
    pixels: npt.NDArray[np.uint8], above: list[str], seen: Seen | None, below: str, mark: Mark | None = None
) -> bytes:
    """The largest there is of what is small enough."""
    widest = _WIDEST
    while True:
        content = _drawn(pixels, above, seen, below, widest, mark)
        if len(content) <= MOST_BYTES or widest < _LEAST:
            return content
        # A file grows with the area; once is enough for most.
        widest = int(widest * min(0.9, 0.95 * (MOST_BYTES / len(content)) ** 0.5))


def _drawn(
    pixels: npt.NDArray[np.uint8], above: list[str], seen: Seen | None, below: str, widest: int, mark: Mark | None
) -> bytes:
    """A PNG with a palette of its own, a third of one without: greys of the words, the bar's colours, the picture's."""
    picture, times = _fitted(Image.fromarray(np.ascontiguousarray(pixels)), widest)
    # The better way takes 400 ms where this one takes 3.
    large = picture.width * picture.height > _LARGE
    way = Image.Quantize.FASTOCTREE if large else Image.Quantize.MEDIANCUT
    own = picture.quantize(256 - _GREYS - _STEPS, way, dither=Image.Dither.NONE)
    places = np.asarray(own) + np.uint8(_GREYS + _STEPS)
    places = places.repeat(times, axis=0).repeat(times, axis=1)
    tall, wide = places.shape
    if mark is not None:
        places = _marked(places, mark, tall / pixels.shape[0], wide / pixels.shape[1])
    width = max(wide, min(_NARROWEST, widest)) + 2 * _EDGE
    room = width - 2 * _EDGE
    first = [line for text in above[:1] for line in _wrapped(text, _SIZE, room, 2)]
    second = [line for text in above[1:] for line in _wrapped(text, _SIZE, room, 2)]
    last = _wrapped(below, _SMALL, room, 6)
    bar = 0 if seen is None else _BAR + _LINE + 10
    top = _EDGE + (len(first) + len(second)) * _LINE + 8
    height = top + tall + 8 + bar + len(last) * _LINE + _EDGE
    words = Image.new("L", (width, height), _PAPER)
    pen = ImageDraw.Draw(words)
    for row, (line, ink) in enumerate((*((one, _INK) for one in first), *((one, _FAINT) for one in second))):
        pen.text((_EDGE, _EDGE + row * _LINE), line, ink, _font(_SIZE))
    under = top + tall + 8
    if seen is not None:
        _ends(pen, seen, under + _BAR + 3, room)
    for row, line in enumerate(last):
        pen.text((_EDGE, under + bar + row * _LINE), line, _FAINT, _font(_SMALL))
    canvas = np.round(np.asarray(words) / 255 * (_GREYS - 1)).astype(np.uint8)
    canvas[top : top + tall, _EDGE : _EDGE + wide] = places
    colours = np.zeros((256, 3), np.uint8)
    colours[:_GREYS] = np.linspace(0, 255, _GREYS)[:, None]
    if seen is not None:
        colours[_GREYS : _GREYS + _STEPS] = _bar_colours(seen)
        steps = np.arange(room) * _STEPS // room + _GREYS
        canvas[under : under + _BAR, _EDGE : _EDGE + room] = steps.astype(np.uint8)
    found = np.array(own.getpalette(), np.uint8).reshape(-1, 3)
    colours[_GREYS + _STEPS :][: len(found)] = found[: 256 - _GREYS - _STEPS]
    made = Image.fromarray(canvas)
    made.putpalette(colours.tobytes())
    stream = io.BytesIO()
    made.save(stream, "PNG")
    return stream.getvalue()


def _marked(places: npt.NDArray[np.uint8], mark: Mark, down: float, across: float) -> npt.NDArray[np.uint8]:
    """A picture in places of the palette with the mark over it: a light line under a dark one."""
    made = Image.fromarray(places)
    pen = ImageDraw.Draw(made)
    at = [[(column * across, row * down) for row, column in line] for line in mark.lines]
    for grey, width in ((_GREYS - 1, 4), (0, 2)):
        for (x0, y0), (x1, y1) in at:
            pen.line((x0, y0, x1, y1), grey, width)
        if mark.pixel is not None:
            x, y = mark.pixel[1] * across, mark.pixel[0] * down
            out = _PIXEL + (width > 2)
            pen.rectangle((x - out, y - out, x + out, y + out), outline=grey, width=width)
    return np.asarray(made)


def _bar_colours(seen: Seen) -> npt.NDArray[np.uint8]:
    """The colours from one end to the other."""
    table = colour_table(seen.view.sign, seen.view.colormap)
    table = table[::-1] if seen.view.sign == "negative" else table
    steps: npt.NDArray[np.uint8] = table[np.linspace(0, len(table) - 1, _STEPS).round().astype(np.intp)]
    return steps


def _ends(pen: ImageDraw.ImageDraw, seen: Seen, top: int, room: int) -> None:
    """The numbers at the ends of the bar, and the unit between them."""
    sign = seen.view.sign
    level = number(seen.level, 3)
    left = "0" if sign in ("absolute", "positive") else f"−{level} lowers"
    right = "0" if sign == "negative" else level if sign == "absolute" else f"raises {level}"
    font = _font(_SMALL)
    pen.text((_EDGE, top), left, _INK, font)
    pen.text((_EDGE + room, top), right, _INK, font, anchor="ra")
    unit = _wrapped(seen.attribution.unit, _SMALL, room - 2 * max(map(font.getlength, (left, right))) - 2 * _EDGE, 1)
    pen.text((_EDGE + room / 2, top), unit[0] if unit else "", _FAINT, font, anchor="ma")


def _fitted(picture: Image.Image, widest: int) -> tuple[Image.Image, int]:
    """Reduced to what there is room for; and how often each pixel is to be repeated."""
    longest = max(picture.width / widest, picture.height / min(_TALLEST, 1.5 * widest))
    if longest <= 1:
        return picture, max(1, int(1 / longest))
    size = (max(1, int(picture.width / longest)), max(1, int(picture.height / longest)))
    return picture.resize(size, Image.Resampling.BOX), 1


@cache
def _font(size: int) -> Any:
    # matplotlib's own, which has more scripts than PIL's; it is found without importing matplotlib.
    found = find_spec("matplotlib")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)


def _wrapped(text: str, size: int, width: float, lines: int) -> list[str]:
    """Broken into at most so many lines; what does not fit ends in "…"."""
    font = _font(size)
    out: list[str] = []
    words = one_line(text, 600).split()
    while words and len(out) < lines:
        line = words.pop(0)
        while words and font.getlength(f"{line} {words[0]}") <= width:
            line = f"{line} {words.pop(0)}"
        more = bool(words) and len(out) == lines - 1
        ending = "…" if more else ""
        while len(line) > 1 and font.getlength(line + ending) > width:
            line, ending = line[: -max(1, len(line) // 20)].rstrip(), "…"
        out.append(line + ending)
    return out
