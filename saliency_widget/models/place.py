"""Find where the picture that a transform returns lies in the picture that it was given.

The transform is a black box. Pictures are pushed through it in which each pixel says where it is: roughly by the grey
of a ramp, and precisely by the phase of a wave. What comes out is read pixel by pixel, and rows and columns have to
follow a straight line wherever the original is seen. A transform may look at what is in the picture, as one that cuts
off a black margin does; so what was found has to hold for the picture itself too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from saliency_widget.display.geometry import Geometry, Known
from saliency_widget.errors import InputError
from saliency_widget.models.codes import Floats, Grey, Reader, Refused, Separate, samples
from saliency_widget.models.measure import ColourMap, Transform, run
from saliency_widget.models.randomness import KeptRandomness
from saliency_widget.models.view import check_view

_LEAST_SIDE = 8
# of full scale, so that nothing is clipped where a filter overshoots
_LOW, _RANGE = 0.05, 0.9
_FAINTEST = 0.1
_KEPT = 64
# how far from a straight line: in pixels of the model's picture, and of the original (nearest-neighbour resizing)
_BENT, _NEAREST = 0.25, 0.75
# filters reach over so many pixels of the coarser picture, and are cut short at the edges
_EDGE, _EDGE_OF_ORIGINAL = 3.0, 2.0
_STRAIGHT, _COVERED, _ASTRAY = 0.9, 0.5, 0.01
_SNAP = 0.02
# of a wave, in pixels of the model's picture; shorter where it has few
_LENGTH = 32.0
_CROOKED = "does not keep the rows and columns of the picture straight and evenly spaced"


_known: OrderedDict[Hashable, Geometry] = OrderedDict()


class Place:
    """Where a transform's picture lies in the original; measured when it is first asked for.

    Parameters
    ----------
    transform
        Takes a PIL image, returns a float tensor (C, H, W) or (1, C, H, W), always the same for the same picture.
    colours
        What it does to colours, where that is known.
    picture
        The original, RGB.
    output
        (C, H, W), what the transform returned for it.
    key
        What the transform is made from; equal keys mean equal transforms, so that one measurement serves all pictures
        of a size. None of one that is the user's.
    """

    def __init__(
        self,
        transform: Transform,
        colours: ColourMap | None,
        picture: Image.Image,
        output: Tensor,
        key: Hashable = None,
    ) -> None:
        self._lock = Lock()
        self._key = None if key is None else (key, picture.size, tuple(output.shape))
        self._open: tuple[Transform, ColourMap | None, Image.Image, Tensor] | None
        self._open = (transform, colours, picture, output)
        self._found: Geometry | str = ""

    def __reduce__(self) -> tuple[type[Known], tuple[Geometry | str]]:
        # A transform cannot be pickled in general, and what was found is all that is wanted of it.
        return Known, (self.found,)

    @property
    def found(self) -> Geometry | str:
        """The geometry, or the reason why there is none, as the rest of a sentence about the transform."""
        with self._lock:
            if self._open is not None:
                self._found = find_place(*self._open, self._key)
                self._open = None  # a transform may hold on to much
            return self._found


def find_place(
    transform: Transform, colours: ColourMap | None, picture: Image.Image, output: Tensor, key: Hashable = None
) -> Geometry | str:
    """Measure where a transform's picture lies in the original; the parameters are those of :class:`Place`.

    Returns
    -------
    Geometry or str
        A string is the reason why there is none, as the rest of a sentence about the transform.

    Notes
    -----
    Runs the transform five times where the colours can be told apart, eight times otherwise. The box is exact to
    about 0.02 of a pixel, of the model's picture or of the original, whichever is coarser; where much of it lies
    outside of the original, that holds for the edges of the original in it. Nearest-neighbour resizing displaces the
    pixels themselves, by up to half a pixel of the coarser picture; there the box is that of the line that follows
    them best.
    """
    if min(picture.size) < _LEAST_SIDE:
        return f"was given a picture of less than {_LEAST_SIDE} pixels a side, in which positions cannot be measured"
    with torch.inference_mode(False), torch.no_grad(), torch.device("cpu"), KeptRandomness() as randomness:

        def push(probe: Image.Image) -> Tensor:
            found = run(transform, probe, randomness)
            if found.shape != output.shape:
                raise Refused("returns sizes that depend on what is in the picture")
            return found

        shape = (int(output.shape[1]), int(output.shape[2]))
        try:
            found = _known.get(key) if key is not None else None
            if found is None:
                reader: Reader
                if colours is not None and len(colours.offset) == 3:
                    reader = Separate(push, picture.size, shape, colours)
                else:
                    reader = Grey(push, picture.size, shape)
                found = _measured(reader, picture)
                if key is not None:
                    _known[key] = found
                    while len(_known) > _KEPT:
                        _known.popitem(last=False)
            # What was found has to hold for each picture itself.
            check_view(found, picture, output)
        except InputError as error:
            return f"fails on pictures that are made to measure positions ({error.problem})"
        except Refused as refused:
            return str(refused)
    return found


def _measured(reader: Reader, picture: Image.Image) -> Geometry:
    sides = (picture.height, picture.width)
    centres = [np.arange(side) + 0.5 for side in sides]
    read = reader.read(*(_LOW + _RANGE * centre / side for centre, side in zip(centres, sides, strict=True)))
    rough = [(found - _LOW) / _RANGE * side for found, side in zip(read, sides, strict=True)]
    if not reader.shown.any():
        raise Refused("shows nothing of the picture")
    # long enough to survive a blur, and for the ramp to tell one wave from the next
    periods = []
    for axis in (0, 1):
        at, profile = _profile(rough[axis], reader, axis)
        length = min(_LENGTH, max(reader.shape[axis] / 2, 4.0))
        periods.append(max(length * _slope(at, profile), sides[axis] / 32, 8.0))
    turns = [2 * np.pi * centre / period for centre, period in zip(centres, periods, strict=True)]
    cosines = reader.read(*(0.5 + _RANGE / 2 * np.cos(turn) for turn in turns))
    sines = reader.read(*(0.5 + _RANGE / 2 * np.sin(turn) for turn in turns))
    positions = []
    for axis in (0, 1):
        cosine, sine, period = cosines[axis] - 0.5, sines[axis] - 0.5, periods[axis]
        fine = np.arctan2(sine, cosine) / (2 * np.pi) * period
        whole = fine + period * np.round((rough[axis] - fine) / period)
        positions.append(np.where(np.hypot(cosine, sine) >= _FAINTEST, whole, np.nan))
    (top, down), (left, across) = (_line(positions[axis], reader, axis, sides[axis]) for axis in (0, 1))
    height, width = reader.shape
    box = (
        *_snapped(top, top + down * height, down, sides[0]),
        *_snapped(left, left + across * width, across, sides[1]),
    )
    found = Geometry(sides[0], sides[1], (box[0], box[2], box[1], box[3]), (height, width))
    _check(found, positions, reader.shown)
    return found


def _profile(positions: Floats, reader: Reader, axis: int) -> tuple[Floats, Floats]:
    """Where rows, or columns, have their centres, and the original's positions that they show; both (n,)."""
    shown = np.where(reader.shown, positions, np.nan)
    known = np.isfinite(shown).any(axis=1 - axis)
    middle = np.nanmedian(np.compress(known, shown, axis=axis), axis=1 - axis)
    return samples(reader.shape[axis])[known] + np.float64(0.5), np.asarray(middle, dtype=np.float64)


