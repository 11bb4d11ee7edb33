"""The gradients of several scores from one forward pass."""

from __future__ import annotations

import torch
from torch import Tensor

from saliency_widget.engine.batching import cuts, is_out_of_memory

TOLERANCE = 1e-4
"""Largest relative L1 difference between a vmapped gradient and a looped one."""


class ClassPlan:
    """How the backward passes of several scores are done: one after another, or vmapped.

    Attributes
    ----------
    name
        "loop", "vmap", or "unchecked": vmap is to be tried and compared with a loop.
    why
        Why it is a loop where vmap was tried; None otherwise.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.why: str | None = None
        self._at_once: int | None = None

    def gradients(self, scores: Tensor, pixels: Tensor) -> Tensor | None:
        """Differentiate the scores (N, K) with respect to the pixels (N, C, H, W).

        Returns
        -------
        Tensor or None
            (N, K, C, H, W); None if no score depends on the pixels.
        """
        count = scores.shape[1]
        if self.name == "loop" or count == 1:
            return _looped(scores, pixels, range(count), last=True)
        try:
            return self._vmapped(scores, pixels)
        except Exception as error:
            if is_out_of_memory(error):
                # Fewer rows first: the classes share what the forward pass keeps.
                width = self._at_once or count
                if len(pixels) > 1 or width == 1:
                    raise
                self._at_once = width // 2
            else:
                self.name, self.why = "loop", f"vmap failed ({type(error).__name__})"
        return self.gradients(scores, pixels)

    def _vmapped(self, scores: Tensor, pixels: Tensor) -> Tensor | None:
        count = scores.shape[1]
        parts: list[Tensor] = []
        for start, stop in cuts(count, self._at_once or count):
            parts.append(_vmapped(scores, pixels, start, stop))
            if self.name == "unchecked":
                # The last one, because a rule that confuses the classes can still be right for the first.
                looped = _looped(scores, pixels, range(stop - 1, stop), last=False)
                if looped is None or not _agree(parts[0][:, -1:], looped):
                    self.name, self.why = "loop", "vmap gave another gradient than a loop"
                    return _looped(scores, pixels, range(count), last=True)
                self.name = "vmap"
        return torch.cat(parts, dim=1)


def _looped(scores: Tensor, pixels: Tensor, which: range, *, last: bool) -> Tensor | None:
    found: list[Tensor | None] = []
    for k in which:
        keep = not last or k != which[-1]
        (gradient,) = torch.autograd.grad(scores, pixels, _one_hot(scores, k), retain_graph=keep, allow_unused=True)
        found.append(gradient)
    if all(gradient is None for gradient in found):
        return None
    return torch.stack([torch.zeros_like(pixels) if gradient is None else gradient for gradient in found], dim=1)


def _vmapped(scores: Tensor, pixels: Tensor, start: int, stop: int) -> Tensor:
    directions = torch.stack([_one_hot(scores, k) for k in range(start, stop)])

    def one(direction: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(scores, pixels, direction, retain_graph=True)
        return gradient

    result: Tensor = torch.func.vmap(one, out_dims=1)(directions)
    return result


def _one_hot(scores: Tensor, k: int) -> Tensor:
    direction = torch.zeros_like(scores)
    direction[:, k] = 1
    return direction


def _agree(vmapped: Tensor, looped: Tensor) -> bool:
    difference = (vmapped - looped).abs().sum()
    return bool(difference <= TOLERANCE * looped.abs().sum()) or bool(torch.equal(vmapped, looped))
