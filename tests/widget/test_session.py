"""The session: one order at a time, the latest wins, each answered once. With a fake explainer that the test steps."""

from __future__ import annotations

from typing import Any

from saliency_widget.errors import InputError
from saliency_widget.widget.session import Order
from tests.widget.rig import WAIT, Rig, order, shared


def test_an_order_is_started_estimated_and_done_once(rig: Rig) -> None:
    rig.session.ask(order("a", "r1"))
    rig.let(2)
    rig.until(lambda: rig.recorder.ends("a") == ["done"])
    assert rig.recorder.told == [("started", "a", "r1"), ("estimate", "a", 1), ("done", "a", "r1")]
    assert rig.session.current is None


def test_the_latest_wins_and_the_dropped_one_is_answered_at_once(rig: Rig) -> None:
    rig.session.ask(order("a", "r1"))
    rig.reach_gate()
    rig.session.ask(order("b", "r2"))
    assert rig.recorder.ends("a") == ["cancelled"]
    rig.let(6)
    rig.until(lambda: rig.recorder.ends("b") == ["done"])
    assert rig.recorder.ends("a") == ["cancelled"]


def test_of_many_orders_in_a_row_only_the_last_is_computed(rig: Rig) -> None:
    for number in range(20):
        rig.session.ask(order(f"k{number}", f"r{number}"))
    rig.let(8)
    rig.until(lambda: rig.recorder.ends("k19") == ["done"])
    for number in range(19):
        assert rig.recorder.ends(f"k{number}") == ["cancelled"]
    # What was dropped before it began was never computed: k0 may have begun, no other.
    begun = [key for kind, key, _ in rig.recorder.told if kind == "started"]
    assert set(begun) <= {"k0", "k19"}


def test_stop_answers_and_nothing_is_reported_afterwards(rig: Rig) -> None:
    rig.session.ask(order("a", "r1"))
    rig.reach_gate()
    rig.session.cancel("another")
    assert rig.recorder.ends("a") == []
    rig.session.cancel("r1")
    assert rig.recorder.ends("a") == ["cancelled"]
    rig.let(4)
    rig.session.ask(order("b"))
    rig.until(lambda: rig.recorder.ends("b") == ["done"])
    assert ("estimate", "a", 1) not in rig.recorder.told


def test_an_error_is_one_sentence_and_the_session_goes_on(rig: Rig) -> None:
    for error, words in (
        (InputError("target", 3, "is odd", "Use 4."), "target=3 is odd. Use 4."),
        (RuntimeError("boom\n  twice"), "RuntimeError: boom twice"),
        (KeyboardInterrupt(), "The model raised KeyboardInterrupt and said no more."),
        (SystemExit(3), "SystemExit: 3"),
    ):
        rig.explainer.error = error
        rig.session.ask(order("a"))
        rig.let(1)
        rig.until(lambda: rig.session.current is None)
        assert rig.recorder.told[-1] == ("failed", "a", words)
    rig.explainer.error = None
    rig.session.ask(order("b"))
    rig.let(2)
    rig.until(lambda: rig.recorder.ends("b") == ["done"])


def test_what_is_computed_ahead_gives_way_and_comes_back(rig: Rig) -> None:
    rig.session.ask_ahead([order("x", quiet=True), order("y", quiet=True)])
    rig.reach_gate()
    rig.session.ask(order("a", "r1"))
    assert rig.recorder.ends("x") == []
    rig.let(20)
    rig.until(lambda: rig.recorder.ends("y") == ["done"])
    ended = [key for kind, key, _ in rig.recorder.told if kind == "done"]
    assert ended == ["a", "x", "y"]


def test_asking_for_what_is_being_computed_ahead_does_not_begin_again(rig: Rig) -> None:
    rig.session.ask_ahead([order("x", quiet=True)])
    rig.reach_gate()
    rig.session.ask(order("x", "r1"))
    rig.let(2)
    rig.until(lambda: rig.recorder.ends("x") == ["done"])
    assert rig.recorder.told[-1] == ("done", "x", "r1")
    assert not rig.explainer.at_gate.acquire(blocking=False) or not rig.explainer.at_gate.acquire(blocking=False)


