"""Recognise self-attention while a model runs, whatever it is written in.

Three spellings are seen: the fused ``scaled_dot_product_attention``, ``nn.MultiheadAttention``, and a softmax whose
result multiplies the values. What counts as the attention weights is the matrix that multiplies the values, so masks,
position biases and head masks are in it.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor
from torch.overrides import TorchFunctionMode

_SOFTMAX = frozenset({torch.softmax, Tensor.softmax, F.softmax, torch.special.softmax})
_PRODUCT = frozenset({torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, Tensor.bmm})
_LOW = (torch.float16, torch.bfloat16)
# Weights that nothing multiplies must not pile up.
_MOST_PENDING = 32


def _opened(function: Any) -> Any:
    """PyTorch's own function without the question whether somebody overrides it, which would shut a mode out of it."""
    world = {**function.__globals__, "has_torch_function": lambda relevant: False}
    opened = types.FunctionType(function.__code__, world, function.__name__, function.__defaults__)
    opened.__kwdefaults__ = function.__kwdefaults__
    return opened


# The backward pass too, because checkpointing runs parts of the forward pass again there.
_OPENED = {
    one: _opened(one)
    for one in (F.multi_head_attention_forward, torch.autograd.grad)
    if isinstance(one, types.FunctionType)
}


def attention_weights(
    query: Tensor,
    key: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """The probabilities that ``scaled_dot_product_attention`` computes and does not return.

    Parameters
    ----------
    query, key, attn_mask, is_causal, scale, enable_gqa
        As in :func:`torch.nn.functional.scaled_dot_product_attention`: (..., H, L, E) and (..., H, S, E). A query whose
        mask leaves it no key attends to nothing, as in the kernels.

    Returns
    -------
    Tensor
        (..., H, L, S), in float32 or better.
    """
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
    if query.dtype in _LOW:
        query, key = query.float(), key.float()
    logits = (query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)) @ key.transpose(-2, -1)
    if is_causal:
        seen = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
        return logits.masked_fill(~seen, -math.inf).softmax(-1)
    if attn_mask is None:
        return logits.softmax(-1)
    if attn_mask.dtype == torch.bool:
        logits = logits.masked_fill(~attn_mask, -math.inf)
    else:
        logits = logits + attn_mask.to(logits.dtype)
    # Filled before the softmax as well, whose derivative would be 0 * NaN there.
    blind = (logits == -math.inf).all(-1, keepdim=True)
    return logits.masked_fill(blind, 0).softmax(-1).masked_fill(blind, 0)


class AttentionMode(TorchFunctionMode):
    """Sees every attention of a forward pass; what it does about one is up to the subclass."""

    def __init__(self) -> None:
        super().__init__()
        # What comes from a softmax and may be attention weights, with the softmaxes that it comes from.
        self._pending: dict[int, tuple[Tensor, frozenset[int]]] = {}
        self._unused: dict[int, tuple[int, ...]] = {}
        self._softmaxes = 0

    @property
    def unused(self) -> list[tuple[int, ...]]:
        """Shapes of the square softmaxes that did not multiply anything."""
        return list(self._unused.values())

    def fused(self, func: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Tensor:
        """Do what ``scaled_dot_product_attention`` does."""
        raise NotImplementedError

    def written(self, weights: Tensor, values: Tensor) -> Tensor:
        """The weights (..., L, S) to multiply the values (..., S, E) with, which the model computed itself."""
        raise NotImplementedError

    def passed(self, func: Any, args: tuple[Any, ...], output: Any) -> None:
        """Take note of any other operator."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func is F.scaled_dot_product_attention:
            return self.fused(func, args, options)
        if func in _OPENED:
            with self:
                return _OPENED[func](*args, **options)
        place = self._weights_among(func, args)
        if place is not None:
            _, sources = self._pending[id(args[place])]
            self._pending.clear()
            for source in sources:
                self._unused.pop(source, None)
            operands = list(args)
            operands[place] = self.written(args[place], args[place + 1])
            return func(*operands, **options)
        output = func(*args, **options)
        self._follow(func, args, options, output)
        self.passed(func, args, output)
        return output

    def _weights_among(self, func: Any, args: tuple[Any, ...]) -> int | None:
        """Where among the arguments the weights of a product are, if it is weights times values."""
        if not self._pending:
            return None
        if func in _PRODUCT:
            return 0 if len(args) > 1 and id(args[0]) in self._pending else None
        if func is torch.einsum and len(args) == 3 and isinstance(args[0], str) and id(args[1]) in self._pending:
            terms, _, result = args[0].replace(" ", "").partition("->")
            first = terms.partition(",")[0]
            return 1 if first[-2] in result and first[-1] not in result else None
        return None

    def _follow(self, func: Any, args: tuple[Any, ...], options: Mapping[str, Any], output: Any) -> None:
        if not isinstance(output, Tensor) or output.dim() < 3:
            return
        if func in _SOFTMAX:
            axis = options.get("dim", args[1] if len(args) > 1 else None)
            if axis in (-1, output.dim() - 1):
                self._softmaxes += 1
                self._hold(output, frozenset({self._softmaxes}))
                if output.shape[-1] == output.shape[-2]:
                    self._unused[self._softmaxes] = tuple(output.shape)
            return
        if not self._pending:
            return
        given = (*args, *options.values())
        found = [self._pending[id(one)][1] for one in given if id(one) in self._pending and _alike(one, output)]
        if found:
            self._hold(output, frozenset().union(*found))

    def _hold(self, tensor: Tensor, sources: frozenset[int]) -> None:
        self._pending[id(tensor)] = tensor, sources
        if len(self._pending) > _MOST_PENDING:
            self._pending.pop(next(iter(self._pending)))


def _alike(weights: Tensor, output: Tensor) -> bool:
    return output.shape[-2:] == weights.shape[-2:]
