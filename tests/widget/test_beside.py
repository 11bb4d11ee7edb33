"""What is asked for beside the map on display drops nothing that somebody waits for, and is answered all the same."""

from __future__ import annotations

from typing import Any

import pytest

import saliency_widget as sw
from tests.widget.conftest import FINAL, Small
from tests.widget.rig import Rig, order, shared
from tests.widget.test_widget import settle


def beside(key: str, req: str) -> Any:
    return order(key, req, quiet=True)


def ask_beside(widget: Any, want: Any) -> None:
    content = {"v": 1, "kind": "request", "req": "q", "seq": 1, "want": want, "aside": True}
    widget.comm.receive({"method": "custom", "content": content})


def ends(rig: Rig) -> list[tuple[str, str, Any]]:
    return [told for told in rig.recorder.told if told[0] in ("done", "cancelled", "failed")]


def test_it_is_computed_after_what_somebody_waits_for_and_before_what_nobody_does(rig: Rig) -> None:
    rig.session.ask_ahead([order("x", quiet=True), order("y", quiet=True)])
    rig.session.ask(order("a", "r1"))
    rig.session.ask(beside("p", "r2"))
    assert rig.session.current is not None
    assert rig.session.current.key == "a"
    rig.let(20)
    rig.until(lambda: rig.recorder.ends("y") == ["done"])
    assert ends(rig) == [
        ("done", "a", "r1"),
        ("done", "p", None),
        ("done", "p", "r2"),
        ("done", "x", None),
        ("done", "y", None),
    ]


def test_it_gives_way_and_comes_back_and_is_not_what_is_waited_for(rig: Rig) -> None:
    rig.session.ask_ahead([order("x", quiet=True)])
    rig.reach_gate()
    # Nobody waits for x.
    rig.session.ask(beside("p", "r1"))
    assert rig.session.current is None
    rig.session.ask(order("a", "r2"))
    rig.let(20)
    rig.until(lambda: rig.recorder.ends("x") == ["done"])
    assert [key for kind, key, _ in ends(rig)] == ["a", "p", "p", "x"]


@pytest.mark.parametrize("dropped", [False, True])
def test_of_a_map_that_is_made_for_somebody_else_it_is_told_too(rig: Rig, dropped: bool) -> None:
    rig.session.ask(order("a", "r1"))
    rig.reach_gate()
    for req in ("r2", "r3"):
        rig.session.ask(beside("a", req))
    if dropped:
        rig.session.ask(order("b", "r4"))
    rig.let(20)
    rig.until(lambda: rig.recorder.ends("a")[-2:] == ["done", "done"])
    told = [(kind, req) for kind, key, req in ends(rig) if key == "a" and req is not None]
    assert told == [("cancelled" if dropped else "done", "r1"), ("done", "r2"), ("done", "r3")]
    assert len(rig.explainer.asked) == 1 + 2 * dropped


def test_it_is_told_of_a_run_for_many_classes_and_of_its_failure(rig: Rig) -> None:
    with rig.changed:
        rig.session.ask(shared("a", req="r1"))
        rig.session.ask(shared("b", req="r2", quiet=True))
    rig.let(2)
    rig.until(lambda: len(ends(rig)) == 3)
    assert ends(rig)[-1] == ("done", "b", "r2")
    assert rig.explainer.asked == [["a", "b"]]
    rig.explainer.error = RuntimeError("boom")
    rig.session.ask(beside("p", "r3"))
    rig.let(1)
    rig.until(lambda: rig.recorder.ends("p") == ["failed"] * 2)


@pytest.mark.parametrize("how", ["cancel", "cancel while another waits", "stop", "close"])
@pytest.mark.parametrize("begun", [False, True])
def test_it_is_called_off_and_answered_once(rig: Rig, how: str, begun: bool) -> None:
    if not begun:
        rig.session.ask(order("a", "r1"))
    rig.session.ask(beside("p", "r2"))
    rig.reach_gate()
    if how == "stop":
        rig.session.stop()
    elif how == "close":
        rig.session.close()
    else:
        if "another" in how:
            rig.session.ask(beside("p", "r3"))
        rig.session.cancel("r2")
        rig.session.cancel("r2")
    rig.let(20)
    rig.until(lambda: rig.session.rest(0.01))
    told = [(kind, req) for kind, key, req in ends(rig) if key == "p" and req is not None]
    assert told == [("cancelled", "r2"), *([("done", "r3")] if "another" in how else [])]


def test_a_panel_of_a_page_never_takes_the_place_of_what_python_asks_for(make: Any, picture: Any) -> None:
    widget = make(Small(pause=0.003).eval(), picture)
    settle(widget)
    widget.method = sw.SmoothGrad(samples=40)
    widget.panels = [{"method": "grad-cam"}]
    ask_beside(widget, widget.panels[0])
    widget.wait(20)
    assert (widget.method, widget.attribution.method.name) == ("smoothgrad", "smoothgrad")
    widget.comm.until(lambda: any(one["kind"] in FINAL for one in widget.comm.custom("q")))
    assert [one["kind"] for one in widget.comm.custom("q")] == ["accepted", "done"]
    assert (widget.method, widget._status["state"]) == ("smoothgrad", "idle")


def test_a_panel_whose_map_cannot_be_made_says_so_to_the_page_alone(make: Any, monkeypatch: Any) -> None:
    widget = make()
    settle(widget)

    def fail(*_: Any) -> Any:
        raise RuntimeError("no memory")

    monkeypatch.setattr(sw.SmoothGrad, "compute", fail)
    ask_beside(widget, {"method": "smoothgrad"})
    widget.comm.until(lambda: any(one["kind"] in FINAL for one in widget.comm.custom("q")))
    last = widget.comm.custom("q")[-1]
    assert (last["kind"], last["message"]) == ("error", "RuntimeError: no memory")
    assert widget._status["state"] == "idle"
    assert widget.wait(20).method == "gradient"


def test_what_stands_beside_is_not_taken_for_a_first_map_that_failed(make: Any, monkeypatch: Any) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("no memory")

    monkeypatch.setattr(sw.SmoothGrad, "compute", fail)
    widget = make(method="smoothgrad", panels=[{"method": "gradient"}])
    assert widget._session.rest(20)
    assert len(widget.attributions) == 1
    assert (widget.shown, widget.method) == ("", "smoothgrad")
    with pytest.raises(sw.SaliencyError, match="no memory"):
        widget.attribution  # noqa: B018
