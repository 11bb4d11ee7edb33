"""How the cost grows with the picture, the batch, the classes and the steps; writes benchmarks/growth.md and plots.

Time and peak memory of our engine, with the exponent of the power law: the slope in doubly logarithmic axes.

    python benchmarks/growth.py [--quick] [--models demo,resnet,vit] [--axes size,batch,classes,steps] [--to FOLDER]
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from against import machine
from against.memory import peak
from against.models import CPU, SUBJECTS, Subject, vit_of_any_size
from against.timing import Run, in_turn, spread, work
from matplotlib.figure import Figure

import saliency_widget as sw

FOLDER = Path(__file__).parent
# The ViT whose pictures may have any size.
MAKERS = {**SUBJECTS, "vit": vit_of_any_size}
COLOURS = ("#0072b2", "#d55e00", "#009e73")
LEAST = 3

HEAD = """# How the cost grows

Written by `{command}`, on {machine}; {load}.
Time is what the threads computed together, which other programs change less than the time by the clock: the median
of up to {rounds} runs, all values in turn. Memory is the peak during a run over what was held before, of the process.
*Exponent* is the slope of a straight line through the upper half of the points, {least} at least, in doubly logarithmic
axes: with 1 twice the work costs twice as much, with 0 nothing more; the interval is twice its standard error.

