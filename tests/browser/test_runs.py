"""What a cell or a thread asks for comes to the page bit by bit, and can be stopped there and gone on with."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.page import Widget
from tests.lab import Lab

ASK = "w.method = sw.SmoothGrad(samples=5000)"
THREAD = """import threading, time
threading.Timer(0.2, lambda: setattr(w, "method", sw.SmoothGrad(samples=5000))).start()
end = time.monotonic() + 60
while w._status["state"] != "computing": time.sleep(0.01)
while w._session.current is not None and time.monotonic() < end: time.sleep(0.05)"""
# By its key: the maps of likely classes are computed ahead, and may come after it.
KEPT = """import json
held = {one["key"]: one["done"] for one in w._maps}
print("JSON" + json.dumps([w.method, held[w.shown], w._session.current]))"""
COUNT = re.compile(r"(\d[\d,]*) of 5,000")


def count(field: Locator) -> int:
    expect(field).to_have_text(COUNT, timeout=20_000)
    found = COUNT.search(field.inner_text())
    assert found is not None
    return int(found.group(1).replace(",", ""))


def grows(widget: Widget, then: int) -> int:
    """Wait until more samples than ``then`` are in what is shown; give how many."""
    state = widget.field("state")
    now = count(state)
    while now <= then:
        expect(state).not_to_contain_text(f"{now:,} of 5,000", timeout=20_000)
        now = count(state)
    return now


def test_what_a_cell_asks_for_comes_bit_by_bit_and_is_stopped_here(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    widget.wait_until_shown("tiger cat")
    widget.field("state").filter(has_text="logit").wait_for()
    before = widget.pixels()
    lab.ask(1, ASK)
    first = grows(widget, 0)
    expect(widget.field("state")).to_contain_text(re.compile(r"halves agree|standard error"))
    second = grows(widget, first)
    assert (widget.pixels() != before).any(), "the estimate is what is drawn"
    widget.root.get_by_role("button", name="Stop").click()
    expect(widget.field("state")).to_contain_text("stopped at")
    stopped = count(widget.field("state"))
    assert stopped >= second
    kept = lab.ask(2, KEPT)
    assert kept == ["smoothgrad", stopped, None]
    widget.root.get_by_role("button", name="Go on").click()
    assert grows(widget, stopped) > stopped
    widget.root.get_by_role("button", name="Stop").click()
    expect(widget.field("state")).to_contain_text("stopped at")


def test_what_a_thread_asks_for_while_a_cell_runs_comes_too(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    lab.cell(1).locator(".jp-InputArea-editor").click()
    lab.page.keyboard.press("Control+A")
    lab.page.keyboard.insert_text(THREAD)
    lab.start(1)
    first = grows(widget, 0)
    grows(widget, first)
    expect(lab.cell(1).locator(".jp-InputArea-prompt")).to_contain_text("*")
    # On a subshell the button is heard while the cell runs, which ends for it.
    widget.root.get_by_role("button", name="Stop").click()
    expect(widget.field("state")).to_contain_text("stopped at", timeout=20_000)
    lab.wait_until_idle()


def test_a_page_that_is_opened_meanwhile_follows_too(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    lab.ask(1, ASK)
    grows(widget, 0)
    lab.page.keyboard.press("Control+S")
    lab.page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    lab.page.reload()
    lab.page.wait_for_selector(".jp-Notebook .jp-Cell")
    lab.wait_until_idle()
    again = Widget(lab.cell(0).locator(".jp-OutputArea"))
    again.threshold.wait_for(timeout=60_000)
    first = grows(again, 0)
    grows(again, first)
    again.root.get_by_role("button", name="Stop").click()
    expect(again.field("state")).to_contain_text("stopped at", timeout=20_000)
