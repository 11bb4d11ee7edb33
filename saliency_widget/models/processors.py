"""Image processors of Hugging Face as transforms, and the one that belongs to a model."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torch import nn

from saliency_widget.errors import InputError
from saliency_widget.models.words import shown

_BASES = {"ImageProcessingMixin", "ProcessorMixin"}


class Processor:
    """An image processor as a transform from a picture to the model's input.

    Parameters
    ----------
    processor
        An image processor, or a processor of several kinds of input that has one.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = getattr(processor, "image_processor", processor)
        self.__name__ = type(self._processor).__name__

    def __call__(self, picture: Image.Image) -> object:
        """What it makes of one RGB picture, (1, C, H, W).

        Raises
        ------
        InputError
            It pads the picture, which the model has to be told in another argument.
        """
        made = self._processor(images=picture, return_tensors="pt")
        mask = made.get("pixel_mask")
        if isinstance(mask, torch.Tensor) and not bool(mask.all()):
            raise InputError(
                "preprocess",
                shown(self._processor),
                "pads the picture, and says where in pixel_mask",
                "Turn that off (do_pad=False), or give a transform, and the mask as inputs={'pixel_mask': mask}.",
            )
        return made.get("pixel_values", made)


def is_processor(value: object) -> bool:
    """Whether something is an image processor of Hugging Face, or has one."""
    return not isinstance(value, type) and any(base.__name__ in _BASES for base in type(value).__mro__)


def processor_of(model: nn.Module) -> tuple[Processor, str] | None:
    """The image processor saved beside a model's weights, and where; None where none is here. Nothing is downloaded."""
    name = getattr(model, "name_or_path", "") or getattr(getattr(model, "config", None), "_name_or_path", "")
    if not isinstance(name, str) or not name or not is_of_transformers(model):
        return None
    try:
        from transformers import AutoImageProcessor

        load: Any = AutoImageProcessor.from_pretrained
        return Processor(load(name, local_files_only=True)), name
    except Exception:  # no such folder, nothing in the cache, a file of another version: each has its own error
        return None


def is_of_transformers(model: nn.Module) -> bool:
    """Whether a model is one of Hugging Face's transformers, or a subclass of one."""
    return any(base.__module__.partition(".")[0] == "transformers" for base in type(model).__mro__)
