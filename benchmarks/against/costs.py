"""What it costs besides the passes: the first picture, the shadow, memory, rounding, the import."""

from __future__ import annotations

import copy
import subprocess
import sys
from functools import partial

import torch
from torch import Tensor, nn

import saliency_widget as sw
from against import limit, peers
from against.memory import peak
from against.models import PHOTOGRAPHS, Subject
from against.samples import NOISE
from against.timing import Run, in_turn
from against.works import Asked, Row, Way, Work, relative
from saliency_widget.engine.shadow import shadow_of
from saliency_widget.errors import SaliencyError
from saliency_widget.methods.base import Method

FIRST, MADE, SEEN, COMPARED, IMPORT = 30, 25, 1, 5, 150
"""Milliseconds: of a first picture beyond a gradient, of a shadow, its two ways to be looked at, the import."""
FLAT = 1.05


def first_picture(subject: Subject, kind: type[Method]) -> Work | list[Row]:
    """How long the first estimate of an any-time method takes, beside one gradient.

    Nothing for a method whose first estimate is the last, or that does not explain this kind of model.
    """
    which, method = subject.ranked[0], kind()
    try:
        if subject.first(method, which).final:
            return []
    except SaliencyError:
        return []
    bare = limit.gradients(subject, [which])
    return Work(partial(subject.first, method, which), {"bare autograd": Way(bare, Asked(FIRST, "extra"))})


# -- the shadow ---------------------------------------------------------------------------------------------------


def shadow_made(subject: Subject) -> Work:
    """What it costs to leave the model alone, once."""
    model = copy.deepcopy(subject.model)

    def made() -> None:
        shadow = shadow_of(model)
        shadow._shared.replica = None
        shadow.close(shadow.open())

    return Work(made, {"a forward pass": Way(limit.forward(subject), Asked(MADE, "ours"))})


def shadow_seen(subject: Subject) -> Work:
    """What it costs in each run: whether the weights are still those."""
    return Work(
        _opened(subject, subject.ranked[0]), {"a forward pass": Way(limit.forward(subject), Asked(SEEN, "ours"))}
    )


class Counting(nn.Module):
    """A model that writes into its weights, so that its shadow has to hold copies of them."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.passes = nn.Parameter(torch.zeros(1, device=next(model.parameters()).device))

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.passes += 1
        return self.model(x)


def shadow_compared(subject: Subject) -> Work:
    """The same for a model that can only be copied, so that the contents of its weights are."""
    other = Subject(subject.name, Counting(subject.copy()).eval(), subject.picture, "")
    which = subject.ranked[0]
    # Tried once, so that what kind of shadow it needs is known.
    other.last(sw.Gradient(), which)
    if other.shadow.kind != "copy":
        raise RuntimeError(f"the shadow of a model that writes into its weights is a {other.shadow.kind}, not a copy")
    return Work(_opened(other, which), {"a forward pass": Way(limit.forward(subject), Asked(COMPARED, "ours"))})


def _opened(subject: Subject, which: int) -> Run:
    problem = subject.problem(which)

    def opened() -> None:
        with problem.running():
            pass

    return opened


# -- memory -------------------------------------------------------------------------------------------------------


FLAT_METHODS = ("SmoothGrad", "integrated gradients")


def memory_flat(subject: Subject, name: str, few: int, many: int) -> list[Row]:
    """The peak of a long run beside that of a short one, and beside captum's, which takes all at once by default."""
    which = subject.ranked[0]

    def method(count: int) -> Method:
        if name == FLAT_METHODS[0]:
            return sw.SmoothGrad(samples=count, noise=NOISE)
        return sw.IntegratedGradients(steps=count, baseline="black")

    short, long = (partial(subject.last, method(count), which) for count in (few, many))
    ways = {"ours": long, f"{few} gradients": short}
    if peers.installed("captum"):
        ways["captum"] = (
            peers.captum_noise(subject, which, many, NOISE, None)
            if name == FLAT_METHODS[0]
            else peers.captum_path(subject, which, many, None)
        )
    # Once before, so that what is kept for the next time is not counted.
    short()
    peaks = {other: peak(run, subject.device) for other, run in ways.items()}
    ours = peaks.pop("ours")
    return [
        Row(other, [ours], [theirs], "MB", None if other == "captum" else Asked(FLAT), note=PEAK)
        for other, theirs in peaks.items()
        if ours and theirs
    ]


PEAK = "the most memory during the run over what was held before, of the whole process."


# -- rounding -----------------------------------------------------------------------------------------------------


FLIPS: tuple[tuple[int, ...], ...] = ((), (1,), (0,), (0, 1))
ROUNDING = (
    "relative L1 distance of the gradients of the most likely classes to those in float64, mean over {count} for"
    " {model}. Where a rectifier is close to its corner, any rounding turns it over and the distance jumps by a"
    " thousand times, so that a good part of the ratio is left to chance."
)


def rounding(subject: Subject, photographs: int, flips: int, count: int) -> list[Row]:
    """How far the gradients of so many classes are off those in float64, of ours and of bare autograd, on average."""
    ours, theirs = [], []
    double = copy.deepcopy(subject.frozen).double()
    for name in PHOTOGRAPHS[:photographs]:
        for axes in FLIPS[:flips]:
            one = subject.at(len(subject.picture), name, axes)
            classes = one.ranked[:count]
            exact = limit.gradients(one, classes, double, torch.float64)()
            # Class by class, as one that is on a corner must not outweigh the others.
            mine, bare = one.last(sw.Gradient(), *classes).values, limit.gradients(one, classes)()
            ours += [relative(a, b) for a, b in zip(mine, exact, strict=True)]
            theirs += [relative(a, b) for a, b in zip(bare, exact, strict=True)]
    means = [[sum(errors) / len(errors)] for errors in (ours, theirs)]
    return [Row("bare autograd", *means, "", Asked(1.0), note=ROUNDING.format(count=len(ours), model=subject.name))]


# -- the import ---------------------------------------------------------------------------------------------------

OURS = "import torch, saliency_widget as sw; sw.explain; sw.GradCAM"
THEIRS = "import torch"


def imports(rounds: int) -> list[Row]:
    """How much longer it takes to import this project than torch."""

    def run(code: str) -> Run:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    times = in_turn({code: run(code) for code in (OURS, THEIRS)}, rounds=rounds, seconds=0, least=rounds)
    ours, theirs = ([1000 * one for one in times[code]] for code in (OURS, THEIRS))
    return [Row(f"`{THEIRS}`", ours, theirs, asked=Asked(IMPORT, "extra"), note=f"ours is `{OURS}`.")]
