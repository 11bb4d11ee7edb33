"""The traits of how a map is looked at, which a front end may write too. Nothing here computes."""

from __future__ import annotations

import math
from typing import Any

import traitlets as t

from saliency_widget.display.colours import table_names
from saliency_widget.display.reduce import SIGNS
from saliency_widget.errors import InputError, short
from saliency_widget.widget.synced import Synced

LOOKS = (
    "look",
    "sign",
    "reduction",
    "threshold",
    "clip",
    "colormap",
    "opacity",
    "photo",
    "cells",
    "frame",
    "viewport",
    "scale",
    "level",
    "pins",
    "box_threshold",
)
_REDUCTIONS = ("default", "max", "sum", "mean", "l2")
MOST_PINS = 9
_MOST_ZOOM = 4096.0


class _Number(t.Float[float, float]):
    """A finite number. A whole one may be larger than any float is, and NaN passes every comparison with a bound."""

    def validate(self, obj: Any, value: Any) -> Any:
        try:
            number = super().validate(obj, value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise t.TraitError(f"{self.name} must be a finite number, not {short(value)}.")
        return number


class Looks(Synced):
    """How the maps of a widget are looked at: everything is a trait that can be set, observed and linked."""

    look = t.Enum(["overlay", "map", "image"], "overlay", help="Map over photograph, map or photograph.").tag(sync=True)
    sign = t.Enum(list(SIGNS), "absolute", help="Magnitudes, signed values, or one side of them.").tag(sync=True)
    reduction = t.Unicode("default", help="How the channels of a pixel become one number.").tag(sync=True)
    threshold = _Number(100.0, min=0, max=100, help="Percentage of the area that is kept.").tag(sync=True)
    clip = _Number(99.0, min=50, max=100, help="Percentile of |value| at which colours saturate.").tag(sync=True)
    colormap = t.Unicode("", help='Name of a colour table; "" is that of the sign.').tag(sync=True)
    opacity = _Number(0.6, min=0, max=1, help="Of the map over the photograph.").tag(sync=True)
    photo = t.Enum(["grey", "colour"], "grey", help="The photograph under the map.").tag(sync=True)
    cells = t.Bool(False, help="Show the cells of a coarse map as they are.").tag(sync=True)
    frame = t.Enum(["model", "original"], "model", help="What the model saw, or the whole picture.").tag(sync=True)
    viewport: t.List[Any] = t.List(
        default_value=[1.0, 0.5, 0.5], help="Zoom; row and column of the middle, 0 to 1."
    ).tag(sync=True)
    scale = t.Enum(["own", "shared", "locked"], "own", help="Whose the end of the colours is.").tag(sync=True)
    level = _Number(0.0, min=0, help="The value at the end of the colours where the scale is locked.").tag(sync=True)
    pins: t.List[Any] = t.List(default_value=[], help="Places whose values stay on display, [row, column].").tag(
        sync=True
    )

    box_threshold = _Number(0.5, min=0, max=1, help="Least probability of a box that is drawn.").tag(sync=True)

    @t.validate("reduction")
    def _check_reduction(self, proposal: Any) -> Any:
        value = proposal["value"]
        if value not in _REDUCTIONS and not (value.isascii() and value.isdigit() and len(value) < 6):
            known = ", ".join(map(repr, _REDUCTIONS))
            raise t.TraitError(f"reduction={value!r} is none. Use {known}, or the number of a channel such as '0'.")
        return value

    @t.validate("colormap")
    def _check_colormap(self, proposal: Any) -> Any:
        value = proposal["value"]
        known = list(dict.fromkeys(name for sign in SIGNS for name in table_names(sign)))
        if value and value not in known:
            raise t.TraitError(f"colormap={value!r} is no colour table. Use {', '.join(known)}, or '' for the usual.")
        return value

    @t.validate("viewport")
    def _check_viewport(self, proposal: Any) -> Any:
        value = proposal["value"]
        if len(value) == 3 and all(map(_is_number, value)):
            zoom, row, column = value
            # Before they are made floats, for which a whole number may be too large.
            if 1 <= zoom <= _MOST_ZOOM and 0 <= row <= 1 and 0 <= column <= 1:
                return [float(zoom), float(row), float(column)]
        raise t.TraitError(
            f"viewport={short(value)} is none. Give [zoom, row, column]: 1 shows all, row and column are from 0 to 1."
        )

    @t.validate("pins")
    def _check_pins(self, proposal: Any) -> Any:
        pins = [list(one) if isinstance(one, (list, tuple)) else one for one in proposal["value"]]
        good = all(isinstance(one, list) and len(one) == 2 and all(map(_is_place, one)) for one in pins)
        if not good or len(pins) > MOST_PINS:
            raise t.TraitError(f"pins={short(pins)} are none. Give at most {MOST_PINS} places [row, column], from 0.")
        return pins


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_place(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def as_input_error(name: str, value: Any, error: Exception) -> InputError:
    """The refusal of a trait as that of an argument."""
    said = str(error)
    before, _, after = said.partition(" is none. ")
    return InputError(name, value, "is none" if after and before else "cannot be", after or said)
