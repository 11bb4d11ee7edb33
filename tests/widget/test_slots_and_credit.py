"""The bookkeeping of slots, and the throttle of partial maps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliency_widget.widget.credit import Credit
from saliency_widget.widget.slots import Slots


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 60), st.sampled_from("abcdefgh")), max_size=40),
)
@settings(max_examples=300, deadline=None)
def test_slots_are_never_shared_the_displayed_map_never_leaves_and_the_budget_holds(
    steps: list[tuple[str, int, str]],
) -> None:
    slots = Slots(count=4, budget=100)
    where: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for key, size, displayed in steps:
        shown = displayed if displayed in where else ""
        placed = slots.place(key, size, shown)
        for gone in placed.evicted:
            del where[gone], sizes[gone]
        assert shown not in placed.evicted
        where[key], sizes[key] = placed.slot, size
        assert len(set(where.values())) == len(where) <= 4
        assert all(0 <= slot < 4 for slot in where.values())
        assert {k: slots.slot_of(k) for k in where} == where
        if slots.size > 100:
            # Only the new map and the displayed one may be too large together.
            assert set(where) <= {key, shown}


def test_the_least_recently_used_leaves_first() -> None:
    slots = Slots(count=3, budget=1000)
    for key in "abc":
        slots.place(key, 1, "")
    slots.touch("a")
    assert slots.place("d", 1, "").evicted == ("b",)


def test_a_replaced_map_stays_in_its_slot() -> None:
    slots = Slots(count=3, budget=1000)
    first = slots.place("a", 1, "").slot
    assert slots.place("a", 500, "").slot == first
    assert slots.size == 500


def test_two_may_wait_for_their_answer_however_long_it_takes() -> None:
    credit = Credit()
    for seq in (1, 2):
        assert credit.may_send(0.4 * seq)
        credit.sent(0.4 * seq, seq)
    assert not credit.may_send(0.9)
    credit.heard(1.0, 1, visible=True)
    assert credit.may_send(1.0)


def test_more_may_wait_while_the_oldest_is_young_and_never_more_than_eight() -> None:
    credit = Credit()
    for seq in range(1, 9):
        assert credit.may_send(seq / 64)
        credit.sent(seq / 64, seq)
    assert not credit.may_send(9 / 64)
    credit.heard(9 / 64, 4, visible=True)
    assert credit.may_send(10 / 64)
    assert not credit.may_send(0.25), "the fifth waits for its answer too long by now"


def under_way(count: int, rate: float, way: float, work: float = 0.0) -> list[tuple[bool, int]]:
    """Whether each of so many maps went out, made at a rate, and how many were under way then.

    A map takes ``way`` seconds to its answer, and the page works ``work`` seconds on each, one after another.
    """
    credit, line, free = Credit(), list[tuple[float, int]](), 0.0
    found = []
    for tick in range(count):
        now = tick / rate
        for when, seq in [one for one in line if one[0] <= now]:
            credit.heard(when, seq, visible=True)
        line = [one for one in line if one[0] > now]
        went = credit.may_send(now)
        if went:
            credit.sent(now, tick)
            free = max(free, now) + work
            line.append((free + way, tick))
        found.append((went, len(line)))
    return found


@pytest.mark.parametrize("way", [0.05, 0.1, 0.12])
def test_thirty_a_second_go_out_where_an_answer_takes_a_tenth_of_a_second(way: float) -> None:
    assert sum(went for went, _ in under_way(90, 30, way)) == 90


def test_where_an_answer_takes_long_nothing_queues() -> None:
    # Maps are made every 10 ms, and the page needs 200 ms for each.
    for _, line in under_way(1000, 100, 0.0, 0.2)[301:]:
        assert line <= 2


def test_a_later_acknowledgement_stands_for_one_that_was_lost_and_an_old_one_for_none() -> None:
    credit = Credit()
    for seq in (5, 6):
        credit.sent(0.0, seq)
    credit.heard(0.3, 4, visible=True)
    assert not credit.may_send(0.3)
    credit.heard(0.3, 6, visible=True)
    credit.sent(0.3, 7)
    assert credit.may_send(0.5)


def test_without_acknowledgements_the_stream_slows_to_one_a_second_and_never_stops() -> None:
    credit = Credit()
    sent = []
    for tick in range(320):  # in 64ths, which floats hold exactly
        now = tick / 64
        if credit.may_send(now):
            credit.sent(now, tick)
            sent.append(now)
    assert sent == [*(tick / 64 for tick in range(8)), *(seconds + 7 / 64 for seconds in (1, 2, 3, 4))]


def test_nothing_is_sent_while_nobody_looks() -> None:
    credit = Credit()
    credit.sent(0.0, 1)
    credit.heard(0.1, 1, visible=False)
    assert not credit.may_send(60.0)
    credit.heard(60.1, 1, visible=True)
    assert credit.may_send(60.1)


def test_of_two_pages_one_that_sees_it_is_enough_whichever_speaks_last() -> None:
    for pages in ("ab", "ba"):
        credit = Credit()
        credit.sent(0.0, 1)
        for page in pages:
            credit.heard(0.1, 1, page, visible=page == "a")
        assert credit.may_send(0.2)
        credit.heard(0.3, 1, "a", visible=False)
        assert not credit.may_send(60.0)


def test_two_pages_do_not_double_what_is_under_way() -> None:
    credit = Credit()
    for seq in (1, 2):
        credit.sent(0.0, seq)
    for page in "ab":
        credit.heard(0.2, 1, page, visible=True)
    assert credit.may_send(0.2)
    credit.sent(0.2, 3)
    assert not credit.may_send(0.3)


def test_what_is_to_be_kept_leaves_last() -> None:
    slots = Slots(count=4, budget=1000)
    for key in "abcd":
        slots.place(key, 10, displayed="a", kept={"b"})
    assert slots.place("e", 10, displayed="a", kept={"b"}).evicted == ("c",)
    assert slots.place("f", 990, displayed="a", kept={"b"}).evicted == ("d", "e", "b"), "nothing else is left to leave"
