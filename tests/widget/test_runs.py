"""What Python asks for reaches the pages as what they ask for does: announced, streamed, stopped, answered once."""

from __future__ import annotations

import time
from typing import Any

import pytest

import saliency_widget as sw
from tests.widget.conftest import FINAL, RecordingComm, Small
from tests.widget.test_choices import ask, sw_parameters
from tests.widget.test_widget import settle, unheld

SAMPLES = 3000


def announced(widget: Any) -> str:
    """The name of the run that the trait tells all pages of; "" is none."""
    return (widget._status["want"] or {}).get("req", "")


def begin(make: Any, picture: Any, **more: Any) -> tuple[Any, str]:
    """A long run that Python began, with a first word of how far it is."""
    widget = make(Small(classes=30, pause=0.002).eval(), picture, labels=None, target=0)
    settle(widget)
    widget.comm.sent.clear()
    widget.method = sw.SmoothGrad(samples=SAMPLES, **more)
    widget.comm.until(lambda: bool(announced(widget)))
    run = announced(widget)
    widget.comm.until(lambda: len(told(widget, run)) > 0)
    return widget, run


def told(widget: Any, run: str) -> list[dict[str, Any]]:
    return [one for one in widget.comm.custom(run) if one["kind"] in ("partial", "progress")]


def ends(widget: Any, run: str) -> list[str]:
    return [one["kind"] for one in widget.comm.custom(run) if one["kind"] in FINAL]


def say(widget: Any, kind: str, req: str, **more: Any) -> None:
    widget.comm.receive({"method": "custom", "content": {"v": 1, "kind": kind, "req": req, **more}})


def test_a_run_that_python_starts_announces_itself_and_streams(make: Any, picture: Any) -> None:
    widget, run = begin(make, picture)
    want = widget._status["want"]
    assert want["method"] == "smoothgrad"
    assert want["parameters"]["samples"] == SAMPLES
    assert want["target"] == {"kind": "logit", "index": 0, "other": None}
    first = next(one for one in widget.comm.custom(run) if one["kind"] == "partial")
    assert (first["total"], first["header"]["key"]) == (SAMPLES, want["key"])
    assert first["seconds"] > 0
    say(widget, "ack", run, seq=first["seq"])
    widget.comm.until(lambda: len([one for one in told(widget, run) if one["done"] > first["done"]]) >= 3)
    counts = [one["done"] for one in told(widget, run)]
    assert counts == sorted(set(counts))
    widget.stop()
    assert ends(widget, run) == ["cancelled"]
    assert announced(widget) == ""


def test_a_page_that_is_opened_later_finds_the_run_in_the_state(make: Any, picture: Any) -> None:
    widget, run = begin(make, picture)
    assert widget.get_state()["_status"]["want"]["req"] == run


def test_a_page_stops_it_by_its_name_and_goes_on_with_it(make: Any, picture: Any) -> None:
    widget, run = begin(make, picture)
    say(widget, "cancel", run, keep=True)
    (end,) = [one for one in widget.comm.custom(run) if one["kind"] in FINAL]
    assert end["kind"] == "cancelled"
    assert widget.shown == end["key"], "what there is of it is shown"
    kept = next(one for one in widget._maps if one["key"] == end["key"])
    assert not kept["final"]
    assert widget._session.suspended == end["key"]
    ask(widget, "go", method="smoothgrad", parameters={**sw_parameters("smoothgrad"), "samples": SAMPLES})
    widget.comm.until(lambda: len(told(widget, "go")) > 0)
    assert told(widget, "go")[0]["done"] > kept["done"], "it did not begin again"


def test_python_goes_on_with_it_under_another_name(make: Any, picture: Any) -> None:
    widget, run = begin(make, picture)
    widget.stop()
    done = next(one for one in widget._maps if not one["final"])["done"]
    widget.go_on()
    widget.comm.until(lambda: announced(widget) not in ("", run))
    again = announced(widget)
    widget.comm.until(lambda: len(told(widget, again)) > 0)
    assert told(widget, again)[0]["done"] > done
    assert ends(widget, run) == ["cancelled"]


def test_its_end_is_told_once_and_after_its_map(make: Any, picture: Any) -> None:
    widget = make(Small(classes=30).eval(), picture, labels=None, target=0)
    settle(widget)
    widget.comm.sent.clear()
    widget.class_index = unheld(widget)
    widget.wait(20)
    finals = [one for one in widget.comm.custom() if one["kind"] in FINAL]
    assert [one["kind"] for one in finals] == ["done"]
    assert finals[0]["key"] == widget.shown
    kinds = [
        "map" if "_maps" in data.get("state", {}) else data.get("content", {}).get("kind")
        for _, data, _ in widget.comm.sent
    ]
    assert kinds.index("map") < kinds.index("done")


def test_the_latest_wins_and_each_run_is_answered_once(make: Any, picture: Any) -> None:
    widget, run = begin(make, picture)
    runs = [run]
    for number in range(6):
        if number % 2:
            widget.method = sw.SmoothGrad(samples=SAMPLES - number)
            widget.comm.until(lambda: announced(widget) not in ("", *runs))
            runs.append(announced(widget))
        else:
            ask(widget, f"r{number}", parameters={"samples": SAMPLES + number}, method="smoothgrad")
            runs.append(f"r{number}")
    say(widget, "cancel", runs[0])
    say(widget, "cancel", runs[1])
    for one in runs[:-1]:
        assert ends(widget, one) == ["cancelled"], one
    assert ends(widget, runs[-1]) == [], "no other was meant"
    widget.stop()
    assert ends(widget, runs[-1]) == ["cancelled"]
    time.sleep(0.2)
    assert [ends(widget, one) for one in runs] == [["cancelled"]] * len(runs)


