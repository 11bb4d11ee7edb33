"""Scores of a segmentation: of a pixel, of a region, of a class over its own mask."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saliency_widget.errors import InputError, ModelError
from saliency_widget.targets.base import find_class, words
from saliency_widget.targets.located import Located, needs
from saliency_widget.targets.reading import at_pixels, grid_in, share_of_cells
from saliency_widget.targets.scene import Scene

_MOST_CELLS = 128
_BACKGROUND = ("__background__", "background", "unlabeled", "unlabelled")


class Mask:
    """A set of pixels, as it is kept in a target.

    Parameters
    ----------
    pixels
        bool (H, W).
    """

    def __init__(self, pixels: npt.NDArray[np.bool_]) -> None:
        self._bits, self.shape = np.packbits(pixels), pixels.shape
        self.count = int(pixels.sum())

    def __repr__(self) -> str:
        return f"<mask {self.shape[0]} x {self.shape[1]}, {self.count:,} pixels, {self.digest:08x}>"

    @property
    def digest(self) -> int:
        """A number that tells it from other masks."""
        return zlib.crc32(self._bits.tobytes() + repr(self.shape).encode())

    @property
    def pixels(self) -> npt.NDArray[np.bool_]:
        """Bool (H, W)."""
        found = np.unpackbits(self._bits, count=self.shape[0] * self.shape[1]).astype(bool)
        return found.reshape(self.shape)

    @cached_property
    def cells(self) -> tuple[int, npt.NDArray[np.bool_]]:
        """Its shape for the eye: (step, bool (h, w)).

        Squares of ``step`` pixels, at most 128 on a side, each of which is in it where most of its pixels are.
        """
        step = -(-max(self.shape) // _MOST_CELLS)
        pixels = self.pixels.astype(np.int32)
        rows, columns = (np.arange(0, side, step) for side in self.shape)
        inside, all_of_them = (
            np.add.reduceat(np.add.reduceat(one, rows), columns, axis=1) for one in (pixels, np.ones_like(pixels))
        )
        return step, 2 * inside > all_of_them


@dataclass(frozen=True, eq=False)
class OfPixels(Located):
    """The mean score of one class over some pixels, which are the same whatever is done to the picture."""

    @property
    def pixels(self) -> npt.NDArray[np.bool_] | None:
        """Bool (H, W), the pixels of the model's picture that count; None until the target is located."""
        found: Mask | None = getattr(self, "_pixels", None)
        return None if found is None else found.pixels

    @property
    def cells(self) -> tuple[int, npt.NDArray[np.bool_]] | None:
        """The shape of the pixels for the eye, see :attr:`Mask.cells`, where :attr:`place` does not say it."""
        found: Mask | None = getattr(self, "_pixels", None)
        return None if found is None or len(self.place) > 1 else found.cells

    def score(self, outputs: Any) -> Tensor:
        """The mean score (N,) from what the model returns.

        Raises
        ------
        ModelError
            It returns no scores (N, classes, h, w), or on another grid than before.
        """
        logits = grid_in(outputs)
        weights: Tensor | None = getattr(self, "_weights", None)
        if self.index is None or weights is None:
            raise InputError("target", self.brief, "is not bound to a place", "Call locate() first.")
        if logits is None or tuple(logits.shape[2:]) != tuple(weights.shape):
            raise ModelError(
                f"the score {self.text!r} is of a grid of {weights.shape[0]} x {weights.shape[1]} cells, and the model "
                f"returned {'none' if logits is None else tuple(logits.shape)}."
            )
        if self.of == "logit":
            # A mean of logits is one weighted sum of cells.
            own = self._quantity(logits, self.index)
            return (own * weights.to(own)).sum((1, 2))
        assert self.pixels is not None
        # A probability is none: it is made of each pixel's own scores.
        return self._quantity(at_pixels(logits, torch.from_numpy(self.pixels)), self.index).mean(dim=1)

    def _over(self, mask: npt.NDArray[np.bool_], index: int, scene: Scene) -> OfPixels:
        assert scene.grid is not None
        weights = share_of_cells(torch.from_numpy(mask), *scene.grid.shape[1:])
        return self.bind(index, scene, _weights=weights, _pixels=Mask(mask))


