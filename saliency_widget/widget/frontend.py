"""The built front end, read once.

It is given to anywidget as a string: with a ``Path``, anywidget keeps every widget alive for ever (anywidget#929).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent.parent / "static"

_MISSING = """export default { render({ el }) {
  el.textContent = "The front end of saliency_widget is not built. Run `make install` in the checkout.";
} };"""


@cache
def esm() -> str:
    """The JavaScript module; a sentence that says what to do where it was not built."""
    built = STATIC / "widget.js"
    return built.read_text("utf-8") if built.is_file() else _MISSING
