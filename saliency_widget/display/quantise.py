"""How a map is kept in a page that should be small: 8 bits a number, or the float16 that travels.

What is kept decides what can still be looked at:

========== ============================================================================ ==============================
keep       what is kept                                                                 a value's largest error
========== ============================================================================ ==============================
"shown"    one plane, that of the sign on display                                       1/508 or 1/254 of the largest
"signs"    two planes: the largest magnitude of the channels, and the sum of them       the same, each of its own
"channels" every channel                                                                1/254 of the largest
"full"     every channel, as float16                                                    1/4096 of the largest
========== ============================================================================ ==============================

Steps are equal: a finer step near zero would keep more of the weak values, and take more room than the strong ones are
worth. A map of a single channel, such as a class activation map, is its own sum and keeps all its views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saliency_widget.display.encode import decode_half, encode_half, shrink
from saliency_widget.display.reduce import FloatMap, Sign, check_sign, check_values, reduce_channels
from saliency_widget.errors import InputError

KEEPS: tuple[str, ...] = ("shown", "signs", "channels", "full")
# A coarse map of one channel takes no room worth saving.
_SMALL = 4096
# Signed numbers have as many steps below zero as above, and one code is left for what is no number.
_SIGNED_STEPS = 127
_SIGNED_MISSING = -128
_MAGNITUDE_STEPS = 254
_MAGNITUDE_MISSING = 255


@dataclass(frozen=True, eq=False)
class Kept:
    """A map as a page holds it.

    Attributes
    ----------
    data
        float16 (little endian) or 8-bit numbers, plane after plane, in C order.
    dtype
        "float16", or "int8": signed numbers, and unsigned ones in the plane "absolute".
    shape
        (C, H, W) of what can be read: C is 1 where the channels were put together.
    planes
        "signed" (the sum of the channels), "absolute" (the largest of their magnitudes), in their order in ``data``;
        empty where it is the channels that are kept.
    scale, absolute_scale
        What one unit is worth of a signed number, and of one in the plane "absolute", in the unit of the map.
    error, absolute_error
        The largest error of a value in each, in the unit of the map.
    nonfinite
        How many pixels are no number.
    reduced_from
        (H, W) before the map was reduced to travel; None where it was not.
    """

    data: bytes
    dtype: str
    shape: tuple[int, int, int]
    planes: tuple[str, ...]
    scale: float
    absolute_scale: float
    error: float
    absolute_error: float
    nonfinite: int
    reduced_from: tuple[int, int] | None = None


def check_keep(keep: object) -> str:
    """``keep`` itself, or an :class:`~saliency_widget.InputError` that names those there are."""
    if isinstance(keep, str) and keep in KEEPS:
        return keep
    raise InputError("keep", keep, "is nothing that a page can keep", f"Use one of {', '.join(map(repr, KEEPS))}.")


def keep_map(values: npt.ArrayLike, keep: str = "signs", sign: Sign = "absolute") -> Kept:
    """Make a map small.

    Parameters
    ----------
    values
        Signed, (C, H, W).
    keep
        One of :data:`KEEPS`.
    sign
        What is on display, for "shown": "absolute", or any other for the signed plane.

    Raises
    ------
    InputError
        ``values`` is no map, or ``keep`` or ``sign`` none that there is.
    """
    keep, sign = check_keep(keep), check_sign(sign)
    array = check_values(values)
    small = shrink(array)
    channels, height, width = small.shape
    if keep == "full" or (channels == 1 and height * width <= _SMALL):
        packed = encode_half(array)
        return Kept(
            packed.data,
            "float16",
            packed.shape,
            (),
            packed.scale,
            0.0,
            packed.error,
            0.0,
            packed.nonfinite,
            packed.reduced_from,
        )
    planes: tuple[str, ...] = ()
    magnitudes = np.zeros(0, np.uint8)
    absolute_scale = 0.0
    numbers = small
    if channels > 1 and keep != "channels":
        planes = ("signed", "absolute") if keep == "signs" else ("absolute",) if sign == "absolute" else ("signed",)
        numbers = reduce_channels(small, "signed")[None]
        if "absolute" in planes:
            magnitudes, absolute_scale = _magnitudes(reduce_channels(small, "absolute"))
    codes, scale = _signed(numbers) if planes != ("absolute",) else (np.zeros(0, np.int8), 0.0)
    return Kept(
        data=codes.tobytes() + magnitudes.tobytes(),
        dtype="int8",
        shape=(len(numbers), height, width),
        planes=planes,
        scale=scale,
        absolute_scale=absolute_scale,
        error=_half(scale),
        absolute_error=_half(absolute_scale),
        nonfinite=int((~np.isfinite(small).all(axis=0)).sum()),
        reduced_from=None if small.shape == array.shape else (array.shape[1], array.shape[2]),
    )


def read_kept(
    data: bytes, dtype: str, shape: Sequence[int], planes: Sequence[str], scale: float, absolute_scale: float
) -> dict[str, FloatMap]:
    """What a page reads of a map: float32 (C, H, W) by plane; that of the channels is called "signed"."""
    if dtype == "float16":
        return {"signed": decode_half(data, shape, scale)}
    channels, height, width = shape
    found: dict[str, FloatMap] = {}
    start = 0
    for plane in planes or ("signed",):
        absolute = plane == "absolute"
        count = (1 if absolute else channels) * height * width
        codes = np.frombuffer(data, np.uint8 if absolute else np.int8, count, start)
        start += count
        numbers = (codes.astype(np.float64) * (absolute_scale if absolute else scale)).astype(np.float32)
        numbers[codes == (_MAGNITUDE_MISSING if absolute else _SIGNED_MISSING)] = np.nan
        found[plane] = numbers.reshape(-1, height, width)
    return found


def _signed(values: FloatMap) -> tuple[npt.NDArray[np.int8], float]:
    codes, scale = _steps(values, _SIGNED_STEPS, _SIGNED_MISSING)
    return codes.astype(np.int8), scale


def _magnitudes(values: FloatMap) -> tuple[npt.NDArray[np.uint8], float]:
    codes, scale = _steps(values, _MAGNITUDE_STEPS, _MAGNITUDE_MISSING)
    return codes.astype(np.uint8), scale


def _steps(values: FloatMap, steps: int, missing: int) -> tuple[npt.NDArray[np.float64], float]:
    finite = np.isfinite(values)
    numbers = np.where(finite, values, 0).astype(np.float64)
    scale = float(np.abs(numbers).max()) / steps
    codes = np.rint(numbers / (scale if scale > 0 else 1.0))
    return np.where(finite, codes, missing), scale


def _half(scale: float) -> float:
    # And a little for the rounding to float32 on arrival.
    return scale * (0.5 + 2.0**-17)