@dataclass(frozen=True, eq=False)
class Pixel(OfPixels):
    """The score of one class at one pixel of a segmentation.

    Parameters
    ----------
    row, column
        In the picture that the model sees, from 0.
    which
        A class index, a label, or None for the class that the model predicts there.
    of, activation
        Its "logit", or its "probability" or "log-probability" among all classes at that pixel; see :class:`Located`.

    Notes
    -----
    Of a model whose scores are on a coarser grid than its picture it is the score between the middles of the cells,
    linearly: what bilinear upsampling gives at that pixel.
    """

    row: int
    column: int
    which: int | str | None = None

    kind: ClassVar[str] = "pixel logit"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in (("row", self.row), ("column", self.column)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise InputError(name, value, "is no whole number", "Give the pixel's row and column, from 0.")
            object.__setattr__(self, name, int(value))

    @property
    def key(self) -> str:
        """Short text that tells this target from every other of the same model."""
        return f"{self.kind}/{self.which}/{self.row},{self.column}{self._tail}"

    @property
    def place(self) -> tuple[float, ...]:
        """(row, column)."""
        return self.row, self.column

    @property
    def text(self) -> str:
        """The target in words: "logit of cat at row 30, column 41"."""
        return f"{self._what} of {words(self.which, self.label)} at row {self.row}, column {self.column}"

    def locate(self, scene: Scene) -> Pixel:
        """Bind it to a class; see :meth:`Located.locate`."""
        if scene.grid is None:
            raise needs("a score for each pixel", scene, self)
        for name, value, side in (("row", self.row, scene.height), ("column", self.column, scene.width)):
            if not 0 <= value < side:
                raise InputError(
                    name, value, f"is outside the picture that the model sees, which has {side}", f"0 to {side - 1}."
                )
        mask = np.zeros((scene.height, scene.width), dtype=bool)
        mask[self.row, self.column] = True
        bound = self._over(mask, _class_over(self.which, mask, scene), scene)
        assert isinstance(bound, Pixel)
        return bound


@dataclass(frozen=True, eq=False)
class Region(OfPixels):
    """The mean score of one class over a region of a segmentation.

    Parameters
    ----------
    mask
        bool (H, W) over the picture that the model sees, such as one drawn by hand; or a rectangle (top, left, bottom,
        right) in its pixels, of which bottom and right are the first that no longer belong to it.
    which
        A class index, a label, or None for the class that the model predicts over most of the region.
    of, activation
        The mean over the pixels of their "logit", "probability" or "log-probability"; see :class:`Located`.
    """

    mask: Any
    which: int | str | None = None

    kind: ClassVar[str] = "region logit"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "mask", _region(self.mask))

    @property
    def key(self) -> str:
        """Short text that tells this target from every other of the same model."""
        place = f"{self.mask.digest:08x}" if isinstance(self.mask, Mask) else ",".join(map(str, self.mask))
        return f"{self.kind}/{self.which}/{place}{self._tail}"

    @property
    def place(self) -> tuple[float, ...]:
        """(top, left, bottom, right), or of another shape than a rectangle the number that tells its mask."""
        return (self.mask.digest,) if isinstance(self.mask, Mask) else self.mask

    @property
    def text(self) -> str:
        """The target in words: "mean logit of cat over 1,204 pixels"."""
        if isinstance(self.mask, Mask):
            where = f"{self.mask.count:,} pixels"
        else:
            top, left, bottom, right = self.mask
            where = f"rows {top} to {bottom - 1}, columns {left} to {right - 1}"
        return f"mean {self._what} of {words(self.which, self.label)} over {where}"

    def locate(self, scene: Scene) -> Region:
        """Bind it to a class; see :meth:`Located.locate`."""
        if scene.grid is None:
            raise needs("a score for each pixel", scene, self)
        size = (scene.height, scene.width)
        if isinstance(self.mask, Mask):
            if self.mask.shape != size:
                raise InputError(
                    "mask", self.mask, f"has not the size of the picture that the model sees, {size[0]} x {size[1]}",
                    "Draw it over Attribution.image, or resize it.",
                )  # fmt: skip
            mask = self.mask.pixels
        else:
            top, left, bottom, right = self.mask
            if not (0 <= top < bottom <= size[0] and 0 <= left < right <= size[1]):
                raise InputError(
                    "mask", self.mask, f"does not lie in the picture that the model sees, {size[0]} x {size[1]}",
                    "Give (top, left, bottom, right) in its pixels.",
                )  # fmt: skip
            mask = np.zeros(size, dtype=bool)
            mask[top:bottom, left:right] = True
        bound = self._over(mask, _class_over(self.which, mask, scene), scene)
        assert isinstance(bound, Region)
        return bound


