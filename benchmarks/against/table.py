"""The rows of the results, and the page they stand on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch

from against.timing import Ratio, in_turn, ratio, spread
from against.works import Work

PACKAGES = ("torch", "captum", "grad-cam", "torchcam", "saliency", "timm", "torchvision", "numpy")

HEAD = """# Beside the peers and the limit

The same work, in one process, in turn (A B C A B C ...), on {machine}, {threads} threads of PyTorch. Each
number is our time divided by theirs: the median over the rounds, between brackets the quartiles (the extremes where
there are fewer than four rounds). Below 1 this project is faster. *Extra* is the median of our time less theirs, in
milliseconds of this machine. *Asked* is what the number has to be at most; **missed** stands where it is not, and below
the table what was tried. *Difference* is the relative L1 distance of the two maps, so that nothing wins by doing less.

The limit is bare eager `torch.autograd.grad` towards the input with frozen parameters, at its best batch size. All
models take the picture itself for their input, so that all tools differentiate with respect to the same variable;
ResNet-50 and ViT-S/16 have random weights. The machine is shared: compare ratios, and only within a row.

{versions}

Written by `make bench{quick}`.
"""

MISSED = """
## What is missed, and what was tried

"""


@dataclass(frozen=True)
class Row:
    """One pair of a work."""

    work: str
    subject: str
    other: str
    found: Ratio
    extra: float
    most: float | None
    difference: float | None
    note: str

    @property
    def missed(self) -> bool:
        """Whether more was asked."""
        return self.most is not None and self.found.median > self.most

    @property
    def text(self) -> str:
        """Its line in the table."""
        found = f"{self.found.median:.2f} ({self.found.low:.2f}–{self.found.high:.2f})"
        asked = "" if self.most is None else f"{self.most:.2f}{' **missed**' if self.missed else ''}"
        difference = "–" if self.difference is None else f"{self.difference:.0e}"
        cells = (self.work, self.subject, self.other, found, f"{self.extra:+.1f}", asked, difference)
        return f"| {' | '.join(cells)} |"


def measure(work: Work, *, rounds: int, seconds: float, least: int) -> Iterator[Row]:
    """Run a work by all who do it, in turn."""
    ours = work.ours()
    results = {name: way.run() for name, way in work.others.items()}
    differences = {
        name: None if way.same is None else way.same(ours, results[name]) for name, way in work.others.items()
    }
    ways = {"ours": work.ours, **{name: way.run for name, way in work.others.items()}}
    times = in_turn(ways, rounds=rounds, seconds=seconds, least=least, warm=True)
    for name, way in work.others.items():
        extra = spread([1000 * (a - b) for a, b in zip(times["ours"], times[name], strict=True)]).median
        found = ratio(times["ours"], times[name])
        yield Row(work.name, work.subject.name, name, found, extra, way.most, differences[name], work.note)


def page(rows: Sequence[Row], skipped: Sequence[str], *, quick: bool, tried: str = "", whole: bool = True) -> str:
    """The text of the results."""
    lines = ["| work | model | against | ours / theirs | extra, ms | asked | difference |", "|---" * 7 + "|"]
    lines += [row.text for row in rows]
    notes = list(dict.fromkeys(f"- {row.work}: {row.note}" for row in rows if row.note))
    notes += [f"- Left out: {word}." for word in dict.fromkeys(skipped)]
    missed = list(dict.fromkeys(f"- {row.work}, {row.subject}, against {row.other}" for row in rows if row.missed))
    head = HEAD.format(
        machine=machine(), threads=torch.get_num_threads(), versions=versions(), quick=" QUICK=1" if quick else ""
    )
    if not whole:
        head += f"\n**The run ended early**, after {rows[-1].work} of {rows[-1].subject}.\n"
    parts = [head, *lines, "", *notes]
    if missed:
        parts += [MISSED.rstrip(), "", *missed, "", tried.strip()]
    return "\n".join(parts).rstrip() + "\n"


def machine() -> str:
    """The processor, without what names the host."""
    name = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} cores"


def versions() -> str:
    """Of everything that takes part."""
    return ", ".join([f"Python {platform.python_version()}", *map(_version, PACKAGES)]) + "."


def _version(package: str) -> str:
    try:
        return f"{package} {version(package).partition('+')[0]}"
    except PackageNotFoundError:
        return f"{package} not installed, so left out"
