"""Each thing that a person can do with the widget, in a real JupyterLab."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.browser.page import EVERYWHERE, Widget, Wire, say, until
from tests.lab import Lab

SLOW = """
import torch, time
class Slow(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 5)
        self.head = torch.nn.Linear(8, 4)
    def forward(self, x):
        time.sleep(0.02 * len(x))
        return self.head(self.conv(x).sigmoid().mean((2, 3)))
torch.manual_seed(0)
w = sw.SaliencyWidget(Slow().eval(), torch.rand(3, 32, 32), preprocess=None, method="smoothgrad")
w
"""


def open_all(widget: Widget) -> None:
    """Unfold what is one step away."""
    for name in ("Parameters", "More of the view", "Compare"):
        summary = widget.root.locator("details:not([open]) > summary").filter(has_text=name)
        if summary.count() and summary.is_visible():
            summary.click()


@EVERYWHERE
@pytest.mark.parametrize("look", ["overlay", "map", "image"])
def test_look_photograph_map_or_both(quick: tuple[Lab, Widget], wire: Wire, look: str) -> None:
    lab, widget = quick
    open_all(widget)
    wire.clear()
    widget.root.get_by_role("radio", name=look, exact=True).check(force=True)
    widget.frames()
    opacity = float(widget.canvas.first.evaluate("canvas => getComputedStyle(canvas).opacity"))
    hidden = not widget.canvas.first.is_visible()
    assert {"overlay": opacity == 0.6, "map": opacity == 1, "image": hidden or opacity == 0}[look]
    assert wire.requests == []
    assert say(lab, "w.look") == look


@EVERYWHERE
def test_zoom_to_single_pixels_writes_their_numbers_and_fit_brings_all_back(
    quick: tuple[Lab, Widget], wire: Wire
) -> None:
    lab, widget = quick
    widget.row.fill("112")
    widget.column.fill("87")
    wire.clear()
    widget.root.get_by_role("button", name="Crosshair").focus()
    for _ in range(20):
        lab.page.keyboard.press("+")
    lab.page.wait_for_timeout(1000)
    widget.frames()
    assert wire.requests == []
    level, row, column = say(lab, "list(w.viewport)")
    assert level > 15
    assert abs(row - 112.5 / 224) < 0.05
    assert abs(column - 87.5 / 224) < 0.05
    widget.root.get_by_role("button", name="Fit").click()
    # A gesture is told when it pauses.
    lab.page.wait_for_timeout(1500)
    assert say(lab, "list(w.viewport)")[0] == 1


def test_a_class_rather_than_another_is_the_difference_of_their_maps(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    widget.root.get_by_role("combobox", name="Versus").click()
    lab.page.keyboard.type("lynx")
    widget.root.get_by_role("option", name="lynx").first.click()
    until(lab.page, lambda: say(lab, "w.versus") >= 0)
    worst = say(
        lab,
        "(lambda a, b, c: float(abs(a.values - (b.values - c.values)).max() / abs(a.values).max()))"
        "(w.attribution, *sw.explain(model, sw.demo.image('chelsea'), target=[w.class_index, w.versus]))",
    )
    assert worst < 1e-4


def test_a_parameter_of_a_method_makes_another_map(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    open_all(widget)
    widget.root.get_by_role("combobox", name="Method").select_option("smoothgrad")
    open_all(widget)
    samples = widget.root.get_by_role("spinbutton", name="Samples")
    samples.fill("4")
    samples.press("Enter")
    until(lab.page, lambda: say(lab, "w.attribution.method.parameters.get('samples')") == 4, 60)
    assert say(lab, "[w.method, w.parameters['samples']]") == ["smoothgrad", 4]


@EVERYWHERE
@pytest.mark.parametrize("sign", ["positive", "negative"])
def test_one_side_of_the_sign_shows_that_side_alone(quick: tuple[Lab, Widget], sign: str) -> None:
    lab, widget = quick
    widget.sign(sign)
    values = say(lab, "[float(v) for v in w.attribution.values.sum(0)[40, :40]]")
    for column in range(0, 40, 7):
        widget.row.fill("40")
        widget.column.fill(str(column))
        widget.frames()
        shown = widget.number("value")
        side = max(values[column], 0) if sign == "positive" else min(values[column], 0)
        assert shown == pytest.approx(side, abs=2e-3 * max(map(abs, values)))


def test_panels_share_pointer_and_scale_and_say_how_much_they_agree(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    source = """
w.panels = [{"method": "gradient", "target": {"index": p["index"]}} for p in w._info["subjects"][0]["prediction"][1:3]]
"""
    lab.ask(1, source)
    canvases = widget.root.locator("canvas[data-layer='map']")
    until(lab.page, lambda: canvases.count() >= 3, 60)
    assert say(lab, "len(w.panels)") == 2
    widget.root.locator(".stage").first.scroll_into_view_if_needed()
    until(lab.page, lambda: "agree" in widget.root.locator(".widget").inner_text().lower(), 30)


def test_partial_maps_come_stop_keeps_what_there_is_and_go_on_refines_it(open_lab: Any, wire: Wire) -> None:
    lab = open_lab(["import saliency_widget as sw", SLOW, "0"])
    lab.run(0)
    text = lab.run(1)
    assert "Traceback" not in text, text
    widget = Widget(lab.cell(1).locator(".jp-OutputArea"))
    widget.threshold.wait_for()
    say(lab, "0", 2)
    open_all(widget)
    widget.root.get_by_role("spinbutton", name="Samples").fill("400")
    widget.root.get_by_role("spinbutton", name="Samples").press("Enter")
    stop = widget.root.get_by_role("button", name="Stop")
    stop.wait_for()
    until(lab.page, lambda: " of 400" in widget.root.locator(".widget").inner_text(), 30)
    lab.page.wait_for_timeout(1000)
    stop.click()
    again = widget.root.get_by_role("button", name="Go on")
    again.wait_for()
    done, final = lab.ask(
        2,
        "import json; m = [m for m in w._maps if m['key'] == w.shown][0];"
        " print('JSON' + json.dumps([m['done'], m['final']]))",
    )
    assert 0 < done < 400
    assert not final
    again.click()
    stop.wait_for()
    until(lab.page, lambda: " of 400" in widget.root.locator(".widget").inner_text(), 30)
    told = widget.root.locator(".widget").inner_text().split(" of 400")[0].split()[-1]
    first = int(told.replace(",", ""))
    assert first >= done, "it goes on, and does not begin again"
    stop.click()
    assert lab.errors == []


def test_undo_redo_and_a_reload_bring_the_view_back(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    widget.sign("signed")
    widget.threshold.focus()
    for _ in range(20):
        lab.page.keyboard.press("ArrowRight")
    percent = say(lab, "w.threshold")
    assert percent < 100
    widget.root.get_by_role("button", name="Undo").click()
    assert say(lab, "w.threshold") != percent
    widget.root.get_by_role("button", name="Redo").click()
    assert say(lab, "[w.threshold, w.sign]") == [percent, "signed"]
    view = say(lab, "w.view")
    assert json.loads(json.dumps(view)) == view
    lab.page.keyboard.press("Control+s")
    lab.ask(1, f"w.view = {{**w.view, 'sign': 'absolute'}}; w.view = {view!r}")
    assert say(lab, "w.view") == view
    widget.root.get_by_role("button", name="Reset view").click()
    assert say(lab, "[w.threshold, w.sign]") == [100, "absolute"]


def test_choices_can_be_linked_in_the_kernel_and_in_the_page(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    lab.ask(
        1,
        "import ipywidgets; w2 = sw.SaliencyWidget(model, sw.demo.image('coffee'));"
        "ipywidgets.jslink((w, 'sign'), (w2, 'sign')); ipywidgets.link((w, 'class_index'), (w2, 'class_index'));"
        "display(ipywidgets.HBox([w2]))",
    )
    lab.cell(1).locator(".widget").first.wait_for()
    other = Widget(lab.cell(1).locator(".jp-OutputArea"))
    other.threshold.wait_for()
    widget.sign("signed")
    until(lab.page, lambda: other.root.get_by_role("radio", name="signed").is_checked())
    lab.ask(1, "w.class_index = 287")
    until(lab.page, lambda: say(lab, "[w.attribution.target.index, w2.attribution.target.index]", 2) == [287, 287])


def test_widgets_side_by_side_in_an_hbox_are_wide_enough_to_be_used(quick: tuple[Lab, Widget]) -> None:
    lab, _ = quick
    lab.ask(
        1,
        "import ipywidgets; image = sw.demo.image('coffee');"
        "display(ipywidgets.HBox([sw.SaliencyWidget(model, image), sw.SaliencyWidget(model, image)]))",
    )
    pair = lab.cell(1).locator(".jp-OutputArea .widget")
    pair.nth(1).wait_for()
    for view in pair.all():
        assert view.evaluate("view => view.clientWidth >= 320 && view.scrollWidth <= view.clientWidth")


@EVERYWHERE
def test_all_of_it_works_with_the_keyboard_alone(quick: tuple[Lab, Widget], wire: Wire) -> None:
    lab, widget = quick
    cells = lab.count
    cross = widget.root.get_by_role("button", name="Crosshair")
    cross.focus()
    row, column = int(widget.row.input_value()), int(widget.column.input_value())
    wire.clear()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        lab.page.keyboard.press(key)
    widget.frames()
    assert [int(widget.row.input_value()), int(widget.column.input_value())] == [row + 2, column + 1]
    assert wire.comm_messages == []
    for key in ("s", "+", "+", "0", "b", "a", "d", "d", "m", "]", "]", "["):
        lab.page.keyboard.press(key)
    lab.page.keyboard.press("?")
    widget.root.get_by_text("keys", exact=False).first.wait_for()
    lab.page.keyboard.press("Escape")
    assert lab.count == cells, "no key reached the notebook"


@EVERYWHERE
def test_the_histogram_has_two_handles(quick: tuple[Lab, Widget], wire: Wire) -> None:
    lab, widget = quick
    clip = widget.root.get_by_role("slider", name="Clip at value")
    hide = widget.root.get_by_role("slider", name="Hide below value")
    hide.first.focus()
    wire.clear()
    for _ in range(10):
        lab.page.keyboard.press("ArrowRight")
    lab.page.wait_for_timeout(1200)
    assert wire.requests == []
    assert say(lab, "w.threshold") < 100
    clip.first.focus()
    for _ in range(5):
        lab.page.keyboard.press("ArrowLeft")
    lab.page.wait_for_timeout(1200)
    assert say(lab, "w.clip") < 99


@EVERYWHERE
def test_pinned_readings_stay_and_follow_the_map(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    widget.row.fill("30")
    widget.column.fill("40")
    widget.frames()
    widget.root.get_by_role("button", name="Pin", exact=True).click()
    widget.row.fill("100")
    widget.root.get_by_role("button", name="Pin", exact=True).click()
    assert say(lab, "[list(p) for p in w.pins]") == [[30, 40], [100, 40]]
    widget.root.get_by_role("button", name="Remove pin 1").click()
    assert say(lab, "[list(p) for p in w.pins]") == [[100, 40]]


def test_numbers_of_the_picture_are_python_s(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    widget.row.fill("10")
    widget.column.fill("20")
    widget.frames()
    for reduction in ("sum", "mean", "l2"):
        lab.ask(1, f"w.reduction = {reduction!r}")
        want = say(
            lab,
            "float(__import__('saliency_widget.display.reduce', fromlist=['x'])"
            ".reduce_channels(w.attribution.values, w.sign, w.reduction)[10, 20])",
        )
        until(lab.page, lambda want=want: np.isclose(widget.number("value"), want, rtol=2e-3))
