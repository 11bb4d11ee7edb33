"""Undo what a forward pass wrote into the shadow: caches, counters, features that a hook kept."""

from __future__ import annotations

import operator
import types
from collections import deque
from typing import Any

import numpy as np


class Pristine:
    """Remembers what one container of the shadow holds.

    Parameters
    ----------
    thing
        A dictionary, list, set, deque, array, or the cell of a closure.
    """

    __slots__ = ("_items", "_thing")

    def __init__(self, thing: Any) -> None:
        self._thing = thing
        self._items: Any = _content(thing)

    def restore(self) -> None:
        """Put it back as it was."""
        thing, items = self._thing, self._items
        if isinstance(thing, dict):
            # By identity, and without the keys: this is done after every pass.
            if len(thing) == len(items) and all(map(operator.is_, dict.values(thing), items.values())):
                return
            dict.clear(thing)
            dict.update(thing, items)
        elif isinstance(thing, types.CellType):
            thing.cell_contents = items
        elif isinstance(thing, np.ndarray):
            np.copyto(thing, items)
        elif isinstance(thing, list):
            list.__setitem__(thing, slice(None), items)
        elif isinstance(thing, set):
            set.clear(thing)
            set.update(thing, items)
        elif isinstance(thing, deque):
            thing.clear()
            thing.extend(items)


def _content(thing: Any) -> Any:
    if isinstance(thing, types.CellType):
        return thing.cell_contents
    if isinstance(thing, np.ndarray):
        return thing.copy()
    return dict(dict.items(thing)) if isinstance(thing, dict) else list(thing)
