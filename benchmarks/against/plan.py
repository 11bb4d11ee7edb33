"""All that is to be measured, in the order of the table; one plan for every device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from against import cams, costs, gradients, masks, samples
from against.models import PHOTOGRAPHS, Subject
from against.works import Planned, Row, Work
from saliency_widget.methods.base import menu

Made = Work | list[Row]


@dataclass(frozen=True)
class Amount:
    """How much of it.

    Attributes
    ----------
    classes
        Of gradients.
    cams
        Of class activation maps; None is all classes.
    rounding
        How many photographs are compared with float64, flipped in how many ways, and how many classes of each.
    whole
        Whether what follows is measured as well.
    samples, steps
        Of SmoothGrad and of integrated gradients.
    few, many
        Gradients of runs whose memory is compared; with the few, batches are as large as they get.
    small
        The side of the picture of Ablation-CAM, so small that the last layer's thousand channels can be left out one
        after another by all.
    windows
        Along each side, of occlusion.
    masks
        Of RISE.
    reference
        Midpoints that stand for the integral; 0 leaves out how many steps are needed. With random weights the question
        says nothing.
    """

    classes: tuple[int, ...] = (1, 5, 20)
    cams: tuple[int | None, ...] = (1, 5, None)
    rounding: tuple[int, int, int] = (len(PHOTOGRAPHS), 4, 2)
    whole: bool = True
    samples: int = 50
    steps: int = 50
    few: int = 10
    many: int = 50
    small: int = 96
    windows: int = 7
    masks: int = 200
    reference: int = 512


# Of the first model and of the others, whose passes take some six times as long.
WHOLE = (Amount(), Amount(rounding=(len(PHOTOGRAPHS), 4, 1), small=64, windows=4, masks=50, reference=0))
QUICK = (
    Amount(rounding=(3, 2, 1), samples=10, steps=16, few=8, many=20, small=64, windows=4, masks=32, reference=128),
    Amount(classes=(1,), cams=(1,), rounding=(2, 1, 1), whole=False),
)


def planned(subjects: Sequence[Subject], *, quick: bool) -> Iterator[Planned]:
    """All work: first what is short, on all models; then the rest."""
    first, others = QUICK if quick else WHOLE
    pairs = [(subject, others if k else first) for k, subject in enumerate(subjects)]
    for subject, amount in pairs:
        yield from _short(subject, amount)
    for subject, amount in pairs:
        if amount.whole:
            yield from _long(subject, amount)
    yield Planned("import", subjects[0], partial(costs.imports, 3 if quick else 9))


def _work(subject: Subject, name: str, make: Callable[..., Made], *options: object) -> Planned:
    return Planned(name, subject, partial(make, subject, *options))


def _short(subject: Subject, amount: Amount) -> Iterator[Planned]:
    work = partial(_work, subject)
    for count in amount.classes:
        yield work(f"gradient, {_classes(count)}", gradients.gradient, count)
    for some in amount.cams:
        # Without a closed form nothing is asked of all classes.
        if some is not None or subject.classifier:
            yield work(f"Grad-CAM, {_classes(some)}", cams.grad_cam, some)
    yield work("shadow, made", costs.shadow_made)
    yield work("shadow, looked at", costs.shadow_seen)
    yield work("error against float64", costs.rounding, *amount.rounding)


def _long(subject: Subject, amount: Amount) -> Iterator[Planned]:
    work = partial(_work, subject)
    yield work(f"SmoothGrad, {amount.samples} samples", samples.noise, amount.samples)
    yield work(f"integrated gradients, {amount.steps} gradients", samples.path, amount.steps)
    if subject.narrow:
        yield work(f"Score-CAM of {subject.narrow}", masks.score_cam)
    if subject.late:
        small = subject.at(min(amount.small, len(subject.picture)))
        yield _work(small, "Ablation-CAM", masks.ablation_cam)
    window = max(1, len(subject.picture) // amount.windows)
    yield work("occlusion", masks.occlusion, window)
    yield work("occlusion, moved by one pixel", masks.occlusion_by_pixels, amount.windows)
    yield work(f"RISE, {amount.masks} masks", masks.rise, amount.masks)
    yield work("shadow, contents compared", costs.shadow_compared)
    for name in costs.FLAT_METHODS:
        yield work(f"memory, {name}, {amount.many} gradients", costs.memory_flat, name, amount.few, amount.many)
    for method in menu():
        yield work(f"first picture, {method.label}", costs.first_picture, method)
    if amount.reference:
        yield work("integrated gradients, to 10 % error", samples.path_to_error, amount.reference)


def _classes(count: int | None) -> str:
    if count is None:
        return "all classes"
    return f"{count} class" if count == 1 else f"{count} classes"
