"""What is shown without the widget machinery: a frame in pages that tools build, a picture where frames are stripped.

The notebook is executed once and saved without any widget state; every page is opened from the disk with no network.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary
from playwright.sync_api import BrowserContext, Page

from tests.hosts.server import HOSTS, REPOSITORY
from tests.hosts.test_static import check_that_it_can_be_looked_at
from tests.lab import Server

CELLS = [
    'import saliency_widget as sw\nfrom tests.hosts.subject import free, make\nsw.display_as("static")',
    "w = make()\nfree(w)\nw",
    'sw.display_as("widget")\nw.static(height=500)',
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("frame")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = f"{REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    client = NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(folder)}}, store_widget_state=False
    )
    client.execute(env={**os.environ, "PYTHONPATH": path})
    return notebook


@pytest.fixture
def visit(context: BrowserContext) -> Callable[[Path], tuple[Page, list[str]]]:
    """Open a file with the network off; give the page and its errors."""

    def open_file(path: Path) -> tuple[Page, list[str]]:
        context.set_offline(True)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        return page, errors

    return open_file


def check_frames(page: Page) -> None:
    """Both cells' frames can be looked at, and neither can reach the page around it."""
    frames = page.locator("iframe[sandbox]")
    assert frames.count() == 2
    for number in range(2):
        frames.nth(number).scroll_into_view_if_needed()
        root = frames.nth(number).content_frame.locator("#widget")
        widget = check_that_it_can_be_looked_at(root)
        # A class that the page has no map of is not offered.
        widget.class_box.fill("bee")
        root.get_by_text("No class").wait_for()
        widget.class_box.press("Escape")
        reached = root.evaluate(
            "() => { try { return String(window.parent.document.title); } catch (error) { return error.name; } }"
        )
        assert reached == "SecurityError"
        assert frames.nth(number).get_attribute("sandbox") == "allow-scripts allow-downloads"


def test_the_output_holds_a_frame_a_picture_and_words_and_no_widget(executed: Any) -> None:
    for cell in executed.cells[1:]:
        (output,) = cell.outputs
        assert set(output.data) == {"text/html", "image/png", "text/plain"}
        assert "SmoothGrad, logit of" in output.data["text/plain"]


def test_nbconvert(executed: Any, visit: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(HTMLExporter().from_notebook_node(executed)[0], "utf-8")
    page, _ = visit(path)
    check_frames(page)


def test_myst_nb(executed: Any, visit: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    nbformat.write(executed, source / "index.ipynb")
    (source / "conf.py").write_text("extensions = ['myst_nb']\nnb_execution_mode = 'off'\n", "utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(source), str(out)]
    subprocess.run(command, check=True, timeout=120)
    page, errors = visit(out / "index.html")
    check_frames(page)
    assert errors == []


def test_jupyter_book(executed: Any, visit: Any, tmp_path: Path, installed: Path) -> None:
    source = tmp_path / "book"
    source.mkdir()
    nbformat.write(executed, source / "lesson.ipynb")
    (source / "_config.yml").write_text("title: Lesson\nexecute:\n  execute_notebooks: 'off'\n", "utf-8")
    (source / "_toc.yml").write_text("format: jb-book\nroot: lesson\n", "utf-8")
    # Of an age of Sphinx that the environment has left behind, in a folder of its own.
    environment = {**os.environ, "PYTHONPATH": str(installed / "jupyter-book"), "HOME": str(tmp_path)}
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(source)]
    subprocess.run(command, check=True, timeout=300, env=environment, capture_output=True)
    page, _ = visit(source / "_build" / "html" / "lesson.html")
    check_frames(page)


@pytest.mark.parametrize("host", HOSTS)
def test_a_notebook_that_was_saved_is_opened_again_with_nothing_run(
    host: str, executed: Any, context: BrowserContext, jupyter: Server
) -> None:
    nbformat.write(executed, jupyter.folder / f"{host}-frame.ipynb")
    NotebookNotary(data_dir=str(jupyter.folder.parent / "home" / "data")).sign(executed)
    lab = HOSTS[host](context.new_page(), jupyter, f"{host}-frame.ipynb")
    for cell in (1, 2):
        frame = lab.cell(cell).locator("iframe[sandbox]")
        frame.scroll_into_view_if_needed()
        check_that_it_can_be_looked_at(frame.content_frame.locator("#widget"))
    assert lab.errors == []


@pytest.mark.parametrize("host", HOSTS)
def test_where_frames_are_stripped_the_picture_remains_with_its_words(
    host: str, executed: Any, context: BrowserContext, jupyter: Server
) -> None:
    """A notebook that somebody else sent is not trusted: its frames are taken out, as GitHub does."""
    other = copy.deepcopy(executed)
    other.cells[0].source += "  # sent by somebody"
    nbformat.write(other, jupyter.folder / f"{host}-sent.ipynb")
    lab = HOSTS[host](context.new_page(), jupyter, f"{host}-sent.ipynb")
    picture = lab.cell(1).locator("img")
    picture.wait_for()
    assert lab.page.locator("iframe[sandbox]").count() == 0
    assert picture.evaluate("image => image.naturalWidth") > 100
    assert "SmoothGrad, logit of" in (picture.get_attribute("alt") or "")
