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

Sign: TypeAlias = Literal["absolute", "signed"]
Reduction: TypeAlias = Literal["max", "sum", "mean"]
FloatMap: TypeAlias = npt.NDArray[np.float32]

SIGNS: tuple[Sign, ...] = ("absolute", "signed")
REDUCTIONS: tuple[Reduction, ...] = ("max", "sum", "mean")
DEFAULT_REDUCTION: dict[Sign, Reduction] = {"absolute": "max", "signed": "sum"}
DEFAULT_CLIP = 99.0


def check_sign(sign: object) -> Sign:
    """``sign`` itself, or an :class:`~saliency_widget.errors.InputError` that names the two there are."""
    for known in SIGNS:
        if isinstance(sign, str) and sign == known:
            return known
    raise InputError("sign", sign, "is no way to show a map", "Use 'absolute' or 'signed'.")


def check_clip(clip: object) -> float:
    """``clip`` as a percentile in (0, 100], or an error."""
    if isinstance(clip, bool) or not isinstance(clip, (int, float, np.integer, np.floating)):
        raise InputError("clip", clip, "is not a number", "Give a percentile of |value|, such as 99.")
    if not 0 < float(clip) <= 100:  # also refuses NaN
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
        "absolute" reduces the magnitudes, "signed" the values.
    reduction
        "max", "sum" or "mean" over the channels; None is "max" of the magnitudes for an absolute map (Simonyan
        et al. 2013) and "sum" for a signed one. The signed "max" is the value of the channel that is largest in
        magnitude.

    Returns
    -------
    numpy.ndarray
        float32 (H, W), in the unit of ``values``. A pixel with a channel that is not finite is NaN.
    """
    sign = check_sign(sign)
    reduction = DEFAULT_REDUCTION[sign] if reduction is None else reduction
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        raise InputError("reduce", reduction, "is no channel reduction", f"Use one of {', '.join(REDUCTIONS)}.")
    array = check_values(values)
    finite = np.isfinite(array).all(axis=0)
    array = np.where(finite, array, np.float32(0))
    if sign == "absolute":
        array = np.abs(array)
    if reduction == "max":
        strongest = np.abs(array).argmax(axis=0)[None]
        reduced = np.take_along_axis(array, strongest, axis=0)[0]
    else:
        # Summed in float64, channel after channel, and rounded once: the order numpy and a plain loop share.
        total = array.sum(axis=0, dtype=np.float64)
        reduced = (total / array.shape[0] if reduction == "mean" else total).astype(np.float32)
    reduced[~finite] = np.nan
    result: FloatMap = reduced
    return result


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


def heatmap(
    values: npt.ArrayLike,
    sign: Sign = "absolute",
    reduction: Reduction | None = None,
    clip: float = DEFAULT_CLIP,
) -> FloatMap:
    """The map between fixed ends, for a colour table.

    Returns
    -------
    numpy.ndarray
        float32 (H, W): [0, 1] for "absolute"; [-1, 1] for "signed", where 0 means exactly 0.
    """
    check_clip(clip)
    reduced = reduce_channels(values, sign, reduction)
    return scale_to_heat(reduced, clip_level(reduced, clip))
