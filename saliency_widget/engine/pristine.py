"""Undo what a forward pass wrote into the shadow: caches, counters, features that a hook kept."""

from __future__ import annotations

import operator
import types
from collections import deque
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np


def as_they_were(things: list[Any]) -> Callable[[], None]:
    """What puts containers back as they are now; it is done after every pass.

    Parameters
    ----------
    things
        Dictionaries, lists, sets, deques, arrays, and the cells of closures.
    """
    kept = [Pristine(thing) for thing in things if not isinstance(thing, dict)]
    # By identity, and without the keys: most of what there is are the dictionaries of modules, and they stay. All of
    # them at once, in C: there are hundreds, and they are looked at after each pass.
    dicts = [thing for thing in things if isinstance(thing, dict)]
    counts = [*map(len, dicts)]
    values = [*chain.from_iterable(map(dict.values, dicts))]
    items = [dict(dict.items(thing)) for thing in dicts]

    def restore() -> None:
        found = chain.from_iterable(map(dict.values, dicts))
        if [*map(len, dicts)] != counts or not all(map(operator.is_, found, values)):
            for thing, wanted in zip(dicts, items, strict=True):
                if not _holds(thing, wanted):
                    dict.clear(thing)
                    dict.update(thing, wanted)
        for one in kept:
            one.restore()

    return restore


def _holds(thing: dict[Any, Any], wanted: dict[Any, Any]) -> bool:
    values = dict.values
    return len(thing) == len(wanted) and all(map(operator.is_, values(thing), values(wanted)))


class Pristine:
    """Remembers what one container of the shadow holds.

    Parameters
    ----------
    thing
        A list, set, deque, array, or the cell of a closure.
    """

    __slots__ = ("_items", "_thing")

    def __init__(self, thing: Any) -> None:
        self._thing = thing
        self._items: Any = _content(thing)

    def restore(self) -> None:
        """Put it back as it was."""
        thing, items = self._thing, self._items
        if isinstance(thing, types.CellType):
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
    return list(thing)
