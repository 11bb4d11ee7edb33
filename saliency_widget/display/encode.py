"""How a map travels to a browser: float16, scaled so that the largest magnitude is 32,768.

Scaled to 1 instead, one outlier of 10^6 would flush some percent of the values to zero; scaled to 32,768 it flushes
none, and the relative error of a value stays at most 2^-11 over 29 binary orders of magnitude.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saliency_widget.display.reduce import FloatMap, check_values

LARGEST = 32768.0
RELATIVE_ERROR = 2.0**-11
LONGEST_SIDE = 1024


@dataclass(frozen=True, eq=False)
class Packed:
    """A map as it travels.

    Attributes
    ----------
    data
        float16, little endian, C order.
    shape
        (C, H, W) of ``data``.
    scale
        What one unit of ``data`` is worth, in the unit of the map; 0 for a map that is zero everywhere.
    error
        The largest error of one channel's value, in the unit of the map.
    nonfinite
        How many pixels have a channel that is NaN or infinite.
    reduced_from
        (H, W) before the map was reduced to travel; None where it was not.
    """

    data: bytes
    shape: tuple[int, int, int]
    scale: float
    error: float
    nonfinite: int
    reduced_from: tuple[int, int] | None = None


def encode_half(values: npt.ArrayLike) -> Packed:
    """Pack signed values (C, H, W)."""
    array = check_values(values)
    small = shrink(array)
    finite = np.isfinite(small)
    largest = float(np.abs(small[finite]).max()) if finite.any() else 0.0
    scale = largest / LARGEST
    scaled = small.astype(np.float64) / (scale if scale > 0 else 1.0)
    channels, height, width = small.shape
    return Packed(
        data=scaled.astype("<f2").tobytes(),
        shape=(channels, height, width),
        scale=scale,
        # Between 16,384 and 32,768 halves are 16 apart; rounding to float32 on arrival adds 2^-24 of the value.
        error=largest * (2.0**-12 + 2.0**-24),
        nonfinite=int((~finite.all(axis=0)).sum()),
        reduced_from=None if small.shape == array.shape else (array.shape[1], array.shape[2]),
    )


def decode_half(data: bytes | memoryview, shape: Sequence[int], scale: float) -> FloatMap:
    """float32 (C, H, W), as the browser sees it."""
    halves = np.frombuffer(data, "<f2").astype(np.float64).reshape(tuple(shape))
    values: FloatMap = (halves * scale).astype(np.float32)
    return values


def shrink(values: FloatMap, longest: int = LONGEST_SIDE) -> FloatMap:
    """Block means of a map whose longer side is above ``longest``; the map itself otherwise.

    A mean of whole blocks keeps the sign and the sum of what it covers; the blocks at the right and lower edge may be
    smaller than the others.
    """
    _, height, width = values.shape
    block = -(-max(height, width) // longest)
    if block <= 1:
        return values
    rows, columns = np.arange(0, height, block), np.arange(0, width, block)
    total = np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, axis=1), columns, axis=2)
    tall, wide = np.diff(np.append(rows, height)), np.diff(np.append(columns, width))
    means: FloatMap = (total / (tall[:, None] * wide[None, :])).astype(np.float32)
    return means