def test_the_same_map_asked_for_twice_is_answered_twice(rig: Rig) -> None:
    rig.session.ask(order("a", "r1"))
    rig.reach_gate()
    rig.session.ask(order("a", "r2"))
    rig.let(2)
    rig.until(lambda: rig.session.current is None)
    ends = [told for told in rig.recorder.told if told[0] in ("done", "cancelled")]
    assert ends == [("cancelled", "a", "r1"), ("done", "a", "r2")]


def test_closing_answers_what_was_asked_and_refuses_the_rest(rig: Rig) -> None:
    rig.session.ask(order("a", "r1"))
    rig.reach_gate()
    rig.session.close()
    rig.session.ask(order("b", "r2"))
    assert rig.recorder.ends("a") == ["cancelled"]
    assert rig.recorder.ends("b") == ["cancelled"]


def test_what_is_asked_for_while_an_end_is_told_does_not_end_it_twice(rig: Rig) -> None:
    told = rig.recorder.done

    def done(given: Order, step: Any) -> None:
        told(given, step)
        if given.key == "a":
            rig.session.ask(order("b"))

    rig.recorder.done = done  # type: ignore[method-assign]
    rig.session.ask(order("a"))
    rig.let(9)
    rig.until(lambda: rig.recorder.ends("b") == ["done"])
    assert rig.recorder.ends("a") == ["done"]


def test_a_method_whose_passes_serve_all_classes_computes_them_in_one_run(rig: Rig) -> None:
    with rig.changed:
        rig.session.ask(shared("a", req="r1"))
        rig.session.ask_ahead([shared(key, quiet=True) for key in "bcd"])
    rig.let(9)
    rig.until(lambda: rig.recorder.ends("d") == ["done"])
    assert rig.explainer.asked == [["a", "b", "c", "d"]]
    assert [rig.recorder.ends(key) for key in "abcd"] == [["done"]] * 4
    assert ("done", "a", "r1") in rig.recorder.told
    assert ("done", "b", None) in rig.recorder.told


def test_a_class_that_is_already_under_way_is_not_begun_again(rig: Rig) -> None:
    with rig.changed:
        rig.session.ask(shared("a", req="r1"))
        rig.session.ask_ahead([shared(key, quiet=True) for key in "bc"])
    rig.reach_gate()
    rig.session.ask(shared("b", req="r2"))
    assert rig.recorder.ends("a") == ["cancelled"]
    rig.let(9)
    rig.until(lambda: rig.recorder.ends("c") == ["done"])
    assert rig.explainer.asked == [["a", "b", "c"]]
    assert ("done", "b", "r2") in rig.recorder.told
    assert rig.recorder.ends("a") == ["cancelled", "done"], "computed all the same, for nobody who waits"


def test_what_a_dropped_run_would_have_computed_too_is_computed_later(rig: Rig) -> None:
    with rig.changed:
        rig.session.ask(shared("a"))
        rig.session.ask_ahead([shared(key, quiet=True) for key in "bc"])
    rig.reach_gate()
    rig.session.ask(order("z"))
    rig.let(20)
    rig.until(lambda: rig.recorder.ends("c") == ["done"])
    assert rig.recorder.ends("z") == ["done"]
    assert rig.explainer.asked[1:] == [[order("z").target], ["b", "c"]]


def test_a_run_that_is_kept_goes_on_where_it_stood_still(rig: Rig) -> None:
    rig.explainer.count = 6
    rig.session.ask(order("a", "r1"))
    rig.let(2)
    rig.spin(lambda: ("estimate", "a", 2) in rig.recorder.told)
    rig.session.cancel("r1", keep=True)
    assert ("kept", "a", 2) in rig.recorder.told
    assert rig.recorder.ends("a") == ["cancelled"]
    rig.let(1)
    assert rig.session.suspended == "a"
    rig.session.ask(order("a", "r2"))
    rig.let(3)
    rig.until(lambda: rig.recorder.ends("a") == ["cancelled", "done"])
    assert len(rig.explainer.asked) == 1, "it did not begin again"