@dataclass(frozen=True, eq=False)
class Segment(OfPixels):
    """The mean score of one class over the pixels that the model assigns to it in this picture.

    Parameters
    ----------
    which
        A class index, a label, or None for the class that covers most of the picture, other than the background.
    of, activation
        The mean over the pixels of their "logit", "probability" or "log-probability"; see :class:`Located`.

    Notes
    -----
    The mask is that of the picture itself, and stays the same for noisy samples, steps of a path and occlusions.
    """

    which: int | str | None = None

    kind: ClassVar[str] = "segment logit"

    @property
    def key(self) -> str:
        """Short text that tells this target from every other of the same model."""
        return f"{self.kind}/{self.which}{self._tail}"

    @property
    def text(self) -> str:
        """The target in words: "mean logit of cat over its mask"."""
        return f"mean {self._what} of {words(self.which, self.label)} over its mask"

    def locate(self, scene: Scene) -> Segment:
        """Bind it to a class and its mask; see :meth:`Located.locate`."""
        if scene.grid is None:
            raise needs("a score for each pixel", scene, self)
        areas = scene.areas
        if self.which is None:
            order = list(areas)
            named = [k for k in order if k >= len(scene.labels) or scene.labels[k].lower() not in _BACKGROUND]
            if not order:
                raise InputError("target", None, "means the class that is seen, and none is", "Give Pixel or Region.")
            index = (named or order)[0]
        else:
            index = find_class(self.which, scene.labels, scene.classes, None)
        if index not in areas:
            seen = [words(k, scene.labels[k] if k < len(scene.labels) else None) for k in areas]
            raise InputError(
                "target",
                self.which,
                "is predicted nowhere in this picture, so that it has no mask",
                f"Predicted are {', '.join(seen[:5]) or 'none'}; or give Pixel or Region.",
            )
        bound = self._over(scene.predicted == index, index, scene)
        assert isinstance(bound, Segment)
        return bound


def _class_over(which: int | str | None, mask: npt.NDArray[np.bool_], scene: Scene) -> int:
    if which is not None:
        return find_class(which, scene.labels, scene.classes, None)
    if scene.classes == 1:
        return 0
    return int(np.bincount(scene.predicted[mask]).argmax())


def _region(mask: Any) -> Mask | tuple[int, int, int, int]:
    if isinstance(mask, Mask):
        return mask
    array = np.asarray(mask.detach().cpu() if isinstance(mask, Tensor) else mask)
    way = "Give bool (height, width), or a rectangle (top, left, bottom, right) in pixels."
    if array.shape == (4,) and array.dtype.kind in "iu":
        top, left, bottom, right = (int(edge) for edge in array)
        return top, left, bottom, right
    if (
        array.ndim != 2
        or (array.dtype.kind in "iuf" and not np.isin(array, (0, 1)).all())
        or array.dtype.kind not in "biuf"
    ):
        raise InputError("mask", f"array of shape {array.shape}, {array.dtype}", "is no mask", way)
    if not array.any():
        raise InputError("mask", f"array of shape {array.shape}", "is empty", way)
    return Mask(array.astype(bool))
