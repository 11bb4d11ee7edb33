"""Methods in plain values, as JSON holds them, and in a short text that is the same for the same method."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from torch import Tensor, nn

from saliency_widget.methods.base import Method
from saliency_widget.methods.declare import declared

EXACT = 2**53 - 1
"""The largest whole number that JavaScript, and so many a reader of JSON, takes exactly."""

# Names of layers, statistics and the like; the rest would make a key hard to read, or to take apart.
_BARE = re.compile(r"[A-Za-z_][\w.-]*")
_QUOTED = re.compile(r"[\w. :-]*")
_WORDS = ("none", "true", "false", "inf", "nan")
_LONGEST = 48


def plain_parameters(method: Method) -> dict[str, Any]:
    """Every parameter of a method as JSON can hold it.

    Numbers, strings, booleans, None and lists of these are what they are. What JSON cannot hold (an array, a module,
    another method) is a string that describes it; :func:`saliency_widget.methods.controls.method_from_plain` puts the
    object back in its place.

    Parameters
    ----------
    method
        Any method.

    Returns
    -------
    dict
        By name, in the order of the fields; no NaN and no infinity.
    """
    told = method.parameters()
    found: dict[str, Any] = {}
    for item in dataclasses.fields(method):
        if item.init:
            value = getattr(method, item.name)
            plain = plain_value(value if isinstance(value, Method) else told.get(item.name, value))
            # One number is what a control of a pair takes, and what was most likely given.
            control = declared(item)
            square = control is not None and control.pair and isinstance(plain, list) and plain[0] == plain[-1]
            found[item.name] = plain[0] if square else plain
    return found


def plain_value(value: Any) -> Any:
    """One value as JSON can hold it; see :func:`plain_parameters`."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value) if abs(int(value)) <= EXACT else str(int(value))
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (list, tuple)):
        return [plain_value(one) for one in value]
    if isinstance(value, Mapping):
        return str({str(name): plain_value(one) for name, one in value.items()})
    if isinstance(value, Method):
        return key_of(value)
    if isinstance(value, nn.Module):
        return type(value).__name__
    if isinstance(value, Tensor):
        value = (value.detach().double() if value.is_floating_point() else value.detach()).cpu().numpy()
    if isinstance(value, np.ndarray):
        return f"array {value.shape}, sha256 {_digest(repr((value.shape, value.dtype.str)).encode() + value.tobytes())}"
    try:
        return str(value)
    except Exception:  # a broken __str__ of the user's must not take the controls with it
        return f"<{type(value).__name__}>"


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are the same to JSON: 1 is 1.0, but not True."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other
    return type(one) is type(other) and bool(one == other)


def default_of(method: type[Method]) -> Method | None:
    """The method with its default parameters; None where it has not all of them."""
    try:
        return method()
    except Exception:  # any: it is the user's class
        return None


def key_of(method: Method) -> str:
    """A short text that is the same for the same method, such as "gradient" or "smoothgrad(samples=20,noise=0.1)".

    Only parameters that are not as by default are in it, in the order of the fields. What is long, or has signs with a
    meaning in a key, is hashed. A module is named by its class and by which one it is, in this process alone: where a
    key is to last, give the layer by its dotted name.

    Parameters
    ----------
    method
        Any method.
    """
    usual = default_of(type(method))
    usually = {} if usual is None else plain_parameters(usual)
    parts = []
    for name, value in plain_parameters(method).items():
        own = getattr(method, name)
        if isinstance(own, nn.Module):
            # Two modules of one class are described alike, but are not the same layer.
            parts.append(f"{name}={value}~{id(own):x}")
        elif name not in usually or not same(value, usually[name]):
            parts.append(f"{name}={value if isinstance(own, Method) else _written(value)}")
    return f"{method.name}({','.join(parts)})" if parts else method.name


def _written(value: Any) -> str:
    """A plain value in a key."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        # As an integer in its place would be written, which is the same value.
        return repr(value).removesuffix(".0")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        text = f"[{','.join(map(_written, value))}]"
        return text if len(text) <= _LONGEST else f"~{_digest(text.encode())}"
    if len(value) <= _LONGEST:
        if _BARE.fullmatch(value) and value not in _WORDS:
            return str(value)
        if _QUOTED.fullmatch(value):
            return f"'{value}'"
    return f"~{_digest(value.encode('utf-8', 'surrogatepass'))}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
