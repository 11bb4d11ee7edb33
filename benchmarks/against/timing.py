"""Time several ways in turn: A B C A B C ..., so that a machine whose speed drifts slows all of them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ratio:
    """The median of the ratios of one round each, and how far they are spread.

    Attributes
    ----------
    median, low, high
        The median and the quartiles; the extremes where there are fewer than four rounds.
    rounds
        How many there were.
    """

    median: float
    low: float
    high: float
    rounds: int


def in_turn(
    ways: Mapping[str, Callable[[], Any]], *, rounds: int, seconds: float, least: int = 3, warm: bool = False
) -> dict[str, list[float]]:
    """Seconds of each way in each round.

    Each is run once before, which is not counted, unless they are ``warm`` already. There are fewer rounds where the
    time is over, and ``least`` at least. The order turns from round to round.
    """
    for run in () if warm else ways.values():
        run()
    names, found = list(ways), {name: [] for name in ways}
    until = time.perf_counter() + seconds
    for number in range(rounds):
        turn = number % len(names)
        gc.collect()
        gc.disable()
        try:
            for name in names[turn:] + names[:turn]:
                began = time.perf_counter()
                ways[name]()
                found[name].append(time.perf_counter() - began)
        finally:
            gc.enable()
        if number + 1 >= least and time.perf_counter() > until:
            break
    return found


def ratio(ours: list[float], theirs: list[float]) -> Ratio:
    """Ours to theirs, round by round."""
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def spread(values: list[float]) -> Ratio:
    """Median and quartiles."""
    if len(values) < 4:
        return Ratio(statistics.median(values), min(values), max(values), len(values))
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return Ratio(statistics.median(values), low, high, len(values))
