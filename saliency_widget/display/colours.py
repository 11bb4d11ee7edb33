"""Colour tables, and a heat map in colours.

The tables stand in ``colours.json``, which the front end reads too: one source for both languages.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from saliency_widget.display.reduce import FloatMap, Sign, check_sign
from saliency_widget.errors import InputError

RgbPicture = npt.NDArray[np.uint8]

DEFAULT_TABLE: dict[Sign, str] = {
    "absolute": "inferno",
    "signed": "blue-orange",
    "positive": "inferno",
    "negative": "inferno",
}


@cache
def _file() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(files(__package__).joinpath("colours.json").read_text("utf-8"))
    return content


@cache
def _tables(kind: str) -> dict[str, RgbPicture]:
    return {name: _decoded(text) for name, text in _file()[kind].items()}


def _decoded(text: str) -> RgbPicture:
    """The entries; the file holds how their differences change, see ``tools/make_colours.py``."""
    changes = [
        list(bytes.fromhex(code)) if len(code) > 1 else [(ord(code) - 65) // digit % 3 + 255 for digit in (9, 3, 1)]
        for code in re.findall(r"[A-[]|.{6}", text)
    ]
    table = np.cumsum(np.cumsum(changes, axis=0), axis=0).astype(np.uint8)
    table.setflags(write=False)
    return table


def _known(sign: Sign) -> dict[str, RgbPicture]:
    return _tables("diverging" if check_sign(sign) == "signed" else "sequential")


def table_names(sign: Sign) -> tuple[str, ...]:
    """The colour tables there are for this way of showing a map; the first is the default."""
    return tuple(_known(sign))


def is_uniform(name: str) -> bool:
    """Whether equal steps of the value look about equally large in this table.

    Where they do not ("hot", "jet"), the table draws edges and plateaus that are not in the map.
    """
    return name not in _file()["not_uniform"]


def check_colormap(sign: Sign, colormap: object = None) -> str:
    """The name of a colour table for this way of showing a map; that of the default for None and "".

    Raises
    ------
    InputError
        There is no such table for this sign.
    """
    known = _known(sign)
    if colormap is None or (isinstance(colormap, str) and colormap == ""):
        return DEFAULT_TABLE[sign]
    if not isinstance(colormap, str) or colormap not in known:
        raise InputError("colormap", colormap, f"is no colour table for a {sign} map", f"Use {', '.join(known)}.")
    return colormap


def colour_table(sign: Sign, name: str | None = None) -> RgbPicture:
    """A colour table.

    Returns
    -------
    numpy.ndarray
        uint8, (257, 3) for "signed", whose middle entry is the neutral of exactly zero; (256, 3) for the others, whose
        first entry is zero.
    """
    return _known(sign)[check_colormap(sign, name)]


def colourise(heat: FloatMap, sign: Sign, name: str | None = None) -> RgbPicture:
    """Colours of a heat map.

    Parameters
    ----------
    heat
        (H, W), in [0, 1] for "absolute" and "positive", [-1, 0] for "negative" and [-1, 1] for "signed". NaN is shown
        as mid grey.
    sign
        Which kind of table. All but "signed" take the colour of the magnitude.
    name
        Which table; None and "" are the default.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W, 3).
    """
    table = colour_table(sign, name)
    missing = np.isnan(heat)
    exact = np.where(missing, 0.0, heat.astype(np.float64))
    index = np.floor(exact * 128 + 0.5) + 128 if sign == "signed" else np.floor(np.abs(exact) * 255 + 0.5)
    coloured = table[index.astype(np.intp)]
    coloured[missing] = 128
    return coloured


def grey(picture: RgbPicture) -> RgbPicture:
    """The photograph without its colours (Rec. 601 luma), so that a map over it is not mistaken for it."""
    luma = np.floor(picture.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) + 0.5)
    return np.repeat(luma.astype(np.uint8)[..., None], 3, axis=2)


def overlay(
    picture: RgbPicture,
    coloured: RgbPicture,
    opacity: float,
    mask: npt.NDArray[np.bool_] | None = None,
    *,
    grey_photo: bool = True,
) -> RgbPicture:
    """The coloured map over the photograph, which is greyed; where ``mask`` is False the photograph alone shows."""
    if not 0 <= opacity <= 1:
        raise InputError("opacity", opacity, "is out of range", "Give a number from 0 to 1.")
    below = (grey(picture) if grey_photo else picture).astype(np.float64)
    mixed = np.floor(below * (1 - opacity) + coloured * opacity + 0.5).astype(np.uint8)
    return mixed if mask is None else np.where(mask[..., None], mixed, below.astype(np.uint8))
