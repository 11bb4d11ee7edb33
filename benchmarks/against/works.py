"""The work: what is computed, who computes it, and what the ratio of their times has to be."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

import saliency_widget as sw
from against import peers
from against.models import Subject
from against.timing import in_turn
from saliency_widget.engine.shadow import shadow_of
from saliency_widget.methods.base import Method

SAMPLES = 50
SIZES = (1, 4, 8)
NOISE = 0.1
WINDOW = 32
FIRST = "extra is to be at most 30 ms."


@dataclass
class Way:
    """One of those who do the work.

    Attributes
    ----------
    run
        Does it.
    most
        What our time may be of its time; None where nothing is asked.
    same
        From our result and its result, how far they differ; None where they are not comparable.
    """

    run: Callable[[], Any]
    most: float | None = None
    same: Callable[[Any, Any], float] | None = None


@dataclass
class Work:
    """Some work on one model.

    Attributes
    ----------
    name
        For the table.
    subject
        What is explained.
    ours
        Does it here.
    others
        By name.
    note
        What has to be known to read the row.
    """

    name: str
    subject: Subject
    ours: Callable[[], Any]
    others: dict[str, Way]
    note: str = ""
    skipped: list[str] = field(default_factory=list)


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Relative L1 difference."""
    ours, theirs = ours.detach().double(), theirs.detach().double().reshape(ours.shape)
    return float((ours - theirs).abs().sum() / theirs.abs().sum())


def gradient(subject: Subject, counts: tuple[int, ...]) -> Iterator[Work]:
    """The plain gradient of one class and of several."""
    for count in counts:
        classes = subject.ranked[:count]
        bare = peers.bare(subject, classes)
        others = {"bare autograd": Way(bare, 1.05 if count == 1 else 1 / 0.95, relative)}
        if peers.installed("captum"):
            others["captum Saliency"] = Way(peers.captum_saliency(subject, classes), 1.0, relative)
        name = "gradient, 1 class" if count == 1 else f"gradient, {count} classes"
        yield Work(name, subject, partial(_values, subject, sw.Gradient(), classes), others)


def class_maps(subject: Subject, counts: tuple[int, ...], *, whole: bool) -> Iterator[Work]:
    """Grad-CAM of one class, of several, and of all."""
    method = sw.GradCAM(layer=subject.layer)
    sizes = [*counts, len(subject.ranked)] if whole else list(counts)
    for count in sizes:
        classes = subject.ranked[:count]
        everything = count == len(subject.ranked)
        work = Work(
            "Grad-CAM, all classes" if everything else f"Grad-CAM, {count} {'class' if count == 1 else 'classes'}",
            subject,
            partial(_values, subject, method, classes),
            {"a forward pass": Way(peers.forward(subject), 4.5 if everything else {1: 1.1, 5: 1.3}.get(count))},
        )
        if not everything:
            _class_map_peers(work, subject, classes)
        yield work


def _class_map_peers(work: Work, subject: Subject, classes: list[int]) -> None:
    most = 1 / 3 if len(classes) == 1 else 1.0
    if peers.installed("pytorch_grad_cam"):
        work.others["pytorch-grad-cam"] = Way(peers.grad_cam(subject, classes), most, _like_grad_cam)
    if subject.tokens:
        work.skipped.append("captum and torch-cam take no class token away")
        return
    if peers.installed("captum"):
        work.others["captum LayerGradCam"] = Way(peers.captum_cam(subject, classes), 1.0, relative)
    if peers.installed("torchcam"):
        work.others["torch-cam"] = Way(peers.torch_cam(subject, classes), 1.0, _positive)


def _like_grad_cam(ours: Tensor, theirs: Tensor) -> float:
    size = (int(theirs.shape[-1]), int(theirs.shape[-2]))
    return relative(peers.as_grad_cam(ours[:, 0], size), theirs)


def _positive(ours: Tensor, theirs: Tensor) -> float:
    return relative(ours.clamp(min=0), theirs)


def noise(subject: Subject, samples: int) -> Iterator[Work]:
    """SmoothGrad."""
    which = subject.ranked[0]
    method = sw.SmoothGrad(samples=samples, noise=NOISE)
    from saliency_widget.methods.noise import _noisy

    rows = torch.stack([_noisy(subject.inputs[0], NOISE, method.seed, i) for i in range(samples)])
    size, run = best(lambda size: peers.bare_rows(subject, rows, which, size))
    others = {f"bare autograd, {size} rows": Way(run, 1.05, lambda ours, theirs: relative(ours[0], theirs / samples))}
    if peers.installed("captum"):
        others["captum NoiseTunnel"] = Way(peers.captum_noise(subject, which, samples, NOISE, None), 0.5)
        some = peers.captum_noise(subject, which, samples, NOISE, size)
        others[f"captum NoiseTunnel, {size} rows"] = Way(some, None)
    if peers.installed("saliency"):
        run = peers.pair(subject, which, "GradientSaliency", stdev_spread=NOISE, nsamples=samples, magnitude=False)
        others["PAIR"] = Way(run, 0.5)
    note = "the peers draw other noise, so that only bare autograd, on the same noise, can give the same map."
    yield Work(f"SmoothGrad, {samples} samples", subject, partial(_values, subject, method, [which]), others, note)


