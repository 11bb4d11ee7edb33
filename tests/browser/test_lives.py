"""What happens to a widget on a page: run again, seen twice, taken off and put back, closed, one of twenty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser.page import SMALL, Widget, until
from tests.hosts.subject import LABELS
from tests.lab import Lab

MANY = 100
COUNT_IN_KERNEL = """
import gc, json, torch
from ipywidgets import Widget
from tests.hosts.subject import Ten
gc.collect()
alive = gc.get_objects()
print("JSON" + json.dumps(dict(
    widgets=sum(isinstance(one, sw.SaliencyWidget) for one in Widget.widgets.values()),
    others=len(Widget.widgets),
    models=sum(isinstance(one, Ten) for one in alive),
    maps=sum(isinstance(one, sw.Attribution) for one in alive),
    tensors=sum(isinstance(one, torch.Tensor) for one in alive),
)))
del alive
"""


RUN_AGAIN = """async (times) => {
  for (let i = 0; i < times; i++) await window.jupyterapp.commands.execute("notebook:run-cell");
}"""
COMMS = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel._comms.size"


def count_in_page(page: Page) -> dict[str, int]:
    """How many there are of what views and models hold, on the page or not: the browser collects garbage first."""
    session = page.context.new_cdp_session(page)
    found = {"comms": page.evaluate(COMMS)}
    for name in ("HTMLCanvasElement", "ShadowRoot"):
        kind = session.send("Runtime.evaluate", {"expression": f"{name}.prototype"})["result"]["objectId"]
        all_of = session.send("Runtime.queryObjects", {"prototypeObjectId": kind})["objects"]["objectId"]
        count = {"functionDeclaration": "function () { return this.length; }", "returnByValue": True}
        found[name] = session.send("Runtime.callFunctionOn", {"objectId": all_of, **count})["result"]["value"]
        session.send("Runtime.releaseObject", {"objectId": all_of})
    session.detach()
    return found


def test_a_cell_that_is_run_a_hundred_times_leaves_the_memory_of_one(open_warm: Callable[[list[str]], Lab]) -> None:
    lab = open_warm([SMALL.replace("make()", "make(method='gradient')"), "0"])
    widget = Widget(lab.cell(0).locator(".jp-OutputArea"))

    def run(times: int) -> None:
        # As Ctrl+Enter does, which says nothing of when it is done.
        lab.cell(0).locator(".jp-InputArea-editor").click()
        lab.page.evaluate(RUN_AGAIN, times)
        assert "Traceback" not in lab.text(0)
        widget.threshold.wait_for()
        # What is computed ahead is a part of it.
        lab.page.wait_for_function(
            "list => list.querySelectorAll('button[data-held]').length >= 5",
            arg=widget.root.get_by_role("list", name="Classes").element_handle(),
        )

    run(3)
    kernel, page = lab.ask(1, COUNT_IN_KERNEL), count_in_page(lab.page)
    assert kernel["widgets"] == 1
    assert page["HTMLCanvasElement"] > 0
    assert page["comms"] > 0
    run(MANY - 3)
    now = lab.ask(1, COUNT_IN_KERNEL)
    # A few that happen to be alive when they are counted are not one for each run.
    assert {name: now[name] - count for name, count in kernel.items() if now[name] > count + 9} == {}
    assert now["widgets"] == 1
    until(lab.page, lambda: all(now <= page[name] + MANY // 4 for name, now in count_in_page(lab.page).items()))


def test_two_views_of_one_widget_show_the_same_and_live_on_alone(small: tuple[Lab, Widget]) -> None:
    lab, first = small
    lab.ask(1, "w")
    second = Widget(lab.cell(1).locator(".jp-OutputArea"))
    second.threshold.wait_for()
    second.sign("signed")
    first.threshold.focus()
    lab.page.keyboard.press("PageUp")
    second.choose("jay")
    for widget in (first, second):
        widget.wait_until_shown("jay")
    expected = lab.ask(2, "print('JSON' + json.dumps([drawn(w), w.sign, w.threshold]))")
    for widget in (first, second):
        widget.stage.scroll_into_view_if_needed()
        until(lab.page, lambda widget=widget: widget.drawn() == expected[0])
        assert widget.root.get_by_role("radio", name="signed").is_checked()
    assert expected[1] == "signed"
    assert expected[2] < 100
    # What one reads is its own.
    place = second.read()
    first.row.fill(str((place[0] + 9) % 64))
    first.frames()
    assert second.read() == place
    lab.ask(1, "0")
    second.threshold.wait_for(state="detached")
    first.choose("bee")
    first.wait_until_shown("bee")


def test_a_view_that_was_taken_off_the_page_is_right_when_it_is_back(small: tuple[Lab, Widget]) -> None:
    lab, widget = small
    place = widget.root.locator(".saliency-widget").evaluate_handle("host => host.parentElement")
    holder = place.evaluate_handle("el => el.parentElement")
    place.evaluate("el => el.remove()")
    expected = lab.ask(
        1,
        "w.sign = 'signed'; w.threshold = 20; w.class_index = 7; w.wait()\nprint('JSON' + json.dumps(drawn(w)))",
    )
    assert widget.canvas.count() == 0
    holder.evaluate("(holder, el) => holder.append(el)", place)
    widget.stage.scroll_into_view_if_needed()
    until(lab.page, lambda: widget.drawn() == expected)
    widget.point_at(20, 30)
    until(lab.page, lambda: widget.read() == (20, 30))
    widget.choose("bee")
    widget.wait_until_shown("bee")


def test_a_widget_that_is_closed_while_it_computes_goes_quietly(small: tuple[Lab, Widget]) -> None:
    lab, widget = small
    lab.ask(1, "import os; os.environ[PAUSE] = '0.1'")
    widget.choose("jay")
    widget.root.get_by_role("button", name="Stop").wait_for()
    text = lab.ask(1, "w.close()\ndel os.environ[PAUSE]\nprint('JSON' + json.dumps(w.comm is None))")
    assert text is True
    widget.threshold.wait_for(state="detached")
    # And the cell makes another.
    assert "Traceback" not in lab.run(0)
    widget.threshold.wait_for()
    widget.choose("jay")
    widget.wait_until_shown("jay")
    assert "Traceback" not in lab.text(0) + lab.text(1)


SCROLL = """async ([expected, to]) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const scroller = document.querySelector(".jp-Notebook .jp-WindowedPanel-outer");
  const right = new Set();
  const wrong = {};
  const hash = async (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  const look = async () => {
    for (const host of document.querySelectorAll(".jp-Notebook .saliency-widget")) {
      const canvas = host.shadowRoot.querySelector("canvas[data-layer='map']");
      const { top, bottom } = canvas.getBoundingClientRect();
      if (bottom < 0 || top > innerHeight || bottom === top) continue;
      const number = host.closest(".jp-Cell").querySelector(".cm-content").textContent.match(/#(\\d+)/)[1];
      let found = "";
      // A view is drawn in the frames after it comes into sight.
      for (let i = 0; i < 300 && found !== expected[number]; i++) {
        await frame();
        found = await hash(canvas);
      }
      if (found === expected[number]) right.add(number);
      else wrong[number] = found;
    }
  };
  for (let i = 0; i < 400; i++) {
    await look();
    const before = scroller.scrollTop;
    scroller.scrollTop += to * innerHeight * 0.4;
    await frame();
    await frame();
    if (scroller.scrollTop === before) break;
  }
  return [right.size, wrong];
}"""


def test_twenty_widgets_in_a_notebook_are_right_after_scrolling_away_and_back(
    open_warm: Callable[[list[str]], Lab],
) -> None:
    looks = ("absolute", "signed", "positive", "negative")
    # The map of one of them is zero everywhere, and of such a map nothing is drawn.
    labels = [label for label in LABELS if label != "hen"]
    cells = [
        f"ws[{n}] = make(method='gradient', target={labels[n % 9]!r}, sign={looks[n % 4]!r}, "
        f"threshold={100 if n < 10 else 40})\nws[{n}]  #{n}"
        for n in range(20)
    ]
    # What tells is in the first cell, so that it is on the page while it is run.
    lab = open_warm(["import json; from tests.hosts.subject import drawn, make; ws = {}", *cells])
    lab.cell(0).locator(".jp-InputArea-editor").click()
    for _ in range(21):
        lab.page.keyboard.press("Shift+Enter")
    all_of = "print('JSON' + json.dumps({number: drawn(one.wait()) for number, one in ws.items()}))"
    scroller = lab.page.locator(".jp-Notebook .jp-WindowedPanel-outer")

    def at_top() -> Any:
        scroller.evaluate("one => { one.scrollTop = 0; }")
        until(lab.page, lambda: first_cell(lab).count() == 1)
        return lab

    at_top().wait_until_idle()
    expected = lab.ask(0, all_of)
    assert len(expected) == 20
    assert len(set(expected.values())) == 20, "no two look the same, so that none can be taken for another"
    assert lab.page.evaluate(SCROLL, [expected, 1]) == [20, {}]
    assert lab.page.evaluate(SCROLL, [expected, -1]) == [20, {}]
    # Changed while most of them are out of sight.
    changed = at_top().ask(0, f"for one in ws.values(): one.clip = 80\n{all_of}")
    assert set(changed.values()).isdisjoint(expected.values())
    assert lab.page.evaluate(SCROLL, [changed, 1]) == [20, {}]


def first_cell(lab: Lab) -> Locator:
    return lab.page.locator(".jp-Notebook .jp-Cell").filter(has_text="ws").first
