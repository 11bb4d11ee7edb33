"""Write docs/methods.md, and the list that the command line shows, from the registry: make docs."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from saliency_widget.methods.describe import Described, described_menu

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "methods.md"
MENU = ROOT / "saliency_widget" / "methods" / "menu.json"

HEAD = """\
# Methods

Every method, as its docstring says: formula, cost, known failings, reference. Cost is counted in forward (f) and
backward (b) passes of the model. This page is written by `make docs`; change the docstrings instead.

A method is asked for by name, `sw.explain(model, image, method="{example}")`, or as an object with its parameters,
`method=sw.{cls}(...)`; on the command line with `--method {example}`. Each of them yields better and better
estimates (`sw.stream`), gives signed values that are never normalised, and leaves the model as it was.
"""


def page() -> str:
    """The whole text."""
    menu = described_menu()
    head = HEAD.format(example=menu[0].name, cls=menu[0].cls)
    rows = ["| name | method | what it shows |", "|---|---|---|"]
    for one, anchor in zip(menu, anchors(menu), strict=True):
        rows.append(f"| [`{one.name}`](#{anchor}) | {one.label} | {one.summary} |")
    return "\n".join([head, *rows, "", *(section(one) for one in menu)])


def anchors(menu: Sequence[Described]) -> list[str]:
    """What a Markdown viewer makes of the headings; those of Grad-CAM and Grad-CAM++ are told apart by a number."""
    seen: Counter[str] = Counter()
    found = []
    for one in menu:
        kept = "".join(letter for letter in one.label.lower() if letter.isalnum() or letter in " -_").replace(" ", "-")
        found.append(f"{kept}-{seen[kept]}" if seen[kept] else kept)
        seen[kept] += 1
    return found


def section(one: Described) -> str:
    """One method."""
    lines = [f"## {one.label}", "", f"`{one.name}`, `sw.{one.cls}`", "", one.text, ""]
    if one.parameters:
        lines += ["| parameter | default | |", "|---|---|---|"]
        lines += [f"| `{item.name}` | `{cell(item.default)}` | {cell(item.text)} |" for item in one.parameters]
        lines.append("")
    for heading, body in one.sections.items():
        if heading != "Examples":
            lines += [f"**{heading}.** {body}", ""]
    return "\n".join(lines)


def cell(text: str) -> str:
    """Text that may stand in a table."""
    return text.replace("|", "\\|") or " "


def listing() -> str:
    """What the command line lists without importing torch."""
    menu = [
        {
            "name": one.name,
            "summary": one.summary,
            "parameters": {item.name: item.default for item in one.parameters},
        }
        for one in described_menu()
    ]
    return json.dumps(menu, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write both files, or with ``--check`` say whether they are up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is not up to date")
    checks = parser.parse_args().check
    stale = False
    for goal, wanted in ((PAGE, page()), (MENU, listing())):
        if checks:
            if not goal.is_file() or goal.read_text("utf-8") != wanted:
                print(f"{goal} is not up to date. Run: make docs", file=sys.stderr)
                stale = True
        else:
            goal.parent.mkdir(exist_ok=True)
            goal.write_text(wanted, "utf-8")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