def test_a_suspended_run_of_other_weights_begins_again(rig: Rig) -> None:
    rig.explainer.count = 4
    rig.session.ask(order("a", "r1"))
    rig.let(2)
    rig.spin(lambda: ("estimate", "a", 2) in rig.recorder.told)
    rig.session.cancel("r1", keep=True)
    rig.explainer.moved = True
    rig.let(1)
    rig.session.ask(order("a", "r2"))
    rig.let(4)
    rig.until(lambda: rig.recorder.ends("a") == ["cancelled", "done"])
    assert len(rig.explainer.asked) == 2
    assert ("refreshed", "", None) in rig.recorder.told


def test_a_run_without_an_estimate_leaves_nothing_to_keep(rig: Rig) -> None:
    rig.session.ask(order("a", "r1"))
    rig.reach_gate()
    rig.session.cancel("r1", keep=True)
    assert rig.recorder.told[-1] == ("cancelled", "a", "r1")
    assert rig.session.suspended is None


def keep_while_at_work(rig: Rig, estimates: int) -> None:
    """Stop the run of "a" while it works on its next estimate, which it then comes to."""
    rig.session.ask(order("a", "r1"))
    rig.let(estimates)
    rig.spin(lambda: ("estimate", "a", estimates) in rig.recorder.told)
    rig.session.cancel("r1", keep=True)
    assert rig.session.suspended == "a"


def test_a_run_that_came_to_its_end_while_it_was_stopped_is_done_when_it_is_asked_for(rig: Rig) -> None:
    keep_while_at_work(rig, 1)
    rig.let(1)  # the last of two
    rig.spin(lambda: not rig.session._suspended.at_work)
    rig.session.ask(order("a", "r2"))
    rig.until(lambda: rig.recorder.ends("a") == ["cancelled", "done"])
    assert len(rig.explainer.asked) == 1


def test_a_run_that_fails_after_it_was_stopped_begins_again(rig: Rig) -> None:
    keep_while_at_work(rig, 1)
    rig.explainer.error = RuntimeError("out of memory")
    rig.let(1)
    rig.spin(lambda: rig.session.suspended is None)
    assert rig.recorder.ends("a") == ["cancelled"], "it was answered before"
    rig.explainer.error = None
    rig.session.ask(order("a", "r2"))
    rig.let(4)
    rig.until(lambda: rig.recorder.ends("a") == ["cancelled", "done"])


def test_what_is_asked_for_next_does_not_wait_for_a_run_that_was_stopped(rig: Rig) -> None:
    keep_while_at_work(rig, 1)
    run = rig.session._suspended
    rig.session.ask(order("b", "r2"))
    assert run is not None
    assert run._stopped(), "it hears of it at its next chunk"
    rig.let(9)
    rig.until(lambda: rig.recorder.ends("b") == ["done"])
    assert run._steps is None, "it was closed"


def test_a_method_that_ends_without_a_final_map_is_a_failure(rig: Rig) -> None:
    rig.explainer.count = 0
    rig.session.ask(order("a", "r1"))
    rig.until(lambda: rig.recorder.ends("a") == ["failed"])


def test_a_sink_that_fails_ends_the_order_all_the_same(rig: Rig) -> None:
    def done(_order: Order, _step: Any) -> None:
        raise RuntimeError("full")

    rig.recorder.done = done  # type: ignore[method-assign]
    rig.session.ask(order("a", "r1"))
    rig.let(2)
    rig.until(lambda: rig.recorder.ends("a") == ["failed"])
    assert rig.session.current is None


def test_resting_waits_for_all_that_is_under_way_and_no_longer_than_told(rig: Rig) -> None:
    assert rig.session.rest(0.0)
    done: list[str] = []
    rig.session.ask(order("a"))
    rig.session.ask_ahead([order("x", quiet=True)])
    rig.reach_gate()
    rig.session.aside(lambda: done.append("aside"), rig.explainer)  # type: ignore[arg-type]
    assert not rig.session.rest(0.01)
    rig.let(2)
    rig.until(lambda: rig.recorder.ends("a") == ["done"])
    assert not rig.session.rest(0.01), "somebody may want what is computed ahead"
    rig.let(2)
    assert rig.session.rest(WAIT)
    assert (rig.recorder.ends("x"), done) == (["done"], ["aside"])
