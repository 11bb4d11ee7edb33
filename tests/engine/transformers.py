"""A small transformer whose attention can be written in many ways, all the same function."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from saliency_widget.targets import Target

HEADS, WIDTH = 2, 8


def fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def by_name(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return F.scaled_dot_product_attention(query=q, key=k, value=v, attn_mask=mask, scale=0.5)


def _logits(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    logits = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return logits if mask is None else logits.masked_fill(~mask, -math.inf)


def method(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return _logits(q, k, mask).softmax(dim=-1) @ v


def function(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    weights = F.softmax(_logits(q, k, mask), dim=3, dtype=torch.float64).to(q.dtype)
    return torch.matmul(F.dropout(weights, 0.1, training=False).contiguous(), v)


def module(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return nn.Softmax(-1)(_logits(q, k, mask)).matmul(v)


def batched(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    weights = torch.softmax(_logits(q, k, mask).flatten(0, 1), -1)
    return torch.bmm(weights, v.flatten(0, 1)).unflatten(0, q.shape[:2])


def by_indices(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return torch.einsum("bhij, bhjd -> bhid", _logits(q, k, mask).softmax(-1), v)


def scaled(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    # A head mask after the softmax, taken back in the values: what multiplies the values are no probabilities here.
    return (_logits(q, k, mask).softmax(-1) * 0.5) @ (2 * v)


def left(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return (v.mT @ _logits(q, k, mask).softmax(-1).mT).mT


SPELLINGS = {one.__name__: one for one in (fused, by_name, method, function, module, batched, by_indices)}


class Attention(nn.Module):
    def __init__(self, spelling: Any, mask: Tensor | None = None) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.spelling, self.mask = spelling, mask

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        if self.spelling is by_name:
            q = q * (2 / math.sqrt(q.shape[-1]))
        return self.out(self.spelling(q, k, v, self.mask).transpose(1, 2).flatten(2))


class MultiHead(nn.Module):
    """The same weights in PyTorch's own module."""

    def __init__(self, own: Attention, *, batch_first: bool = True, need_weights: bool = False) -> None:
        super().__init__()
        self.mha = nn.MultiheadAttention(WIDTH, HEADS, batch_first=batch_first, dtype=torch.float64)
        self.mha.load_state_dict(
            {
                "in_proj_weight": own.qkv.weight,
                "in_proj_bias": own.qkv.bias,
                "out_proj.weight": own.out.weight,
                "out_proj.bias": own.out.bias,
            }
        )
        self.first, self.need = batch_first, need_weights
        self.mask = None if own.mask is None else ~own.mask

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.first else x.transpose(0, 1)
        y = self.mha(x, x, x, need_weights=self.need, attn_mask=self.mask)[0]
        return y if self.first else y.transpose(0, 1)


class Small(nn.Module):
    """A ViT with `prefix` tokens in front, on pictures of 4 x 6 patches of 2; float64.

    `read` is "class", "both" (the mean of the first two tokens), "mean" (of the patches), "all" (class and patches),
    "pool" (a query of its own) or "unused" (such a query, which is not used).
    """

    def __init__(
        self,
        spelling: Any = fused,
        *,
        blocks: int = 3,
        prefix: int = 1,
        read: str = "class",
        mask: Tensor | None = None,
        checkpointing: bool | None = None,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.embed = nn.Conv2d(3, WIDTH, 2, 2)
        self.tokens = nn.Parameter(torch.zeros(1, prefix, WIDTH))
        self.place = nn.Parameter(torch.zeros(1, prefix + 24, WIDTH))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(blocks))
        self.attentions = nn.ModuleList(Attention(spelling, mask) for _ in range(blocks))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, 16), nn.GELU(), nn.Linear(16, WIDTH)) for _ in range(blocks)
        )
        self.head = nn.Linear(2 * WIDTH if read == "all" else WIDTH, 5)
        if read in ("pool", "unused"):
            self.query = nn.Parameter(torch.zeros(1, HEADS, 1, WIDTH // HEADS))
            self.pool = nn.Linear(WIDTH, 2 * WIDTH)
        self.spelling = spelling
        self.prefix, self.reading, self.checkpointing = prefix, read, checkpointing
        self.double()
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.5)
        self.eval()

    def block(self, x: Tensor, index: int) -> Tensor:
        x = x + self.attentions[index](self.norms[index](x))
        return x + self.mlps[index](x)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.tokens.expand(len(x), -1, -1), x], dim=1) + self.place
        for index in range(len(self.norms)):
            if self.checkpointing is None:
                x = self.block(x, index)
            else:
                x = checkpoint(self.block, x, index, use_reentrant=self.checkpointing)
        if self.reading in ("pool", "unused"):
            k, v = self.pool(x).unflatten(-1, (2, HEADS, -1)).permute(2, 0, 3, 1, 4)
            pooled = self.spelling(self.query.expand(len(x), -1, -1, -1), k, v, None).transpose(1, 2).flatten(1)
            return self.head(pooled if self.reading == "pool" else x[:, 0])
        if self.reading == "class":
            return self.head(x[:, 0])
        if self.reading == "both":
            return self.head(x[:, :2].mean(1))
        patches = x[:, self.prefix :].mean(1)
        return self.head(patches if self.reading == "mean" else torch.cat([x[:, 0], patches], dim=1))


def by_hand(model: Small, inputs: Tensor, targets: list[Target]) -> tuple[Tensor, Tensor]:
    """Weights (N, blocks, heads, T, T) and gradients (K, N, blocks, heads, T, T) by plain autograd, in one graph."""
    seen: list[Tensor] = []

    def recording(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        weights = _logits(q, k, mask).softmax(-1)
        seen.append(weights)
        return weights @ v

    before = [(one, one.spelling) for one in model.modules() if isinstance(one, (Attention, Small))]
    for one, spelling in before:
        one.spelling = recording
        assert spelling is not by_name
    outputs = model(inputs)
    for one, spelling in before:
        one.spelling = spelling
    found = []
    for target in targets:
        gradients = torch.autograd.grad(target.score(outputs).sum(), seen, retain_graph=True)
        found.append(torch.stack([_square(gradient) for gradient in gradients], dim=1))
    return torch.stack([_square(weights) for weights in seen], dim=1).detach(), torch.stack(found)


def _square(weights: Tensor) -> Tensor:
    """Of a pooling head, with rows of zeros below its own."""
    return F.pad(weights, (0, 0, 0, weights.shape[-1] - weights.shape[-2]))
