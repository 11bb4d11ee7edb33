"""Checks of parameters that several methods have."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any

from saliency_widget.errors import InputError


def check_count(value: Any, argument: str, of: str, least: int = 1) -> int:
    """A number of things.

    Parameters
    ----------
    value
        What was given.
    argument
        What an error calls it.
    of
        What it is a number of: "gradients".
    least
        The smallest that can be.
    """
    remedy = f"Give an integer from {least} on."
    if isinstance(value, bool):
        raise InputError(argument, value, f"is no number of {of}", remedy)
    try:
        count = operator.index(value)
    except TypeError:
        raise InputError(argument, value, f"is no number of {of}", remedy) from None
    if count < least:
        raise InputError(argument, value, f"is too few {of}", remedy)
    return count


def check_tolerance(value: Any) -> float | None:
    """A relative change from 0 on, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value) or float(value) < 0:
        raise InputError("tolerance", value, "is no relative change", "Give a number from 0 on, such as 0.05, or None.")
    return float(value)


def check_fraction(value: Any, argument: str) -> float:
    """A number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise InputError(argument, value, "is no fraction", "Give a number from 0 to 1.")
    return float(value)
