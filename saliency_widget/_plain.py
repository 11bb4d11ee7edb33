"""Values as JSON holds them, and JSON that can stand inside any other text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

# What ends a script, a comment or an element elsewhere; inside a JSON string each may be written as its number.
_ELSEWHERE = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&'"}


def plain(value: Any) -> Any:
    """``value`` as JSON holds it: dicts with text as keys, lists, text, numbers, booleans, None.

    Tuples become lists, numpy's numbers Python's. What JSON has no word for, such as NaN, is its text.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return [plain(one) for one in value.tolist()] if isinstance(value, np.ndarray) and value.ndim else str(value)


def inert_json(value: Any) -> str:
    """JSON in ASCII, without a sign that means anything in HTML, XML or a script.

    A label that holds ``</script``, ``<!--``, NUL, U+2028 or half of a surrogate pair is in it as numbers.
    """
    return json.dumps(plain(value), ensure_ascii=True, allow_nan=False).translate(_ELSEWHERE)


class Frozen(dict[str, Any]):
    """A dict that is not changed any more; it stays a dict, so that json and pickle take it."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("this dict belongs to a result and is not changed; copy it: dict(...)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> Any:
        return type(self), (dict(self),)
