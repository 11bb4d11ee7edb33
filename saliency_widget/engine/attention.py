"""The primitive of the attention methods: every attention of a model and its gradient, one block after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from saliency_widget.engine.attention_survey import Surveyor
from saliency_widget.engine.attention_tokens import Tokens, tokens_of
from saliency_widget.engine.attention_writer import Writer
from saliency_widget.engine.replica import Replica
from saliency_widget.errors import ModelError

_LOW = (torch.float16, torch.bfloat16)
# Largest change of the output, relative to its largest number, that writing the attention out may make.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.float16: 0.02, torch.bfloat16: 0.1}
_TOLERANCE_TF32 = 0.01


@dataclass(frozen=True, eq=False)
class Block:
    """One attention.

    Attributes
    ----------
    index
        Which, from 0 in the order of the forward pass; that of a pooling head is ``tokens.blocks``.
    tokens
        What it attends over.
    weights
        (N, heads, T, T), the probabilities: the matrix that multiplies the values, in float32 or better. Of a pooling
        head (N, heads, 1, T).
    gradient
        The derivative of the score with respect to them, of the same shape; None if it was not asked for.
    read
        (T,), how much of the score is read from each token after the last block: see :class:`Folded`. None where it is
        not known yet.
    """

    index: int
    tokens: Tokens
    weights: Tensor
    gradient: Tensor | None = None
    read: Tensor | None = None

    @property
    def pools(self) -> bool:
        """Whether this is a pooling head rather than a block."""
        return self.index == self.tokens.blocks


Fold: TypeAlias = Callable[[Tensor | None, Block], Tensor]
"""From what it returned for the block before (None at first) and a block, to what is kept: (N, ...)."""


@dataclass(frozen=True, eq=False)
class Folded:
    """What is left of the attentions.

    Attributes
    ----------
    scores
        (N, K), in float32 or better.
    states
        What the fold returned last: one, or with gradients one for each target.
    tokens
        What the attentions are over.
    read
        (T,), sums to 1: the tokens from which the model reads its output after the last block, found by the gradient.
        All on the class token (with a distillation token, half on each), also if the patches are read besides; else
        equal on the patches (global average pooling). Zero with a pooling head, whose weights say it.
    found
        False if no gradient told; then it is the first token where there is a prefix, else the patches.
    error
        The largest difference between the outputs with the attention written out and as the model computes it,
        relative to the largest output.
    """

    scores: Tensor
    states: tuple[Tensor, ...]
    tokens: Tokens
    read: Tensor
    found: bool
    error: float


def keep(state: Tensor | None, block: Block) -> Tensor:
    """A fold that keeps everything: (N, blocks, heads, T, T), with gradients (N, blocks, 2, heads, T, T).

    Blocks are in the order of the forward pass. A pooling head is left out.
    """
    if block.pools:
        return block.weights.new_empty((len(block.weights), 0)) if state is None else state
    if block.gradient is None:
        own = block.weights.detach().clone()[:, None]
        return own if state is None else torch.cat([state, own], dim=1)
    both = torch.stack([block.weights.detach(), block.gradient], dim=1)[:, None]
    return both if state is None or state.shape[1] == 0 else torch.cat([both, state], dim=1)


class AttentionReader:
    """Runs a model once as it is and once with its attention written out, and folds what there is to see.

    Parameters
    ----------
    fold
        What to keep. Without gradients it is called from the first block to the last during the forward pass, and a
        block's weights are let go after it. With gradients it is called from the last block to the first during the
        backward pass of each target; the graph holds the weights of all blocks until then.
    gradients
        Whether the gradients are wanted.
    forward
        From a replica and pixels (N, C, H, W) to the output (N, classes).
    scores
        From outputs to the scores of the targets (N, K).
    picture
        Height and width of the pixels.

    Attributes
    ----------
    tokens, read, found, error
        As in :class:`Folded`.
    """

    def __init__(
        self,
        fold: Fold,
        *,
        gradients: bool,
        forward: Callable[[Replica, Tensor], Tensor],
        scores: Callable[[Tensor], Tensor],
        picture: tuple[int, int],
    ) -> None:
        self._fold = fold
        self._gradients = gradients
        self._forward = forward
        self._scores = scores
        self._picture = picture
        self.tokens: Tokens | None = None
        self.read: Tensor | None = None
        self.found = False
        self.error = 0.0

    def rows(self, replica: Replica, pixels: Tensor) -> tuple[Tensor, ...]:
        """The scores (N, K) and the states of some rows."""
        if not replica.probed:
            with replica.computing():
                self._forward(replica, pixels)
        surveyor = Surveyor()
        with replica.computing(), torch.no_grad(), surveyor:
            plain = self._forward(replica, pixels).detach().clone()
        tokens = tokens_of(surveyor.finish(), len(pixels), self._picture)
        state: Tensor | None = None

        def show(index: int, weights: Tensor) -> None:
            nonlocal state
            state = self._fold(state, Block(index, tokens, _by_heads(weights, len(pixels))))

        writer = Writer(tokens.shapes, tokens.blocks, None if self._gradients else show)
        with replica.computing(), writer:
            with torch.set_grad_enabled(self._gradients):
                outputs = self._forward(replica, pixels.detach().requires_grad_(self._gradients))
            writer.finish()
            self.error = max(self.error, _checked_error(outputs.detach(), plain))
            tokens = self._measure(outputs, writer.last, tokens)
            scores = self._scores(outputs)
            if self._gradients:
                if not scores.requires_grad:
                    raise ModelError(_NO_PATH)
                used = writer.attentions[: tokens.blocks + tokens.pooled]
                folded = [self._fold_back(used, tokens, column) for column in scores.unbind(1)]
            else:
                if tokens.pooled:
                    with torch.no_grad():
                        show(tokens.blocks, writer.last[-1].detach())
                assert state is not None
                folded = [state]
        return scores.detach().clone(), *folded

    def _measure(self, outputs: Tensor, last: list[Tensor], tokens: Tokens) -> Tokens:
        """Find out what the output is read from."""
        if tokens.pooled:
            self.found = _influence(outputs, last[-1]) is not None
            # Without any influence on the output, the head may be there and not be used.
            tokens = replace(tokens, pooled=self.found or _influence(outputs, last[0]) is None)
        if tokens.pooled:
            read = torch.zeros(tokens.length)
        else:
            gradient = _influence(outputs, last[0])
            self.found = gradient is not None
            read = _read(gradient, tokens)
        self.tokens = tokens
        self.read = read.to(torch.promote_types(outputs.dtype, torch.float32)).to(outputs.device)
        return tokens

    def folded(self, parts: tuple[Tensor, ...]) -> Folded:
        """The result, of the parts that :meth:`rows` gave."""
        assert self.tokens is not None
        assert self.read is not None
        return Folded(parts[0], parts[1:], self.tokens, self.read, self.found, self.error)

    def _fold_back(self, attentions: list[Tensor], tokens: Tokens, scores: Tensor) -> Tensor:
        """Differentiate, and fold each gradient when it comes: from the last block to the first."""
        state: Tensor | None = None
        total, rows = scores.sum(), len(scores)
        waiting: dict[int, Tensor] = {}
        left = list(range(len(attentions)))

        def arrived(index: int, gradient: Tensor) -> None:
            nonlocal state
            waiting[index] = gradient
            while left and left[-1] in waiting:
                which = left.pop()
                weights, own = (_by_heads(one, rows) for one in (attentions[which].detach(), waiting.pop(which)))
                state = self._fold(state, Block(which, tokens, weights, own, self.read))

        handles = [
            one.register_hook(partial(arrived, index))  # type: ignore[no-untyped-call]
            for index, one in enumerate(attentions)
        ]
        try:
            torch.autograd.grad(total, attentions[0], retain_graph=True, allow_unused=True)
        finally:
            for handle in handles:
                handle.remove()
        with torch.no_grad():
            # On which the first block has no influence, or which have none on the score.
            for index in reversed(left.copy()):
                if index not in waiting:
                    (gradient,) = torch.autograd.grad(total, attentions[index], retain_graph=True, allow_unused=True)
                    arrived(index, torch.zeros_like(attentions[index]) if gradient is None else gradient)
        assert state is not None
        return state


def _by_heads(attention: Tensor, rows: int) -> Tensor:
    """(N, heads, L, S) in float32 or better, of (N, heads, L, S) or (N * heads, L, S)."""
    wide = attention.float() if attention.dtype in _LOW else attention
    return wide.reshape(rows, -1, *wide.shape[-2:])


def _influence(outputs: Tensor, on: Tensor) -> Tensor | None:
    """Some derivative of the outputs with respect to attention weights; None where it is zero."""
    if not outputs.requires_grad:
        return None
    # Unequal, so that classes do not cancel.
    mixed = (outputs * torch.linspace(1, 2, outputs.shape[1], device=outputs.device)).sum()
    (gradient,) = torch.autograd.grad(mixed, on, retain_graph=True, allow_unused=True)
    return gradient if gradient is not None and bool(gradient.any()) else None


def _read(gradient: Tensor | None, tokens: Tokens) -> Tensor:
    """The tokens that the output is read from, (T,), by its derivative with respect to the last block's weights."""
    chosen = torch.zeros(tokens.length, dtype=torch.bool)
    if gradient is None:
        chosen[: 1 if tokens.prefix else tokens.length] = True
    else:
        chosen |= (gradient != 0).any(-1).reshape(-1, tokens.length).any(0).cpu()
    if bool(chosen[: tokens.prefix].any()):
        chosen[tokens.prefix :] = False
    return chosen.double() / chosen.sum()


