"""What a preprocessing may return."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.models.words import article, shown

_ARGUMENT = "preprocess"
_WANTED = "It has to return one float tensor (channels, height, width), or that with a batch of 1."


def as_input(output: object, transform: object) -> Tensor:
    """Return what a preprocessing gave as (C, H, W) floats on the CPU.

    Raises
    ------
    InputError
        The output is no float tensor of that shape; names what it is and the way out.
    """
    if isinstance(output, Tensor):
        return _checked(output.as_subclass(Tensor).detach(), transform)
    if isinstance(output, Image.Image):
        problem, remedy = "returns a PIL image", "Add a step that makes a tensor of it, such as ToTensor()."
    elif isinstance(output, np.ndarray):
        problem, remedy = "returns a numpy array", "Add a step that makes a tensor of it, such as torch.from_numpy."
    elif isinstance(output, (tuple, list)):
        problem, remedy = f"returns {article(type(output).__name__)} of {len(output)}, such as several crops", _WANTED
    elif isinstance(output, torch.nn.Module):
        problem, remedy = f"returns {article(type(output).__name__)}", "Call it first: weights.transforms()."
    else:
        problem, remedy = f"returns {article(type(output).__name__)}", _WANTED
    raise InputError(_ARGUMENT, shown(transform), problem, remedy)


def _checked(output: Tensor, transform: object) -> Tensor:
    seen = shown(transform)
    shape = tuple(output.shape)
    if output.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        raise InputError(
            _ARGUMENT,
            seen,
            f"returns a tensor of {output.dtype}",
            "Add a step that makes floats of it, such as torchvision.transforms.v2.ToDtype(torch.float32, scale=True).",
        )
    if output.ndim == 4 and shape[0] == 1:
        output = output[0]
    elif output.ndim == 4:
        raise InputError(_ARGUMENT, seen, f"returns {shape[0]} pictures, of shape {shape}", _WANTED)
    if output.ndim != 3 or min(output.shape) < 1:
        raise InputError(_ARGUMENT, seen, f"returns a tensor of shape {shape}", _WANTED)
    return output.to("cpu").contiguous()
