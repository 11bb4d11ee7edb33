"""Class activation maps by experiment: each channel weighted by what the score does with it, or without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from saliency_widget.engine.batching import cuts, one_first
from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, register
from saliency_widget.methods.cam import LayerMethod, weighted, where, wide

_PICTURES = 16
# So many numbers in a batch of activations: 32 MB in float32.
_NUMBERS = 1 << 23
_ROWS = 256
_HIDDEN = ("zero", "black")


@register
@dataclass(frozen=True)
class ScoreCAM(LayerMethod):
    """The channels of a layer, each weighted by the score of the picture seen through that channel.

    Channel ``c`` becomes a mask ``H_c``: its activations, scaled to [0, 1] and brought to the picture's size
    (bilinear, cells centred on their areas). ``L(i) = sum_c w_c A_c(i)``, where ``w = softmax_c S(b + H_c (x - b))``
    over the channels and ``b`` is what is shown where the mask is zero. Channels that are the same everywhere make no
    mask and are left out; ``quality`` counts them. No gradients. Cost: 1 f + one f for each channel, shared by all
    targets; any-time over the channels, those that vary most first.

    Parameters
    ----------
    layer
        See :class:`~saliency_widget.methods.cam.LayerMethod`.
    hidden
        What masked pixels become: "zero" is the colour that the model's normalisation maps to zero, as in the paper;
        "black".

    Notes
    -----
    Known failings: the softmax weighs by the score itself: where the logits of the masked pictures lie far apart one
    channel takes all the weight, and where they lie close (a probability) all channels weigh alike. As no weight is
    negative, nothing can be seen that speaks against the score.

    References
    ----------
    Wang et al. (2020), "Score-CAM", https://arxiv.org/abs/1910.01279
    """

    hidden: Literal["zero", "black"] = declare.choice("zero", _HIDDEN)

    name: ClassVar[str] = "score-cam"
    label: ClassVar[str] = "Score-CAM"
    summary: ClassVar[str] = "Shows the model the picture through each channel of a layer; needs no gradient, but time."
    unit: ClassVar[str] = "activation"
    shares_passes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden not in _HIDDEN:
            raise InputError("hidden", self.hidden, "is nothing to show instead", 'Give "zero" or "black".')

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield an estimate after every few channels."""
        found = problem.activations(problem.pixels[None], self.layer)
        activations = wide(found.values[0])
        low, high = activations.amin(dim=(-2, -1)), activations.amax(dim=(-2, -1))
        spread = high - low
        order = torch.argsort(spread, descending=True, stable=True)
        # A channel that is the same everywhere hides nothing; one that holds NaN is no such channel.
        order = order[~(spread[order] == 0)]
        total, constant = len(order), len(activations) - len(order)
        targets = len(problem.targets)
        behind = problem.zero if self.hidden == "zero" else torch.zeros_like(problem.zero)
        sums = activations.new_zeros(targets, *activations.shape[1:])
        weights = activations.new_zeros(targets)
        peak = activations.new_full((targets,), -torch.inf)
        quality = tuple({**where(found), "constant_channels": constant} for _ in range(targets))
        if total == 0:
            yield Estimate(sums[:, None], found.scores[0], done=1, total=1, final=True, quality=quality)
        for start, stop in one_first(total, _PICTURES):
            some = order[start:stop]
            masks = (activations[some] - low[some, None, None]) / spread[some, None, None]
            masks = F.interpolate(masks[:, None], problem.pixels.shape[1:], mode="bilinear", align_corners=False)
            seen = behind + masks.to(problem.dtype) * (problem.pixels - behind)
            scores = problem.scores(seen).to(sums.dtype)
            # The softmax so far, without ever taking the exponential of a large number.
            top = torch.maximum(peak, scores.amax(dim=0))
            shrink, parts = torch.exp(peak - top), torch.exp(scores - top).T
            sums = shrink[:, None, None] * sums + weighted(parts, activations[some])
            weights, peak = shrink * weights + parts.sum(dim=1), top
            values = (sums / weights[:, None, None])[:, None]
            yield Estimate(values, found.scores[0], stop, total, final=stop == total, quality=quality)


@register
@dataclass(frozen=True)
class AblationCAM(LayerMethod):
    """The channels of a layer, each weighted by how much the score falls without it.

    ``L(i) = sum_c (S - S_c) A_c(i)``, where ``S_c`` is the score with channel ``c`` set to zero on the grid. The paper
    divides by ``S``, which is left out: it is the same for all cells, turns the map around where the score is negative,
    and is no number where it is zero. Only the layers behind the chosen one run for each channel. The first estimate
    takes the fall from the gradient, to first order, and so do later ones for the channels that are still to come:
    those that should matter most come first. Channels that are zero anyway are not run. Cost: 1 f + a pass of the head
    for each channel (a forward pass of its own where the head cannot run alone), shared by all targets.

    Parameters
    ----------
    layer
        See :class:`~saliency_widget.methods.cam.LayerMethod`.

    Notes
    -----
    Known failings: channels that stand in for each other each count for little, as either can be spared.

    References
    ----------
    Desai and Ramaswamy (2020), "Ablation-CAM", https://doi.org/10.1109/WACV45572.2020.9093360
    """

    name: ClassVar[str] = "ablation-cam"
    label: ClassVar[str] = "Ablation-CAM"
    summary: ClassVar[str] = "Weighs each channel of a layer by how much the score falls without it."
    unit: ClassVar[str] = "{score} times activation"
    shares_passes: ClassVar[bool] = True

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the first-order estimate, then one after every few channels."""
        found = problem.activations(problem.pixels[None], self.layer)
        activations = wide(found.values[0])
        falls = (wide(found.gradients[0]) * activations).sum(dim=(-2, -1))
        weights = falls.abs().amax(dim=0) * activations.flatten(1).norm(dim=1)
        order = torch.argsort(weights, descending=True, stable=True)
        order = order[(activations[order] != 0).any(dim=-1).any(dim=-1)]
        total = 1 + len(order)
        common: dict[str, Any] = where(found)
        quality = tuple({**common} for _ in falls)

        def estimate(done: int) -> Estimate:
            maps = weighted(falls, activations)[:, None]
            return Estimate(maps, found.scores[0], done, total, final=done == total, quality=quality)

        yield estimate(1)
        for start, stop in cuts(len(order), max(1, min(_ROWS, _NUMBERS // activations.numel()))):
            some = order[start:stop]
            scores = problem.scores(_without(found.values[0], some), start=found.layer)
            falls = falls.clone()
            falls[:, some] = (found.scores[0] - scores).T.to(falls.dtype)
            yield estimate(1 + stop)


def _without(activations: Tensor, channels: Tensor) -> Tensor:
    """(n, c, h, w): the activations once for each channel, and that channel zero."""
    rows = activations.repeat(len(channels), 1, 1, 1)
    rows[torch.arange(len(channels), device=rows.device), channels] = 0
    return rows
