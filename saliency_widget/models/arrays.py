"""Pictures and inputs given as numpy arrays and torch tensors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.models.words import Shown, shown

MAX_PIXELS = 150_000_000
"""The largest picture that is read, in pixels; a larger one is refused before it is decoded."""

_ARGUMENT = "image"
_ARRAY_SHAPES = "(height, width), or (height, width, channels) with 1, 3 or 4 channels"
_FLOAT_INPUTS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_size(height: int, width: int, value: object) -> None:
    """Refuse a picture that has no pixels or more than :data:`MAX_PIXELS`.

    Raises
    ------
    InputError
        Naming the size, the limit and the way out.
    """
    if height < 1 or width < 1:
        raise InputError(
            _ARGUMENT,
            value,
            f"has no pixels (height {height}, width {width})",
            "Give a picture of at least 1 x 1 pixel.",
        )
    if height * width > MAX_PIXELS:
        raise too_large(value, f"{height * width:,} pixels ({width:,} x {height:,})")


def too_large(value: object, size: str) -> InputError:
    """Return the error for a picture of more than :data:`MAX_PIXELS` pixels."""
    return InputError(
        _ARGUMENT,
        value,
        f"has {size}; the limit is {MAX_PIXELS:,}",
        "Resize it first, in an image editor or with PIL, and pass the smaller picture.",
    )


def array_to_picture(array: npt.NDArray[np.generic], value: object = None) -> tuple[Image.Image, tuple[str, ...]]:
    """Turn an array into an 8-bit picture.

    Parameters
    ----------
    array
        (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); uint8 in 0..255, uint16 in 0..65535 or floats in 0..1.
    value
        What the error names; the array itself by default.

    Returns
    -------
    tuple
        The picture, mode L, RGB or RGBA, and notes on what was done to it.

    Raises
    ------
    InputError
        For every other shape, type or range.
    """
    seen = shown(array) if value is None else value
    notes: tuple[str, ...] = ()
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise InputError(
            _ARGUMENT, seen, f"has the shape {array.shape}, which is no picture", _shape_remedy(array.shape)
        )
    check_size(int(array.shape[0]), int(array.shape[1]), seen)
    if array.dtype.kind == "f":
        eight, notes = _from_floats(array, seen), (f"{array.dtype} rounded to 8 bits",)
    elif array.dtype.kind == "u" and array.dtype.itemsize == 2:
        # 65535 = 257 * 255: the exact ratio of the two full scales
        eight, notes = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8), ("16 bits rounded to 8",)
    elif array.dtype == np.uint8:
        eight = array.astype(np.uint8)
    else:
        raise InputError(
            _ARGUMENT,
            seen,
            f"has the type {array.dtype}, whose full scale is unknown",
            "Give uint8 (0 to 255), uint16 (0 to 65535) or floats (0 to 1), for example array.astype(np.uint8).",
        )
    if eight.ndim == 3 and eight.shape[2] == 1:
        eight = eight[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(eight)), notes


def tensor_to_picture(tensor: Tensor) -> tuple[Image.Image, tuple[str, ...]]:
    """Turn a uint8 tensor, (H, W), (C, H, W) or (1, C, H, W) with 1, 3 or 4 channels, into an 8-bit picture."""
    seen = shown(tensor)
    plane = tensor[0] if tensor.ndim == 4 and tensor.shape[0] == 1 else tensor
    if plane.ndim not in (2, 3) or (plane.ndim == 3 and plane.shape[0] not in (1, 3, 4)):
        last = plane.ndim == 3 and plane.shape[2] in (1, 3, 4)
        raise InputError(
            _ARGUMENT,
            seen,
            "has a shape that is no picture",
            "Channels come first in a torch picture: tensor.permute(2, 0, 1)."
            if last
            else "Give one picture: uint8 of shape (3, height, width).",
        )
    check_size(int(plane.shape[-2]), int(plane.shape[-1]), seen)
    array = plane.as_subclass(Tensor).detach().cpu().numpy()
    return array_to_picture(array if array.ndim == 2 else np.moveaxis(array, 0, 2), seen)


def check_input(tensor: Tensor) -> Tensor:
    """Check a float tensor that is taken as already preprocessed.

    Parameters
    ----------
    tensor
        (C, H, W) or (1, C, H, W), on any device.

    Returns
    -------
    Tensor
        (C, H, W), a copy on the CPU in the same dtype, outside any graph.

    Raises
    ------
    InputError
        For other shapes and types, for a tensor without data, and for NaN or infinity.
    """
    seen = shown(tensor)
    if tensor.device.type == "meta" or tensor.layout != torch.strided or tensor.dtype not in _FLOAT_INPUTS:
        raise InputError(
            _ARGUMENT,
            seen,
            "is no tensor of plain numbers that a model could take",
            "Give a dense float32 tensor of shape (channels, height, width), or a uint8 one for a picture.",
        )
    if tensor.ndim == 4 and tensor.shape[0] != 1:
        raise InputError(
            _ARGUMENT, seen, f"is a batch of {tensor.shape[0]} inputs", "Give one of them, for example image[0]."
        )
    if tensor.ndim not in (3, 4):
        raise InputError(
            _ARGUMENT,
            seen,
            f"has {tensor.ndim} dimension{'' if tensor.ndim == 1 else 's'}",
            "A float tensor is taken as already preprocessed: (channels, height, width), or that with a batch of 1.",
        )
    if tensor.shape[-3] < 1:
        raise InputError(_ARGUMENT, seen, "has no channels", "Give (channels, height, width).")
    check_size(int(tensor.shape[-2]), int(tensor.shape[-1]), seen)
    with torch.inference_mode(False), torch.no_grad():
        copy = tensor.as_subclass(Tensor).detach().to("cpu", copy=True)
        copy = (copy[0] if copy.ndim == 4 else copy).contiguous()
        bad = int(copy.numel() - torch.isfinite(copy).sum())
    if bad:
        raise InputError(
            _ARGUMENT,
            seen,
            f"has {bad:,} value{'s' if bad > 1 else ''} that {'are' if bad > 1 else 'is'} NaN or infinite",
            "Find where they come from, or replace them: torch.nan_to_num(image).",
        )
    return copy


def misfit(tensor: Tensor, said: str) -> InputError:
    """Return the error for a tensor (C, H, W) of whose shape a model says that it does not fit."""
    shape = tensor.shape[-3:]
    remedy = "It has to be what the model takes, (channels, height, width), in the size that the model expects."
    problem = f"does not fit the model, which raised {said}"
    return InputError(_ARGUMENT, shown(tensor), problem, order_of(tuple(shape)) or remedy)


def order_of(shape: tuple[int, ...]) -> str | None:
    """What to do with an input whose channels seem to come last; None where they do not."""
    if shape[2] in (1, 3, 4) and shape[0] not in (1, 3, 4):
        return "Its channels seem to come last, and have to come first: tensor.permute(2, 0, 1)."
    return None


def _from_floats(array: npt.NDArray[np.generic], seen: object) -> npt.NDArray[np.uint8]:
    values = array.astype(np.float64)
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise InputError(
            _ARGUMENT,
            seen,
            f"has {bad:,} NaN or infinite values",
            "Replace them, for example with np.nan_to_num(image).",
        )
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        remedy = "Floats are read as 0 (black) to 1 (full scale)"
        remedy += ": divide by 255." if low >= 0 and 2 < high <= 255 else "; np.clip(image, 0, 1) if that is meant."
        raise InputError(_ARGUMENT, Shown(f"{seen!r} from {low:.4g} to {high:.4g}"), "is outside 0 to 1", remedy)
    return np.floor(values * 255 + 0.5).astype(np.uint8)


def _shape_remedy(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        return "Channels come last in a numpy picture: np.moveaxis(image, 0, -1)."
    if len(shape) == 4:
        return f"Give one picture of the batch, for example image[0]: {_ARRAY_SHAPES}."
    return f"Give {_ARRAY_SHAPES}; for other inputs a float tensor (channels, height, width)."
