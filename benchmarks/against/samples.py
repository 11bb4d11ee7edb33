"""Methods that add many gradients up: SmoothGrad and integrated gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

import saliency_widget as sw
from against import limit, peers, repeated
from against.models import Subject
from against.table import TIMES
from against.timing import Run
from against.works import ALIKE, Asked, Way, Work, best, relative
from saliency_widget.methods.noise import _noisy

NOISE = 0.1
ERROR = 0.10
# Of captum's rule; each tried until one is good enough.
STEPS = (5, 7, 10, 14, 20, 28, 40, 56, 80, 112, 160, 224)
# Rounds at least: each takes many seconds on the large models.
FEW = 2


def best_rows(subject: Subject, which: int) -> int:
    """The size of a batch with which bare autograd is quickest, per picture."""

    def make(size: int) -> Run:
        step, pictures = limit.one_gradient(subject, which), subject.inputs.repeat(size, 1, 1, 1)
        return lambda: step(pictures)

    return best(subject, "gradients", make, limit.SIZES[subject.device.type], rows=True)


def noise(subject: Subject, samples: int) -> Work:
    """SmoothGrad."""
    which, method = subject.ranked[0], sw.SmoothGrad(samples=samples, noise=NOISE)
    pixels = subject.inputs[0].cpu()
    pictures = torch.stack([_noisy(pixels, NOISE, method.seed, i) for i in range(samples)]).to(subject.device)
    drawn = pictures - subject.inputs
    alike = _alike(subject, which, pictures)
    others = _limits(subject, which, pictures, alike)
    if peers.installed("captum"):
        sizes = limit.SIZES[subject.device.type]
        make = partial(peers.captum_noise, subject, which, sizes[-1], NOISE)
        size = best(subject, "captum's noise", make, sizes)
        for name, rows in (("captum NoiseTunnel", None), (f"captum NoiseTunnel, {size} rows", size)):
            run = peers.captum_noise(subject, which, samples, NOISE, rows)
            asked = Asked(0.5) if rows is None else None
            others[name] = Way(run, asked, relative, peers.with_noise(run, drawn), alike)
    if peers.installed("saliency"):
        run = peers.pair(subject, which, "GradientSaliency", stdev_spread=NOISE, nsamples=samples, magnitude=False)
        others["PAIR"] = Way(run, Asked(0.5), relative, peers.with_noise(run, drawn), alike)
    note = "for the comparison, not for the timing, the peers are given our noise in place of their own."
    return Work(lambda: subject.last(method, which).values[0], others, note, least=FEW)


def _limits(
    subject: Subject, which: int, pictures: Tensor, alike: float, weights: Tensor | None = None
) -> dict[str, Way]:
    """Bare autograd on the same pictures, and what more it can be made into on the device."""
    size = best_rows(subject, which)
    forms = {"": limit.one_gradient(subject, which)}
    forms |= {f", {name}": make() for name, make in repeated.forms(subject, which, size)}
    return {
        f"bare autograd{name}, {size} rows": Way(
            limit.rows(step, pictures, size, weights), None if name else Asked(1.05), relative, alike=alike
        )
        for name, step in forms.items()
    }


def _alike(subject: Subject, which: int, pictures: Tensor) -> float:
    """How far two sums of such gradients may be apart: what float32 leaves uncertain of that of the first few."""
    few, double = pictures[:4], copy.deepcopy(subject.frozen).double()
    found, exact = (
        limit.rows(limit.one_gradient(subject, which, model), few.to(dtype), 1)()
        for model, dtype in ((None, torch.float32), (double, torch.float64))
    )
    return max(ALIKE, TIMES * relative(found, exact))


# -- integrated gradients -----------------------------------------------------------------------------------------


def path(subject: Subject, steps: int) -> Work:
    """Integrated gradients with a number of gradients."""
    which = subject.ranked[0]
    method = sw.IntegratedGradients(steps=steps, baseline="black", tolerance=None)
    alphas, weights = points_of(subject, method, which)
    pictures = alphas[:, None, None, None] * subject.inputs
    others = {
        name: replace(way, run=_times_picture(subject, way.run))
        for name, way in _limits(subject, which, pictures, _alike(subject, which, pictures), weights).items()
    }
    if peers.installed("captum"):
        size = _best_captum(subject, which)
        most = (1.0, 1.0) if subject.tokens else (0.5, 1 / 1.1)
        for name, rows, asked in (("captum", None, most[0]), (f"captum, {size} rows", size, most[1])):
            run = peers.captum_path(subject, which, steps, rows)
            others[name] = Way(run, Asked(asked), relative, alike=None)
    note = (
        f"of {len(alphas)} points; bare autograd has the same ones, with the share of the path that is nearest to each."
        " captum's rule is another, so that the maps differ by what both are off the integral."
    )
    return Work(lambda: subject.last(method, which).values[0], others, note, least=FEW)


def _times_picture(subject: Subject, run: Run) -> Run:
    return lambda: run() * subject.inputs[0]


def _best_captum(subject: Subject, which: int) -> int:
    sizes = limit.SIZES[subject.device.type]
    return best(subject, "captum's path", partial(peers.captum_path, subject, which, sizes[-1]), sizes)


def points_of(subject: Subject, method: sw.IntegratedGradients, which: int) -> tuple[Tensor, Tensor]:
    """Where our rule differentiates on the way from black, and the share of the way that is nearest to each point.

    Seen from outside: the pictures that are handed to the engine.
    """
    problem, seen = subject.problem(which), []
    differentiate = problem.gradients

    def gradients(batch: Tensor, *args: object, **options: object) -> tuple[Tensor, Tensor]:
        seen.append(batch.detach().clone())
        return differentiate(batch, *args, **options)

    problem.gradients = gradients
    for _ in method.estimates(problem):
        pass
    way = subject.inputs[0].double().flatten()
    alphas = (torch.cat(seen).double().flatten(1) @ way / (way @ way)).sort().values
    middles = [0.0, *((a + b) / 2 for a, b in pairwise(alphas.tolist())), 1.0]
    weights = torch.tensor([b - a for a, b in pairwise(middles)])
    return alphas.to(subject.inputs), weights.to(subject.inputs)


def path_to_error(subject: Subject, reference: int) -> Work:
    """Integrated gradients until the map is within a tenth of the integral."""
    which, size = subject.ranked[0], best_rows(subject, subject.ranked[0])
    wanted = midpoints(subject, which, reference, size)

    def off(found: Tensor) -> float:
        return relative(found, wanted)

    ours, own = _fewest_of_ours(subject, which, off)
    method = sw.IntegratedGradients(steps=ours, baseline="black", tolerance=None)
    others: dict[str, Way] = {}
    note = f"on {subject.name} with {ours} gradients, {100 * own:.0f} % off the sum of {reference} midpoints"
    if peers.installed("captum"):
        rows = _best_captum(subject, which)
        theirs, their = _fewest(lambda steps: peers.captum_path(subject, which, steps, rows)(), off)
        run = peers.captum_path(subject, which, theirs, rows)
        others[f"captum, {rows} rows"] = Way(run, Asked(0.25), relative, alike=None)
        note += f"; captum with {theirs}, {100 * their:.0f} % off."
    return Work(lambda: subject.last(method, which).values[0], others, note, least=FEW)


def midpoints(subject: Subject, which: int, count: int, size: int) -> Tensor:
    """The integral from black by many midpoints, with plain autograd: (C, H, W)."""
    alphas = (torch.arange(count, device=subject.device) + 0.5) / count
    step = limit.one_gradient(subject, which)
    total = torch.zeros_like(subject.inputs[0], dtype=torch.float64)
    for some in alphas.split(size):
        total += step(some[:, None, None, None] * subject.inputs).double().sum(0)
    return total / count * subject.inputs[0]


def _fewest_of_ours(subject: Subject, which: int, off: Callable[[Tensor], float]) -> tuple[int, float]:
    method = sw.IntegratedGradients(steps=STEPS[-1], baseline="black", tolerance=None)
    for found in method.estimates(subject.problem(which)):
        error = off(found.values[0])
        # A run of fewer steps than five is none.
        if (error <= ERROR and found.done >= STEPS[0]) or found.final:
            return found.done, error
    raise AssertionError("the last estimate is final")


def _fewest(run: Callable[[int], Tensor], off: Callable[[Tensor], float]) -> tuple[int, float]:
    for steps in STEPS:
        error = off(run(steps))
        if error <= ERROR:
            break
    return steps, error
