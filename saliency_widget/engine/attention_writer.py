"""Run a model with its attention written out, so that the weights can be seen and differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from saliency_widget.engine.attention_calls import AttentionMode, attention_weights
from saliency_widget.errors import ModelError


class Writer(AttentionMode):
    """Writes the attention out, and either shows it at once or keeps it in the graph.

    Parameters
    ----------
    shapes
        Of the attention weights that are to come.
    blocks
        How many of them are self-attention; what follows is a pooling head.
    show
        Takes the number of each block and its weights; None keeps them.

    Attributes
    ----------
    attentions
        What was kept, as the graph knows it.
    last
        The last block and the pooling head, as the graph knows them in both cases.
    """

    def __init__(
        self, shapes: Sequence[tuple[int, ...]], blocks: int, show: Callable[[int, Tensor], None] | None
    ) -> None:
        super().__init__()
        self._shapes = shapes
        self._blocks = blocks
        self._show = show
        self._index = 0
        self._over = False
        self.attentions: list[Tensor] = []
        self.last: list[Tensor] = []

    def finish(self) -> None:
        """Keep nothing more: what follows runs parts of the forward pass again."""
        if self._index != len(self._shapes):
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
        """Show or keep the weights."""
        if self._over:
            return weights
        index, self._index = self._index, self._index + 1
        if index >= len(self._shapes) or tuple(weights.shape) != self._shapes[index]:
            raise ModelError(_UNSTEADY)
        if bool((weights.detach() < 0).any()):
            raise ModelError(_NEGATIVE)
        if self._show is None:
            if not torch.is_grad_enabled():
                raise ModelError(_NO_GRAPH)
            weights = weights if weights.requires_grad else weights.detach().requires_grad_()
            self.attentions.append(weights)
        elif index < self._blocks:
            with torch.no_grad():
                self._show(index, weights.detach())
        if index >= self._blocks - 1:
            if not weights.requires_grad:
                # From here on with a graph, so that it shows what the output is read from.
                weights = weights.detach().requires_grad_()
                torch.set_grad_enabled(True)
            self.last.append(weights)
        return weights


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
