"""Fixtures for all tests: a real Chromium, a real JupyterLab. Playwright is imported only where it is used."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# Keras reads it when it is imported.
os.environ.setdefault("KERAS_BACKEND", "torch")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

    from tests.lab import Lab, Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name in ("browser", "hosts"):
            if Path(__file__).parent / name in item.path.parents:
                item.add_marker(name)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    from tests.lab import CHROMIUM_ARGUMENTS, find_chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    from tests.lab import start_server

    # So that a cell of one line makes a widget on a model that takes no time: tests.hosts.subject.
    path = f"{Path(__file__).parents[1]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    process, server = start_server(tmp_path_factory.mktemp("jupyter"), {"PYTHONPATH": path})
    yield server
    server.shutdown_kernels()
    process.terminate()
    process.wait(20)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 1100}, color_scheme="light")
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def open_lab(context: BrowserContext, server: Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Open a notebook made of these sources; its kernel ends with the test."""

    def open_notebook(sources: list[str], kernel: str = "python3") -> Lab:
        from tests.lab import Lab

        name = notebook_of(request)
        server.write_notebook(name, sources, kernel)
        return Lab(context.new_page(), server, name)

    yield open_notebook
    server.shutdown_kernels()


def notebook_of(request: pytest.FixtureRequest) -> str:
    """A file's name for the notebook of one test."""
    return re.sub(r"\W+", "-", request.node.name)[:60] + ".ipynb"