def _slope(at: Floats, profile: Floats) -> float:
    """The median over all pairs: a border that repeats or mirrors the picture does not move it (Theil and Sen)."""
    first, second = np.triu_indices(len(at), 1)
    if not len(first):
        raise Refused("shows less than two rows or columns of the picture")
    return float(np.median((profile[second] - profile[first]) / (at[second] - at[first])))


def _line(positions: Floats, reader: Reader, axis: int, side: int) -> tuple[float, float]:
    """(start, step): the original's position at the outer edge of the first pixel, and from one pixel to the next."""
    at, profile = _profile(positions, reader, axis)
    step = _slope(at, profile)
    if step < 0:
        raise Refused("mirrors the picture")
    if step * (at[-1] - at[0]) < _BENT * max(step, 1.0):
        raise Refused(_CROOKED)
    start = float(np.median(profile - step * at))
    for _ in range(3):
        expected = start + step * at
        edge = min(max(_EDGE * step, _EDGE_OF_ORIGINAL), side / 4)
        inner = (expected >= edge) & (expected <= side - edge)
        kept = inner & (np.abs(profile - expected) <= _BENT * step + _NEAREST)
        if kept.sum() < 2:
            raise Refused(_CROOKED)
        step, start = (float(number) for number in np.polyfit(at[kept], profile[kept], 1))
    return start, step


def _snapped(start: float, end: float, step: float, side: int) -> tuple[float, float]:
    """Ends that meet the original's own edges but for the error of measuring are put there."""
    near = _SNAP * max(step, 0.5)
    return 0.0 if abs(start) <= near else start, float(side) if abs(end - side) <= near else end


def _check(found: Geometry, positions: list[Floats], shown: npt.NDArray[np.bool_]) -> None:
    """Refuse a geometry that does not hold at all pixels, rows and columns together, that show the original."""
    rows, columns = (samples(count) + 0.5 for count in found.seen)
    expected = [found.box[0] + rows * found.scale[0], found.box[1] + columns * found.scale[1]]
    inside = []
    for axis, side in enumerate((found.height, found.width)):
        edge = min(max(_EDGE * found.scale[axis], _EDGE_OF_ORIGINAL), side / 4)
        inside.append((expected[axis] >= edge) & (expected[axis] <= side - edge))
    where = inside[0][:, None] & inside[1][None]
    known = where & shown
    if not where.any() or known.sum() < _COVERED * where.sum():
        raise Refused("hides most of what it shows of the picture")
    off = [np.abs(positions[0] - expected[0][:, None]), np.abs(positions[1] - expected[1][None])]
    straight = [off[axis][known] <= _BENT * found.scale[axis] + _NEAREST for axis in (0, 1)]
    if (straight[0] & straight[1]).mean() < _STRAIGHT:
        raise Refused(_CROOKED)
    # a border may repeat what is seen anyway, but no part of the picture may be seen in another place alone
    top, left, bottom, right = found.visible
    slack = [_EDGE * scale + _EDGE_OF_ORIGINAL for scale in found.scale]
    outside = [
        (positions[axis] < low - slack[axis]) | (positions[axis] > high + slack[axis])
        for axis, (low, high) in enumerate(((top, bottom), (left, right)))
    ]
    if (shown & (outside[0] | outside[1])).mean() > _ASTRAY:
        raise Refused("shows parts of the picture in another order")
