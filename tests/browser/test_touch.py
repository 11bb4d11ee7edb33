"""Fingers instead of a mouse: a tap reads, two fingers zoom and pan, one scrolls the notebook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.page import Widget, Wire, say, until
from tests.lab import Lab

Point = tuple[float, float]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 1100}, has_touch=True, color_scheme="light")
    context.set_default_timeout(30_000)
    yield context
    context.close()


class Fingers:
    """Fingers on the picture, at places given as fractions of its width and height."""

    def __init__(self, widget: Widget) -> None:
        self.widget = widget
        self.session = widget.page.context.new_cdp_session(widget.page)

    def _find(self) -> None:
        # Asking the kernel may have scrolled the picture out of sight.
        self.widget.stage.scroll_into_view_if_needed()
        box = self.widget.stage.bounding_box()
        assert box is not None
        self.box = box

    def _say(self, kind: str, *at: Point) -> None:
        box = self.box
        points: list[dict[str, Any]] = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": number}
            for number, (x, y) in enumerate(at)
        ]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def tap(self, at: Point) -> None:
        self._find()
        self._say("touchStart", at)
        self._say("touchEnd")

    def go(self, *tracks: tuple[Point, Point], steps: int = 12) -> None:
        """Each finger from one place to another; then all are lifted, one after the other."""
        self._find()
        for number in range(1, len(tracks) + 1):
            self._say("touchStart", *(start for start, _ in tracks[:number]))
        for step in range(1, steps + 1):
            part = step / steps
            self._say("touchMove", *((a + part * (c - a), b + part * (d - b)) for (a, b), (c, d) in tracks))
        for number in range(len(tracks) - 1, -1, -1):
            self._say("touchEnd", *(end for _, end in tracks[:number]))


def test_a_tap_reads_and_the_reading_stays(small: tuple[Lab, Widget], wire: Wire) -> None:
    lab, widget = small
    fingers = Fingers(widget)
    values = say(lab, "abs(w.attribution.values).max(0).tolist()")
    wire.clear()
    for row, column in ((10, 50), (40, 7)):
        fingers.tap(((column + 0.5) / 64, (row + 0.5) / 64))
        until(lab.page, lambda at=(row, column): widget.read() == at)
        # Also when the finger is gone, and what follows a tap of mouse events.
        widget.frames()
        assert widget.read() == (row, column)
        assert widget.number("value") == pytest.approx(values[row][column], rel=2e-3)
    assert wire.requests == []


def test_two_fingers_zoom_about_what_is_between_them_and_pan(small: tuple[Lab, Widget], wire: Wire) -> None:
    lab, widget = small
    fingers = Fingers(widget)
    wire.clear()
    # Three times as far apart, about a point that is not the middle.
    fingers.go(((0.5, 0.4), (0.3, 0.4)), ((0.7, 0.4), (0.9, 0.4)))
    until(lab.page, lambda: wire.comm_messages != [])
    zoom, row, column = say(lab, "list(w.viewport)")
    assert zoom == pytest.approx(3, rel=0.05)
    # What was between the fingers is there still.
    assert row + (0.4 - 0.5) / zoom == pytest.approx(0.4, abs=0.01)
    assert column + (0.6 - 0.5) / zoom == pytest.approx(0.6, abs=0.01)
    assert wire.requests == []
    assert len(wire.comm_messages) == 1, "a gesture is told once"
    # Both the same way: what is under them goes with them.
    wire.clear()
    fingers.go(((0.3, 0.5), (0.5, 0.65)), ((0.6, 0.5), (0.8, 0.65)))
    until(lab.page, lambda: wire.comm_messages != [])
    after = say(lab, "list(w.viewport)")
    assert after == pytest.approx([zoom, row - 0.15 / zoom, column - 0.2 / zoom], rel=0.01)
    # One finger pans what is zoomed, and taps exactly.
    wire.clear()
    fingers.go(((0.5, 0.5), (0.4, 0.5)))
    until(lab.page, lambda: wire.comm_messages != [])
    zoom, row, column = say(lab, "list(w.viewport)")
    assert column == pytest.approx(after[2] + 0.1 / zoom, rel=0.01)
    fingers.tap((0.25, 0.25))
    at = [int(64 * (middle - 0.25 / zoom)) for middle in (row, column)]
    until(lab.page, lambda: list(widget.read()) == at)
    # And together again, all of it is seen.
    fingers.go(((0.1, 0.5), (0.45, 0.5)), ((0.9, 0.5), (0.55, 0.5)))
    until(lab.page, lambda: say(lab, "w.viewport[0]") == 1)


def test_one_finger_over_a_whole_picture_scrolls_the_notebook(small: tuple[Lab, Widget]) -> None:
    lab, widget = small
    widget.page.set_viewport_size({"width": 1280, "height": 500})
    fingers = Fingers(widget)
    before = widget.stage.bounding_box()
    assert before is not None
    fingers.go(((0.5, 0.6), (0.5, 0.2)))
    until(lab.page, lambda: (widget.stage.bounding_box() or before)["y"] < before["y"] - 20)
    assert say(lab, "list(w.viewport)") == [1, 0.5, 0.5]