{versions}
"""


@dataclass(frozen=True)
class Axis:
    """What grows.

    Attributes
    ----------
    name
        As the command takes it, and in the name of the plot's file.
    label
        Under the plot.
    words
        What is done at each value.
    values
        For the demo model, and for the two large ones.
    make
        From the model and a value to the work.
    """

    name: str
    label: str
    words: str
    values: tuple[tuple[int, ...], tuple[int, ...]]
    make: Callable[[Subject, int], Run]


def of_size(subject: Subject, side: int) -> Run:
    """A gradient of one class of a picture with that many pixels along each side."""
    return of_classes(subject.at(side), 1)


def of_batch(subject: Subject, count: int) -> Run:
    """The gradients of so many pictures, handed to the engine at once."""
    problem, batch = subject.problem(subject.ranked[0]), subject.inputs.repeat(count, 1, 1, 1)

    def run() -> torch.Tensor:
        with problem.running():
            return problem.gradients(batch)[1]

    return run


def of_classes(subject: Subject, count: int) -> Run:
    """The gradients of so many classes from one forward pass."""
    classes = subject.ranked[:count]
    return lambda: subject.last(sw.Gradient(), *classes)


def of_steps(subject: Subject, count: int) -> Run:
    """Integrated gradients with so many gradients."""
    method = sw.IntegratedGradients(steps=count, baseline="black")
    return lambda: subject.last(method, subject.ranked[0])


SIZES = (64, 128, 256, 512, 1024)
BATCHES, CLASSES, STEPS = (1, 2, 4, 8, 16, 32, 64), (1, 2, 5, 10, 20, 50, 100), (8, 16, 32, 64, 128)
AXES = {
    axis.name: axis
    for axis in (
        Axis("size", "side of the picture, pixels", "a gradient of one class", (SIZES, SIZES), of_size),
        Axis("batch", "pictures in a batch", "a gradient of each", (BATCHES, BATCHES[:5]), of_batch),
        Axis("classes", "classes", "gradients of one picture", (CLASSES, CLASSES[:5]), of_classes),
        Axis("steps", "gradients", "integrated gradients", (STEPS, STEPS[:3]), of_steps),
    )
}


@dataclass
class Curve:
    """What was measured of one model on one axis.

    Attributes
    ----------
    subject, values
        The model's name, and what grew.
    seconds, megabytes
        The medians of the time that was computed, and the peaks of memory; none where they cannot be known.
    """

    subject: str
    values: Sequence[int]
    seconds: list[float]
    megabytes: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Slope:
    """An exponent and its standard error; None where two points leave no error."""

    exponent: float
    error: float | None

    @property
    def text(self) -> str:
        """With the interval."""
        # Zero has no sign.
        return f"{round(self.exponent, 2) + 0.0:.2f}" + ("" if self.error is None else f" ± {2 * self.error:.2f}")


def slope(values: Sequence[float], costs: Sequence[float]) -> Slope | None:
    """Fit cost = a value^p to the upper half of the points; None where fewer than two of them are positive."""
    pairs = [(math.log(value), math.log(cost)) for value, cost in zip(values, costs, strict=True) if cost > 0]
    pairs = pairs[-max(LEAST, math.ceil(len(pairs) / 2)) :]
    if len(pairs) < 2:
        return None
    x, y = np.array(pairs).T
    x = x - x.mean()
    exponent = float(x @ y / (x @ x))
    if len(pairs) == 2:
        return Slope(exponent, None)
    left = y - y.mean() - exponent * x
    return Slope(exponent, float(np.sqrt(left @ left / (len(pairs) - 2) / (x @ x))))


def curve(subject: Subject, axis: Axis, values: Sequence[int], rounds: int) -> Curve:
    """Measure one model on one axis, all values in turn."""
    runs = {str(value): axis.make(subject, value) for value in values}
    # What is kept for the next time is not counted; for the larger ones the peak is looked at where they warm up.
    next(iter(runs.values()))()
    peaks = [peak(run, subject.device) for run in runs.values()]
    times = in_turn(runs, rounds=rounds, seconds=0, least=rounds, warm=True, clock=work)
    megabytes = [one for one in peaks if one is not None]
    seconds = [spread(times[name]).median for name in runs]
    return Curve(subject.name, values, seconds, megabytes if len(megabytes) == len(peaks) else [])


def plot(axis: Axis, curves: Sequence[Curve]) -> Figure:
    """Time and memory side by side, a line for each model."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    for panel, (name, unit) in zip(figure.subplots(1, 2), (("CPU time", "s"), ("peak memory", "MB")), strict=True):
        for one, colour, marker in zip(curves, COLOURS, "os^", strict=False):
            costs = one.seconds if unit == "s" else one.megabytes
            if not costs:
                continue
            found = slope(one.values, costs)
            label = one.subject + ("" if found is None else f": {found.text}")
            panel.plot(one.values, costs, marker=marker, color=colour, label=label, linewidth=1.5, markersize=4)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_xlabel(axis.label)
        panel.set_ylabel(f"{name}, {unit}")
        panel.xaxis.set_major_formatter(lambda value, _at: f"{value:g}")
        panel.grid(visible=True, color="#dddddd", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(title="exponent", frameon=False, fontsize="small", title_fontsize="small", alignment="left")
    return figure


def save(figure: Figure, file: Path) -> None:
    """As an SVG with letters for letters, and the same bytes each time."""
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": file.stem}):
        figure.savefig(file, metadata={"Date": None, "Creator": None})


def section(axis: Axis, curves: Sequence[Curve]) -> list[str]:
    """Its part of the page."""
    lines = [f"## {axis.label[0].upper()}{axis.label[1:]}", "", f"{axis.words[0].upper()}{axis.words[1:]}.", ""]
    lines += [f"![time and memory against {axis.label}](growth_{axis.name}.svg)", ""]
    values = list(dict.fromkeys(value for one in curves for value in one.values))
    lines.append(f"| model | cost | {' | '.join(map(str, values))} | exponent |")
    lines.append("|---" * (len(values) + 3) + "|")
    for one in curves:
        for unit, costs in (("CPU time, s", one.seconds), ("memory, MB", one.megabytes)):
            if costs:
                known = dict(zip(one.values, costs, strict=True))
                cells = [f"{known[value]:.3g}" if value in known else "" for value in values]
                found = slope(one.values, costs)
                lines.append(f"| {one.subject} | {unit} | {' | '.join(cells)} | {found.text if found else '–'} |")
    return [*lines, ""]


def main(say: Callable[[str], None] = print) -> None:
    """Measure, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the demo model alone, once")
    parser.add_argument("--models", default="", help="some of demo, resnet, vit, with commas between")
    parser.add_argument("--axes", default=",".join(AXES), help="some of them, with commas between")
    parser.add_argument("--most", type=int, help="leave out larger values")
    parser.add_argument("--to", type=Path, default=FOLDER, help="where the page and the plots go")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    models = (arguments.models or ("demo" if arguments.quick else ",".join(MAKERS))).split(",")
    rounds = 1 if arguments.quick else 2
    loads: list[float] = []
    subjects = {name: MAKERS[name](CPU) for name in models}
    parts: list[str] = []
    arguments.to.mkdir(parents=True, exist_ok=True)
    for axis in (AXES[name] for name in arguments.axes.split(",")):
        curves = []
        for name, subject in subjects.items():
            values = [v for v in axis.values[name != "demo"] if arguments.most is None or v <= arguments.most]
            # The large models take too long for more.
            curves.append(curve(subject, axis, values, rounds if name == "demo" else 1))
            loads.append(machine.load() or 0.0)
            found = slope(values, curves[-1].seconds)
            say(f"{axis.name}, {subject.name}: time {found.text if found else '–'}")
        save(plot(axis, curves), arguments.to / f"growth_{axis.name}.svg")
        parts += section(axis, curves)
    head = HEAD.format(
        command="python benchmarks/growth.py" + (" --quick" if arguments.quick else ""),
        machine=machine.machine(CPU),
        load=f"load average {spread(loads).median:.1f} (up to {max(loads):.1f}) on the way",
        rounds=rounds,
        least=LEAST,
        versions=machine.versions(),
    )
    (arguments.to / "growth.md").write_text("\n".join([head, *parts]).rstrip() + "\n", "utf-8")
    say(f"Wrote {arguments.to / 'growth.md'}")


if __name__ == "__main__":
    main()
