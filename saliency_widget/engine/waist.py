"""The gradients of many scores towards a layer from one small matrix, where the head allows it.

Behind the last layer with a grid there is often a pooling, and behind it a linear layer: the scores see the activations
through one number a channel. What is behind that waist of the graph, and a cell's share in the number, are then all
there is to know: ``dS_k/dA_c(i) = (dS_k/dz_c) (dz_c/dA_c(i))``. Whether the graph has such a waist is seen in the graph
and in two backward passes of the pooling, and not in the names of modules.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from saliency_widget.engine.batching import cuts

FEW = 4
"""Up to so many scores are differentiated one after another."""

_AT_ONCE = 256
# Of rounding: the factors of a product are multiplied in another order.
_TOLERANCE = 1e-5


def through_waist(
    scores: Tensor, source: Tensor | GradientEdge, like: Tensor, channel: int
) -> tuple[Tensor, Tensor] | None:
    """The derivatives of scores towards a layer as two factors; None where they are not the product of any two.

    Parameters
    ----------
    scores
        (1, K), with a graph that leads to the source; it is kept.
    source
        What the layer returned, or where it did in the graph.
    like
        What it returned, for its shape.
    channel
        Which of its dimensions is that of the channels.

    Returns
    -------
    behind : Tensor
        (1, K, c), dS_k / dz_c.
    local : Tensor
        As ``like``, dz_c / dA_c.
    """
    count = like.shape[channel]
    waist = _waist(scores, source, len(scores) * count)
    if waist is None:
        return None
    edge, shape = waist
    direction = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    direction = direction.to(scores.device, like.dtype)
    sides = [1] * like.dim()
    sides[channel] = count
    local, mixed = (_towards(edge, source, one) for one in (torch.ones_like(direction), direction))
    if local is None or mixed is None or not _same(mixed, direction.view(sides) * local):
        return None
    try:
        behind = torch.cat([_behind(scores, edge, start, stop) for start, stop in cuts(scores.shape[1], _AT_ONCE)])
    except Exception:  # an operator that cannot be vmapped
        return None
    behind = behind.reshape(1, scores.shape[1], count)
    last = torch.zeros_like(scores)
    last[:, -1] = 1
    (alone,) = torch.autograd.grad(scores, edge, last, retain_graph=True)
    return (behind, local) if _same(behind[0, -1], alone.reshape(-1)) else None


def _waist(scores: Tensor, source: Tensor | GradientEdge, size: int) -> tuple[GradientEdge, torch.Size] | None:
    """The place nearest to the source on the one path from the scores that has a number a channel."""
    end = source.node if isinstance(source, GradientEdge) else source.grad_fn
    node, found = scores.grad_fn, None
    while node is not None and node is not end:
        following = [(after, number) for after, number in node.next_functions if after is not None]
        if len(following) != 1:
            break
        node, number = following[0]
        facts = getattr(node, "_input_metadata", ())
        if number < len(facts) and math.prod(facts[number].shape) == size and node is not end:
            found = GradientEdge(node, number), torch.Size(facts[number].shape)
    return found


def _towards(edge: GradientEdge, source: Tensor | GradientEdge, direction: Tensor) -> Tensor | None:
    (found,) = torch.autograd.grad([edge], source, [direction], retain_graph=True, allow_unused=True)
    result: Tensor | None = found
    return result


def _behind(scores: Tensor, edge: GradientEdge, start: int, stop: int) -> Tensor:
    directions = torch.zeros(stop - start, *scores.shape, dtype=scores.dtype, device=scores.device)
    directions[torch.arange(stop - start), :, torch.arange(start, stop)] = 1

    def one(direction: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(scores, edge, direction, retain_graph=True)
        return found

    result: Tensor = torch.func.vmap(one)(directions)
    return result


def _same(found: Tensor, wanted: Tensor) -> bool:
    difference = (found - wanted).abs().sum()
    return bool(difference <= _TOLERANCE * wanted.abs().sum())