def test_the_same_map_asked_for_from_the_other_side_goes_on(make: Any, picture: Any) -> None:
    widget, run = begin(make, picture)
    ask(widget, "r", method="smoothgrad", parameters={**sw_parameters("smoothgrad"), "samples": SAMPLES})
    widget.comm.until(lambda: len(told(widget, "r")) > 0)
    assert ends(widget, run) == ["cancelled"]
    assert announced(widget) == "", "the request has its page"
    assert told(widget, "r")[0]["done"] > told(widget, run)[0]["done"], "it did not begin again"


@pytest.mark.parametrize(
    ("visible", "streams"),
    [({"a": True}, True), ({"a": False}, False), ({"a": False, "b": True}, True), ({"a": False, "b": False}, False)],
)
def test_it_pauses_while_no_page_shows_it_and_goes_on_when_one_does(
    make: Any, picture: Any, visible: dict[str, bool], streams: bool
) -> None:
    widget, run = begin(make, picture)

    def acknowledge(seen: dict[str, bool]) -> None:
        latest = max(one["seq"] for one in widget.comm.custom(run) if one["kind"] == "partial")
        for page, one in seen.items():
            say(widget, "ack", run, seq=latest, visible=one, page=page)

    def partials() -> int:
        return len([one for one in widget.comm.custom(run) if one["kind"] == "partial"])

    with widget._lock:
        acknowledge(visible)
        before = partials()
    far = told(widget, run)[-1]["done"]
    widget.comm.until(lambda: told(widget, run)[-1]["done"] > far + 20 or partials() > before)
    assert (partials() > before) is streams
    if not streams:
        acknowledge({"a": True})
        widget.comm.until(lambda: partials() > before)


def test_a_page_that_is_opened_meanwhile_gets_what_the_hidden_one_does_not(make: Any, picture: Any) -> None:
    widget, run = begin(make, picture)
    with widget._lock:
        say(widget, "ack", run, seq=0, visible=False, page="hidden")
        before = len([one for one in widget.comm.custom(run) if one["kind"] == "partial"])
    widget.comm.receive({"method": "request_state"})
    widget.comm.until(lambda: len([one for one in widget.comm.custom(run) if one["kind"] == "partial"]) > before)


def test_a_failure_is_told_once_too(make: Any, picture: Any) -> None:
    from tests.widget.test_widget import Moody

    widget = make(Moody(classes=30).eval(), picture, labels=None, target=0)
    settle(widget)
    widget.comm.sent.clear()
    Moody.angry = True
    try:
        widget.class_index = unheld(widget)
        with pytest.raises(sw.SaliencyError, match="not today"):
            widget.wait(20)
    finally:
        Moody.angry = False
    (end,) = [one for one in widget.comm.custom() if one["kind"] in FINAL]
    assert end["kind"] == "error"
    assert "not today" in end["message"]


def test_closing_ends_it(make: Any, picture: Any) -> None:
    widget, run = begin(make, picture)
    comm: RecordingComm = widget.comm
    widget.close()
    assert [one["kind"] for one in comm.custom(run) if one["kind"] in FINAL] == ["cancelled"]


# What a page says, by whose run is at work, and how that run then ends; "" is not at all.
MESSAGES = {
    "cancel it": {"kind": "cancel", "keep": True},
    "cancel any": {"kind": "cancel", "req": "*"},
    "cancel another": {"kind": "cancel", "req": "another"},
    "ack": {"kind": "ack", "seq": 1, "visible": True},
    "ack of another": {"kind": "ack", "req": "another", "seq": 2**40, "visible": False, "page": "x"},
    "request": {"kind": "request", "req": "new", "seq": 1},
    "wrong request": {"kind": "request", "req": "new", "seq": 1, "want": {"target": {"index": 99}}},
    "tile": {"kind": "tile", "req": "new", "seq": 1, "key": "nothing"},
    "nonsense": {"kind": "explode"},
}
STOPS = {"cancel it": "cancelled", "cancel any": "cancelled", "request": "cancelled"}


@pytest.mark.parametrize("whose", ["python", "page", "nobody"])
@pytest.mark.parametrize("said", MESSAGES)
def test_every_message_in_every_state(make: Any, picture: Any, said: str, whose: str) -> None:
    widget = make(Small(classes=30, pause=0.002).eval(), picture, labels=None, target=0)
    settle(widget)
    widget.comm.sent.clear()
    run = "none"
    if whose == "python":
        widget.method = sw.SmoothGrad(samples=SAMPLES)
        widget.comm.until(lambda: bool(announced(widget)))
        run = announced(widget)
    elif whose == "page":
        run = "mine"
        ask(widget, run, method="smoothgrad", parameters={**sw_parameters("smoothgrad"), "samples": SAMPLES})
    if whose != "nobody":
        widget.comm.until(lambda: len(told(widget, run)) > 0)
    message = {"req": run, **MESSAGES[said]}
    if said == "request":
        message["want"] = {"method": "gradient", "target": {"index": unheld(widget)}}
    say(widget, message.pop("kind"), **message)
    if said in ("request", "wrong request", "tile"):
        widget.comm.until(lambda: len(ends(widget, "new")) > 0)
        assert ends(widget, "new") == ["done" if said == "request" else "error"]
    expected = [STOPS[said]] if said in STOPS and whose != "nobody" else []
    assert ends(widget, run) == expected
    assert (widget._session.current is None) is (whose == "nobody" or bool(expected))
    widget.stop()
    expected = expected or (["cancelled"] if whose != "nobody" else [])
    assert ends(widget, run) == expected
    assert widget._status["state"] == "idle"
