"""What a person does with the widget in a real JupyterLab, step by step, and what the page must then show."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from tests.browser.page import EVERYWHERE, Widget, Wire, truth
from tests.lab import Lab, Server


@EVERYWHERE
@pytest.mark.parametrize("sign", ["absolute", "signed"])
def test_the_readout_is_the_engines_number(quick: tuple[Lab, Widget], sign: str) -> None:
    lab, widget = quick
    if sign == "signed":
        widget.sign("signed")
    for at in ((112, 87), (0, 0), (223, 223), (40, 160)):
        expected = truth(lab, 1, sign=sign, at=at)
        widget.point_at(*at)
        lab.page.wait_for_function(
            "([row, column, r, c]) => row.value === r && column.value === c",
            arg=[widget.row.element_handle(), widget.column.element_handle(), str(at[0]), str(at[1])],
        )
        # Three channels may each be off by the stated error; float32 adds a little.
        bound = expected["error"] * (3 if sign == "signed" else 1) * 1.01
        assert abs(widget.number("value") - expected["value"]) <= bound
        assert widget.number("rank") == expected["rank"]
        for name, value in zip("RGB", expected["channels"], strict=True):
            shown = widget.root.locator(f"[data-channel='{name}']").get_attribute("data-value")
            assert abs(float(shown or "nan") - value) <= expected["error"] * 1.01
        assert widget.field("pixel").get_attribute("data-value") == ",".join(map(str, expected["pixel"]))
        if sign == "signed":
            assert ("raises" if expected["value"] > 0 else "lowers") in widget.field("sign").inner_text()


@EVERYWHERE
def test_the_threshold_keeps_exactly_the_definitions_pixels(quick: tuple[Lab, Widget], wire: Wire) -> None:
    lab, widget = quick
    widget.threshold.focus()
    wire.clear()
    for key, times in (("ArrowRight", 37), ("PageUp", 2), ("ArrowLeft", 5)):
        for _ in range(times):
            lab.page.keyboard.press(key)
    percent = lab.ask(1, 'import json; print("JSON" + json.dumps(w.threshold))')
    assert percent < 100
    assert wire.requests == [], "a threshold is no request"
    for sign, name in (("absolute", "absolute"), ("signed", "signed")):
        widget.sign(name)
        expected = truth(lab, 1, sign=sign, percent=percent)
        shown = widget.pixels()
        assert int((shown[..., 3] > 0).sum()) == expected["count"]
        assert abs(widget.number("mass") - expected["mass"]) < 1e-6
        table = np.frombuffer(base64.b64decode(expected["colours"]), np.uint8).reshape(*expected["shape"], 3)
        kept = shown[..., 3] == 255
        assert (shown[kept][:, :3] == table[kept]).all()


@EVERYWHERE
def test_a_drag_of_the_threshold_is_at_most_one_update(quick: tuple[Lab, Widget], wire: Wire) -> None:
    lab, widget = quick
    box = widget.threshold.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    lab.page.mouse.move(box["x"] + 5, y)
    wire.clear()
    before = widget.pixels()
    lab.page.mouse.down()
    for step in range(1, 30):
        lab.page.mouse.move(box["x"] + box["width"] * step / 40, y)
    during = widget.pixels()
    assert not (before[..., 3] == during[..., 3]).all(), "it follows while it is dragged"
    assert wire.comm_messages == []
    lab.page.mouse.up()
    lab.page.wait_for_timeout(300)
    assert wire.requests == []
    assert len(wire.comm_messages) <= 1


def test_another_class_is_asked_for_shown_and_equals_the_engines(quick: tuple[Lab, Widget], wire: Wire) -> None:
    lab, widget = quick
    wire.clear()
    widget.class_box.click()
    lab.page.keyboard.type("espresso")
    widget.root.get_by_role("option", name="espresso").first.click()
    widget.wait_until_shown("espresso")
    assert len(wire.requests) == 1
    expected = truth(lab, 1, target="'espresso'")
    table = np.frombuffer(base64.b64decode(expected["colours"]), np.uint8).reshape(*expected["shape"], 3)
    shown = widget.pixels()
    assert (shown[..., 3] == 255).all()
    assert (shown[..., :3] == table).all()
    # And the Python side knows what is on display.
    assert lab.ask(1, 'import json; print("JSON" + json.dumps(w.attribution.target.text))') == expected["text"]


def test_looking_works_with_the_socket_blocked_and_sends_no_request(quick: tuple[Lab, Widget], wire: Wire) -> None:
    lab, widget = quick
    second = lab.ask(
        1,
        'import json; w.wait(); second = w._info["subjects"][0]["prediction"][1]["label"];'
        'print("JSON" + json.dumps([second, len(w._maps)]))',
    )
    lab.page.wait_for_function(
        "list => list.querySelectorAll('button[data-held]').length >= 5",
        arg=widget.root.get_by_role("list", name="Classes").element_handle(),
    )
    signed = truth(lab, 1, sign="signed")
    other = truth(lab, 1, target=repr(second[0]), sign="signed")
    wire.cut(True)
    wire.clear()
    widget.sign("signed")
    lab.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    table = np.frombuffer(base64.b64decode(signed["colours"]), np.uint8).reshape(*signed["shape"], 3)
    assert (widget.pixels()[..., :3] == table).all()
    widget.root.get_by_role("button", name=second[0].split(",")[0]).first.click()
    lab.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    table = np.frombuffer(base64.b64decode(other["colours"]), np.uint8).reshape(*other["shape"], 3)
    assert (widget.pixels()[..., :3] == table).all()
    widget.point_at(50, 60)
    assert wire.requests == []
    wire.cut(False)


def test_typing_in_the_class_box_never_reaches_the_notebook(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    before = (lab.count, [lab.cell(i).locator(".cm-content").inner_text() for i in range(lab.count)])
    widget.class_box.click()
    for keys in (
        "b",
        "a",
        "d",
        "d",
        "x",
        "m",
        "y",
        "z",
        "1",
        "h",
        "l",
        "0",
        "0",
        "i",
        "i",
        "Shift+M",
        "Backspace",
        "Delete",
    ):
        lab.page.keyboard.press(keys)
    lab.page.keyboard.press("Control+A")
    lab.page.keyboard.type("lynx b b dd aa")
    lab.page.keyboard.press("Escape")
    # Also where a slider, a number box, a button has the focus.
    for part in (widget.threshold, widget.row, widget.root.get_by_role("button").first):
        part.focus()
        for keys in ("b", "a", "d", "d", "x", "m", "Shift+M", "0", "0"):
            lab.page.keyboard.press(keys)
    assert lab.page.locator(".jp-Dialog").count() == 0
    assert (lab.count, [lab.cell(i).locator(".cm-content").inner_text() for i in range(lab.count)]) == before


def test_the_notebook_can_be_saved_while_the_widget_has_the_focus(quick: tuple[Lab, Widget], server: Server) -> None:
    lab, widget = quick
    lab.cell(2).locator(".jp-InputArea-editor").click()
    lab.page.keyboard.type("41 + ")
    widget.threshold.focus()
    lab.page.keyboard.press("Control+S")
    lab.page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    assert "41 + " in (server.folder / lab.notebook).read_text("utf-8")


def test_a_class_that_is_clicked_while_a_cell_is_busy_arrives(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    lab.cell(2).locator(".jp-InputArea-editor").click()
    lab.page.keyboard.press("Control+A")
    lab.page.keyboard.insert_text("import time; time.sleep(6); print('slept')")
    lab.page.keyboard.press("Control+Enter")
    lab.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='busy']")
    widget.class_box.click()
    lab.page.keyboard.type("rocking chair")
    lab.page.keyboard.press("Enter")
    widget.wait_until_shown("rocking chair, rocker")
    assert "slept" not in lab.text(2), "it did not wait for the cell"


def test_after_a_reload_of_the_page_the_widget_is_alive(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    widget.sign("signed")
    lab.page.wait_for_timeout(300)
    lab.cell(2).locator(".jp-InputArea-editor").click()
    lab.page.keyboard.press("Control+S")
    lab.page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    lab.page.reload()
    lab.page.wait_for_selector(".jp-Notebook .jp-Cell")
    lab.wait_until_idle()
    widget.threshold.wait_for()
    expected = truth(lab, 1, sign="signed")
    table = np.frombuffer(base64.b64decode(expected["colours"]), np.uint8).reshape(*expected["shape"], 3)
    assert (widget.pixels()[..., :3] == table).all(), "what was chosen is still chosen"
    widget.class_box.click()
    lab.page.keyboard.type("teapot")
    lab.page.keyboard.press("Enter")
    widget.wait_until_shown("teapot")


def test_a_cell_that_is_run_again_and_again_leaves_one_widget(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    for _ in range(4):
        lab.run(0)
    widget.threshold.wait_for()
    count = (
        "import json; from ipywidgets import Widget\n"
        'print("JSON" + json.dumps([type(one).__name__ for one in Widget.widgets.values()].count("SaliencyWidget")))'
    )
    assert lab.ask(1, count) == 1
    assert widget.root.locator(".widget").count() == 1
    # What a name of the user's still reaches stays.
    lab.ask(1, "kept = [w]")
    lab.run(0)
    assert lab.ask(2, count) == 2


def test_another_method_is_chosen_from_the_menu_and_equals_the_engines(quick: tuple[Lab, Widget], wire: Wire) -> None:
    lab, widget = quick
    wire.clear()
    menu = widget.root.get_by_role("combobox", name="Method")
    menu.select_option(label="Grad-CAM")
    widget.root.locator("canvas[data-layer='map']").wait_for()
    lab.page.wait_for_function("select => select.value === 'grad-cam'", arg=menu.element_handle())
    widget.field("cell").filter(has_text="of 7 × 7").wait_for()
    assert len(wire.requests) == 1
    found = lab.ask(
        1,
        "import json\n"
        'fresh = sw.explain(model, sw.demo.image("chelsea"), method="grad-cam")\n'
        "import numpy as np\n"
        "a = w.attribution\n"
        "same = bool(np.array_equal(a.values, fresh.values))\n"
        'print("JSON" + json.dumps([a.method.name, same, list(a.values.shape)]))',
    )
    assert found == ["grad-cam", True, [1, 7, 7]]
    # Back again: the gradient is still here.
    wire.clear()
    menu.select_option(label="Gradient")
    lab.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert widget.canvas.evaluate("canvas => canvas.width") == 224
    assert wire.requests == []
