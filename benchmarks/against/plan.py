"""All that is to be measured, in the order of the table; one plan for every device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from against import cams, costs, gradients, masks, samples
from against.models import Subject
from against.works import Planned, Row, Work
from saliency_widget.methods.base import menu

SAMPLES = 50
FEW = 10
# A picture so small that the last layer's thousand channels can be left out one after another by all.
SMALL = {"quick": 64, "whole": 96}


Name = Callable[..., Planned]


def planned(subject: Subject, *, quick: bool) -> Iterator[Planned]:
    """All work on one model; in the quick run the large models have less of it."""
    whole = not quick or subject.name == "demo model"

    def work(name: str, make: Callable[..., Work | list[Row]], *options: object) -> Planned:
        return Planned(name, subject, partial(make, subject, *options))

    for count in (1, 5, 20) if whole else (1, 5):
        yield work(f"gradient, {_classes(count)}", gradients.gradient, count)
    for count in (1, 5):
        yield work(f"Grad-CAM, {_classes(count)}", cams.grad_cam, count)
    if whole:
        yield work("Grad-CAM, all classes", cams.grad_cam, None)
        yield from _repeated(subject, work, quick=quick)
        yield from _hiding(subject, work, quick=quick)
        for method in menu():
            yield work(f"first picture, {method.label}", costs.first_picture, method)
    yield work("shadow, made", costs.shadow_made)
    yield work("shadow, looked at", costs.shadow_seen)
    if whole:
        yield work("shadow, contents compared", costs.shadow_compared)
        for name in costs.FLAT_METHODS:
            yield work(f"memory, {name}, {SAMPLES} gradients", costs.memory_flat, name, FEW, SAMPLES)
    yield work("error against float64", costs.rounding)


def _repeated(subject: Subject, work: Name, *, quick: bool) -> Iterator[Planned]:
    count, reference = (FEW, 128) if quick else (SAMPLES, 512 if subject.name == "demo model" else 256)
    yield work(f"SmoothGrad, {count} samples", samples.noise, count)
    count = 16 if quick else SAMPLES
    yield work(f"integrated gradients, {count} gradients", samples.path, count)
    yield work("integrated gradients, to 10 % error", samples.path_to_error, reference)


def _hiding(subject: Subject, work: Name, *, quick: bool) -> Iterator[Planned]:
    if subject.narrow:
        yield work(f"Score-CAM of {subject.narrow}", masks.score_cam)
    if subject.late:
        small = subject.at(min(SMALL["quick" if quick else "whole"], len(subject.picture)))
        yield Planned("Ablation-CAM", small, partial(masks.ablation_cam, small))
    yield work("occlusion", masks.occlusion)
    yield work("occlusion, moved by one pixel", masks.occlusion_by_pixels)
    yield work(f"RISE, {FEW * 5 if quick else FEW * 20} masks", masks.rise, FEW * 5 if quick else FEW * 20)


def _classes(count: int) -> str:
    return f"{count} class" if count == 1 else f"{count} classes"