def path(subject: Subject, steps: int) -> Iterator[Work]:
    """Integrated gradients with a number of gradients."""
    which = subject.ranked[0]
    method = sw.IntegratedGradients(steps=steps, baseline="black", tolerance=None)
    alphas = (torch.arange(steps) + 0.5) / steps
    rows = alphas[:, None, None, None] * subject.inputs
    size, run = best(lambda size: peers.bare_rows(subject, rows, which, size))
    others = {f"bare autograd, {size} rows": Way(run, 1.05)}
    if peers.installed("captum"):
        best_size, some = best(lambda size: peers.captum_path(subject, which, steps, size))
        others["captum"] = Way(peers.captum_path(subject, which, steps, None), 1.0 if subject.tokens else 0.5, relative)
        others[f"captum, {best_size} rows"] = Way(some, 1.0 if subject.tokens else 1 / 1.1, relative)
    note = "another rule than captum's, so that the maps differ by what both are off the integral."
    yield Work(
        f"integrated gradients, {steps} gradients",
        subject,
        lambda: _values(subject, method, [which])[0],
        others,
        note,
    )


def channels(subject: Subject) -> Iterator[Work]:
    """Class activation maps that run the model, or its head, once for each channel."""
    if not peers.installed("pytorch_grad_cam"):
        return
    which = subject.ranked[:1]
    if subject.narrow:
        theirs = peers.grad_cam(subject, which, "ScoreCAM", subject.narrow)
        yield Work(
            f"Score-CAM of {subject.narrow}",
            subject,
            partial(_values, subject, sw.ScoreCAM(layer=subject.narrow), which),
            {"pytorch-grad-cam": Way(theirs, 1 / 1.3, _like_grad_cam)},
            "pytorch-grad-cam enlarges the masks with corner cells in the corners, which changes the scores.",
        )
    if subject.late:
        yield Work(
            f"Ablation-CAM of {subject.late}",
            subject,
            partial(_values, subject, sw.AblationCAM(layer=subject.late), which),
            {"pytorch-grad-cam": Way(peers.grad_cam(subject, which, "AblationCAM", subject.late), 1 / 3)},
            "pytorch-grad-cam puts a large negative number in place of a channel where some are negative, not zero.",
        )


def windows(subject: Subject) -> Iterator[Work]:
    """Occlusion, and random masks."""
    which = subject.ranked[0]
    method = sw.Occlusion(window=WINDOW, stride=WINDOW, fill="black")
    others = {}
    if peers.installed("captum"):
        others["captum"] = Way(peers.captum_occlusion(subject, which, WINDOW, 1), 1 / 1.3, relative)
        size, run = best(lambda size: peers.captum_occlusion(subject, which, WINDOW, size))
        others[f"captum, {size} rows"] = Way(run, None, relative)
    count = (-(-subject.inputs.shape[-1] // WINDOW)) ** 2
    others[f"{count + 1} forward passes"] = Way(lambda: [peers.forward(subject)() for _ in range(count + 1)])
    yield Work(
        f"occlusion, {count} windows",
        subject,
        lambda: _values(subject, method, [which])[0],
        others,
        skipped=["PAIR's window moves by one pixel: 37,249 passes", "no peer has RISE"],
    )


def first_pictures(subject: Subject) -> Iterator[Work]:
    """How long the first estimate of each any-time method takes."""
    which = subject.ranked[0]
    bare = peers.bare(subject, [which])
    methods: list[Method] = [
        sw.SmoothGrad(samples=SAMPLES),
        sw.IntegratedGradients(steps=SAMPLES),
        sw.ExpectedGradients(samples=SAMPLES),
        sw.BlurIG(steps=SAMPLES),
        sw.GuidedIG(steps=SAMPLES),
        sw.ScoreCAM(layer=subject.layer),
        sw.AblationCAM(layer=subject.layer),
        sw.Occlusion(),
        sw.RISE(masks=SAMPLES),
    ]
    for method in methods:
        ours, others = partial(subject.first, method, which), {"bare autograd": Way(bare)}
        yield Work(f"first picture, {method.label}", subject, ours, others, FIRST)


def shadows(subject: Subject) -> Iterator[Work]:
    """What it costs to leave the model alone."""
    model = copy.deepcopy(subject.model)
    run = peers.forward(subject)

    def made() -> None:
        shadow = shadow_of(model)
        shadow._shared.replica = None
        shadow.close(shadow.open())

    problem = subject.problem(subject.ranked[0])

    def opened() -> None:
        with problem.running():
            pass

    yield Work("shadow, made", subject, made, {"a forward pass": Way(run)}, "ours itself is to be at most 25 ms.")
    yield Work("shadow, looked at", subject, opened, {"a forward pass": Way(run)}, "ours itself is to be at most 1 ms.")


def best(make: Callable[[int], Callable[[], Any]]) -> tuple[int, Callable[[], Any]]:
    """The size of a batch with which work is quickest, and the work with it; by two runs of each."""
    ways = {str(size): make(size) for size in SIZES}
    seconds = in_turn(ways, rounds=1, seconds=0, least=1)
    size = min(seconds, key=lambda name: min(seconds[name]))
    gc.collect()
    return int(size), ways[size]


def _values(subject: Subject, method: Method, classes: list[int]) -> Tensor:
    return subject.last(method, *classes).values
