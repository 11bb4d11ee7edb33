"""Methods that hide something and look at the score: Score-CAM, Ablation-CAM, occlusion, RISE."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

import saliency_widget as sw
from against import limit, peers
from against.cams import like_grad_cam
from against.models import Subject
from against.timing import Run
from against.works import Asked, Way, Work, best, relative

# As the program that was published with RISE has it.
PUBLISHED = 100
# Rounds at least.
FEW = 2


def best_rows(subject: Subject, which: int) -> int:
    """The size of a batch with which bare forward passes are quickest, per picture."""

    def make(size: int) -> Run:
        return limit.scores(subject, which, subject.inputs.repeat(size, 1, 1, 1), size)

    return best(subject, "scores", make, limit.SIZES[subject.device.type], rows=True)


def score_cam(subject: Subject) -> Work:
    """Score-CAM of a layer with few channels: what it costs depends on their number alone."""
    which, layer, size = subject.ranked[0], subject.narrow, best_rows(subject, subject.ranked[0])
    bare = limit.score_cam(subject, which, layer, size)
    others = {f"bare forward passes, {size} rows": Way(bare, Asked(1.05), _map)}
    if peers.installed("pytorch_grad_cam"):
        theirs = peers.grad_cam(subject, [which], "ScoreCAM", layer)
        others["pytorch-grad-cam"] = Way(theirs, Asked(1 / 1.3), like_grad_cam, alike=None)
    note = (
        "of a layer with few channels. pytorch-grad-cam enlarges the masks with corner cells in the corners and scales"
        " them after that, which changes the scores: its map is another, and bare forward passes prove ours."
    )
    return Work(partial(_values, subject, sw.ScoreCAM(layer=layer), which), others, note, least=FEW)


def ablation_cam(subject: Subject) -> Work:
    """Ablation-CAM of the last layer."""
    which = subject.ranked[0]
    with torch.no_grad():
        # pytorch-grad-cam divides by the score, which turns the map around where that is negative.
        sign = float(torch.sign(subject.frozen(subject.inputs)[0, which]))
    others = {}
    if peers.installed("pytorch_grad_cam"):
        theirs = peers.grad_cam(subject, [which], "AblationCAM", subject.late)
        others["pytorch-grad-cam"] = Way(theirs, Asked(1 / 3), lambda a, b: like_grad_cam(sign * a, b))
    ours = partial(_values, subject, sw.AblationCAM(layer=subject.late), which)
    return Work(ours, others, f"of {subject.late}: pytorch-grad-cam runs the layers before it too.", least=FEW)


def occlusion(subject: Subject, window: int) -> Work:
    """Windows that do not overlap."""
    which, size = subject.ranked[0], best_rows(subject, subject.ranked[0])
    pictures, count = _hidden(subject, window)
    bare = limit.scores(subject, which, pictures, size)
    whole = limit.scores(subject, which, subject.inputs, 1)

    def windows() -> Tensor:
        drops = (whole() - bare()).view(1, 1, count, count)
        large = drops.repeat_interleave(window, -1).repeat_interleave(window, -2)
        return large[..., : subject.inputs.shape[-2], : subject.inputs.shape[-1]]

    others = {f"bare forward passes, {size} rows": Way(windows, Asked(1.05), relative)}
    if peers.installed("captum"):
        sizes = limit.SIZES[subject.device.type]
        quick = best(subject, "captum's windows", partial(peers.captum_occlusion, subject, which, window), sizes)
        others["captum"] = Way(peers.captum_occlusion(subject, which, window), Asked(1 / 1.3), relative)
        if quick != 1:
            run = peers.captum_occlusion(subject, which, window, quick)
            others[f"captum, {quick} rows"] = Way(run, None, relative)
    method = sw.Occlusion(window=window, stride=window, fill="black")
    return Work(partial(_values, subject, method, which), others, least=FEW)


def _hidden(subject: Subject, window: int) -> tuple[Tensor, int]:
    """The pictures with a black window at each place, and how many places there are along a side."""
    side = subject.inputs.shape[-1]
    starts = range(0, side, window)
    rows = []
    for down in starts:
        for across in starts:
            one = subject.inputs[0].clone()
            one[:, down : down + window, across : across + window] = 0
            rows.append(one)
    return torch.stack(rows), len(starts)


def occlusion_by_pixels(subject: Subject, places: int) -> Work:
    """Windows that move by one pixel, as PAIR has them: large ones, so that there are few places along a side."""
    which, side = subject.ranked[0], subject.inputs.shape[-1]
    window = side - places + 1
    covering = _covering(side, window).to(subject.device)
    others = {}
    if peers.installed("saliency"):
        run = peers.pair(subject, which, "Occlusion", size=window)
        # It adds the windows up where ours takes their mean, and repeats the map for each channel.
        others["PAIR"] = Way(run, Asked(1 / 1.3), lambda a, b: relative(a[0] * covering, b[:1]))
    method = sw.Occlusion(window=window, stride=1, fill="black")
    note = f"{places**2} windows of nearly the whole picture, as PAIR's move by one pixel."
    return Work(partial(_values, subject, method, which), others, note, least=FEW)


def _covering(side: int, window: int) -> Tensor:
    """(side, side), how many windows cover a pixel."""
    at = torch.arange(side)
    starts = torch.arange(side - window + 1)[:, None]
    along = ((starts <= at) & (at < starts + window)).sum(0)
    return along[:, None] * along


def rise(subject: Subject, count: int) -> Work:
    """RISE, which no peer has: beside its authors' procedure in plain PyTorch."""
    which, method = subject.ranked[0], sw.RISE(masks=count, fill="black")
    side = tuple(subject.inputs.shape[-2:])
    masks = method.masks_of(range(count), side, subject.inputs)
    size = best_rows(subject, which)
    others = {
        f"as published, {PUBLISHED} rows": Way(
            limit.rise(subject, which, masks, PUBLISHED, method.keep), Asked(1 / 1.3), _map
        ),
        f"bare forward passes, {size} rows": Way(
            limit.rise(subject, which, masks, size, method.keep), Asked(1.05), _map
        ),
    }
    note = (
        "captum, pytorch-grad-cam, torch-cam and PAIR do not have it. Beside its authors' procedure, written out, with"
        " masks that are made before, at their size of a batch and at the best one."
    )
    return Work(partial(_values, subject, method, which), others, note, least=FEW)


def _map(ours: Tensor, theirs: Tensor) -> float:
    return relative(ours[:, 0], theirs)


def _values(subject: Subject, method: sw.methods.base.Method, which: int) -> Tensor:
    return subject.last(method, which).values
