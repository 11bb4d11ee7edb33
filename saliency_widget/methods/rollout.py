"""Attention rollout, plain and weighted by gradients: through which tokens of a transformer information flows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from saliency_widget.engine.attention import Block, Folded
from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, register

_FUSIONS = ("mean", "max", "min")


@register
@dataclass(frozen=True)
class AttentionRollout(Method):
    """How much of what the model reads at the end came from each patch, if attention alone moved it.

    Every block's attention, fused over its heads, is mixed with the identity for the residual connection, its rows are
    brought to sum 1, and the blocks are multiplied: ``R = A_n ... A_1`` with ``A_b = normalise(r I + (1 - r) fuse_h
    W_b)``. The map is the row of the token that the model reads its output from, at the patches. It is a share: with
    what falls on class token and registers it sums to 1, and it is never negative.

    Known failings: it does not depend on the class, every target gets the same map; it knows nothing of the values
    that are moved, of the MLPs, or of whether an effect raises or lowers a score.

    Costs two forward passes, whatever the number of targets, and T^3 multiply-adds a block for T tokens.

    Works for models whose self-attention runs over one set of tokens: ViT, DeiT, BEiT, DINOv2, EVA and their like of
    timm, torchvision and Hugging Face, with class token, distillation token, registers or none. Which tokens are read
    is measured, not assumed: without a class token (global average pooling) the rows of all patches are averaged; a
    pooling head (SigLIP) weighs them by its own attention. What cannot be rolled out (Swin's windows, pyramids, CaiT,
    XCiT, convolutional nets) is refused with the reason.

    Parameters
    ----------
    head_fusion
        How the heads of a block become one: their "mean", "max" or "min".
    residual
        The share r of the identity, in [0, 1).
    start_layer
        The first block that counts, from 0.

    References
    ----------
    Abnar and Zuidema (2020), "Quantifying Attention Flow in Transformers", https://arxiv.org/abs/2005.00928
    """

    name: ClassVar[str] = "attention-rollout"
    label: ClassVar[str] = "Attention rollout"
    summary: ClassVar[str] = (
        "Where a transformer's attention leads, through all blocks and residual connections. The same for every class."
    )
    unit: ClassVar[str] = "share of attention"

    head_fusion: str = declare.choice("mean", _FUSIONS)
    residual: float = declare.number(0.5, least=0, most=0.99, soft=["most"], step=0.01)
    start_layer: int = declare.whole(0, least=0, label="First block")

    def __post_init__(self) -> None:
        if self.head_fusion not in _FUSIONS:
            raise InputError("head_fusion", self.head_fusion, "fuses no heads", f"Give one of {', '.join(_FUSIONS)}.")
        number = isinstance(self.residual, (int, float)) and not isinstance(self.residual, bool)
        if not number or not 0 <= self.residual < 1:
            raise InputError(
                "residual", self.residual, "is no share of the identity", "Give a number from 0 to less than 1, or 0.5."
            )
        _check_start(self.start_layer)

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the one estimate there is."""
        folded = problem.attentions(problem.pixels[None], self._fold)
        (rolled,) = folded.states
        rows = rolled[0] if folded.tokens.pooled else folded.read.to(rolled)[None] @ rolled[0]
        values = _on_grid(rows, folded).repeat(len(problem.targets), 1, 1, 1)
        yield _estimate(values, folded, class_specific=False)

    def _fold(self, state: Tensor | None, block: Block) -> Tensor:
        _check_block(self.start_layer, block)
        count = block.weights.shape[-1]
        identity = torch.eye(count, dtype=block.weights.dtype, device=block.weights.device)
        state = identity.expand(len(block.weights), count, count) if state is None else state
        if block.index < self.start_layer:
            return state
        heads = block.weights
        fused = heads.mean(1) if self.head_fusion == "mean" else getattr(heads, f"a{self.head_fusion}")(1)
        mixed = fused if block.pools else self.residual * identity + (1 - self.residual) * fused
        total = mixed.sum(-1, keepdim=True)
        # A token that attends to nothing passes nothing on.
        return torch.where(total == 0, mixed, mixed / total) @ state


