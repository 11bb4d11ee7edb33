"""The limit: what bare PyTorch takes for the same work, written out, with frozen parameters and nothing around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor, nn

import saliency_widget as sw
from against.models import Subject
from against.timing import Run

SIZES = {"cpu": (1, 4, 8), "cuda": (8, 32, 128)}
"""The sizes of a batch of which the best is taken."""


def forward(subject: Subject) -> Run:
    """One pass without a graph."""

    def run() -> Tensor:
        with torch.no_grad():
            return subject.frozen(subject.inputs)

    return run


def gradients(
    subject: Subject,
    classes: Sequence[int],
    model: Callable[[Tensor], Tensor] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Run:
    """Gradients (K, C, H, W) by plain autograd, the forward pass shared, no parameter differentiated."""
    chosen = subject.frozen if model is None else model

    def run() -> Tensor:
        pixels = subject.inputs.detach().clone().to(dtype).requires_grad_()
        scores = chosen(pixels)[0]
        last = classes[-1]
        return torch.stack([torch.autograd.grad(scores[k], pixels, retain_graph=k != last)[0][0] for k in classes])

    return run


def one_gradient(subject: Subject, which: int, model: Any = None) -> Callable[[Tensor], Tensor]:
    """The step that is repeated: pictures (N, C, H, W) to their gradients."""
    chosen = subject.frozen if model is None else model

    def step(rows: Tensor) -> Tensor:
        # A view of its own, so that the caller's does not begin to require a gradient.
        pixels = rows.detach().requires_grad_()
        return torch.autograd.grad(chosen(pixels)[:, which].sum(), pixels)[0]

    return step


def rows(step: Callable[[Tensor], Tensor], pictures: Tensor, size: int, weights: Tensor | None = None) -> Run:
    """The weighted sum (C, H, W) of the gradients of many pictures (N, C, H, W), so many at once.

    Parameters
    ----------
    step
        From pictures to gradients, as :func:`one_gradient` or a repeated form of it.
    weights
        (N,); None is the mean.
    """
    factors = torch.full((len(pictures),), 1 / len(pictures)) if weights is None else weights
    factors = factors.to(pictures)[:, None, None, None]

    def run() -> Tensor:
        total = torch.zeros_like(pictures[0])
        for some, factor in zip(pictures.split(size), factors.split(size), strict=True):
            total += (step(some) * factor).sum(0)
        return total

    return run


def what_runs(subject: Subject, classes: Sequence[int]) -> Run:
    """The gradients by plain autograd of the very module that the engine runs, whatever it has made of the model.

    It is that of a shadow of its own, which stays open, so that nothing of the engine's is timed.
    """
    twin = replace(subject, model=subject.copy(), sizes={})
    # Watched once by the engine, as all models are.
    twin.last(sw.Gradient(), *classes)
    replica = twin.shadow.open()
    layout = torch.contiguous_format
    if hasattr(replica, "use"):
        way = replica.way(subject.way, lambda: replica.module(subject.inputs))
        replica.use(way)
        layout = way.layout

    def module(pixels: Tensor) -> Tensor:
        return replica.module(pixels.contiguous(memory_format=layout))

    return gradients(subject, classes, module)


# -- class activation maps ----------------------------------------------------------------------------------------


def class_maps(subject: Subject, classes: Sequence[int]) -> Run:
    """Grad-CAM (K, h, w) without a ReLU, by plain autograd from the layer on; in closed form where there is one."""
    model = subject.frozen
    layer = model.get_submodule(subject.layer)

    def run() -> Tensor:
        kept: list[Tensor] = []

        def keep(_part: nn.Module, _given: Any, output: Tensor) -> Tensor:
            kept.append(output.detach().requires_grad_())
            return kept[0]

        handle = layer.register_forward_hook(keep)
        try:
            scores = model(subject.inputs)[0]
        finally:
            handle.remove()
        activations = on_grid(kept[0].detach()) if subject.tokens else kept[0].detach()
        if subject.classifier:
            linear = model.get_submodule(subject.classifier)
            factors = linear.weight.detach()[list(classes)] / (activations.shape[-1] * activations.shape[-2])
        else:
            found = [torch.autograd.grad(scores[k], kept[0], retain_graph=True)[0] for k in classes]
            grids = [on_grid(one) if subject.tokens else one for one in found]
            factors = torch.cat(grids).mean(dim=(-2, -1))
        return torch.einsum("kc,chw->khw", factors, activations[0])

    return run


def on_grid(tokens: Tensor) -> Tensor:
    """(N, C, h, w) from tokens (N, 1 + h w, C) of a square grid."""
    side = int((tokens.shape[1] - 1) ** 0.5)
    return tokens[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)


def layer_of(subject: Subject, name: str) -> Tensor:
    """(1, c, h, w), what a layer returns for the picture."""
    kept: list[Tensor] = []
    handle = subject.frozen.get_submodule(name).register_forward_hook(lambda _part, _given, output: kept.append(output))
    try:
        forward(subject)()
    finally:
        handle.remove()
    return kept[0]


def score_cam(subject: Subject, which: int, name: str, size: int) -> Run:
    """Score-CAM (1, h, w) as it is defined, its forward passes so many rows at once."""

    def run() -> Tensor:
        activations = layer_of(subject, name)[0]
        low, high = (edge(activations, dim=(-2, -1)) for edge in (torch.amin, torch.amax))
        masks = (activations - low[:, None, None])[high > low] / (high - low)[high > low, None, None]
        scores = []
        with torch.no_grad():
            for some in masks[:, None].split(size):
                large = F.interpolate(some, subject.inputs.shape[-2:], mode="bilinear", align_corners=False)
                scores.append(subject.frozen(large * subject.inputs)[:, which])
        weights = torch.softmax(torch.cat(scores), 0)
        return torch.einsum("c,chw->hw", weights, activations[high > low])[None]

    return run


# -- what hides ---------------------------------------------------------------------------------------------------


def scores(subject: Subject, which: int, pictures: Tensor, size: int) -> Run:
    """The scores (N,) of many pictures, so many at once."""

    def run() -> Tensor:
        with torch.no_grad():
            return torch.cat([subject.frozen(some)[:, which] for some in pictures.split(size)])

    return run


def rise(subject: Subject, which: int, masks: Tensor, size: int, keep: float) -> Run:
    """RISE (1, H, W) around zero, as its authors' program does it: masks made before, so many pictures at once."""

    def run() -> Tensor:
        found = scores(subject, which, masks[:, None] * subject.inputs, size)()
        return torch.einsum("n,nhw->hw", found - found.mean(), masks)[None] / ((len(masks) - 1) * keep)

    return run
