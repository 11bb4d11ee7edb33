"""Parts of maps that are larger than what travels, at their full resolution. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from saliency_widget.display.encode import LONGEST_SIDE
from saliency_widget.errors import InputError
from saliency_widget.widget.protocol import Tile, is_whole

if TYPE_CHECKING:
    from saliency_widget.attribution import Attribution
    from saliency_widget.display.reduce import FloatMap


def cut_tile(attribution: Attribution | None, said: Tile) -> tuple[FloatMap, bytes]:
    """The map (C, h, w) and the picture (RGB, h x w) of a part.

    Raises
    ------
    InputError
        There is no such map, or no such part of it.
    """
    if attribution is None:
        raise InputError("key", said.key, "is no map that is held", "Ask for the map first.")
    height, width = attribution.values.shape[1:]
    for name, start, length, whole in (
        ("height", said.top, said.height, height),
        ("width", said.left, said.width, width),
    ):
        if not (is_whole(start) and is_whole(length)) or not 0 < length <= LONGEST_SIDE or start + length > whole:
            raise InputError(
                name,
                (start, length),
                f"is no part of a map of {height} x {width}",
                f"Give a start and at most {LONGEST_SIDE} pixels inside it.",
            )
    rows, columns = slice(said.top, said.top + said.height), slice(said.left, said.left + said.width)
    picture = attribution.image
    same = picture.shape[:2] == (height, width)
    rgb = np.ascontiguousarray(picture[rows, columns]).tobytes() if same else b""
    return attribution.values[:, rows, columns], rgb
