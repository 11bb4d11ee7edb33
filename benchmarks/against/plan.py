"""All that is to be measured, in the order of the table; one plan for every device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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


def planned(subjects: Sequence[Subject], *, quick: bool) -> Iterator[Planned]:
    """All work: first what is short, on all models; then the rest, which the quick run does on the first alone."""
    for subject in subjects:
        yield from _short(subject, quick=quick and subject is not subjects[0])
    yield Planned("import", subjects[0], partial(costs.imports, 3 if quick else 9))
    for subject in subjects[: 1 if quick else None]:
        # So many midpoints as fit into the time; on the large models less time is left.
        yield from _long(subject, 128 if quick else 512 if subject is subjects[0] else 256, quick=quick)


def _work(subject: Subject, name: str, make: Callable[..., Work | list[Row]], *options: object) -> Planned:
    return Planned(name, subject, partial(make, subject, *options))


def _short(subject: Subject, *, quick: bool) -> Iterator[Planned]:
    work = partial(_work, subject)
    for count in (1,) if quick else (1, 5, 20):
        yield work(f"gradient, {_classes(count)}", gradients.gradient, count)
    for count in (1,) if quick else (1, 5, None):
        yield work(f"Grad-CAM, {_classes(count)}", cams.grad_cam, count)
    yield work("shadow, made", costs.shadow_made)
    yield work("shadow, looked at", costs.shadow_seen)
    # Float64 is slow.
    yield work("error against float64", costs.rounding, *((1, 1) if quick else (3, 3)))


def _long(subject: Subject, reference: int, *, quick: bool) -> Iterator[Planned]:
    work = partial(_work, subject)
    count = FEW if quick else SAMPLES
    yield work(f"SmoothGrad, {count} samples", samples.noise, count)
    count = 16 if quick else SAMPLES
    yield work(f"integrated gradients, {count} gradients", samples.path, count)
    yield from _hiding(subject, work, quick=quick)
    yield work("shadow, contents compared", costs.shadow_compared)
    few, many = (8, 20) if quick else (FEW, SAMPLES)
    for name in costs.FLAT_METHODS:
        yield work(f"memory, {name}, {many} gradients", costs.memory_flat, name, few, many)
    for method in menu():
        yield work(f"first picture, {method.label}", costs.first_picture, method)
    yield work("integrated gradients, to 10 % error", samples.path_to_error, reference)


def _hiding(subject: Subject, work: Name, *, quick: bool) -> Iterator[Planned]:
    if subject.narrow:
        yield work(f"Score-CAM of {subject.narrow}", masks.score_cam)
    if subject.late:
        small = subject.at(min(SMALL["quick" if quick else "whole"], len(subject.picture)))
        yield Planned("Ablation-CAM", small, partial(masks.ablation_cam, small))
    # About as many windows as fit into the time: 16 or 49.
    side = len(subject.picture)
    yield work("occlusion", masks.occlusion, max(1, side // (4 if quick else 7)))
    yield work("occlusion, moved by one pixel", masks.occlusion_by_pixels, 4 if quick else 7)
    count = 32 if quick else 200
    yield work(f"RISE, {count} masks", masks.rise, count)


def _classes(count: int | None) -> str:
    if count is None:
        return "all classes"
    return f"{count} class" if count == 1 else f"{count} classes"
