"""Baselines: the picture that stands for "nothing there", from which a path to the picture starts."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.methods.blur import gaussian_blur

NAMES = ("black", "white", "mean", "blur", "noise")
BLUR = 0.05
"""Standard deviation of the "blur" baseline, as a fraction of the picture's shorter side."""

_REMEDY = (
    'Give "black", "white", "mean", "blur", "noise", a colour of one number a channel from 0 to 1, an array (C, H, W) '
    "or (H, W, C) in pixels (black 0, full scale 1; uint8 is divided by 255), or a list of several of these."
)
# Beyond this many times the picture's own range, an array was given in other units.
_FAR = 10.0


@dataclass(frozen=True)
class Picture:
    """A baseline that was given as an array; equal to another of the same content.

    Attributes
    ----------
    digest
        What its content hashes to.
    shape
        Its shape.
    values
        The array, float64 on the CPU, in pixels.
    """

    digest: str
    shape: tuple[int, ...]
    values: Tensor = field(compare=False, repr=False)

    def __str__(self) -> str:
        return f"array {self.shape}, sha256 {self.digest}"


One = str | tuple[float, ...] | Picture
Baseline = One | tuple[One, ...]


def check_baseline(baseline: Any, argument: str = "baseline") -> Baseline:
    """Bring what a user writes into a form that can be kept and compared.

    Parameters
    ----------
    baseline
        "black" (0), "white" (1), "mean" (the mean of each channel of the picture), "blur" (the picture under a Gaussian
        of 5 % of its shorter side), "noise" (uniform from 0 to 1, seeded); a colour, one number a channel from 0 to 1;
        an array (C, H, W) or (H, W, C); or a list of several of these.
    argument
        What an error calls it.

    Returns
    -------
    Baseline
        A name, a tuple of floats, a :class:`Picture`, or a tuple of these. Checking it again changes nothing.

    Raises
    ------
    InputError
        It is no baseline. Whether a colour or an array fits is seen when there is a picture.
    """
    if isinstance(baseline, (list, tuple)) and not all(isinstance(one, Real) for one in baseline):
        return tuple(_one(one, argument) for one in baseline)
    return _one(baseline, argument)


def several(baseline: Baseline) -> tuple[One, ...]:
    """The baselines that a baseline stands for."""
    if isinstance(baseline, tuple) and not isinstance(baseline[0], float):
        return baseline
    return (baseline,)


def describe(baseline: Baseline) -> Any:
    """A baseline as plain values, to be written beside a result."""
    if isinstance(baseline, Picture):
        return str(baseline)
    if isinstance(baseline, tuple):
        return [one if isinstance(one, float) else describe(one) for one in baseline]
    return baseline


def check_seed(seed: Any) -> int:
    """A seed as an integer, or an :class:`InputError`."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError("seed", seed, "is no seed", "Give an integer from 0 on.")
    return int(seed)


def generator_of(seed: int, index: int) -> torch.Generator:
    """The generator of sample ``index``: on the CPU, so that every device gets the same numbers."""
    # Hashed, because streams of neighbouring seeds are alike in some generators.
    digest = hashlib.sha256(f"{seed}/{index}".encode()).digest()
    return torch.Generator(device="cpu").manual_seed(int.from_bytes(digest[:7], "big"))


def make_baseline(one: One, pixels: Tensor, *, seed: int, index: int = 0, argument: str = "baseline") -> Tensor:
    """The pixels of one baseline.

    Parameters
    ----------
    one
        From :func:`several`.
    pixels
        (C, H, W), the picture.
    seed, index
        What "noise" is made from.
    argument
        What an error calls it.

    Returns
    -------
    Tensor
        (C, H, W), of the type of ``pixels`` but float32 at least, where ``pixels`` are.

    Raises
    ------
    InputError
        A colour or an array does not fit the picture.
    """
    wide = pixels if pixels.dtype in (torch.float32, torch.float64) else pixels.float()
    if one == "black":
        return torch.zeros_like(wide)
    if one == "white":
        return torch.ones_like(wide)
    if one == "mean":
        return wide.mean((1, 2), keepdim=True).expand_as(wide).contiguous()
    if one == "blur":
        return gaussian_blur(wide, BLUR * min(wide.shape[1:]))
    if isinstance(one, str):
        drawn = torch.rand(wide.shape, generator=generator_of(seed, index), dtype=torch.float32, device="cpu")
        return drawn.to(wide.device, wide.dtype)
    if isinstance(one, Picture):
        return _fitting(one, wide, argument)
    channels = len(wide)
    if len(one) != channels:
        raise InputError(
            argument, one, f"has {len(one)} numbers, the picture {channels} channels", "Give one number a channel."
        )
    colour = torch.tensor(one, dtype=wide.dtype, device=wide.device)
    return colour[:, None, None].expand_as(wide).contiguous()


def _fitting(given: Picture, pixels: Tensor, argument: str) -> Tensor:
    values = given.values
    if values.shape != pixels.shape:
        values = values.permute(2, 0, 1)
    channels, height, width = pixels.shape
    if values.shape != pixels.shape:
        raise InputError(
            argument,
            given.shape,
            "is not the shape of the picture that the model sees",
            f"Give ({channels}, {height}, {width}) or ({height}, {width}, {channels}).",
        )
    most = float(values.abs().max())
    if most > _FAR * max(1.0, float(pixels.abs().max())):
        raise InputError(
            argument,
            f"array up to {most:g}",
            "is far outside the picture's range",
            "Divide it by 255.",
        )
    return values.to(pixels.device, pixels.dtype).contiguous()


def _one(baseline: Any, argument: str) -> One:
    if isinstance(baseline, Picture):
        return baseline
    if isinstance(baseline, str):
        name = baseline.strip().lower()
        if name not in NAMES:
            raise InputError(argument, baseline, "names no baseline", _REMEDY)
        return name
    if isinstance(baseline, (list, tuple)):
        return _colour(baseline, argument)
    if isinstance(baseline, Tensor):
        array = baseline.detach().to("cpu", torch.float64 if baseline.is_floating_point() else None).numpy()
    elif hasattr(baseline, "__array__") or hasattr(baseline, "__array_interface__"):
        array = np.asarray(baseline)
    else:
        raise InputError(argument, baseline, "is no baseline", _REMEDY)
    if array.ndim == 1:
        return _colour(array.tolist(), argument)
    shown = f"array {array.shape}, {array.dtype}"
    if array.ndim != 3:
        raise InputError(argument, shown, "is no picture", _REMEDY)
    if array.dtype == np.uint8:
        array = array / 255.0
    elif array.dtype.kind != "f":
        raise InputError(argument, shown, "holds neither floats nor uint8", _REMEDY)
    array = np.array(array, dtype=np.float64, order="C")
    if not np.isfinite(array).all():
        raise InputError(argument, shown, "holds NaN or infinity", _REMEDY)
    digest = hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()[:16]
    return Picture(digest, array.shape, torch.from_numpy(array))


def _colour(numbers: Sequence[Any], argument: str) -> tuple[float, ...]:
    if not numbers:
        raise InputError(argument, numbers, "is empty", _REMEDY)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, Real) or not math.isfinite(number):
            raise InputError(argument, numbers, "is no baseline", _REMEDY)
        if not 0 <= float(number) <= 1:
            raise InputError(argument, numbers, "is no colour: black is 0 and full scale is 1", _REMEDY)
    return tuple(float(number) for number in numbers)
