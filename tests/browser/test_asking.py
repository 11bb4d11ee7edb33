"""Asking for one class after another, stopping, and a kernel that is gone: where the keys and the focus go."""

from __future__ import annotations

from tests.browser.page import Widget, Wire
from tests.lab import Lab

FOCUSED = "stage => stage.getRootNode().activeElement?.textContent ?? ''"


def test_one_search_after_another_needs_nothing_but_typing(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    widget.class_box.click()
    for name in ("espresso", "teapot"):
        lab.page.keyboard.type(name)
        assert widget.class_box.input_value() == name
        lab.page.keyboard.press("Enter")
        widget.wait_until_shown(name)
    widget.class_box.click()
    lab.page.keyboard.type("lemon")
    assert widget.class_box.input_value() == "lemon"


def test_the_focus_stays_in_the_widget_when_stop_goes(quick: tuple[Lab, Widget], wire: Wire) -> None:
    lab, widget = quick
    # Nothing answers: the request stays in flight for as long as it takes to reach the button.
    wire.cut(True)
    widget.class_box.click()
    lab.page.keyboard.type("teapot")
    lab.page.keyboard.press("Enter")
    stop = widget.root.get_by_role("button", name="Stop")
    widget.field("state").filter(has_text="still showing tiger cat").wait_for()
    stop.focus()
    lab.page.keyboard.press("Enter")
    stop.wait_for(state="hidden")
    assert widget.root.locator(".stage").evaluate(FOCUSED) == "Crosshair"
    # One key leads on to the search, where what is typed replaces the name that stands there.
    lab.page.keyboard.press("c")
    lab.page.keyboard.type("lemon")
    assert widget.class_box.input_value() == "lemon"
    wire.cut(False)


def test_a_kernel_that_is_gone_is_said_and_another_helps(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    # On a busy machine the likely classes are computed later than the first map is there.
    widget.root.locator("button[data-held][aria-pressed='false']").first.wait_for()
    lab.page.locator(".jp-NotebookPanel-toolbar [data-jp-item-name='restart'] :is(button, jp-button)").first.click()
    lab.page.locator(".jp-Dialog .jp-mod-accept").click()
    widget.field("state").filter(has_text="The kernel is gone. Run the cell again").wait_for()
    widget.root.get_by_text("Without a kernel, only the classes that are here can be shown.").wait_for()
    widget.class_box.click()
    lab.page.keyboard.type("teapot")
    assert widget.root.get_by_role("option", name="teapot").get_attribute("aria-disabled") == "true"
    lab.page.keyboard.press("Escape")
    # What is here can still be looked at.
    held = widget.root.locator("button[data-held][aria-pressed='false']").first
    label = held.locator(".name").get_attribute("title")
    assert label is not None
    held.click()
    widget.wait_until_shown(label)
    lab.wait_until_idle()
    # The new kernel counts from 1 again, so that the prompt says nothing of whether the cell ran.
    lab.start(0)
    widget.root.get_by_text("Without a kernel").wait_for(state="hidden")
    widget.threshold.wait_for()
    widget.class_box.click()
    lab.page.keyboard.type("teapot")
    lab.page.keyboard.press("Enter")
    widget.wait_until_shown("teapot")
