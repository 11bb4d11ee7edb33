"""The plain gradient, of one class and of several."""

from __future__ import annotations

import torch

import saliency_widget as sw
from against import limit, peers, repeated
from against.models import Subject
from against.timing import clock_of, in_turn, spread
from against.works import Asked, Way, Work, relative

SHARE = 0.95


def gradient(subject: Subject, count: int) -> Work:
    """Of the most likely classes."""
    classes = subject.ranked[:count]
    bare = limit.gradients(subject, classes)
    others = {}
    note = ""
    if count == 1:
        others["what it runs"] = Way(limit.what_runs(subject, classes), Asked(1.05), relative)
        others["bare autograd"] = Way(bare, Asked(0.85, models=2), relative)
        captum = Asked(1.0)
    else:
        r = backward_share(subject)
        # Of a loop that runs the forward pass for each class, were it shared.
        shared = (1 + count * r) / (count * (1 + r))
        others["bare autograd"] = Way(bare, Asked(1 / SHARE), relative)
        captum = Asked(shared / SHARE)
        note = f"on {subject.name} a backward pass takes {r:.2f} forward passes."
    if peers.installed("captum"):
        others["captum Saliency"] = Way(peers.captum_saliency(subject, classes), captum, relative)
    if count == 1:
        for name, make in repeated.forms(subject, classes[0], 1):
            step = make()
            others[f"bare autograd, {name}"] = Way(lambda step=step: step(subject.inputs), None, relative)
    return Work(lambda: subject.last(sw.Gradient(), *classes).values, others, note)


def backward_share(subject: Subject) -> float:
    """How many forward passes a backward pass takes that makes no gradients of the weights."""
    pixels = subject.inputs.detach().clone().requires_grad_()
    which = subject.ranked[0]
    ways = {
        "forward": lambda: subject.frozen(pixels)[0, which],
        "both": lambda: torch.autograd.grad(subject.frozen(pixels)[0, which], pixels),
    }
    times = in_turn(ways, rounds=5, seconds=0, least=5, clock=clock_of(subject.device))
    shares = [both / forward - 1 for both, forward in zip(times["both"], times["forward"], strict=True)]
    return max(0.0, spread(shares).median)
