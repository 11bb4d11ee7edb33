"""What the benchmarks measure with: turns, ratios, memory, exponents."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import pytest
import torch
from against import memory, timing, works
from against.works import Asked, Row, best, relative


def test_all_ways_take_turns_and_none_is_always_first() -> None:
    said: list[str] = []
    ways = {name: lambda name=name: said.append(name) for name in "ABC"}
    times = timing.in_turn(ways, rounds=3, seconds=0, least=3)
    assert "".join(said) == "ABC" + "ABC" + "BCA" + "CAB"
    assert {name: len(found) for name, found in times.items()} == {"A": 3, "B": 3, "C": 3}
    assert timing.in_turn(ways, rounds=9, seconds=0, least=2, warm=True).keys() == ways.keys()
    assert len(said) == 12 + 6


def test_any_clock_can_be_read() -> None:
    readings = iter([3.0, 1.0, 1.0, 2.0])

    def clock(run: timing.Run) -> float:
        run()
        return next(readings)

    times = timing.in_turn(dict.fromkeys("AB", lambda: None), rounds=2, seconds=9, warm=True, clock=clock)
    # The second round begins with B.
    assert times == {"A": [3.0, 2.0], "B": [1.0, 1.0]}
    assert timing.ratio(times["A"], times["B"]) == timing.Spread(2.5, 2.0, 3.0, 2)


def test_only_what_is_computed_counts_as_work() -> None:
    # Of a nap by the clock, all; of what is computed, nearly nothing.
    assert timing.wall(lambda: time.sleep(0.05)) >= 0.05
    assert timing.work(lambda: time.sleep(0.05)) < 0.05
    assert timing.clock_of(torch.device("cpu")) is timing.wall
    assert timing.clock_of(torch.device("cpu"), "work") is timing.work


def test_the_spread_is_of_quartiles_where_there_are_enough() -> None:
    assert timing.spread([1, 2, 9]) == timing.Spread(2, 1, 9, 3)
    assert timing.spread([1, 2, 3, 4, 100]) == timing.Spread(3, 2, 4, 5)


def test_the_best_size_is_the_one_with_the_least_time_and_is_remembered(
    subject: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(works, "clock_of", lambda _device: lambda run: run())
    found, made = replace(subject, sizes={}), []

    def make(size: int) -> timing.Run:
        made.append(size)
        return lambda: {1: 3.0, 4: 1.0, 8: 6.0}[size]

    assert best(found, "all", make, (1, 4, 8)) == 4
    assert best(found, "all", make, (1, 4, 8)) == 4
    assert made == [1, 4, 8]
    assert best(found, "one batch", make, (1, 8), rows=True) == 8
    assert found.sizes == {"all": 4, "one batch": 8}
    # Of another picture's size nothing is known.
    assert found.at(64).sizes == {}


def row(ours: float, theirs: float, asked: Asked | None) -> Row:
    return Row("other", [ours] * 3, [theirs] * 3, "ms", asked)


@pytest.mark.parametrize(
    ("asked", "reached"),
    [
        (None, None),
        (Asked(0.5), True),
        (Asked(0.49), False),
        (Asked(-10, "extra"), True),
        (Asked(-11, "extra"), False),
        (Asked(10, "ours"), True),
        (Asked(9, "ours"), False),
    ],
)
def test_what_is_asked_is_of_the_ratio_the_difference_or_ours(asked: Asked | None, reached: bool | None) -> None:
    assert row(10, 20, asked).reached is reached


def test_a_number_that_is_shown_as_the_one_asked_for_has_reached_it() -> None:
    assert row(100.4, 100, Asked(1.0)).reached
    assert not row(100.6, 100, Asked(1.0)).reached


def test_another_map_is_seen_and_so_is_none() -> None:
    one = torch.arange(6.0).view(2, 3)
    assert relative(one, one.double().flatten()) == 0
    assert relative(1.5 * one, one) == pytest.approx(0.5)
    for difference, differs in ((1e-6, False), (1e-2, True), (math.nan, True)):
        assert Row("x", [1], [1], difference=difference, alike=1e-3).differs is differs
        assert not Row("x", [1], [1], difference=difference, alike=None).differs


@pytest.mark.skipif(not memory.known(), reason="the peak of a process is not known here")
def test_the_peak_is_what_was_held_at_once() -> None:
    def run(megabytes: int) -> None:
        torch.ones(megabytes * 2**18)
        torch.ones(megabytes * 2**18)

    run(64)
    found = memory.peak(lambda: run(64), torch.device("cpu"))
    assert found is not None
    assert 60 < found < 80
    assert memory.peak(lambda: run(128), torch.device("cpu")) == pytest.approx(2 * found, rel=0.1)
