"""marimo, which has its own front end and its own way to speak to anywidgets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator

from tests.browser.page import Widget
from tests.hosts.server import REPOSITORY

NOTEBOOK = Path(__file__).parent / "marimo_notebook.py"


@dataclass
class Running:
    url: str
    # The last cell of the notebook runs until this file is there.
    go: Path


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "HOME": str(folder), "MARIMO_SKIP_UPDATE_CHECK": "1"}


@pytest.fixture(params=["run"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    go = tmp_path / "go"
    # An editor writes into its notebook.
    notebook = tmp_path / NOTEBOOK.name
    notebook.write_text(NOTEBOOK.read_text("utf-8"), "utf-8")
    settings = tmp_path / ".config" / "marimo"
    settings.mkdir(parents=True)
    (settings / "marimo.toml").write_text("[runtime]\nauto_instantiate = true\n", "utf-8")
    how = [request.param, str(notebook), "--headless", f"--port={port}", "--no-token"]
    command = [sys.executable, "-m", "marimo", *how]
    log = tmp_path / "marimo.log"
    with log.open("wb") as to:
        process = subprocess.Popen(
            command, env={**environment(tmp_path), "SALIENCY_TESTS_GO": str(go)}, stdout=to, stderr=to
        )
    url = f"http://127.0.0.1:{port}"
    limit = time.monotonic() + 60
    while time.monotonic() < limit and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            break
    else:
        process.kill()
        raise RuntimeError(f"marimo did not start:\n{log.read_text()}")
    yield Running(url, go)
    go.touch()
    process.terminate()
    process.wait(20)


def widgets(page: Locator) -> list[Widget]:
    roots = page.get_by_role("group", name="Saliency map")
    roots.nth(1).wait_for()
    return [Widget(roots.nth(number)) for number in range(roots.count())]


def test_it_draws_waits_for_a_busy_kernel_and_then_computes(context: BrowserContext, running: Running) -> None:
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(running.url)
    both = widgets(page.locator("body"))
    assert len(both) == 2
    for widget in both:
        widget.threshold.wait_for()
        assert (widget.pixels()[..., 3] == 255).all()
        widget.threshold.focus()
        page.keyboard.press("PageUp")
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert 0 < int((widget.pixels()[..., 3] > 0).sum()) < 64 * 64
        widget.class_box.click()
        page.keyboard.type("bee")
        page.keyboard.press("Enter")
        widget.root.get_by_text("kernel is busy").first.wait_for()
    running.go.touch()
    page.get_by_text("the last cell has ended").wait_for()
    for widget in both:
        widget.wait_until_shown("bee")
        widget.class_box.click()
        page.keyboard.type("cat")
        page.keyboard.press("Enter")
        widget.wait_until_shown("cat")
    assert errors == []


@pytest.mark.parametrize("running", ["edit"], indirect=True)
def test_in_the_editor_it_works_and_no_key_is_taken_for_a_shortcut(context: BrowserContext, running: Running) -> None:
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    running.go.touch()
    page.goto(running.url)
    cells = page.locator("[data-cell-id]:has(.cm-content)")
    (widget, _) = widgets(page.locator("body"))
    widget.threshold.wait_for()
    page.get_by_text("the last cell has ended").last.wait_for()
    assert (widget.pixels()[..., 3] == 255).all()

    def texts() -> list[str]:
        return cells.locator(".cm-content").all_inner_texts()

    before = texts()
    assert len(before) == 3
    crosshair = widget.root.get_by_role("button", name="Crosshair")
    for part in (widget.class_box, widget.threshold, widget.row, crosshair):
        part.focus()
        for key in ("a", "b", "d", "d", "j", "k", "m", "x", "z", "0", "Shift+M", "Backspace", "Delete", "ArrowUp"):
            page.keyboard.press(key)
        if part is not widget.class_box:
            page.keyboard.press("Enter")
        else:
            page.keyboard.press("Escape")
        assert widget.root.locator(".stage").first.evaluate("one => one.getRootNode().activeElement !== null")
    assert texts() == before
    assert page.get_by_role("dialog").count() == 0
    widget.root.get_by_role("button", name="Reset view").click()
    widget.choose("bee")
    widget.wait_until_shown("bee")
    assert errors == []
