"""What a score is of is chosen by pointing at it: a pixel, a region, a box; with the pointer, by keys, on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

import saliency_widget as sw
from tests.browser.page import Widget, Wire, say, until
from tests.lab import Lab
from tests.places.support import HEIGHT, PICTURE, WIDTH, Detr, Segmenter, seeded

LABELS = ["sky", "cat", "dog", "elk"]
MAKE = """import json
import saliency_widget as sw
from tests.hosts.subject import drawn
from tests.places.support import PICTURE, Detr, Segmenter, seeded
w = sw.SaliencyWidget(seeded({model}), PICTURE, preprocess="none", labels={labels}, {more}).wait()
w"""
WHERE = "[w.place, w.class_index, w.score]"

Open = Callable[..., tuple[Lab, Widget]]


@pytest.fixture
def open_places(wire: Wire, open_warm: Callable[[list[str]], Lab]) -> Open:
    def make(model: str, more: str = "") -> tuple[Lab, Widget]:
        labels = LABELS[:3] if model == "Detr" else LABELS
        lab = open_warm([MAKE.format(model=model, labels=labels, more=more), "0"])
        text = lab.run(0)
        assert "Traceback" not in text, text
        widget = Widget(lab.cell(0).locator(".jp-OutputArea"))
        widget.threshold.wait_for()
        return lab, widget

    return make


def title(widget: Widget, text: str) -> None:
    """Wait until this is what is on display."""
    widget.field("subject").filter(has_text=text).wait_for()


def point(widget: Widget, row: float, column: float) -> tuple[float, float]:
    """Where a place of the picture is on the page."""
    widget.stage.scroll_into_view_if_needed()
    box = widget.stage.bounding_box()
    assert box is not None
    return box["x"] + column * box["width"] / WIDTH, box["y"] + row * box["height"] / HEIGHT


def at(explainer: Any, row: int, column: int) -> int:
    return int(explainer.target_at(row, column).index)


@pytest.fixture(scope="module")
def explainer() -> Any:
    from saliency_widget.explainer import Explainer

    return Explainer(seeded(Segmenter), PICTURE, preprocess="none", labels=LABELS)


def test_a_click_chooses_a_pixel_and_a_drag_with_shift_a_region(open_places: Open, wire: Wire, explainer: Any) -> None:
    lab, widget = open_places("Segmenter")
    widget.page.mouse.click(*point(widget, 5.5, 20.5))
    title(widget, "at row 5, column 20")
    assert say(lab, WHERE) == [[5, 20], at(explainer, 5, 20), "pixel logit"]
    assert widget.drawn() == say(lab, "drawn(w)")
    # Another class there, and the largest segment.
    other = LABELS[(at(explainer, 5, 20) + 1) % 4]
    widget.choose(other)
    title(widget, f"logit of {other} at row 5, column 20")
    largest = widget.root.locator(".classes button").first
    largest.click()
    title(widget, "over its mask")
    assert say(lab, WHERE) == [[], explainer.areas[0], "segment logit"]

    widget.page.keyboard.down("Shift")
    widget.page.mouse.move(*point(widget, 2.5, 3.5))
    widget.page.mouse.down()
    widget.page.mouse.move(*point(widget, 9.5, 11.5), steps=3)
    widget.page.mouse.up()
    widget.page.keyboard.up("Shift")
    title(widget, "over rows 2 to 9, columns 3 to 11")
    assert say(lab, WHERE)[0] == [2, 3, 10, 12]
    widget.root.get_by_role("button", name="Undo").click()
    title(widget, "over its mask")
    assert say(lab, "w.place") == []

    # What is panned is not chosen, and what Python sets is marked.
    widget.root.get_by_role("button", name="Zoom in").click()
    wire.clear()
    widget.page.mouse.move(*point(widget, 12, 16))
    widget.page.mouse.down()
    widget.page.mouse.move(*point(widget, 6, 8), steps=3)
    widget.page.mouse.up()
    widget.frames()
    assert wire.requests == []
    lab.ask(1, "w.place = [20, 30]; w.viewport = [1, 0.5, 0.5]")
    title(widget, "at row 20, column 30")
    mark = widget.root.locator(".mark[data-pixel]").bounding_box()
    assert mark is not None
    x, y = point(widget, 20.5, 30.5)
    assert abs(mark["x"] + mark["width"] / 2 - x) < 1
    assert abs(mark["y"] + mark["height"] / 2 - y) < 1


def test_with_keys_alone(open_places: Open, explainer: Any) -> None:
    lab, widget = open_places("Segmenter")
    cells = lab.count
    kinds = lab.page.locator(".jp-CodeCell").count()
    press = widget.page.keyboard.press
    widget.row.fill("10")
    widget.column.fill("12")
    widget.root.get_by_role("button", name="Crosshair").focus()
    press("ArrowDown")
    press("Enter")
    title(widget, "at row 11, column 12")
    press("r")
    for _ in range(3):
        press("ArrowRight")
        press("ArrowUp")
    press("r")
    title(widget, "over rows 8 to 11, columns 12 to 15")
    # The buttons do the same.
    press("ArrowUp")
    widget.root.get_by_role("button", name="Choose this pixel").focus()
    press("Enter")
    title(widget, "at row 7, column 15")
    assert say(lab, WHERE) == [[7, 15], at(explainer, 7, 15), "pixel logit"]
    assert (lab.count, lab.page.locator(".jp-CodeCell").count()) == (cells, kinds), "no key reached the notebook"


def test_a_box_is_chosen_in_the_picture_and_in_the_list(open_places: Open) -> None:
    lab, widget = open_places("Detr", "box_threshold=0")
    boxes = say(lab, "w._info['subjects'][0]['scene']['boxes']")
    marks = widget.root.locator(".box-mark")
    assert marks.count() == len(boxes) == 5
    assert [one.split(",")[0] for one in marks.all_inner_texts()] == [one["label"] for one in boxes]

    def area(box: Any) -> float:
        top, left, bottom, right = box["box"]
        return float((bottom - top) * (right - left))

    # The smallest that holds the middle of the last one: another rule than the widget's own words for it.
    top, left, bottom, right = (max(0, edge) for edge in boxes[-1]["box"])
    row, column = (top + min(bottom, HEIGHT)) / 2, (left + min(right, WIDTH)) / 2
    row, column = int(row) + 0.5, int(column) + 0.5
    under = [b for b in boxes if b["box"][0] <= row <= b["box"][2] and b["box"][1] <= column <= b["box"][3]]
    wanted = min((b for b in under if b is not boxes[0]), key=area)
    widget.page.mouse.move(*point(widget, row, column))
    widget.root.locator(".box-mark[data-aim]").wait_for()
    while say(lab, "w.place") != wanted["place"]:
        widget.page.mouse.click(*point(widget, row, column))
        widget.root.locator(".box-mark[data-chosen]").wait_for()
    assert say(lab, "[w.target.query, w.class_index]") == [wanted["place"][0], wanted["index"]]
    assert widget.drawn() == say(lab, "drawn(w)")

    number = next(i for i, box in enumerate(boxes) if box["place"] != wanted["place"])
    box = widget.root.get_by_role("combobox", name="Box")
    box.click()
    for _ in range(number + 1):
        widget.page.keyboard.press("ArrowDown")
    widget.page.keyboard.press("Enter")
    until(widget.page, lambda: marks.nth(number).get_attribute("data-chosen") is not None)
    assert say(lab, "w.place") == boxes[number]["place"]
    # The list, the picture and the provenance name the same.
    assert widget.root.locator(".classes button[aria-pressed='true']").count() == 1
    assert say(lab, "w.attribution.provenance['target']['query']") == boxes[number]["place"][0]


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    context.set_offline(True)
    page = context.new_page()
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    yield page
    assert thrown == []


def test_a_page_shows_all_boxes_and_offers_those_that_it_holds(page: Page, tmp_path: Path) -> None:
    widget = sw.SaliencyWidget(seeded(Detr), PICTURE, preprocess="none", labels=LABELS[:3], box_threshold=0)
    file = tmp_path / "boxes.html"
    widget.wait(30).to_html(file, classes=2, progress=False)
    widget.close()
    page.goto(file.as_uri())
    seen = Widget(page.locator("#widget"))
    seen.threshold.wait_for()
    assert seen.root.locator(".box-mark").count() == 5
    assert seen.root.locator(".box-mark[data-rest]").count() == 3
    rows = seen.root.locator(".classes button")
    assert [row.is_disabled() for row in rows.all()] == [False, False, True, True, True]
    seen.root.get_by_text("Without a kernel, only the boxes that are here can be shown.").first.wait_for()
    rows.nth(1).click()
    seen.root.locator(".box-mark").nth(1).and_(seen.root.locator("[data-chosen]")).wait_for()


def test_a_page_of_a_segmentation_offers_the_places_that_it_holds(page: Page, tmp_path: Path, explainer: Any) -> None:
    widget = sw.SaliencyWidget(seeded(Segmenter), PICTURE, target=sw.Pixel(5, 20), preprocess="none", labels=LABELS)
    widget.wait(30).place = [2, 3, 10, 12]
    file = tmp_path / "pixels.html"
    widget.wait(30).to_html(file, progress=False)
    widget.close()
    page.goto(file.as_uri())
    seen = Widget(page.locator("#widget"))
    title(seen, "over rows 2 to 9, columns 3 to 11")
    page.mouse.click(*point(seen, 20.5, 30.5))
    page.locator("[role=status]").filter(has_text="only the places that are here").wait_for(state="attached")
    page.mouse.click(*point(seen, 5.5, 20.5))
    title(seen, f"logit of {LABELS[at(explainer, 5, 20)]} at row 5, column 20")
