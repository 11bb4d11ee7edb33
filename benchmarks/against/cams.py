"""Grad-CAM: of one class, of several, of all."""

from __future__ import annotations

from torch import Tensor

import saliency_widget as sw
from against import limit, peers
from against.models import Subject
from against.works import Asked, Way, Work, relative

FORWARDS = {1: 1.1, 5: 1.3}
"""How many forward passes so many classes may take."""
ALL = 4.5


def grad_cam(subject: Subject, count: int | None) -> Work:
    """Of the most likely classes; None is of all."""
    classes = subject.ranked[:count]
    asked = ALL if count is None else FORWARDS.get(count)
    pass_ = Way(
        limit.forward(subject),
        None if asked is None else Asked(asked),
        lambda ours, theirs: relative(ours[:, 0], theirs),
        limit.class_maps(subject, classes),
    )
    work = Work(
        lambda: subject.last(sw.GradCAM(layer=subject.layer), *classes).values,
        {"a forward pass": pass_},
        "a forward pass makes no map; ours is compared with that of plain autograd on the layers behind the chosen one,"
        " or with its closed form.",
    )
    if count is not None:
        _peers(work, subject, classes)
    return work


def _peers(work: Work, subject: Subject, classes: list[int]) -> None:
    most = 1 / 3 if len(classes) == 1 else 1.0
    if peers.installed("pytorch_grad_cam"):
        work.others["pytorch-grad-cam"] = Way(peers.grad_cam(subject, classes), Asked(most), like_grad_cam)
    if subject.tokens:
        work.skipped.append("captum's and torch-cam's Grad-CAM of a transformer: they take no class token away")
        return
    if peers.installed("captum"):
        work.others["captum LayerGradCam"] = Way(peers.captum_cam(subject, classes), Asked(1.0), relative)
    if peers.installed("torchcam"):
        work.others["torch-cam"] = Way(peers.torch_cam(subject, classes), Asked(1.0), _positive)


def like_grad_cam(ours: Tensor, theirs: Tensor) -> float:
    """Compare our maps (K, 1, h, w) with those of pytorch-grad-cam, as it clips, enlarges and scales them."""
    size = (int(theirs.shape[-1]), int(theirs.shape[-2]))
    return relative(peers.as_grad_cam(ours[:, 0], size), theirs)


def _positive(ours: Tensor, theirs: Tensor) -> float:
    return relative(ours.clamp(min=0), theirs)
