"""Other screens than a desk's: fine ones, narrow ones, and people who want nothing to move."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.page import Widget, until
from tests.lab import Lab


@pytest.fixture
def screen() -> dict[str, Any]:
    return {}


@pytest.fixture
def context(browser: Browser, screen: dict[str, Any]) -> Iterator[BrowserContext]:
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 1100}, "color_scheme": "light", **screen})
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.mark.parametrize("screen", [{"device_scale_factor": ratio} for ratio in (1.5, 2)], ids=["1.5", "2"])
def test_a_fine_screen_gets_all_its_pixels_and_the_pointer_is_exact(
    small: tuple[Lab, Widget], screen: dict[str, Any]
) -> None:
    lab, widget = small
    ratio = screen["device_scale_factor"]
    assert lab.page.evaluate("devicePixelRatio") == ratio
    cross, numbers, bar = (
        widget.root.locator(one).first
        for one in ("canvas[data-layer='cross']", "canvas[data-layer='numbers']", "canvas.bar")
    )
    for zoom, row, column in ((1, 0.5, 0.5), (3.7, 0.4, 0.6), (13, 0.81, 0.13)):
        lab.ask(1, f"w.viewport = [{zoom}, {row}, {column}]")
        widget.stage.scroll_into_view_if_needed()
        until(lab.page, lambda zoom=zoom: float(widget.stage.get_attribute("data-zoom") or 0) == zoom)
        widget.frames()
        box = widget.stage.bounding_box()
        assert box is not None
        # What is drawn with a pen is drawn in pixels of the screen.
        for canvas in (cross, *([numbers] if zoom == 13 else [])):
            assert canvas.is_visible()
            own, laid = canvas.evaluate("one => [[one.width, one.height], [one.clientWidth, one.clientHeight]]")
            assert own == pytest.approx([ratio * side for side in laid], abs=1)
        assert bar.evaluate("one => getComputedStyle(one).imageRendering") in ("auto", "pixelated")
        # And pixels of the map are enlarged as they are.
        assert widget.canvas.evaluate("one => getComputedStyle(one).imageRendering") == "pixelated"
        middle = [min(max(at, 0.5 / zoom), 1 - 0.5 / zoom) for at in (row, column)]
        for x, y in ((0.02, 0.03), (0.5, 0.5), (0.313, 0.871), (0.98, 0.97)):
            lab.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            at = tuple(
                math.floor(64 * (centre + (share - 0.5) / zoom)) for centre, share in zip(middle, (y, x), strict=True)
            )
            until(lab.page, lambda at=at: widget.read() == at)


OVERFLOWING = """(host) => {
  const found = [];
  const edge = host.getBoundingClientRect();
  for (const one of host.shadowRoot.querySelectorAll("*")) {
    const box = one.getBoundingClientRect();
    if (box.width === 0 || box.height === 0 || one.closest(".stage") || one.closest("[role='status']")) continue;
    if (box.right > edge.right + 1 || box.left < edge.left - 1)
      found.push(`${one.tagName}.${one.className} ${box.left}..${box.right} of ${edge.left}..${edge.right}`);
  }
  return found;
}"""
UNFOLD = "host => host.shadowRoot.querySelectorAll('details').forEach((one) => { one.open = true; })"


def test_at_320_pixels_nothing_overflows_and_everything_is_within_reach(small: tuple[Lab, Widget]) -> None:
    lab, widget = small
    host = widget.root.locator(".saliency-widget")
    host.evaluate("one => { one.parentElement.style.width = '320px'; }")
    lab.ask(1, "w.panels = [{'target': {'index': 3}}]; w.sign = 'signed'; w.wait()")
    host.evaluate(UNFOLD)
    until(lab.page, lambda: widget.canvas.count() == 2)
    widget.frames()
    assert host.evaluate("one => one.getBoundingClientRect().width") == 320
    assert host.evaluate(OVERFLOWING) == []
    controls = widget.root.locator(":is(button, input, select, summary)")
    count = 0
    for control in controls.all():
        if control.is_visible():
            count += 1
            # The middle of it is where it can be pressed: nothing lies over it, and nothing cuts it off.
            control.scroll_into_view_if_needed()
            assert control.evaluate(
                """one => {
                  const { left, top, width, height } = one.getBoundingClientRect();
                  const hit = one.getRootNode().elementFromPoint(left + width / 2, top + height / 2);
                  return hit === one || one.contains(hit) || (hit?.closest("label") ?? 0) === one.closest("label");
                }"""
            ), control.evaluate("one => one.outerHTML")
    assert count > 30
    # And the picture still reads where it is pointed at.
    widget.point_at(20, 33)
    until(lab.page, lambda: widget.read() == (20, 33))


WATCH = """() => {
  window.__moves = [];
  for (const name of ["scrollIntoView", "scrollTo", "scrollBy", "animate"]) {
    const was = Element.prototype[name];
    Element.prototype[name] = function (...given) {
      const moves = name === "animate" || given[0]?.behavior === "smooth";
      if (moves && this.getRootNode() instanceof ShadowRoot) window.__moves.push(name);
      return was.apply(this, given);
    };
  }
}"""
MOVING = """(host) => {
  const found = [];
  const seconds = (text) => Math.max(0, ...text.split(",").map(parseFloat));
  for (const one of [host, ...host.shadowRoot.querySelectorAll("*")])
    for (const part of [null, "::before", "::after"]) {
      const style = getComputedStyle(one, part);
      const moves = Math.max(seconds(style.transitionDuration), seconds(style.animationDuration));
      if (moves > 0 || style.scrollBehavior === "smooth") found.push(`${one.tagName}.${one.className}${part ?? ""}`);
    }
  return found;
}"""
#: Frames that the page asks for while nobody does anything.
RESTLESS = """() => new Promise((done) => {
  const was = window.requestAnimationFrame;
  let asked = 0;
  window.requestAnimationFrame = (action) => { asked += 1; return was.call(window, action); };
  const stop = () => { window.requestAnimationFrame = was; done(asked); };
  let left = 20;
  const next = () => (left-- > 0 ? was.call(window, next) : stop());
  was.call(window, next);
})"""


@pytest.mark.parametrize("screen", [{"reduced_motion": "reduce"}], ids=[""])
def test_nothing_moves_where_nothing_should(small: tuple[Lab, Widget]) -> None:
    lab, widget = small
    lab.page.evaluate(WATCH)
    assert lab.page.evaluate("matchMedia('(prefers-reduced-motion: reduce)').matches")
    host = widget.root.locator(".saliency-widget")
    host.evaluate(UNFOLD)
    assert host.evaluate(MOVING) == []
    # While something is under way, too: what is old is veiled, and that is all.
    lab.ask(1, "os.environ[PAUSE] = '0.05'")
    widget.choose("jay")
    widget.root.get_by_role("button", name="Stop").wait_for()
    assert host.evaluate(MOVING) == []
    lab.ask(1, "del os.environ[PAUSE]")
    widget.wait_until_shown("jay")
    # What comes into sight by keys does so at once.
    widget.class_box.click()
    for _ in range(4):
        lab.page.keyboard.press("ArrowDown")
    lab.page.keyboard.press("Escape")
    lab.ask(1, "w.viewport = [8, 0.2, 0.2]; w.wait()")
    widget.row.fill("60")
    lab.page.keyboard.press("Enter")
    widget.frames()
    assert lab.page.evaluate("window.__moves") == []
    until(lab.page, lambda: lab.page.evaluate(RESTLESS) == 0)