@register
@dataclass(frozen=True)
class GradientRollout(Method):
    """Attention rolled out through the blocks, each head weighted by how much the score depends on it.

    The generic attention explainability of Chefer, Gur and Wolf: ``R = I``, then for each block from the first to the
    last ``R <- R + A_b R`` with ``A_b = mean_h (max(0, dS/dW_b * W_b))``. The map is the row of ``R - I`` of the token
    that the model reads its output from, at the patches. It is specific to the class, never negative, and in no unit:
    it adds products of as many derivatives as blocks were passed, so maps of different classes, models or scores do
    not compare in size, and twice the score does not give twice the map.

    Known failings: the part of a block that lowers the score is dropped, which is not what the score does; values and
    MLPs count only through the gradient; where the score saturates (a probability close to 1), the gradient and the map
    vanish.

    Costs two forward passes and one backward pass a target, f + f + K b. The graph holds the attention of all blocks,
    (heads, T, T) each; gradients are used up block by block.

    Models, tokens and reading as in :class:`AttentionRollout`. Taking off the identity changes nothing for a class
    token; where patches are averaged, it would lie under the map as a constant. A pooling head starts the row with its
    own weighted attention.

    Parameters
    ----------
    start_layer
        The first block that counts, from 0.

    References
    ----------
    Chefer, Gur and Wolf (2021), "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
    Transformers", https://arxiv.org/abs/2103.15679
    """

    name: ClassVar[str] = "gradient-rollout"
    label: ClassVar[str] = "Gradient-weighted attention rollout"
    summary: ClassVar[str] = (
        "Where a transformer's attention leads, each head weighted by how much the score depends on it."
    )
    unit: ClassVar[str] = "relevance (no unit)"

    start_layer: int = declare.whole(0, least=0, label="First block")

    def __post_init__(self) -> None:
        _check_start(self.start_layer)

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the one estimate there is."""
        folded = problem.attentions(problem.pixels[None], self._fold, gradients=True)
        rows = torch.cat(folded.states)
        yield _estimate(_on_grid(rows, folded), folded, class_specific=True)

    def _fold(self, state: Tensor | None, block: Block) -> Tensor:
        _check_block(self.start_layer, block)
        assert block.gradient is not None
        helps = (block.gradient * block.weights).clamp(min=0).mean(1)
        if block.pools:
            return helps[:, 0]
        assert block.read is not None
        start = block.read.to(helps)
        state = torch.zeros_like(helps[:, 0]) if state is None else state
        if block.index < self.start_layer:
            return state
        # Only one row of R is looked at, so it alone is carried, from the last block to the first; and without its
        # part of the identity, next to which the rest may be small.
        return state + ((state + start)[:, None] @ helps)[:, 0]


def _on_grid(rows: Tensor, folded: Folded) -> Tensor:
    """(K, 1, h, w) of (K, T)."""
    tokens = folded.tokens
    return rows[:, tokens.prefix :].reshape(len(rows), 1, tokens.height, tokens.width)


def _estimate(values: Tensor, folded: Folded, *, class_specific: bool) -> Estimate:
    tokens = folded.tokens
    quality: dict[str, Any] = {
        "class_specific": class_specific,
        "blocks": tokens.blocks,
        "grid": f"{tokens.height} x {tokens.width}",
        "prefix_tokens": tokens.prefix,
        "read_from": _read_from(folded),
        "recovered": f"{tokens.fused} of {len(tokens.shapes)} attentions from a fused kernel",
        "output_error": folded.error,
    }
    same = tuple(dict(quality) for _ in range(len(values)))
    return Estimate(values=values, scores=folded.scores[0], done=1, total=1, final=True, quality=same)


def _read_from(folded: Folded) -> str:
    tokens = folded.tokens
    if tokens.pooled:
        return "pooling head"
    places = folded.read.nonzero()[:, 0].tolist()
    guessed = "" if folded.found else " (assumed: no gradient tells)"
    if places[0] >= tokens.prefix:
        return f"mean of {len(places)} patches{guessed}"
    return f"token {' and '.join(map(str, places))}{guessed}"


def _check_start(start_layer: Any) -> None:
    if isinstance(start_layer, bool) or not isinstance(start_layer, int) or start_layer < 0:
        raise InputError("start_layer", start_layer, "is no block", "Give the number of a block, from 0.")


def _check_block(start_layer: int, block: Block) -> None:
    if start_layer >= block.tokens.blocks:
        raise InputError(
            "start_layer",
            start_layer,
            f"is no block of this model, which has {block.tokens.blocks}",
            f"Give a number from 0 to {block.tokens.blocks - 1}.",
        )
