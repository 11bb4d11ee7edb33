"""A notebook with the demo's widget on display, and the page's web sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.page import MAKE, Widget, Wire
from tests.lab import Lab


@pytest.fixture
def wire(context: BrowserContext) -> Wire:
    return Wire(context)


@pytest.fixture
def quick(open_lab: Any, wire: Wire) -> Iterator[tuple[Lab, Widget]]:
    """A notebook with the demo's widget on display and two free cells."""
    lab = open_lab([MAKE, "0", "0"])
    text = lab.run(0)
    assert "Traceback" not in text, text
    widget = Widget(lab.cell(0).locator(".jp-OutputArea"))
    widget.threshold.wait_for()
    yield lab, widget
    assert lab.errors == []
