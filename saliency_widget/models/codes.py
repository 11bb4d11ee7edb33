"""Pictures in which each pixel says where it is, pushed through a transform and read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from saliency_widget.models.measure import ColourMap

Floats = npt.NDArray[np.float64]
Push = Callable[[Image.Image], Tensor]

_MOST_READ = 256
_LEAST_SHARE = 0.98


class Refused(Exception):
    """The transform cannot be read; the text says why, as the rest of a sentence about it."""


class Reader(Protocol):
    """Pushes codes, one along the rows and one along the columns, and reads them from what comes out.

    Attributes
    ----------
    shape
        (height, width) of what the transform returns.
    shown
        Where the picture shows in full, and not a border.
    """

    shape: tuple[int, int]
    shown: npt.NDArray[np.bool_]

    def read(self, rows: Floats, columns: Floats) -> tuple[Floats, Floats]:
        """Codes (H,) and (W,) in 0..1, as they are found at :func:`samples` of rows and columns."""


class Separate:
    """Reads two codes at once, from red and green; blue tells the picture from a border.

    Parameters
    ----------
    push
        The transform.
    size
        (width, height) of the pictures it is given.
    shape
        (height, width) of what it returns.
    colours
        Three channels.
    """

    def __init__(self, push: Push, size: tuple[int, int], shape: tuple[int, int], colours: ColourMap) -> None:
        self.shape = shape
        self._push, self._size, self._colours = push, size, colours
        self._blue = Image.new("L", size, "white")
        black, blue = (self._read(Image.new("RGB", size, colour))[2] for colour in ("black", "blue"))
        self.shown: npt.NDArray[np.bool_] = np.asarray(blue - black >= _LEAST_SHARE)

    def read(self, rows: Floats, columns: Floats) -> tuple[Floats, Floats]:
        """Push both codes at once."""
        planes = [_plane(rows, 0, self._size), _plane(columns, 1, self._size), self._blue]
        found = self._read(Image.merge("RGB", planes))
        return found[0], found[1]

    def _read(self, picture: Image.Image) -> Floats:
        return self._colours.undo(_thinned(self._push(picture))).numpy()


class Grey:
    """Reads one code at a time, in grey, from whatever channels there are.

    Parameters
    ----------
    push, size, shape
        As of :class:`Separate`.

    Raises
    ------
    Refused
        Black and white come out the same.
    """

    def __init__(self, push: Push, size: tuple[int, int], shape: tuple[int, int]) -> None:
        self.shape = shape
        self._push, self._size = push, size
        self._black, white = (
            _thinned(push(Image.new("RGB", size, grey))).double().numpy() for grey in ("black", "white")
        )
        self._response = white - self._black
        power = (self._response**2).sum(axis=0)
        if not np.isfinite(power).all() or not power.any():
            raise Refused("gives the same for black and for white, or no finite numbers")
        usual = np.median(power[power > 0.01 * power.max()])
        self.shown: npt.NDArray[np.bool_] = power >= _LEAST_SHARE**2 * usual
        self._power = np.where(self.shown, power, np.inf)

    def read(self, rows: Floats, columns: Floats) -> tuple[Floats, Floats]:
        """Push both codes, one after the other."""
        return self._one(_plane(rows, 0, self._size)), self._one(_plane(columns, 1, self._size))

    def _one(self, plane: Image.Image) -> Floats:
        values = _thinned(self._push(Image.merge("RGB", [plane, plane, plane]))).double().numpy()
        return np.asarray(((values - self._black) * self._response).sum(axis=0) / self._power)


def samples(count: int) -> npt.NDArray[np.int64]:
    """Which rows, or columns, of a picture of so many are read: all, or some evenly spread ones."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_READ)).round().astype(np.int64))


def _thinned(output: Tensor) -> Tensor:
    return output[:, samples(output.shape[1])][:, :, samples(output.shape[2])]


def _plane(code: Floats, axis: int, size: tuple[int, int]) -> Image.Image:
    line = np.floor(255 * code + 0.5).astype(np.uint8)
    # quicker than spreading it in numpy
    return Image.fromarray(line[None] if axis else line[:, None]).resize(size, Image.Resampling.NEAREST)
