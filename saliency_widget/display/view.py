"""How a map is looked at, and what is then seen: the same numbers and colours for figures, pictures and pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from saliency_widget.display.cells import Between, check_between, to_picture
from saliency_widget.display.colours import RgbPicture, check_colormap, colourise, overlay
from saliency_widget.display.reduce import (
    DEFAULT_CLIP,
    FloatMap,
    Reduction,
    Sign,
    check_clip,
    check_reduction,
    check_sign,
    clip_level,
    reduce_channels,
    scale_to_heat,
)
from saliency_widget.display.threshold import Kept, check_percent, keep_strongest
from saliency_widget.errors import InputError

Photo: TypeAlias = Literal["grey", "colour"]
PHOTOS: tuple[Photo, ...] = ("grey", "colour")


class Drawable(Protocol):
    """What is drawn of an attribution; stated here because ``attribution`` stands above ``display``."""

    @property
    def values(self) -> FloatMap:
        """float32 (C, h, w)."""

    @property
    def image(self) -> npt.NDArray[np.uint8]:
        """uint8 (H, W, 3)."""

    @property
    def target(self) -> Any:
        """With its ``text``."""

    @property
    def method(self) -> Any:
        """With its ``label`` and ``parameters``."""

    @property
    def score(self) -> float:
        """The value of the score."""

    @property
    def unit(self) -> str:
        """Of the values."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def provenance(self) -> Mapping[str, Any]:
        """With the target's ``mark``, where it has one."""


@dataclass(frozen=True)
class View:
    """How a map is looked at.

    Parameters
    ----------
    sign
        "absolute", "signed", "positive" or "negative".
    reduce
        "max", "sum", "mean" or "l2" over channels, or one channel's number; None is that of the sign.
    clip
        Percentile of |value| at which the colours end.
    colormap
        Name of a colour table; None is that of the sign.
    between
        How a coarse map fills the picture: "smooth" or "cells".
    threshold
        Percentage of the area that is shown, strongest first.
    opacity
        Of the map over the photograph.
    photo
        The photograph under the map: "grey" or "colour".
    level
        The magnitude at the end of the colours, instead of that of ``clip``, such as one that several maps share.

    Raises
    ------
    InputError
        One of them cannot be.
    """

    sign: Sign = "absolute"
    reduce: Reduction | None = None
    clip: float = DEFAULT_CLIP
    colormap: str | None = None
    between: Between = "smooth"
    threshold: float = 100.0
    opacity: float = 0.6
    photo: Photo = "grey"
    level: float | None = None

    def __post_init__(self) -> None:
        sign = check_sign(self.sign)
        checked = {
            "clip": check_clip(self.clip),
            "colormap": check_colormap(sign, self.colormap),
            "between": check_between(self.between),
            "threshold": check_percent(self.threshold),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if not _is_number(self.opacity) or not 0 <= self.opacity <= 1:
            raise InputError("opacity", self.opacity, "is out of range", "Give a number from 0 to 1.")
        if not isinstance(self.photo, str) or self.photo not in PHOTOS:
            raise InputError("photo", self.photo, "is no way to show the photograph", "Use 'grey' or 'colour'.")
        if self.level is not None and not (_is_number(self.level) and 0 < self.level < float("inf")):
            raise InputError("level", self.level, "is no end for colours", "Give a number above 0, or None.")

    def at(self, level: float | None) -> View:
        """The same with the colours ending at this magnitude."""
        return replace(self, level=level)


class Seen:
    """A map under a view. Reduced, clipped and cut on its own grid, and then brought to the picture's size.

    Parameters
    ----------
    attribution
        The map and its picture.
    view
        How it is looked at.

    Attributes
    ----------
    reduction
        What the channels are reduced by: a name, or a channel's number.
    reduced
        float32 (h, w), on the map's own grid.
    level
        The magnitude at the end of the colours; 0 for a map that is zero everywhere.
    kept
        What the threshold keeps; None where that is everything.

    Raises
    ------
    InputError
        The map has no such channel.
    """

    def __init__(self, attribution: Drawable, view: View) -> None:
        self.attribution, self.view = attribution, view
        self.reduction = check_reduction(view.reduce, view.sign, len(attribution.values))
        self.reduced = reduce_channels(attribution.values, view.sign, self.reduction)
        own = clip_level(self.reduced, view.clip)
        # A map of zeros has no scale, and gets none from others.
        self.level = own if view.level is None or own == 0 else float(view.level)
        self.kept: Kept | None = None if view.threshold == 100 else keep_strongest(self.reduced, view.threshold)

    @property
    def zero(self) -> bool:
        """Whether every value that is a number is zero."""
        return self.level == 0

    @cached_property
    def largest(self) -> float:
        """The largest magnitude on the map's own grid."""
        finite = self.reduced[np.isfinite(self.reduced)]
        return float(np.abs(finite).max()) if finite.size else 0.0

    @cached_property
    def missing(self) -> int:
        """How many values on the map's own grid are no number."""
        return int(np.isnan(self.reduced).sum())

    @cached_property
    def full(self) -> FloatMap:
        """float32 (H, W), at the picture's size."""
        height, width = self.attribution.image.shape[:2]
        full: FloatMap = to_picture(self.reduced[None], height, width, self.view.between)[0]
        return full

    @cached_property
    def heat(self) -> FloatMap:
        """float32 (H, W), between the fixed ends of the colours."""
        return scale_to_heat(self.full, self.level)

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_] | None:
        """Bool (H, W), where the map is shown, and where it is no number; None where it is everywhere."""
        if self.kept is None:
            return None
        with np.errstate(invalid="ignore"):
            return np.asarray((np.abs(self.full) >= self.kept.cut) | np.isnan(self.full))

    @cached_property
    def coloured(self) -> RgbPicture:
        """uint8 (H, W, 3), also where the map is hidden."""
        return colourise(self.heat, self.view.sign, self.view.colormap)

    @property
    def over(self) -> RgbPicture:
        """uint8 (H, W, 3), the map over the photograph; the photograph alone where it is hidden, or zero everywhere."""
        mask = np.zeros(self.full.shape, bool) if self.zero else self.mask
        grey = self.view.photo == "grey"
        return overlay(self.attribution.image, self.coloured, self.view.opacity, mask, grey_photo=grey)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
