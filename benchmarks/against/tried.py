"""What was tried where something was missed: a text that people maintain and the results take in."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

MARK = "## "


def read(file: Path) -> dict[str, str]:
    """The paragraphs by their headings; see :func:`of`.

    What stands before the first heading is for those who maintain it.
    """
    found: dict[str, str] = {}
    if not file.exists():
        return found
    for part in ("\n" + file.read_text("utf-8")).split("\n" + MARK)[1:]:
        name, _, words = part.partition("\n")
        found[name.strip()] = words.strip()
    return found


def of(heading: str, work: str) -> bool:
    """Whether a heading is that of some work: the beginning of its name, in which a * stands for anything."""
    return fnmatchcase(work, f"{heading}*")


def unknown(tried: Iterable[str], works: Iterable[str]) -> list[str]:
    """Headings of no work."""
    names = list(works)
    return [heading for heading in tried if not any(of(heading, work) for work in names)]
