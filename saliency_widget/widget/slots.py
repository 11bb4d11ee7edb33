"""Which map lies in which of a fixed number of slots.

Maps live in a fixed set of byte traits, because a list trait would send all its maps again whenever one is added.
Pure bookkeeping: the widget moves the bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

COUNT = 24
BUDGET = 16 * 2**20


@dataclass(frozen=True)
class Placement:
    """Where a new map goes, and which maps leave for it."""

    slot: int
    evicted: tuple[str, ...]


class Slots:
    """At most ``count`` maps and ``budget`` bytes; the least recently used leaves first, the displayed one never.

    What is to be kept leaves only when nothing else is left to leave.

    Parameters
    ----------
    count
        Number of slots, at least two: the displayed map's and a new one's.
    budget
        Bytes in all slots together. One map larger than this is still kept, alone with the displayed one.
    """

    def __init__(self, count: int = COUNT, budget: int = BUDGET) -> None:
        self._count = count
        self._budget = budget
        self._held: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def __contains__(self, key: object) -> bool:
        return key in self._held

    def __len__(self) -> int:
        return len(self._held)

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(size for _, size in self._held.values())

    def slot_of(self, key: str) -> int:
        """The slot of a map that is held."""
        return self._held[key][0]

    def touch(self, key: str) -> None:
        """The map was used."""
        if key in self._held:
            self._held.move_to_end(key)

    def place(self, key: str, size: int, displayed: str, kept: Collection[str] = ()) -> Placement:
        """Find room for a map of ``size`` bytes; a map that is held is replaced where it lies."""
        slot = self._held.pop(key)[0] if key in self._held else None
        evicted = []
        for other in sorted(self._held, key=lambda held: held in kept):
            if self.size + size <= self._budget and len(self._held) < self._count:
                break
            if other != displayed:
                del self._held[other]
                evicted.append(other)
        if slot is None:
            taken = {number for number, _ in self._held.values()}
            slot = next(number for number in range(self._count) if number not in taken)
        self._held[key] = (slot, size)
        return Placement(slot, tuple(evicted))
