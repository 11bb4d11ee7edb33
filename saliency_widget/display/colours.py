"""Colour tables, and a heat map in colours.

The tables stand in ``colours.json``, which the front end reads too: one source for both languages.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from saliency_widget.display.reduce import FloatMap, Sign, check_sign
from saliency_widget.errors import InputError

RgbPicture = npt.NDArray[np.uint8]

DEFAULT_TABLE: dict[Sign, str] = {"absolute": "inferno", "signed": "blue-orange"}
_KIND: dict[Sign, str] = {"absolute": "sequential", "signed": "diverging"}


@cache
def _tables() -> dict[str, dict[str, RgbPicture]]:
    raw = json.loads(files(__package__).joinpath("colours.json").read_text("utf-8"))
    return {
        kind: {name: np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 3) for name, text in tables.items()}
        for kind, tables in raw.items()
        if isinstance(tables, dict)
    }


def table_names(sign: Sign) -> tuple[str, ...]:
    """The colour tables there are for this way of showing a map."""
    return tuple(_tables()[_KIND[check_sign(sign)]])


def colour_table(sign: Sign, name: str | None = None) -> RgbPicture:
    """A colour table.

    Returns
    -------
    numpy.ndarray
        uint8, (256, 3) for "absolute"; (257, 3) for "signed", whose middle entry is the neutral of exactly zero.
    """
    known = _tables()[_KIND[check_sign(sign)]]
    name = DEFAULT_TABLE[sign] if name is None else name
    if name not in known:
        raise InputError("colours", name, f"is no colour table for a map shown as {sign}", f"Use {', '.join(known)}.")
    return known[name]


def colourise(heat: FloatMap, sign: Sign, name: str | None = None) -> RgbPicture:
    """Colours of a heat map.

    Parameters
    ----------
    heat
        (H, W), in [0, 1] for "absolute" and [-1, 1] for "signed". NaN is shown as mid grey.
    sign
        Which kind of table.
    name
        Which table; None is the default.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W, 3).
    """
    table = colour_table(sign, name)
    missing = np.isnan(heat)
    exact = np.where(missing, 0.0, heat.astype(np.float64))
    index = np.floor(exact * 255 + 0.5) if sign == "absolute" else np.floor(exact * 128 + 0.5) + 128
    coloured = table[index.astype(np.intp)]
    coloured[missing] = 128
    return coloured


def grey(picture: RgbPicture) -> RgbPicture:
    """The photograph without its colours (Rec. 601 luma), so that a map over it is not mistaken for it."""
    luma = np.floor(picture.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) + 0.5)
    return np.repeat(luma.astype(np.uint8)[..., None], 3, axis=2)


def overlay(
    picture: RgbPicture, coloured: RgbPicture, opacity: float, mask: npt.NDArray[np.bool_] | None = None
) -> RgbPicture:
    """The coloured map over the greyed photograph; where ``mask`` is False the photograph alone shows."""
    if not 0 <= opacity <= 1:
        raise InputError("opacity", opacity, "is out of range", "Give a number from 0 to 1.")
    below = grey(picture).astype(np.float64)
    mixed = np.floor(below * (1 - opacity) + coloured * opacity + 0.5).astype(np.uint8)
    return mixed if mask is None else np.where(mask[..., None], mixed, below.astype(np.uint8))
