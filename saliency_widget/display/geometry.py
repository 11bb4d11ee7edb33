"""Where in the original picture the picture lies that the model sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Geometry:
    """The rectangle of the original picture that the model's picture covers.

    Parameters
    ----------
    height, width
        Of the original picture, upright, in pixels.
    box
        (top, left, bottom, right) in the original's pixels, where (0, 0, height, width) is all of it: the outer edges
        of the model's picture. It reaches outside where the preprocessing pads.
    seen
        (height, width) of the model's picture, in its own pixels.

    Notes
    -----
    Positions are continuous: the pixel in row 3 reaches from 3.0 to 4.0, and its centre lies at 3.5.
    """

    height: int
    width: int
    box: tuple[float, float, float, float]
    seen: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """(down, across): how many pixels of the original one pixel of the model's picture covers."""
        top, left, bottom, right = self.box
        return (bottom - top) / self.seen[0], (right - left) / self.seen[1]

    @property
    def visible(self) -> tuple[float, float, float, float]:
        """(top, left, bottom, right) of the part of the original that the model sees: the box, cut at its edges."""
        top, left, bottom, right = self.box
        return max(top, 0.0), max(left, 0.0), min(bottom, float(self.height)), min(right, float(self.width))

    def to_original(self, row: float, column: float) -> tuple[float, float]:
        """The position in the original of a position in the model's picture; both may lie outside."""
        down, across = self.scale
        return self.box[0] + row * down, self.box[1] + column * across

    def to_model(self, row: float, column: float) -> tuple[float, float]:
        """The position in the model's picture of a position in the original; both may lie outside."""
        down, across = self.scale
        return (row - self.box[0]) / down, (column - self.box[1]) / across


class Placed(Protocol):
    """Something that knows, or finds out, where the model's picture lies in the original."""

    @property
    def found(self) -> Geometry | str:
        """The geometry, or the reason why there is none, as the rest of a sentence about the preprocessing."""
        ...


@dataclass(frozen=True)
class Known:
    """A geometry that is found already, or a reason why there is none.

    Parameters
    ----------
    found
        As of :class:`Placed`.
    """

    found: Geometry | str


def plain_geometry(placed: Placed | None) -> Any:
    """What a file keeps of it: plain values."""
    if placed is None:
        return None
    found = placed.found
    if isinstance(found, str):
        return {"reason": found}
    return {"height": found.height, "width": found.width, "box": list(found.box), "seen": list(found.seen)}


def read_geometry(plain: Any) -> Placed | None:
    """What :func:`plain_geometry` kept."""
    if plain is None:
        return None
    if "reason" in plain:
        return Known(str(plain["reason"]))
    top, left, bottom, right = (float(edge) for edge in plain["box"])
    height, width = (int(side) for side in plain["seen"])
    return Known(Geometry(int(plain["height"]), int(plain["width"]), (top, left, bottom, right), (height, width)))
