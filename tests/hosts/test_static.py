"""Pages without a kernel: made from a notebook's saved state, by ipywidgets' embedding, by marimo's export.

One notebook is executed for all of them. What the pages ask of content delivery networks is answered from packages.
"""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets
import nbformat
import pytest
from ipywidgets.embed import dependency_state, embed_minimal_html
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary
from playwright.sync_api import BrowserContext, Locator, Page

from tests.browser.page import Widget
from tests.hosts.cdn import Cdn
from tests.hosts.server import HOSTS, REPOSITORY
from tests.hosts.subject import free, make
from tests.lab import Server

WIDGET = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
CELLS = [
    "from tests.hosts.subject import make\nw = make()\nw",
    """from ipywidgets.embed import dependency_state, embed_minimal_html
state = dependency_state(w, drop_defaults=False)
embed_minimal_html("embedded.html", views=[w], state=state, drop_defaults=False)""",
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A notebook that was run without a front end, as nbconvert, papermill and documentation tools run it."""
    folder = tmp_path_factory.mktemp("executed")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = f"{REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, "PYTHONPATH": path})
    return notebook, folder


@pytest.fixture
def visit(context: BrowserContext, installed: Path) -> Callable[[Path], tuple[Page, Cdn, list[str]]]:
    """Open a file; give the page, what it asked of the network, and its errors."""

    def open_file(path: Path) -> tuple[Page, Cdn, list[str]]:
        cdn = Cdn(context, installed)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        return page, cdn, errors

    return open_file


def check_that_it_can_be_looked_at(root: Locator) -> Widget:
    """The map is drawn from the state alone; threshold, sign and the classes that are held work."""
    widget = Widget(root)
    page = root.page
    widget.threshold.wait_for()
    frame = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    first = widget.pixels()
    assert first.shape == (64, 64, 4)
    assert (first[..., 3] == 255).all()
    widget.sign("signed")
    page.evaluate(frame)
    assert (widget.pixels() != first).any()
    widget.sign("absolute")
    widget.threshold.focus()
    page.keyboard.press("PageUp")
    page.evaluate(frame)
    assert 0 < int((widget.pixels()[..., 3] > 0).sum()) < 64 * 64
    before = widget.pixels()
    held = root.locator("button[data-held][aria-pressed='false']").first
    label = held.locator("[title]").first.get_attribute("title")
    assert label
    held.click()
    widget.wait_until_shown(label)
    assert (widget.pixels() != before).any()
    return widget


def check_that_a_class_that_is_not_here_is_not_promised(
    widget: Widget, label: str = "bee", *, known: bool = True
) -> None:
    """Nothing computes here: the page says so before anything is asked for, where its host tells (``known``).

    Elsewhere a choice ends in words. The map that is here stays.
    """
    before = widget.pixels()
    said = widget.root.get_by_text("Without a kernel, only the classes that are here can be shown.").first
    if known:
        said.wait_for()
    widget.class_box.click()
    widget.page.keyboard.type(label)
    option = widget.root.get_by_role("option", name=label).first
    if known:
        assert option.get_attribute("aria-disabled") == "true"
    elif option.get_attribute("aria-disabled") != "true":
        widget.page.keyboard.press("Enter")
        widget.root.get_by_text(re.compile("kernel is (busy or )?gone|no kernel", re.IGNORECASE)).first.wait_for()
    assert (widget.pixels() == before).all()


def without_integrity(page: Path, to: Path) -> Path:
    """A copy that takes require.js as npm has it: its hash is of the minified file on the network."""
    text, count = re.subn(r'\sintegrity="[^"]*"', "", page.read_text("utf-8"))
    assert count == 1
    to.write_text(text, "utf-8")
    return to


def export(notebook: Any, path: Path) -> Path:
    path.write_text(HTMLExporter().from_notebook_node(notebook)[0], "utf-8")
    return path


def test_nbconvert_draws_from_the_saved_state(executed: tuple[Any, Path], visit: Any, tmp_path: Path) -> None:
    notebook, _ = executed
    page, cdn, errors = visit(export(notebook, tmp_path / "page.html"))
    widget = check_that_it_can_be_looked_at(page.locator("body"))
    check_that_a_class_that_is_not_here_is_not_promised(widget)
    assert {url.rpartition("/")[2] for url in cdn.served} >= {"embed-amd.js", "index.js"}
    assert errors == []


def test_a_map_that_went_by_between_two_cells_is_not_offered(
    executed: tuple[Any, Path], visit: Any, tmp_path: Path
) -> None:
    """nbclient keeps what arrives while a cell runs; later headers may name maps that it did not keep."""
    notebook = copy.deepcopy(executed[0])
    (ours,) = (one for one in notebook.metadata["widgets"][STATE]["state"].values() if "_maps" in one["state"])
    lost = next(one for one in ours["state"]["_maps"] if one["key"] != ours["state"]["shown"])
    (buffer,) = (one for one in ours["buffers"] if one["path"] == [f"_slot_{lost['slot']}"])
    buffer["data"] = ""
    page, _, errors = visit(export(notebook, tmp_path / "page.html"))
    widget = check_that_it_can_be_looked_at(page.locator("body"))
    held = widget.root.locator("button[data-held] [title]")
    labels = {one.get_attribute("title") for one in held.all()}
    assert len(labels) == 4
    assert lost["target"]["label"] not in labels
    check_that_a_class_that_is_not_here_is_not_promised(widget, lost["target"]["label"])
    assert errors == []


def test_nbconvert_without_saved_state_shows_what_else_the_output_holds(
    executed: tuple[Any, Path], visit: Any, tmp_path: Path
) -> None:
    notebook = copy.deepcopy(executed[0])
    del notebook.metadata["widgets"]
    page, _, errors = visit(export(notebook, tmp_path / "page.html"))
    output = page.locator(".jp-OutputArea-output").first
    output.wait_for()
    assert page.get_by_role("slider", name="Threshold").count() == 0
    others = {kind for kind in notebook.cells[0].outputs[0].data if kind != WIDGET}
    assert "text/plain" in others
    if "image/png" in others:
        assert output.locator("img").evaluate("image => image.naturalWidth") > 0
    else:
        assert "SaliencyWidget" in output.inner_text()
    assert errors == []


def test_myst_nb_draws_from_the_saved_state(executed: tuple[Any, Path], visit: Any, tmp_path: Path) -> None:
    notebook, _ = executed
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    nbformat.write(notebook, source / "index.ipynb")
    (source / "conf.py").write_text("extensions = ['myst_nb']\nnb_execution_mode = 'off'\n", "utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(source), str(out)]
    subprocess.run(command, check=True, timeout=120)
    page, cdn, errors = visit(without_integrity(out / "index.html", tmp_path / "out" / "here.html"))
    widget = check_that_it_can_be_looked_at(page.locator("body"))
    check_that_a_class_that_is_not_here_is_not_promised(widget)
    assert {url.rpartition("/")[2] for url in cdn.served} >= {"embed-amd.js", "require.min.js"}
    assert errors == []


def test_a_page_by_ipywidgets_own_embedding_draws(executed: tuple[Any, Path], visit: Any, tmp_path: Path) -> None:
    _, folder = executed
    page, _, errors = visit(without_integrity(folder / "embedded.html", tmp_path / "here.html"))
    widget = check_that_it_can_be_looked_at(page.locator("body"))
    check_that_a_class_that_is_not_here_is_not_promised(widget)
    assert errors == []


def test_widgets_are_linked_in_a_page_that_has_no_kernel(visit: Any, tmp_path: Path) -> None:
    both = [make(), make()]
    for one in both:
        free(one)
    links = [ipywidgets.jslink(*((one, name) for one in both)) for name in ("threshold", "sign", "class_index")]
    box = ipywidgets.HBox(both)
    page_file = tmp_path / "linked.html"
    state = dependency_state([box, *links], drop_defaults=False)
    embed_minimal_html(page_file, views=[box], state=state, drop_defaults=False)
    page, _, errors = visit(without_integrity(page_file, tmp_path / "here.html"))
    roots = page.get_by_role("group", name="Saliency map")
    roots.nth(1).wait_for()
    first, second = (Widget(roots.nth(number)) for number in range(2))
    assert (first.pixels() == second.pixels()).all()
    # In a row, and neither over the other.
    boxes = [one.stage.bounding_box() for one in (first, second)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    before = first.pixels()
    first.threshold.focus()
    page.keyboard.press("PageUp")
    second.sign("signed")
    for one in (first, second):
        one.root.get_by_role("radio", name="signed").and_(page.locator(":checked")).wait_for(state="attached")
        assert one.threshold.input_value() == first.threshold.input_value()
    first.frames()
    assert (first.pixels() == second.pixels()).all()
    assert (first.pixels() != before).any()
    # A class whose map both have.
    held = first.root.locator("button[data-held][aria-pressed='false'] [title]").first
    label = held.get_attribute("title")
    assert label
    held.click()
    for one in (first, second):
        one.wait_until_shown(label)
    first.frames()
    assert (first.pixels() == second.pixels()).all()
    assert errors == []


def test_marimos_export_draws(visit: Any, tmp_path: Path) -> None:
    notebook = Path(__file__).parent / "marimo_notebook.py"
    out = tmp_path / "export.html"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HOME": str(tmp_path), "MARIMO_SKIP_UPDATE_CHECK": "1"}
    command = [sys.executable, "-m", "marimo", "-q", "export", "html", str(notebook), "-o", str(out)]
    subprocess.run(command, check=True, timeout=120, env=environment)
    page, _, errors = visit(out)
    root = page.get_by_role("group", name="Saliency map").first
    widget = check_that_it_can_be_looked_at(root)
    check_that_a_class_that_is_not_here_is_not_promised(widget, known=False)
    assert errors == []


@pytest.mark.parametrize("host", HOSTS)
def test_a_notebook_that_was_saved_with_its_state_is_opened_again(
    host: str, executed: tuple[Any, Path], context: BrowserContext, jupyter: Server
) -> None:
    """Whoever sent the notebook has had the state saved; whoever opens it has run nothing yet."""
    notebook, _ = executed
    nbformat.write(notebook, jupyter.folder / f"{host}-again.ipynb")
    # As `jupyter trust` does: a widget in a notebook that is not trusted is not drawn.
    NotebookNotary(data_dir=str(jupyter.folder.parent / "home" / "data")).sign(notebook)
    lab = HOSTS[host](context.new_page(), jupyter, f"{host}-again.ipynb")
    widget = check_that_it_can_be_looked_at(lab.cell(0).locator(".jp-OutputArea"))
    check_that_a_class_that_is_not_here_is_not_promised(widget)
    assert lab.errors == []


def test_the_saved_state_holds_what_is_drawn_and_says_what_it_costs(executed: tuple[Any, Path]) -> None:
    state = executed[0].metadata["widgets"][STATE]["state"]
    (ours,) = (one["state"] for one in state.values() if "_maps" in one["state"])
    assert len(ours["_maps"]) == 5
    assert len(ours["_esm"]) > 10_000, "the whole front end, once for each widget"
    assert json.dumps(ours).count(ours["shown"]) >= 2
