"""A page that a widget was written to, opened from the disk with the network off, in the place of a notebook."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.browser.page import MAKE


@dataclass
class Lesson:
    """A page, and the widget it was made from."""

    path: Path
    names: dict[str, Any]
    view: dict[str, Any]


def make_lesson(folder: Path) -> Lesson:
    """The demo's widget with the maps of its likely classes, kept as they travel."""
    names: dict[str, Any] = {}
    exec(MAKE, names)
    widget = names["w"]
    widget.wait(60)
    path = folder / "lesson.html"
    widget.to_html(path, classes=5, keep="full", progress=False)
    # Asked for, so that Python holds what the page does.
    for one in widget._info["subjects"][0]["prediction"][::-1]:
        widget.class_index = one["index"]
        widget.wait(60)
    return Lesson(path, names, widget.view)


class Offline:
    """What :class:`tests.lab.Lab` is for a notebook. What is asked of the kernel is asked of Python here."""

    def __init__(self, context: BrowserContext, lesson: Lesson) -> None:
        self.errors: list[str] = []
        self.count = 0
        self._lesson = lesson
        lesson.names["w"].view = lesson.view
        context.set_offline(True)
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("request", self._requested)
        self.page.goto(lesson.path.as_uri())

    def _requested(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.errors.append(f"asked the network for {request.url}")

    def ask(self, _cell: int, source: str) -> Any:
        """Run ``source`` where ``w`` has the view of the page, and read what it prints."""
        widget = self._lesson.names["w"]
        names = [name for name in self._lesson.view if name not in ("panels", "parameters")]
        state = self.page.evaluate(
            "names => names.map(name => document.getElementById('widget').model.get(name))", [*names, "shown"]
        )
        shown = state.pop()
        if shown in widget.attributions:
            widget.shown = shown
        looks = dict(zip(names, state, strict=True))
        widget.view = {name: looks[name] for name in looks if name not in _OF_THE_MAP}
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(source, self._lesson.names)
        return json.loads(said.getvalue().split("JSON", 1)[1])


_OF_THE_MAP = ("model_index", "image_index", "class_index", "versus", "score", "method")
