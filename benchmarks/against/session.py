"""One run: the plan, a limit of time, and what is kept of it after each piece of work."""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from against import machine, peers, tried
from against.table import Page, line, measure, missed, text
from against.timing import clock_of, spread
from against.works import Asked, Limits, Planned, Row

PEERS = ("captum", "pytorch_grad_cam", "torchcam", "saliency")
FOLDER = Path(__file__).parent.parent
TRIED = FOLDER / "results_tried.md"

CLOCK_WORDS = {
    "cuda": "Times are those of CUDA events",
    "wall": "Times are by the clock",
    "work": "Times are what the threads computed together, which other programs change less than the time by the clock",
}

Say = Callable[[str], None]


@dataclass
class Session:
    """What is measured and where it is written.

    Attributes
    ----------
    goal
        The page; what it is made from lies beside it as .json. None writes nothing.
    head
        Of the page, with the facts in braces.
    command
        Which makes it.
    device
        Where everything is computed.
    limits
        How often each piece of work is repeated.
    seconds
        After so many no more work is begun, and the page says what is left; None for no limit.
    clock
        By which work on the CPU is timed; see :data:`against.timing.CLOCKS`.
    began
        Since when they count, on the clock of ``time.perf_counter``; None is when it is run.
    """

    goal: Path | None
    head: str
    command: str
    device: torch.device
    limits: Limits
    seconds: float | None = None
    began: float | None = None
    say: Say = print
    clock: str = "wall"
    page: Page = field(default_factory=lambda: Page({}))
    loads: list[float] = field(default_factory=list)
    ways: dict[str, str] = field(default_factory=dict)

    def run(self, plan: Iterable[Planned], only: str = "") -> bool:
        """Do it all, or what has ``only`` in its name; whether all maps that have to be the same are."""
        # Of the peers, about their own use of PyTorch.
        warnings.simplefilter("ignore")
        began = time.perf_counter() if self.began is None else self.began
        late: list[str] = []
        self.page.skipped += [f"{name}, which is not installed" for name in PEERS if not peers.installed(name)]
        for planned in plan:
            if only not in planned.name:
                continue
            if self.seconds is not None and time.perf_counter() - began > self.seconds:
                late.append(f"{planned.name} of {planned.subject.name}")
                continue
            self._do(planned, began)
        if late:
            self.page.skipped.append(f"for want of time: {'; '.join(late)}")
        self._save(done=True)
        self.say(f"{time.perf_counter() - began:.0f} s, {self._facts()['load']}")
        for row in missed(self.page.rows):
            self.say(f"missed: {row.work}, {row.subject}, against {row.other}")
        wrong = [row for row in self.page.rows if row.differs]
        for row in wrong:
            self.say(f"another map: {row.work}, {row.subject}, against {row.other}: {row.difference:.0e}")
        return not wrong

    def _do(self, planned: Planned, began: float) -> None:
        try:
            rows = measure(planned, self.limits, self.page.skipped, clock_of(self.device, self.clock))
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            self.page.skipped.append(f"{planned.name} of {planned.subject.name}, for which memory ran out")
            return
        if (load := machine.load()) is not None:
            self.loads.append(load)
        self.page.rows += rows
        self.ways[planned.subject.name] = planned.subject.way
        for row in rows:
            self.say(f"{time.perf_counter() - began:4.0f} s {line(row, short=row.reached is False)}")
        self._save(done=False)

    def _facts(self) -> dict[str, str]:
        load = "the system does not say how busy it was"
        if self.loads:
            load = f"load average {spread(self.loads).median:.1f} (up to {max(self.loads):.1f}) on the way"
        return {
            "machine": machine.machine(self.device),
            "versions": machine.versions(),
            "load": load,
            "clock": CLOCK_WORDS["cuda" if self.device.type == "cuda" else self.clock],
            "ways": "; ".join(f"{name}: {way}" for name, way in self.ways.items()) or "nothing",
            "command": self.command,
        }

    def _save(self, *, done: bool) -> None:
        # After each piece of work, so that what was measured before an interruption is not lost.
        self.page.facts = self._facts()
        if not done:
            last = self.page.rows[-1:] or [None]
            where = "" if last[0] is None else f", after {last[0].work} of {last[0].subject}"
            self.page.facts["command"] += f". **The run ended early**{where}"
        if self.goal is not None:
            write(self.page, self.goal, self.head)


def write(page: Page, goal: Path, head: str) -> None:
    """Write the page, and what it is made from."""
    data = {"facts": page.facts, "skipped": page.skipped, "rows": [_plain(row) for row in page.rows]}
    goal.with_suffix(".json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")
    goal.write_text(text(page, head, tried.read(TRIED)), "utf-8")


def read(goal: Path) -> Page:
    """What a page was made from."""
    data = json.loads(goal.with_suffix(".json").read_text("utf-8"))
    rows = [Row(**{**row, "asked": None if row["asked"] is None else Asked(**row["asked"])}) for row in data["rows"]]
    return Page(data["facts"], rows, data["skipped"])


def _plain(row: Row) -> dict[str, object]:
    numbers = {name: [float(f"{one:.5g}") for one in getattr(row, name)] for name in ("ours", "theirs")}
    return {**asdict(row), **numbers}


def parser(words: str | None) -> argparse.ArgumentParser:
    """What all programs here take."""
    found = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--quick", action="store_true", help="less work, under five minutes on two cores")
    found.add_argument("--models", default="demo,resnet,vit", help="some of them, with commas between")
    found.add_argument("--works", default="", help="only work whose name contains this")
    found.add_argument("--list", action="store_true", help="say what would be measured")
    found.add_argument("--print", action="store_true", help="write no file")
    return found


def tell(plan: Iterable[Planned], say: Callable[[str], None]) -> None:
    """Say what a plan would measure."""
    for one in plan:
        say(f"{one.subject.name}: {one.name}")
