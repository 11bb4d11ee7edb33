"""A preprocessing written down: geometry and normalisation."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.models.arrays import MAX_PIXELS
from saliency_widget.models.words import numbers

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}


@dataclass(frozen=True)
class Preprocess:
    """Resize, crop, scale to 0..1, subtract the mean, divide by the standard deviation.

    Parameters
    ----------
    size
        Length of the shorter side after resizing, or (height, width); None leaves the size as it is.
    crop
        Side of the square cut from the centre, or (height, width); None cuts nothing.
    interpolation
        A PIL filter: "nearest", "bilinear", "bicubic", "lanczos", "box" or "hamming".
    mean, std
        One number for each of R, G, B, with full scale at 1; or one number alone, for a model of grey pictures.
    bgr
        Blue first in what comes out.

    Raises
    ------
    InputError
        A value cannot work.

    Notes
    -----
    With the same numbers it returns what torchvision's ``Resize``, ``CenterCrop``, ``ToTensor`` and ``Normalize`` do.
    """

    size: int | tuple[int, int] | None = 256
    crop: int | tuple[int, int] | None = 224
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    bgr: bool = False

    def __post_init__(self) -> None:
        for name, sides in (("size", self.size), ("crop", self.crop)):
            wanted = sides if isinstance(sides, tuple) else (sides, sides)
            whole = [type(s) is int and s > 0 for s in wanted]
            if sides is not None and (len(wanted) != 2 or not all(whole)):
                raise InputError(
                    name, sides, "is no size", "Give a positive whole number of pixels, (height, width), or None."
                )
        if self.interpolation not in _FILTERS:
            raise InputError("interpolation", self.interpolation, "is unknown", f"Give one of {', '.join(_FILTERS)}.")
        for name, values in (("mean", self.mean), ("std", self.std)):
            try:
                numeric = tuple(float(v) for v in values)
            except (TypeError, ValueError):
                numeric = ()
            if len(numeric) not in (1, 3) or not all(math.isfinite(v) for v in numeric):
                raise InputError(
                    name, values, "is not three numbers, or one", "Give one for each of R, G and B, or one for grey."
                )
            if name == "std" and min(numeric) <= 0:
                raise InputError(name, values, "is not positive", "Give the standard deviations, such as 0.229.")
            object.__setattr__(self, name, numeric)
        if len(self.mean) != len(self.std):
            raise InputError(
                "std",
                self.std,
                f"is {len(self.std)} and mean {len(self.mean)} numbers",
                "Give as many of one as of both.",
            )
        if self.bgr and self.grey:
            raise InputError("bgr", True, "says blue first, of one number for grey", "Leave it out, or give three.")

    @property
    def grey(self) -> bool:
        """Whether it makes one channel: the luminance of the picture."""
        return len(self.mean) == 1

    def in_grey(self) -> Preprocess | None:
        """The same for a model that takes one channel; None where what it does to R, G and B differs."""
        if self.bgr or len({*self.mean}) > 1 or len({*self.std}) > 1:
            return None
        return replace(self, mean=self.mean[:1], std=self.std[:1])

    @classmethod
    def preset(cls, name: str) -> Preprocess:
        """Return a preprocessing by name.

        Parameters
        ----------
        name
            "imagenet": shorter side to 256 (bicubic), centre 224 x 224, ImageNet's mean and standard deviation.
            "tf": the same geometry, values from -1 to 1. "caffe": the same geometry, blue first, values from 0 to 255
            less ImageNet's mean. "none": the picture as it is, values from 0 to 1.
        """
        found = PRESETS.get(name.strip().lower())
        if found is None:
            near = difflib.get_close_matches(name.lower(), PRESETS, n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            known = ", ".join(repr(known) for known in PRESETS)
            raise InputError("preprocess", name, "is no preset", f"{hint}There are {known}; or give a transform.")
        return found

    def __call__(self, picture: Image.Image) -> Tensor:
        """Return the (3, H, W) float32 tensor of a picture, or (1, H, W) where it is for grey ones."""
        resized = self._resized(picture.convert("L" if self.grey else "RGB"))
        cropped = self._cropped(resized)
        array = np.atleast_3d(np.array(cropped, dtype=np.float32)).transpose(2, 0, 1) / np.float32(255)
        mean, std = (torch.tensor(v, dtype=torch.float32, device="cpu")[:, None, None] for v in (self.mean, self.std))
        made = (torch.from_numpy(np.ascontiguousarray(array)) - mean) / std
        return made.flip(0) if self.bgr else made

    @property
    def text(self) -> str:
        """The steps in words."""
        steps = []
        if self.size is not None:
            whole = isinstance(self.size, tuple)
            steps.append(f"{'resized' if whole else 'shorter side'} to {_sides(self.size)}, {self.interpolation}")
        if self.crop is not None:
            steps.append(f"centre {_sides(self.crop, square=True)}")
        if self.grey:
            steps.append("grey")
        if set(self.mean) == {0.0} and set(self.std) == {1.0}:
            return ", ".join([*steps, "values 0 to 1"])
        order = ["BGR"] if self.bgr else []
        return ", ".join([*steps, *order, f"mean {numbers(self.mean)}", f"std {numbers(self.std)}"])

    def _resized(self, picture: Image.Image) -> Image.Image:
        if self.size is None:
            return picture
        width, height = picture.size
        if isinstance(self.size, tuple):
            target = (self.size[1], self.size[0])
        elif width <= height:
            target = (self.size, int(self.size * height / width))
        else:
            target = (int(self.size * width / height), self.size)
        if target[0] * target[1] > MAX_PIXELS:
            raise InputError(
                "preprocess",
                self,
                f"would turn a picture of {width} x {height} pixels into {target[0]:,} x {target[1]:,}",
                "Crop the picture first, or give size=(height, width).",
            )
        return picture if target == picture.size else picture.resize(target, _FILTERS[self.interpolation])

    def _cropped(self, picture: Image.Image) -> Image.Image:
        if self.crop is None:
            return picture
        height, width = self.crop if isinstance(self.crop, tuple) else (self.crop, self.crop)
        if height > picture.height or width > picture.width:
            raise InputError(
                "preprocess",
                self,
                f"cannot cut {height} x {width} from {picture.height} x {picture.width} (height x width)",
                "Give a larger size=, or a smaller crop=.",
            )
        top, left = round((picture.height - height) / 2), round((picture.width - width) / 2)
        return picture.crop((left, top, left + width, top + height))


PRESETS: dict[str, Preprocess] = {
    "imagenet": Preprocess(),
    "tf": Preprocess(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "caffe": Preprocess(mean=(123.68 / 255, 116.779 / 255, 103.939 / 255), std=(1 / 255,) * 3, bgr=True),
    "none": Preprocess(size=None, crop=None, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
}


def _sides(sides: int | tuple[int, int], square: bool = False) -> str:
    if isinstance(sides, tuple):
        return f"{sides[0]} x {sides[1]}"
    return f"{sides} x {sides}" if square else str(sides)
