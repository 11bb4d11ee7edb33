"""What stands in for the part of a picture that is hidden."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.methods.baselines import Picture, check_baseline, describe, make_baseline
from saliency_widget.methods.blur import gaussian_blur
from saliency_widget.methods.sampling import wide

Fill = str | tuple[float, ...] | Picture
GREY = "grey"
FILLS = ("mean", GREY, "black", "white", "blur")
REMEDY = (
    'Give "mean", "grey", "black", "white", "blur", a colour of one number a channel from 0 to 1, or an array '
    "(C, H, W) or (H, W, C) in pixels."
)


def check_fill(fill: Any) -> Fill:
    """Bring what a user writes into a form that can be kept and compared.

    Parameters
    ----------
    fill
        "mean" (the mean of each channel of the picture), "grey" (0.5), "black" (0), "white" (1), "blur" (the picture,
        so blurred that nothing of the size that is hidden is left), a colour, or an array.

    Raises
    ------
    InputError
        It is none of these. Whether a colour or an array fits is seen when there is a picture.
    """
    if isinstance(fill, str) and fill.strip().lower() == GREY:
        return GREY
    if isinstance(fill, str) and fill.strip().lower() == "noise":
        raise InputError("fill", fill, "is another one each time", REMEDY)
    found = check_baseline(fill, "fill")
    if isinstance(found, tuple) and not all(isinstance(number, float) for number in found):
        raise InputError("fill", describe(found), "are several", REMEDY)
    return found  # type: ignore[return-value]


def make_fill(fill: Fill, pixels: Tensor, size: float) -> Tensor:
    """The picture that shows where the picture is hidden.

    Parameters
    ----------
    fill
        From :func:`check_fill`.
    pixels
        (C, H, W), the picture.
    size
        Size in pixels of what is hidden at once: the standard deviation of "blur".

    Returns
    -------
    Tensor
        (C, H, W), in the type of the pixels.

    Raises
    ------
    InputError
        A colour or an array does not fit the picture.
    """
    if fill == GREY:
        return torch.full_like(pixels, 0.5)
    if fill == "blur":
        return gaussian_blur(pixels, size)
    return make_baseline(fill, wide(pixels), seed=0, argument="fill").to(pixels)
