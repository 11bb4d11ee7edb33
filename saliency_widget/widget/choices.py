"""What a user may choose of the view, checked before any work."""

from __future__ import annotations

from numbers import Real
from typing import Any

from saliency_widget.display.reduce import check_sign
from saliency_widget.errors import InputError

# Least and greatest value, and what the number is.
_BOUNDS = {
    "threshold": (0.0, 100.0, "the percentage of the area that is kept"),
    "opacity": (0.0, 1.0, "of the map over the photograph"),
    "clip": (50.0, 100.0, "the percentile of |value| at which colours saturate"),
}


def check_view(*, sign: Any, **numbers: Any) -> dict[str, Any]:
    """Give the choices as the traits take them.

    Raises
    ------
    InputError
        One of them cannot be.
    """
    view: dict[str, Any] = {"sign": check_sign(sign)}
    for name, value in numbers.items():
        least, greatest, words = _BOUNDS[name]
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not number or not least <= value <= greatest:
            raise InputError(name, value, "is out of range", f"Give {words}, a number from {least:g} to {greatest:g}.")
        view[name] = float(value)
    return view
