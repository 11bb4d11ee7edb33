"""The primitive of the attention methods: every attention of a model and its gradient, one block after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor

from saliency_widget.engine.attention_calls import AttentionMode, Surveyor, attention_weights
from saliency_widget.engine.attention_tokens import Tokens, tokens_of
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


class Reader:
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
        self._count = 0
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
        self._count = len(pixels)
        self.tokens = tokens_of(surveyor.finish(), len(pixels), self._picture)
        writer = _Writer(self.tokens, len(pixels), None if self._gradients else self._fold)
        # On during the backward pass too, because checkpointing runs parts of the forward pass again there.
        with replica.computing(), writer:
            with torch.set_grad_enabled(self._gradients):
                outputs = self._forward(replica, pixels)
            writer.finish()
            self.error = max(self.error, _checked_error(outputs.detach(), plain))
            self.read, self.found = _read(outputs, writer.last, self.tokens)
            scores = self._scores(outputs)
            if self._gradients:
                folded = [self._fold_back(writer.attentions, scores[:, k].sum()) for k in range(scores.shape[1])]
            else:
                assert writer.state is not None
                folded = [writer.state]
        return scores.detach().clone(), *folded

    def folded(self, parts: tuple[Tensor, ...]) -> Folded:
        """The result, of the parts that :meth:`rows` gave."""
        assert self.tokens is not None
        assert self.read is not None
        return Folded(parts[0], parts[1:], self.tokens, self.read, self.found, self.error)

    def _fold_back(self, attentions: list[Tensor], score: Tensor) -> Tensor:
        """Differentiate, and fold each gradient when it comes: from the last block to the first."""
        state: Tensor | None = None
        waiting: dict[int, Tensor] = {}
        left = list(range(len(attentions)))

        def arrived(index: int, gradient: Tensor) -> None:
            nonlocal state
            waiting[index] = gradient
            while left and left[-1] in waiting:
                block = self._block(left[-1], attentions, waiting.pop(left[-1]))
                state = self._fold(state, block)
                left.pop()

        handles = [
            one.register_hook(partial(arrived, index))  # type: ignore[no-untyped-call]
            for index, one in enumerate(attentions)
        ]
        try:
            torch.autograd.grad(score, attentions[0], retain_graph=True, allow_unused=True)
        finally:
            for handle in handles:
                handle.remove()
        with torch.no_grad():
            # On which the first block has no influence, or which have none on the score.
            for index in reversed(left.copy()):
                if index not in waiting:
                    (gradient,) = torch.autograd.grad(score, attentions[index], retain_graph=True, allow_unused=True)
                    arrived(index, torch.zeros_like(attentions[index]) if gradient is None else gradient)
        assert state is not None
        return state

    def _block(self, index: int, attentions: list[Tensor], gradient: Tensor) -> Block:
        assert self.tokens is not None
        weights = _by_heads(attentions[index].detach(), self._count)
        return Block(index, self.tokens, weights, _by_heads(gradient, self._count), self.read)


class _Writer(AttentionMode):
    """Writes the attention out, and either folds it at once or keeps it in the graph.

    Parameters
    ----------
    tokens
        What is to come.
    rows
        How many pictures go through.
    fold
        Fold at once; None keeps.

    Attributes
    ----------
    attentions
        What was kept, as the graph knows it.
    last
        The last one, differentiable in both cases.
    state
        What the fold made.
    """

    def __init__(self, tokens: Tokens, rows: int, fold: Fold | None) -> None:
        super().__init__()
        self._tokens = tokens
        self._rows = rows
        self._fold = fold
        self._index = 0
        self._over = False
        self.attentions: list[Tensor] = []
        self.last: Tensor | None = None
        self.state: Tensor | None = None

    def finish(self) -> None:
        """Keep nothing more: what follows runs parts of the forward pass again."""
        if self._index != len(self._tokens.shapes):
            raise ModelError(_UNSTEADY)
        self._over = True

    def fused(self, func: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Tensor:
        """Compute the weights, then their product with the values."""
        return self._written_out(*args, **options)

    def _written_out(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        weights = self.written(attention_weights(query, key, attn_mask, is_causal, scale, enable_gqa), value)
        if enable_gqa:
            value = value.repeat_interleave(weights.shape[-3] // value.shape[-3], dim=-3)
        return (weights @ value.to(weights.dtype)).to(query.dtype)

    def written(self, weights: Tensor, values: Tensor) -> Tensor:
        """Fold or keep the weights."""
        if self._over:
            return weights
        index, self._index = self._index, self._index + 1
        if index >= len(self._tokens.shapes) or tuple(weights.shape) != self._tokens.shapes[index]:
            raise ModelError(_UNSTEADY)
        if bool((weights.detach() < 0).any()):
            raise ModelError(_NEGATIVE)
        last = index == len(self._tokens.shapes) - 1
        if self._fold is None:
            if not torch.is_grad_enabled():
                raise ModelError(_NO_GRAPH)
            weights = weights if weights.requires_grad else weights.detach().requires_grad_()
            self.attentions.append(weights)
        else:
            with torch.no_grad():
                block = Block(index, self._tokens, _by_heads(weights.detach(), self._rows))
                self.state = self._fold(self.state, block)
            if last:
                # From here on with a graph, so that it shows which tokens the output is read from.
                weights = weights.detach().requires_grad_()
                torch.set_grad_enabled(True)
        if last:
            self.last = weights
        return weights


def _by_heads(attention: Tensor, rows: int) -> Tensor:
    """(N, heads, L, S) in float32 or better, of (N, heads, L, S) or (N * heads, L, S)."""
    wide = attention.float() if attention.dtype in _LOW else attention
    return wide.reshape(rows, -1, *wide.shape[-2:])


def _read(outputs: Tensor, last: Tensor | None, tokens: Tokens) -> tuple[Tensor, bool]:
    """The tokens that the output is read from, (T,), and whether they were found."""
    weights = outputs.new_zeros(tokens.length, dtype=torch.promote_types(outputs.dtype, torch.float32))
    if tokens.pooled:
        return weights, True
    gradient: Tensor | None = None
    if last is not None and outputs.requires_grad:
        # Unequal, so that classes do not cancel.
        mixed = (outputs * torch.linspace(1, 2, outputs.shape[1], device=outputs.device)).sum()
        (gradient,) = torch.autograd.grad(mixed, last, retain_graph=True, allow_unused=True)
    prefix, patches = slice(0, tokens.prefix), slice(tokens.prefix, tokens.length)
    if gradient is None or not bool(gradient.any()):
        chosen = torch.zeros_like(weights, dtype=torch.bool)
        chosen[slice(0, 1) if tokens.prefix else patches] = True
        return weights.masked_fill(chosen, 1) / chosen.sum(), False
    used = (gradient != 0).any(-1).reshape(-1, tokens.length).any(0)
    chosen = used.clone()
    if bool(used[prefix].any()):
        chosen[patches] = False
    return weights.masked_fill(chosen, 1) / chosen.sum(), True


def _checked_error(outputs: Tensor, plain: Tensor) -> float:
    """The relative difference of the outputs, if it is no more than rounding."""
    wide, wanted = outputs.double(), plain.double()
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
            "its largest number. Use a method for any model, such as the gradient."
        )
    return error


_UNSTEADY = (
    "the model's forward computes other attentions the second time than the first, so they cannot be recovered. Make "
    "the forward depend on its input alone."
)
_NEGATIVE = (
    "the model's attention weights are negative in places (differential attention), so they are no probabilities and "
    "rollout is not defined. Use a method for any model, such as the gradient."
)
_NO_GRAPH = (
    "the model computes an attention with gradients switched off (reentrant checkpointing), so it has no gradient. "
    "Switch gradient checkpointing off, or use attention rollout, which needs none."
)
