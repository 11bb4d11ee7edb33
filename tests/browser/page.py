"""The widget on a page in the hand of a test, and what the kernel says the page has to show."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator, Page

from tests.lab import Lab

# For what needs no kernel: it is the same on a page that was written to the disk.
EVERYWHERE = pytest.mark.parametrize("quick", ["notebook", "page"], indirect=True)

MAKE = (
    'import saliency_widget as sw\nmodel = sw.demo.model()\nw = sw.SaliencyWidget(model, sw.demo.image("chelsea"))\nw'
)

# The same in no time: ten classes, and a picture of 64 x 64 pixels.
SMALL = """import json, os
import saliency_widget as sw
from tests.hosts.subject import LABELS, PAUSE, drawn, make
w = make()
w"""

# Run in the kernel: what the picture must be, from the engine's own numbers and Python's definitions.
TRUTH = """
import json, base64, numpy as np
from saliency_widget.display.encode import encode_half, decode_half
from saliency_widget.display.reduce import reduce_channels, clip_level, scale_to_heat
from saliency_widget.display.threshold import keep_strongest, rank_of
from saliency_widget.display.colours import colourise
fresh = sw.explain(model, sw.demo.image("chelsea"), target={target})
packed = encode_half(fresh.values)
decoded = decode_half(packed.data, packed.shape, packed.scale)
reduced = reduce_channels(decoded, {sign!r})
kept = keep_strongest(reduced, {percent})
colours = colourise(scale_to_heat(reduced, clip_level(reduced, w.clip)), {sign!r})
rank, weaker = rank_of(reduced, {row}, {column})
print("JSON" + json.dumps(dict(
    value=float(reduce_channels(fresh.values, {sign!r})[{row}, {column}]), error=packed.error, rank=rank,
    channels=[float(v) for v in fresh.values[:, {row}, {column}]], pixel=fresh.image[{row}, {column}].tolist(),
    count=int(kept.mask.sum()), mass=kept.mass, text=fresh.target.text,
    colours=base64.b64encode(colours.tobytes()).decode(), shape=list(reduced.shape))))
"""

PIXELS = """canvas => {
  const { width, height } = canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let text = ""; for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
  return [height, width, btoa(text)];
}"""


# Runs before anything of the page: what it sends is written down, and a cut lets nothing by.
TAP = """
window.__cut = false;
window.__sent = [];
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", (event) => { if (window.__cut) event.stopImmediatePropagation(); });
  }
  send(data) {
    window.__sent.push(typeof data === "string" ? data : new TextDecoder().decode(data));
    if (!window.__cut) super.send(data);
  }
};
"""


class Wire:
    """The page's web sockets, in the test's hand: they can be cut, and what the page sends is counted."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        context.add_init_script(TAP)

    def cut(self, cut: bool) -> None:
        self.context.pages[0].evaluate("cut => { window.__cut = cut; }", cut)

    @property
    def comm_messages(self) -> list[str]:
        """What the page said to widgets since the last ``clear``."""
        return [text for text in self.context.pages[0].evaluate("() => window.__sent") if "comm_msg" in text]

    @property
    def requests(self) -> list[str]:
        return [text for text in self.comm_messages if '"custom"' in text]

    def clear(self) -> None:
        self.context.pages[0].evaluate("() => { window.__sent = []; }")


class Widget:
    """The widget on the page, by what a person would name its parts."""

    def __init__(self, root: Locator) -> None:
        self.root = root
        self.page: Page = root.page
        self.threshold = root.get_by_role("slider", name="Threshold")
        self.class_box = root.get_by_role("combobox", name="Class")
        self.row = root.get_by_role("spinbutton", name="Row")
        self.column = root.get_by_role("spinbutton", name="Column")
        self.picture = root.get_by_role("img").first
        self.stage = root.locator(".stage").first
        self.canvas = root.locator("canvas[data-layer='map']")

    def field(self, name: str) -> Locator:
        return self.root.locator(f"[data-field='{name}']")

    def number(self, name: str) -> float:
        text = self.field(name).get_attribute("data-value")
        assert text is not None
        return float(text)

    def pixels(self) -> np.ndarray:
        """RGBA of the map's canvas."""
        return self.pixels_of(self.canvas)

    def pixels_of(self, canvas: Locator) -> np.ndarray:
        """RGBA of a canvas."""
        height, width, data = canvas.evaluate(PIXELS)
        return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)

    def drawn(self) -> str:
        """The digest of the map's canvas, as the kernel has it of :func:`tests.hosts.subject.drawn`."""
        return hashlib.sha256(self.pixels().tobytes()).hexdigest()

    def point_at(self, row: int, column: int) -> None:
        # Running another cell may have scrolled part of the picture out of sight.
        self.stage.scroll_into_view_if_needed()
        box = self.canvas.first.bounding_box()
        height, width = self.canvas.first.evaluate("canvas => [canvas.height, canvas.width]")
        assert box is not None
        self.page.mouse.move(
            box["x"] + (column + 0.5) * box["width"] / width, box["y"] + (row + 0.5) * box["height"] / height
        )

    def sign(self, name: str) -> None:
        self.root.get_by_role("group", name="Sign").get_by_role("radio", name=name).check(force=True)

    def frames(self) -> None:
        """Wait until what was just done is drawn."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def read(self) -> tuple[int, int]:
        """Row and column that are read out."""
        return int(self.row.input_value()), int(self.column.input_value())

    def choose(self, label: str) -> None:
        """Type a class and take it."""
        self.class_box.click()
        self.page.keyboard.type(label)
        self.page.keyboard.press("Enter")

    def wait_until_shown(self, label: str) -> None:
        """Wait until the map on display is that of this class."""
        self.root.locator(f"button[aria-pressed='true']:has([title='{label}'])").wait_for()


def say(lab: Lab, expression: str, cell: int = 1) -> Any:
    """Ask the kernel, when what was asked for is there."""
    return lab.ask(cell, f'import json; w.wait(); print("JSON" + json.dumps({expression}))')


def until(page: Page, true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for what only the test can tell."""
    for _ in range(int(seconds * 20)):
        if true():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come to that")


def truth(lab: Lab, cell: int, target: Any = "None", sign: str = "absolute", percent: float = 100, at=(0, 0)) -> Any:
    source = TRUTH.format(target=target, sign=sign, percent=percent, row=at[0], column=at[1])
    return lab.ask(cell, source)
