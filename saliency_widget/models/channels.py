"""Pictures of other channels than colours: two, five, twelve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.models.arrays import check_size
from saliency_widget.models.words import Shown, numbers, shown

_FULL = {"uint8": 255.0, "uint16": 65535.0}
_FEW = (1, 3, 4)


@dataclass(frozen=True, eq=False)
class Channels:
    """A picture of any channels, such as the bands of a satellite, to be given as an image.

    Parameters
    ----------
    values
        An array (H, W, C), or a tensor (C, H, W).
    full
        The value that counts as full scale, such as 10,000 of reflectances. None is 255 of uint8, 65,535 of uint16, and
        1 of floats, which then have to lie between 0 and 1.
    shown
        What the picture shows: three channels for red, green and blue, or one, counted from 0. None is the mean of all.
        They are stretched from the least to the largest value, together; the map is not changed by it.
    names
        Of the channels, in order. None is "1", "2", ...

    Raises
    ------
    InputError
        One of these cannot work.

    Examples
    --------
    >>> import saliency_widget as sw
    >>> bands = sw.Channels(array, full=10_000, shown=(3, 2, 1))  # doctest: +SKIP
    >>> sw.explain(model, bands)  # doctest: +SKIP
    """

    values: Any = field(repr=False)
    full: float | None = None
    shown: int | Sequence[int] | None = None
    names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        seen = shown(self.values)
        if not isinstance(self.values, (np.ndarray, Tensor)) or self.values.ndim != 3:
            raise InputError("values", seen, "are no channels", "Give an array (H, W, C), or a tensor (C, H, W).")
        height, width, count = self.shape
        check_size(height, width, seen)
        if self.full is not None and (isinstance(self.full, bool) or not 0 < float(self.full) < float("inf")):
            raise InputError("full", self.full, "is no full scale", "Give a positive number, such as 10000.")
        _which(self.shown, count)
        if self.names is not None:
            names = (self.names,) if isinstance(self.names, str) else tuple(map(str, self.names))
            if len(names) != count:
                raise InputError("names", names, f"are {len(names)}, of {count} channels", "Give one for each channel.")
            object.__setattr__(self, "names", names)

    @property
    def chosen(self) -> tuple[int, ...]:
        """The channels that are shown; empty for the mean of all."""
        return _which(self.shown, self.shape[2])

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        first, second, third = (int(side) for side in self.values.shape)
        return (first, second, third) if isinstance(self.values, np.ndarray) else (second, third, first)

    def scaled(self) -> tuple[Tensor, str]:
        """(C, H, W) float32 on the CPU, full scale at 1, and what was done, in words.

        Raises
        ------
        InputError
            The full scale is not known, or the values lie outside it.
        """
        seen = shown(self.values)
        values = self.values
        if isinstance(values, Tensor):
            array = values.as_subclass(Tensor).detach().to("cpu", torch.float64 if values.is_floating_point() else None)
            channels: npt.NDArray[Any] = array.numpy()
        else:
            channels = np.moveaxis(values, 2, 0)
        kind = str(channels.dtype) if not isinstance(values, Tensor) else str(values.dtype).removeprefix("torch.")
        full = self.full or _FULL.get(kind) or (1.0 if channels.dtype.kind == "f" else None)
        if full is None or channels.dtype.kind not in "uif":
            raise InputError(
                "image",
                seen,
                f"has the type {kind}, whose full scale is unknown",
                "Say it: sw.Channels(image, full=10000), or give uint8, uint16 or floats from 0 to 1.",
            )
        wide = channels.astype(np.float64) / float(full)
        bad = int(wide.size - np.isfinite(wide).sum())
        if bad:
            raise InputError(
                "image", seen, f"has {bad:,} NaN or infinite values", "Replace them: np.nan_to_num(image)."
            )
        low, high = float(wide.min()), float(wide.max())
        if self.full is None and not (low >= 0 and high <= 1):
            raise InputError(
                "image",
                Shown(f"{seen!r} from {low:.4g} to {high:.4g}"),
                "is outside 0 to 1",
                "Say what full scale is: sw.Channels(image, full=10000).",
            )
        words = f"{len(wide)} channels of {kind}, full scale {numbers(full)}, as they are"
        return torch.from_numpy(np.ascontiguousarray(wide, dtype=np.float32)), words


def as_channels(image: object, takes: int | None) -> Channels | None:
    """The same of an array or a uint8 tensor that is no picture of colours; None of what is one.

    Parameters
    ----------
    takes
        How many channels the model takes, where that is known: four are red, green, blue and transparency only for a
        model that does not take four.
    """
    if isinstance(image, Channels):
        return image
    if isinstance(image, np.ndarray):
        count = image.shape[2] if image.ndim == 3 else 0
        few_first = image.ndim == 3 and image.shape[0] in _FEW
    elif isinstance(image, Tensor) and image.dtype == torch.uint8 and image.device.type != "meta":
        count = image.shape[0] if image.ndim == 3 else 0
        few_first = image.ndim == 3 and image.shape[2] in _FEW
    else:
        return None
    if count == 4 and takes == 4:
        return Channels(image)
    # A picture whose channels stand at the wrong end is refused with a better word.
    return Channels(image) if count not in (0, *_FEW) and not (few_first and count != takes) else None


def _which(given: Any, count: int) -> tuple[int, ...]:
    if given is None:
        return ()
    chosen = (given,) if isinstance(given, (int, np.integer)) else tuple(given)
    whole = all(isinstance(one, (int, np.integer)) and not isinstance(one, bool) for one in chosen)
    if len(chosen) not in (1, 3) or not whole or not all(0 <= one < count for one in chosen):
        raise InputError(
            "shown",
            given,
            f"is not one or three of {count} channels",
            f"Give numbers from 0 to {count - 1}: (3, 2, 1).",
        )
    return tuple(int(one) for one in chosen)
