"""What one pixel's number is: channels reduced, the clip level, the heat map.

Statistics are order statistics (numpy's ``inverted_cdf``), never interpolated: a clip level or a cut is a value that
occurs in the map, so that two languages find the same one.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from saliency_widget.errors import InputError

Sign: TypeAlias = Literal["absolute", "signed", "positive", "negative"]
# A name of REDUCTIONS, "default", or one channel's number, as a number or as text.
Reduction: TypeAlias = str | int
FloatMap: TypeAlias = npt.NDArray[np.float32]

SIGNS: tuple[Sign, ...] = ("absolute", "signed", "positive", "negative")
REDUCTIONS: tuple[str, ...] = ("max", "sum", "mean", "l2")
DEFAULT_REDUCTION: dict[Sign, str] = {"absolute": "max", "signed": "sum", "positive": "sum", "negative": "sum"}
DEFAULT_CLIP = 99.0


def check_sign(sign: object) -> Sign:
    """``sign`` itself, or an :class:`~saliency_widget.errors.InputError` that names those there are."""
    if isinstance(sign, str) and sign in SIGNS:
        return sign
    raise InputError("sign", sign, "is no way to show a map", "Use 'absolute', 'signed', 'positive' or 'negative'.")


def check_reduction(reduction: object, sign: Sign, channels: int) -> str | int:
    """What a map of so many channels is reduced by: a name of :data:`REDUCTIONS`, or the number of one channel.

    Raises
    ------
    InputError
        There is no such reduction, or no such channel.
    """
    if reduction is None or (isinstance(reduction, str) and reduction == "default"):
        return DEFAULT_REDUCTION[sign]
    if isinstance(reduction, str) and reduction in REDUCTIONS:
        return reduction
    number = isinstance(reduction, (int, np.integer)) and not isinstance(reduction, bool)
    # So long at most, that nobody makes a number of a million digits.
    digits = isinstance(reduction, str) and reduction.isascii() and reduction.isdecimal() and len(reduction) < 6
    channel = int(reduction) if number or digits else -1  # type: ignore[call-overload]
    if not 0 <= channel < channels:
        numbers = "0 for its one channel" if channels == 1 else f"a channel's number from 0 to {channels - 1}"
        raise InputError(
            "reduce", reduction, "is no channel reduction", f"Use one of {', '.join(REDUCTIONS)}, or {numbers}."
        )
    return channel


def check_clip(clip: object) -> float:
    """``clip`` as a percentile in (0, 100], or an error."""
    if isinstance(clip, bool) or not isinstance(clip, (int, float, np.integer, np.floating)):
        raise InputError("clip", clip, "is not a number", "Give a percentile of |value|, such as 99.")
    # Compared as it is: a whole number may be larger than any float. Also refuses NaN.
    if not 0 < clip <= 100:
        raise InputError("clip", clip, "is no percentile", "Give a number above 0 and at most 100, such as 99.")
    return float(clip)


def check_values(values: npt.ArrayLike) -> FloatMap:
    """Signed values as float32 (C, H, W), or an error."""
    array = np.asarray(values)
    if array.ndim != 3 or array.size == 0 or array.dtype.kind not in "fiu":
        raise InputError(
            "values",
            f"array of shape {array.shape}, {array.dtype}",
            "is not a map",
            "Give real numbers (C, H, W).",
        )
    floats: FloatMap = array.astype(np.float32, copy=False)
    return floats


def reduce_channels(values: npt.ArrayLike, sign: Sign = "absolute", reduction: Reduction | None = None) -> FloatMap:
    """One number a pixel.

    Parameters
    ----------
    values
        Signed attribution, (C, H, W).
    sign
        "absolute" reduces the magnitudes, "signed" the values. "positive" is the signed map where it is above zero
        and 0 elsewhere; "negative" is the signed map where it is below zero, its values still negative.
    reduction
        "max", "sum", "mean" or "l2" over the channels, or one channel's number (2 or "2"). None and "default" are
        "max" of the magnitudes for an absolute map (Simonyan et al. 2013) and "sum" for the others. The signed "max"
        is the value of the channel that is largest in magnitude; the signed "l2" is the Euclidean length with the sign
        of the sum (0 where the channels cancel).

    Returns
    -------
    numpy.ndarray
        float32 (H, W), in the unit of ``values``. A pixel with a channel that is not finite is NaN, whichever channel
        is asked for, so that all views of a map miss the same pixels; so is one whose sum float32 cannot hold.

    Raises
    ------
    InputError
        ``values`` is no map; there is no such sign, reduction or channel.
    """
    sign = check_sign(sign)
    array = check_values(values)
    chosen = check_reduction(reduction, sign, array.shape[0])
    finite = np.isfinite(array).all(axis=0)
    array = np.where(finite, array, np.float32(0))
    if sign == "absolute":
        array = np.abs(array)
    with np.errstate(over="ignore"):
        reduced = _reduced(array, chosen)
    if sign == "positive":
        reduced = np.maximum(reduced, np.float32(0))
    elif sign == "negative":
        reduced = np.minimum(reduced, np.float32(0))
    # + 0 turns -0 into 0, so that equal values are equal bits.
    result: FloatMap = np.where(finite & np.isfinite(reduced), reduced + np.float32(0), np.float32(np.nan))
    return result


def _reduced(array: FloatMap, reduction: str | int) -> FloatMap:
    """Over the channels of finite values, of their magnitudes or not."""
    if isinstance(reduction, int):
        channel: FloatMap = array[reduction]
        return channel
    if reduction == "max":
        strongest = np.abs(array).argmax(axis=0)[None]
        largest: FloatMap = np.take_along_axis(array, strongest, axis=0)[0]
        return largest
    # Summed in float64, channel after channel, and rounded once: numpy's own sum changes its order with the shape.
    total = np.zeros(array.shape[1:])
    squares = np.zeros(array.shape[1:])
    for one in array.astype(np.float64):
        total += one
        squares += one * one
    if reduction == "mean":
        total /= array.shape[0]
    elif reduction == "l2":
        total = np.sign(total) * np.sqrt(squares)
    rounded: FloatMap = total.astype(np.float32)
    return rounded


def magnitudes(reduced: FloatMap) -> FloatMap:
    """|value| of the finite pixels, flat."""
    flat: FloatMap = np.abs(reduced.ravel())
    finite: FloatMap = flat[np.isfinite(flat)]
    return finite


def clip_level(reduced: FloatMap, clip: float = DEFAULT_CLIP) -> float:
    """The magnitude at which colours saturate: the ``clip``-th percentile of |value|.

    Where more than ``clip`` percent of the pixels are zero it is the largest magnitude instead, so that what there is
    can be seen; it is 0 only for a map that is zero everywhere (or has no finite pixel), which is a state of its own
    and never divided by.
    """
    clip = check_clip(clip)
    a = magnitudes(reduced)
    if a.size == 0:
        return 0.0
    index = max(math.ceil(clip * a.size / 100) - 1, 0)
    level = float(np.partition(a, index)[index])
    return level if level > 0 else float(a.max())


def scale_to_heat(reduced: FloatMap, level: float) -> FloatMap:
    """``reduced / level`` clamped to [-1, 1]; all zero where ``level`` is 0; NaN stays NaN."""
    if level == 0:
        nothing: FloatMap = np.where(np.isnan(reduced), np.float32(np.nan), np.float32(0)).astype(np.float32)
        return nothing
    heat: FloatMap = np.clip(reduced.astype(np.float64) / level, -1.0, 1.0).astype(np.float32)
    return heat
