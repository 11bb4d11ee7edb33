"""A notebook with the demo's widget on display, and the page's web sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.offline import Lesson, Offline, make_lesson
from tests.browser.page import MAKE, SMALL, Widget, Wire
from tests.conftest import notebook_of
from tests.lab import Lab, Server


@pytest.fixture
def wire(context: BrowserContext) -> Wire:
    return Wire(context)


@pytest.fixture(scope="session")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Lesson:
    return make_lesson(tmp_path_factory.mktemp("lesson"))


@pytest.fixture
def quick(request: pytest.FixtureRequest, context: BrowserContext, wire: Wire) -> Iterator[tuple[Lab, Widget]]:
    """The demo's widget on display in a notebook with two free cells; or, as "page", on a page without a kernel."""
    if getattr(request, "param", "notebook") == "page":
        offline = Offline(context, request.getfixturevalue("lesson"))
        widget = Widget(offline.page.locator("#widget"))
        widget.threshold.wait_for()
        yield offline, widget  # type: ignore[misc]
        assert offline.errors == []
        return
    open_lab = request.getfixturevalue("open_lab")
    lab = open_lab([MAKE, "0", "0"])
    text = lab.run(0)
    assert "Traceback" not in text, text
    widget = Widget(lab.cell(0).locator(".jp-OutputArea"))
    widget.threshold.wait_for()
    yield lab, widget
    assert lab.errors == []


@pytest.fixture(scope="session")
def warm() -> list[str]:
    """The id of the kernel that journeys share, if there is one."""
    return []


@pytest.fixture
def open_warm(
    context: BrowserContext, server: Server, request: pytest.FixtureRequest, warm: list[str]
) -> Iterator[Callable[[list[str]], Lab]]:
    """Open a notebook on a kernel that has imported what is needed, and that goes on to the next test."""
    opened: list[Lab] = []

    def open_notebook(sources: list[str]) -> Lab:
        # Tests that have a kernel of their own end all there are.
        if not warm or warm[0] not in [one["id"] for one in server.kernels()]:
            warm[:] = [server.call("POST", "kernels", {"name": "python3"})["id"]]
        name = notebook_of(request)
        server.write_notebook(name, sources)
        server.attach(name, warm[0])
        opened.append(Lab(context.new_page(), server, name))
        return opened[-1]

    yield open_notebook
    for lab in opened:
        assert lab.errors == []


@pytest.fixture
def small(wire: Wire, open_warm: Callable[[list[str]], Lab]) -> tuple[Lab, Widget]:
    """A notebook with a widget of ten classes and 64 x 64 pixels on display, and two free cells."""
    lab = open_warm([SMALL, "0", "0"])
    text = lab.run(0)
    assert "Traceback" not in text, text
    widget = Widget(lab.cell(0).locator(".jp-OutputArea"))
    widget.threshold.wait_for()
    return lab, widget
