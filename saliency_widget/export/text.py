"""Text from anywhere, put where it stays text."""

from __future__ import annotations

import html
import re

# What no HTML or XML may hold.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def as_markup(text: str) -> str:
    """As text or as a quoted attribute of HTML or XML."""
    return html.escape(_CONTROLS.sub("\ufffd", text), quote=True)
