"""A page without kernel and network, opened from the disk: what it keeps and says, and what cannot break out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from saliency_widget import Attribution
from saliency_widget.display.colours import colour_table
from saliency_widget.display.quantise import KEEPS, keep_map
from saliency_widget.display.reduce import reduce_channels
from saliency_widget.export.alone import page_of, write_html
from saliency_widget.export.frame import static_of
from tests.browser.page import Widget
from tests.browser.test_accessible import AXE, DRESSES, RUN
from tests.export.pages import HOSTILE, attribution

Open = Callable[..., Widget]


@pytest.fixture
def open_page(context: BrowserContext, tmp_path: Path) -> Iterator[Open]:
    """Write an attribution and open it with the network off; nothing may be thrown, refused or asked for."""
    context.set_offline(True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else wrong.append(request.url),
    )

    def open_file(one: Attribution, keep: str = "signs") -> Widget:
        path = tmp_path / "page.html"
        write_html(one, path, keep=keep)
        page.goto(path.as_uri())
        widget = Widget(page.locator("#widget"))
        widget.threshold.wait_for()
        return widget

    yield open_file
    assert wrong == []


SIGNS = ("absolute", "signed", "positive", "negative")


def settled(page: Page) -> None:
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_text_from_anywhere_runs_nothing_and_is_shown_as_text(open_page: Open, label: str) -> None:
    widget = open_page(attribution(label))
    widget.page.get_by_text("Where this map comes from").click()
    widget.page.wait_for_timeout(100)
    assert widget.page.evaluate("() => window.broken") is None
    assert widget.page.locator("script:not([id])").count() == 2
    told = widget.page.locator("#provenance td").first.inner_text()
    assert told[:20].strip() == label.replace("\x00", "\ufffd")[:20].strip() or not label.isprintable()


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("sign", ["absolute", "signed"])
def test_the_readout_is_the_number_to_the_error_beside_it(open_page: Open, keep: str, sign: str) -> None:
    one = attribution()
    widget = open_page(one, keep)
    if keep == "shown" and sign == "signed":
        assert widget.root.get_by_role("radio", name="signed").is_disabled()
        assert widget.root.get_by_text("keeps magnitudes alone").is_visible()
        return
    widget.sign(sign)
    exact = reduce_channels(one.values, sign)
    kept = keep_map(one.values, keep)
    channels = kept.shape[0] if sign == "signed" else 1
    error = kept.absolute_error if sign == "absolute" and kept.planes else channels * kept.error
    for row, column in ((0, 0), (23, 29), (7, 13)):
        widget.row.fill(str(row))
        widget.column.fill(str(column))
        settled(widget.page)
        assert abs(widget.number("value") - exact[row, column]) <= error * 1.001
        said = widget.field("sign").inner_text()
        if sign == "signed" and "too little" not in said:
            assert ("raises" if exact[row, column] > 0 else "lowers") in said
    assert ("±" in widget.field("unit").inner_text()) == (keep != "full")


@pytest.mark.parametrize("keep", ["shown", "signs"])
def test_channels_that_are_not_kept_rest_and_say_why(open_page: Open, keep: str) -> None:
    widget = open_page(attribution(), keep)
    widget.root.get_by_text("More of the view").click()
    channels = widget.root.get_by_role("combobox", name="Channels")
    assert channels.is_disabled()
    assert widget.root.locator("[title*='does not keep the channels']").count() == 1
    assert widget.root.locator("[data-channel]").count() == 0
    assert "largest |value| of 3 channels" in widget.root.get_by_role("group", name="Colour bar").inner_text()


def test_the_page_says_how_exactly_and_where_from(open_page: Open) -> None:
    widget = open_page(attribution(), "channels")
    footer = widget.page.locator("footer")
    assert "every channel of each map, in 8 bits" in footer.inner_text()
    footer.get_by_text("Where this map comes from").click()
    assert "versions torch" in footer.inner_text()


def test_without_scripts_the_picture_and_its_words_are_there(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_html(attribution(), path)
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    picture = page.get_by_role("img", name="What the model saw")
    assert picture.bounding_box()["width"] >= 100
    assert "Gradient of the logit of cat" in page.locator("figcaption").inner_text()
    context.close()


@pytest.mark.parametrize("dress", DRESSES)
def test_axe_finds_nothing_in_the_whole_page(open_page: Open, dress: str) -> None:
    theme, forced = DRESSES[dress]
    widget = open_page(attribution(), "shown")
    widget.page.emulate_media(color_scheme=theme, forced_colors=forced)
    widget.page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    # The page's policy lets no script in; what a debugger runs is not asked.
    widget.page.evaluate(AXE.read_text("utf-8"))
    assert widget.page.evaluate(RUN, []) == []


def test_nothing_is_wider_than_a_narrow_screen(open_page: Open) -> None:
    widget = open_page(attribution("a label " * 30))
    widget.page.set_viewport_size({"width": 320, "height": 700})
    settled(widget.page)
    assert widget.page.evaluate("() => document.documentElement.scrollWidth") <= 320
    heights = {widget.root.get_by_text(sign, exact=True).bounding_box()["height"] for sign in SIGNS}
    assert max(heights) < 30, "the words of the signs stand in one line"


def test_a_map_that_is_no_map_is_said_to_be_so(open_page: Open) -> None:
    zero = open_page(attribution(values=np.zeros((3, 24, 30), np.float32)))
    assert "zero" in zero.root.locator(".stage").evaluate("stage => stage.getRootNode().textContent")
    # What is zero by itself was not made so by being kept in few steps.
    assert zero.field("sign").inner_text() == "More light here neither raises nor lowers the logit of cat"


@pytest.mark.parametrize("shape", [(24, 30), (30, 24), (8, 64)], ids=str)
def test_a_frame_has_room_for_all_of_it(context: BrowserContext, shape: tuple[int, int]) -> None:
    page = context.new_page()
    values = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    one = attribution(values=values, image=np.zeros((*shape, 3), np.uint8))
    page.set_viewport_size({"width": 1000, "height": 1200})
    page.set_content(static_of(page_of(one), b"", "words").markup)
    frame = page.frame_locator("iframe")
    frame.get_by_role("slider", name="Threshold").first.wait_for()
    frame.get_by_text("Where this map comes from").wait_for()
    room, needed = frame.locator(":root").evaluate("root => [innerHeight, root.scrollHeight]")
    assert needed <= room, "nothing is scrolled for while everything further is folded"


READ = """async (ends) => {
  const [one] = await navigator.clipboard.read();
  const bitmap = await createImageBitmap(await one.getType("image/png"));
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const { data, width, height } = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  const rows = Array.from({ length: height }, (_, y) => {
    const seen = new Set();
    for (let i = 4 * y * width; i < 4 * (y + 1) * width; i += 4) seen.add(data.slice(i, i + 3).join());
    return ends.every((end) => seen.has(end.join()));
  });
  return [height, width, rows.includes(true)];
}"""


def test_the_picture_is_copied_with_its_scale(open_page: Open) -> None:
    widget = open_page(attribution(), "full")
    widget.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    widget.sign("signed")
    widget.root.get_by_role("button", name="Copy picture").click()
    widget.root.get_by_role("button", name="Copied").wait_for()
    # From one end of the colours to the other, whatever the bar in the widget shows beyond them.
    table = colour_table("signed")
    assert widget.page.evaluate(READ, [table[0].tolist(), table[-1].tolist()])[2], "a row that has both ends: the bar"


def test_where_the_clipboard_is_closed_the_picture_is_saved(open_page: Open) -> None:
    widget = open_page(attribution())
    widget.page.evaluate("() => { navigator.clipboard.write = () => Promise.reject(new Error('no')); }")
    with widget.page.expect_download() as download:
        widget.root.get_by_role("button", name="Copy picture").click()
    assert download.value.suggested_filename == "saliency.png"
    widget.root.get_by_role("button", name="Saved as a file").wait_for()
    widget.root.get_by_role("button", name="Copy picture").wait_for()


def test_comparing_rests_where_there_is_nothing_to_compare_with(open_page: Open) -> None:
    likely = [{"index": index, "label": f"class {index}", "probability": 0.1} for index in (3, 4, 5)]
    widget = open_page(attribution(provenance={"prediction": likely}))
    widget.root.get_by_text("Compare", exact=True).click()
    assert widget.root.get_by_text("those that are here").is_visible()
    widget.root.get_by_role("button", name="Likely classes").click()
    settled(widget.page)
    assert widget.root.locator(".stage").count() == 1


def test_a_narrow_picture_is_copied_with_room_for_its_words(open_page: Open) -> None:
    tall = np.random.default_rng(2).normal(size=(3, 200, 12)).astype(np.float32)
    widget = open_page(attribution(values=tall, image=np.zeros((200, 12, 3), np.uint8)))
    widget.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    widget.root.get_by_role("button", name="Copy picture").click()
    widget.root.get_by_role("button", name="Copied").wait_for()
    assert widget.page.evaluate(READ, [])[1] >= 640
