"""Regions: overlapping segments of a picture, and their order by what a map gives them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from saliency_widget.errors import InputError

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

SCALES = (50, 100, 150, 250, 500, 1200)
_SIDE = 224
_SMOOTHING = 0.8
_SMALLEST = 150
# Of the segments for a first picture: a sixteenth of the pixels, and what was nearest to the whole map there.
_ROUGH_SIDE = 56
_ROUGH_SCALE = 60
_ROUGH_SMALLEST = 9


def segmenter() -> Any:
    """scikit-image's segmentation by Felzenszwalb and Huttenlocher.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        return importlib.import_module("skimage.segmentation").felzenszwalb
    except ImportError:
        raise InputError(
            "method",
            "xrai",
            "needs scikit-image, which is not installed, to find regions",
            "Run pip install scikit-image, or take another method.",
        ) from None


def segments_of(picture: Floats, dilation: int) -> list[Indices]:
    """Segments of a picture at six scales, from small to large ones, each grown by a margin.

    Parameters
    ----------
    picture
        (H, W, C), from -1 to 1. One larger than 224 x 224 pixels is shrunk to that area for segmenting, because the
        meaning of a scale depends on the number of pixels.
    dilation
        Radius in pixels by which each segment is grown.

    Returns
    -------
    list of numpy.ndarray
        The pixels of each segment, as indices into the flat picture. Those of one scale cover it.
    """
    from scipy import ndimage

    felzenszwalb = segmenter()
    height, width = picture.shape[:2]
    size = _size((height, width), _SIDE)
    small = _shrunk(picture, size)
    at = np.arange(-dilation, dilation + 1)
    disk = at[:, None] ** 2 + at**2 <= dilation**2
    found: list[Indices] = []
    for scale in SCALES:
        labels = felzenszwalb(small, scale=scale, sigma=_SMOOTHING, min_size=_SMALLEST, channel_axis=-1)
        labels = _enlarged(labels, (height, width)) + 1
        for label, box in enumerate(ndimage.find_objects(labels), 1):
            if box is None:
                continue
            # The segment alone with its margin, because most are much smaller than the picture.
            top, left = (max(0, side.start - dilation) for side in box)
            part = labels[top : box[0].stop + dilation, left : box[1].stop + dilation] == label
            grown = ndimage.binary_dilation(part, disk) if dilation else part
            y, x = np.nonzero(grown)
            found.append(((y + top) * width + x + left).astype(np.int64))
    return found


def rough_segments(picture: Floats) -> Indices:
    """Segments of a much smaller picture, at one scale: a hundredth of the work, and not much worse to look at.

    Parameters
    ----------
    picture
        (H, W, C), from -1 to 1.

    Returns
    -------
    numpy.ndarray
        (H, W), of each pixel the number of its segment, from 0.
    """
    height, width = picture.shape[:2]
    small = picture
    for axis, side in enumerate(_size((height, width), _ROUGH_SIDE)):
        length = picture.shape[axis]
        starts = np.arange(side) * length // side
        lengths = np.diff(np.append(starts, length))
        small = np.add.reduceat(small, starts, axis) / np.expand_dims(lengths, tuple({0, 1, 2} - {axis}))
    labels = segmenter()(small, scale=_ROUGH_SCALE, sigma=_SMOOTHING, min_size=_ROUGH_SMALLEST, channel_axis=-1)
    return _enlarged(labels, (height, width))


def _size(picture: tuple[int, int], side: int) -> tuple[int, int]:
    """That of a picture of the same shape with as many pixels as a square of this side, if it is larger."""
    shrinking = min(1.0, side / (picture[0] * picture[1]) ** 0.5)
    return max(1, round(picture[0] * shrinking)), max(1, round(picture[1] * shrinking))


def _enlarged(labels: Indices, size: tuple[int, int]) -> Indices:
    rows, columns = (
        np.minimum(np.arange(side) * small // side, small - 1) for side, small in zip(size, labels.shape, strict=True)
    )
    large: Indices = labels[rows[:, None], columns]
    return large


def _shrunk(picture: Floats, size: tuple[int, int]) -> Floats:
    if size == picture.shape[:2]:
        return picture
    resize = importlib.import_module("skimage.transform").resize
    small: Floats = resize(picture, size, order=1, mode="edge", anti_aliasing=True, preserve_range=True)
    return small


def order_segments(attribution: Floats, labels: Indices) -> tuple[Floats, Indices, int]:
    """The same as :func:`order_regions` for segments that do not overlap, each of which is a region.

    Parameters
    ----------
    attribution
        (H, W), finite.
    labels
        (H, W), of each pixel the number of its segment, from 0, none left out.
    """
    flat = labels.ravel()
    means = np.bincount(flat, attribution.ravel()) / np.bincount(flat)
    ranks = np.empty(len(means), np.int64)
    ranks[(-means).argsort()] = np.arange(1, len(means) + 1)
    return means[labels], ranks[labels], len(means)


def order_regions(attribution: Floats, segments: Sequence[Indices], smallest: int) -> tuple[Floats, Indices, int]:
    """Give the picture away, segment after segment, each time to the one with the largest mean of what is left of it.

    Parameters
    ----------
    attribution
        (H, W), finite.
    segments
        From :func:`segments_of`.
    smallest
        A segment with fewer pixels left is out. What no segment gets is one region.

    Returns
    -------
    values : numpy.ndarray
        (H, W), of each pixel the mean attribution of its region.
    ranks : numpy.ndarray
        (H, W), of each pixel the rank of its region, from 1 for that with the largest mean.
    count : int
        The number of regions.
    """
    from scipy.sparse import csc_matrix, csr_matrix

    flat = attribution.ravel()
    ends = np.cumsum([0, *map(len, segments)])
    of = np.concatenate([*segments, np.zeros(0, np.int64)])
    by_segment = csr_matrix((np.ones(len(of)), of, ends), shape=(len(segments), flat.size))
    by_pixel = csc_matrix(by_segment)
    area, mass = by_segment @ np.ones(flat.size), by_segment @ flat
    free = np.ones(flat.size, bool)
    usable = area >= smallest
    regions: list[tuple[float, Indices]] = []
    while usable.any():
        best = int(np.where(usable, mass / np.maximum(area, 1), -np.inf).argmax())
        new = segments[best][free[segments[best]]]
        regions.append((float(flat[new].mean()), new))
        free[new] = False
        usable[best] = False
        # Every pixel is given away once, so that all rounds together cost what one look at all segments does.
        gone = by_pixel[:, new]
        area -= gone @ np.ones(len(new))
        mass -= gone @ flat[new]
        usable &= area >= smallest
    rest = np.flatnonzero(free)
    regions.sort(key=lambda region: -region[0])
    if len(rest):
        regions.append((float(flat[rest].mean()), rest))
    values, ranks = np.empty(flat.size), np.empty(flat.size, np.int64)
    for rank, (mean, pixels) in enumerate(regions, 1):
        values[pixels] = mean
        ranks[pixels] = rank
    return values.reshape(attribution.shape), ranks.reshape(attribution.shape), len(regions)