def _checked_error(outputs: Tensor, plain: Tensor) -> float:
    """The relative difference of the outputs, if it is no more than rounding."""
    wide, wanted = outputs.cpu().double(), plain.cpu().double()
    # What is not a number in both is the same; in one, it is not.
    difference = torch.where(torch.isfinite(wanted), wide - wanted, wide.nan_to_num() - wanted.nan_to_num()).abs()
    scale = wanted[torch.isfinite(wanted)].abs().max() if bool(torch.isfinite(wanted).any()) else wanted.new_zeros(())
    error = float(difference.max()) / (float(scale) or 1.0)
    allowed = _TOLERANCE.get(plain.dtype, 1e-5)
    if (
        plain.device.type == "cuda"
        and plain.dtype == torch.float32
        and torch.get_float32_matmul_precision() != "highest"
    ):
        allowed = _TOLERANCE_TF32
    if not error <= allowed:
        raise ModelError(
            f"the attention could not be recovered: with it written out, the model's output changes by {error:.1e} of "
            "its largest number. If that is rounding, convert the model to float64; else use a method for any model, "
            "such as the gradient."
        )
    return error


_NO_PATH = (
    "no gradient leads from the score to the model's attention: the model's forward leaves the graph after it "
    "(.detach(), .data, .numpy(), .item(), torch.inference_mode). Use attention rollout, which needs no gradient."
)
