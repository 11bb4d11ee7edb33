"""The Gaussian blur of a picture: a baseline, a filling, and the path of blur integrated gradients."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from saliency_widget.errors import InputError


def check_sigma(sigma: Any, argument: str = "sigma") -> float:
    """The standard deviation of a blur as a float.

    Raises
    ------
    InputError
        It is no finite number of pixels from 0 on.
    """
    width = math.nan if isinstance(sigma, bool) or not isinstance(sigma, Real) else float(sigma)
    if not (math.isfinite(width) and width >= 0):
        raise InputError(argument, sigma, "is no width of a blur", "Give a number of pixels from 0 (none) on.")
    return width


def gaussian_blur(pixels: Tensor, sigma: float) -> Tensor:
    """Average every pixel with its neighbours under a Gaussian.

    Weight of the pixel at (i, j) for the one at (y, x): exp(-((i - y)^2 + (j - x)^2) / (2 sigma^2)), not truncated,
    divided by the sum of the weights of the pixels that exist. So nothing is assumed beyond the border: there the
    average is over the picture alone. A constant stays what it is, to rounding; a wide blur tends to the mean of each
    channel, also where sigma is larger than the picture.

    Linear in the pixels and differentiable. Costs two matrix products, H x H and W x W.

    Parameters
    ----------
    pixels
        (C, H, W) or (N, C, H, W), floating.
    sigma
        Standard deviation in pixels; 0 gives the pixels themselves.

    Returns
    -------
    Tensor
        Of the same shape, type and device. Types shorter than float32 are computed in float32.

    Raises
    ------
    InputError
        ``sigma`` is negative or not finite.
    """
    sigma = check_sigma(sigma)
    if sigma == 0:
        return pixels
    wide = pixels if pixels.dtype in (torch.float32, torch.float64) else pixels.float()
    down = _weights(pixels.shape[-2], sigma).to(wide.device, wide.dtype)
    across = _weights(pixels.shape[-1], sigma).to(wide.device, wide.dtype)
    with full_precision(pixels.device):
        return (down @ wide @ across.T).to(pixels.dtype)


def _weights(size: int, sigma: float) -> Tensor:
    """(size, size), row i: the weights of all positions for position i."""
    # On the CPU, because float64 is not had everywhere.
    at = torch.arange(size, dtype=torch.float64, device="cpu")
    # Each row is shifted to its largest exponent, which is 0: the diagonal. So no sum underflows.
    return torch.softmax(-(((at[:, None] - at) / sigma) ** 2) / 2, dim=1)


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Autocast, which a caller may be in, would multiply in half precision."""
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()
