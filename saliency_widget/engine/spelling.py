"""Every spelling of a rectifier: which calls, of a function or of an operator, cut their input off below zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Mask = Callable[[Tensor], Tensor]

# What each spelling calls its arguments, the input first.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "relu": ("input", "inplace"),
    "relu6": ("input", "inplace"),
    "hardtanh": ("input", "min_val", "max_val", "inplace"),
    "threshold": ("input", "threshold", "value", "inplace"),
    "clamp": ("input", "min", "max"),
    "clamp_min": ("input", "min"),
    "maximum": ("input", "other"),
}
_ALIASES = {"clip": "clamp", "_threshold": "threshold", "max": "maximum", "fmax": "maximum"}


@dataclass(frozen=True)
class Rectifier:
    """A call of a rectifier.

    Attributes
    ----------
    input
        What is rectified.
    passes
        Where its derivative is 1, of the input. Elsewhere it is 0.
    inplace
        The result is written into the input.
    """

    input: Tensor
    passes: Mask
    inplace: bool


def name_of(func: Any) -> str:
    """The name of a function that a mode sees, without its overload: ``relu_`` for ``aten.relu_.default``."""
    return str(getattr(func, "__name__", "")).split(".")[0]


def rectifier(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Rectifier | None:
    """What a call rectifies; None if it is no rectifier.

    A rectifier is ``min(max(x, 0), c)`` for any ``c > 0`` and for none.
    """
    stem = name.rstrip("_") if not name.endswith("__") else name
    stem = _ALIASES.get(stem, stem)
    names = _ARGUMENTS.get(stem)
    if names is None or len(args) > len(names) or kwargs.get("out") is not None:
        return None
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    x = given.get("input", given.get("self"))
    passes = _PASSES[stem](given)
    if passes is None or not isinstance(x, Tensor):
        return None
    return Rectifier(x, passes, name.endswith("_") or given.get("inplace") is True)


def _relu(given: dict[str, Any]) -> Mask:
    return lambda x: x > 0


def _relu6(given: dict[str, Any]) -> Mask:
    return lambda x: (x > 0) & (x < 6)


def _hardtanh(given: dict[str, Any]) -> Mask | None:
    low, high = given.get("min_val", -1.0), given.get("max_val", 1.0)
    return (lambda x: (x > 0) & (x < high)) if low == 0 < high else None


def _threshold(given: dict[str, Any]) -> Mask | None:
    return (lambda x: x > 0) if given.get("threshold") == 0 == given.get("value") else None


def _clamp(given: dict[str, Any]) -> Mask | None:
    low, high = given.get("min"), given.get("max")
    if not _is_zero(low) or (isinstance(high, Tensor) and high.numel() != 1):
        return None
    if high is None:
        return lambda x: x >= 0
    return (lambda x: (x >= 0) & (x <= high)) if bool(high > 0) else None


def _maximum(given: dict[str, Any]) -> Mask | None:
    other = given.get("other")
    return (lambda x: x > 0) if isinstance(other, Tensor) and _is_zero(other) else None


def _is_zero(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.numel() > 0 and not value.requires_grad and not bool(torch.count_nonzero(value))
    return value is not None and not isinstance(value, bool) and bool(value == 0)


_PASSES: dict[str, Callable[[dict[str, Any]], Mask | None]] = {
    "relu": _relu,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    "threshold": _threshold,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "maximum": _maximum,
}
