"""Measure this project beside what a user would pick instead and beside the limit; writes benchmarks/results.md.

One process, the same work by all in turn; every result that is timed is compared with that of the others.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from against import peers, works
from against.models import SUBJECTS, Subject
from against.table import Row, measure, page
from against.timing import in_turn, ratio, spread

GOAL = Path(__file__).parent / "results.md"
TRIED = Path(__file__).parent / "results_tried.md"
IMPORTS = {
    "ours": "import torch, saliency_widget as sw; sw.explain; sw.GradCAM",
    "import torch": "import torch",
}


def planned(subject: Subject, *, quick: bool) -> Iterator[works.Work]:
    """All work on one model, in the order of the table."""
    small = subject.name == "demo model"
    yield from works.gradient(subject, (1, 5) if quick else (1, 5, 20))
    yield from works.class_maps(subject, (1, 5), whole=not subject.tokens and (small or not quick))
    if small or not quick:
        yield from works.noise(subject, 10 if quick else works.SAMPLES)
        yield from works.path(subject, 16 if quick else works.SAMPLES)
    if small or (not quick and not subject.tokens):
        yield from works.channels(subject)
    if small or not quick:
        yield from works.windows(subject)
        yield from works.first_pictures(subject)
    yield from works.shadows(subject)


def imports(rounds: int) -> Row:
    """How much longer it takes to import this project than torch."""

    def run(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    times = in_turn({name: run(code) for name, code in IMPORTS.items()}, rounds=rounds, seconds=0, least=rounds)
    ours, theirs = times.values()
    extra = spread([1000 * (a - b) for a, b in zip(ours, theirs, strict=True)]).median
    note = "extra is to be at most 150 ms."
    return Row("import", "–", "import torch", ratio(ours, theirs), extra, None, None, note)


def main(say: Callable[[str], None] = print) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less work, under five minutes on two cores")
    parser.add_argument("--models", default=",".join(SUBJECTS), help="some of them, with commas between")
    parser.add_argument("--works", default="", help="only work whose name contains this")
    parser.add_argument("--print", action="store_true", help="write no file")
    arguments = parser.parse_args()
    # Of the peers, about their own use of PyTorch.
    warnings.simplefilter("ignore")
    began, rows, skipped = time.perf_counter(), [], []
    limits = (
        {"rounds": 9, "seconds": 2.0, "least": 3} if arguments.quick else {"rounds": 25, "seconds": 20.0, "least": 5}
    )
    skipped += [
        f"{name} is not installed"
        for name in ("captum", "pytorch_grad_cam", "torchcam", "saliency")
        if not peers.installed(name)
    ]
    tried = TRIED.read_text("utf-8") if TRIED.exists() else ""

    def save(*, whole: bool) -> None:
        # After each work, so that what was measured before an interruption is not lost.
        if not arguments.print:
            GOAL.write_text(page(rows, skipped, quick=arguments.quick, tried=tried, whole=whole), "utf-8")

    for name in arguments.models.split(","):
        subject = SUBJECTS[name]()
        for work in planned(subject, quick=arguments.quick):
            if arguments.works not in work.name:
                continue
            skipped += work.skipped
            for row in measure(work, **limits):
                rows.append(row)
                say(row.text)
            save(whole=False)
    if arguments.works in "import":
        rows.append(imports(3 if arguments.quick else 9))
        say(rows[-1].text)
    save(whole=True)
    say(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
