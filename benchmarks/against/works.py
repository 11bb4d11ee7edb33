"""What is measured: the work, who does it, what the numbers have to be; and what was found."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from against.models import Subject
from against.timing import Run, Spread, clock_of, in_turn, ratio, spread

ALIKE = 1e-3
"""Relative L1 difference of two maps that are the same but for float32's rounding."""


@dataclass(frozen=True)
class Asked:
    """What has to be reached.

    Attributes
    ----------
    most
        What the number may be.
    of
        Which number: the "ratio" of ours to theirs, what is "extra", or "ours" alone, both in the row's unit.
    models
        On how many models; None is on each.
    """

    most: float
    of: Literal["ratio", "extra", "ours"] = "ratio"
    models: int | None = None


@dataclass(frozen=True)
class Limits:
    """How often work is repeated: up to ``rounds`` times, until ``seconds`` are over, and ``least`` times anyway."""

    rounds: int
    seconds: float
    least: int


@dataclass(frozen=True)
class Way:
    """One of those who do the work.

    Attributes
    ----------
    run
        Does it.
    asked
        What is asked of this project beside it; None for nothing.
    same
        From our result and its result, how far they differ; None where it has no map.
    check
        Does it for the comparison, in place of ``run``; None for the same.
    alike
        What the difference may be; None where its definition is another, which the work's note says.
    """

    run: Run
    asked: Asked | None = None
    same: Callable[[Any, Any], float] | None = None
    check: Run | None = None
    alike: float | None = ALIKE


@dataclass
class Work:
    """Some work on one model, timed.

    Attributes
    ----------
    ours
        Does it here.
    others
        By name.
    note
        What has to be known to read the row.
    skipped
        What is not measured, and why.
    least
        How often at least, where that is less than elsewhere, because each time takes long.
    """

    ours: Run
    others: dict[str, Way]
    note: str = ""
    skipped: list[str] = field(default_factory=list)
    least: int | None = None


@dataclass(frozen=True)
class Row:
    """What was found of this project beside another.

    Attributes
    ----------
    other
        Beside what.
    ours, theirs
        The numbers, round by round.
    unit
        Of these.
    asked
        What had to be reached; None for nothing.
    difference
        Relative L1 distance of the maps; None where there is nothing to compare.
    alike
        What it may be; None for anything.
    note
        What has to be known to read it.
    work, subject
        What was done, and the name of the model.
    """

    other: str
    ours: Sequence[float]
    theirs: Sequence[float]
    unit: str = "ms"
    asked: Asked | None = None
    difference: float | None = None
    alike: float | None = None
    note: str = ""
    work: str = ""
    subject: str = ""

    @property
    def found(self) -> Spread:
        """Ours to theirs."""
        return ratio(self.ours, self.theirs)

    @property
    def extra(self) -> Spread:
        """Ours less theirs, in the unit."""
        return spread([a - b for a, b in zip(self.ours, self.theirs, strict=True)])

    @property
    def reached(self) -> bool | None:
        """Whether it is what was asked, as far as the digits go that are shown; None where nothing was."""
        if self.asked is None:
            return None
        if self.asked.of == "ratio":
            return round(self.found.median, 2) <= round(self.asked.most, 2)
        value = self.extra.median if self.asked.of == "extra" else spread(self.ours).median
        return round(value, 1) <= self.asked.most

    @property
    def differs(self) -> bool:
        """Whether the maps are not the same although they should be."""
        return self.alike is not None and self.difference is not None and not self.difference <= self.alike


@dataclass(frozen=True)
class Planned:
    """Work that is to be done; it costs nothing yet."""

    name: str
    subject: Subject
    make: Callable[[], Work | list[Row]]


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Relative L1 difference."""
    ours, theirs = (maps.detach().cpu().double() for maps in (ours, theirs))
    return float((ours - theirs.reshape(ours.shape)).abs().sum() / theirs.abs().sum())


def best(subject: Subject, what: str, make: Callable[[int], Run], sizes: Sequence[int], *, rows: bool = False) -> int:
    """The size of a batch with which something is quickest, found once for a model and a size of picture.

    Parameters
    ----------
    what
        By which it is remembered.
    make
        From the size to what is timed: all of the work, or one batch of it.
    rows
        It is one batch, so that the time for each row decides.
    """
    if what not in subject.sizes:
        ways = {str(size): make(size) for size in sizes}
        seconds = in_turn(ways, rounds=2, seconds=0.5, least=1, clock=clock_of(subject.device))
        cost = {int(name): min(found) / (int(name) if rows else 1) for name, found in seconds.items()}
        subject.sizes[what] = min(cost, key=cost.__getitem__)
        gc.collect()
    return subject.sizes[what]
