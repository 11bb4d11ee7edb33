"""What was tried where something was missed: a text that people maintain and the results take in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

MARK = "## "


def read(file: Path) -> dict[str, str]:
    """The paragraphs by their headings, each the beginning of the name of some work.

    What stands before the first heading is for those who maintain it.
    """
    found: dict[str, str] = {}
    if not file.exists():
        return found
    for part in ("\n" + file.read_text("utf-8")).split("\n" + MARK)[1:]:
        name, _, words = part.partition("\n")
        found[name.strip()] = words.strip()
    return found


def unknown(tried: Iterable[str], works: Iterable[str]) -> list[str]:
    """Headings with which the name of no work begins."""
    names = list(works)
    return [name for name in tried if not any(work.startswith(name) for work in names)]
