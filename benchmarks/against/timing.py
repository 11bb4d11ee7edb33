"""Time several ways in turn: A B C A B C ..., so that a machine whose speed drifts slows all of them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

Run = Callable[[], Any]
Clock = Callable[[Run], float]
"""Runs something and returns how many seconds it took."""


@dataclass(frozen=True)
class Spread:
    """A median, and how far what it is the median of is spread.

    Attributes
    ----------
    median, low, high
        The median and the quartiles; the extremes where there are fewer than four values.
    rounds
        How many there were.
    """

    median: float
    low: float
    high: float
    rounds: int


def wall(run: Run) -> float:
    """Seconds by the clock of the CPU."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def work(run: Run) -> float:
    """Seconds that all threads of this process computed together, which other programs hardly change."""
    began = time.process_time()
    run()
    return time.process_time() - began


def events(device: torch.device) -> Clock:
    """A clock of CUDA events: seconds from when the device begins until it has done the last thing asked of it."""

    def seconds(run: Run) -> float:
        stream = torch.cuda.current_stream(device)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        start.record(stream)
        run()
        end.record(stream)
        end.synchronize()
        return start.elapsed_time(end) / 1000

    return seconds


CLOCKS = {"wall": wall, "work": work}


def clock_of(device: torch.device, name: str = "wall") -> Clock:
    """What to time work on a device by; on the CPU, one of :data:`CLOCKS`."""
    return events(device) if device.type == "cuda" else CLOCKS[name]


def in_turn(
    ways: Mapping[str, Run],
    *,
    rounds: int,
    seconds: float,
    least: int = 3,
    warm: bool = False,
    clock: Clock = wall,
) -> dict[str, list[float]]:
    """Seconds of each way in each round.

    Each is run once before, which is not counted, unless they are ``warm`` already. There are fewer rounds where the
    time is over, and ``least`` at least. The order turns from round to round.
    """
    for run in () if warm else ways.values():
        run()
    names = list(ways)
    found: dict[str, list[float]] = {name: [] for name in names}
    until = time.perf_counter() + seconds
    for number in range(rounds):
        turn = number % len(names)
        gc.collect()
        gc.disable()
        try:
            for name in names[turn:] + names[:turn]:
                found[name].append(clock(ways[name]))
        finally:
            gc.enable()
        if number + 1 >= least and time.perf_counter() > until:
            break
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Ours to theirs, round by round."""
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles."""
    if len(values) < 4:
        return Spread(statistics.median(values), min(values), max(values), len(values))
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(statistics.median(values), low, high, len(values))
