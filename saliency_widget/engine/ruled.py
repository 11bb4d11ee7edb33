"""What changed backward rules have to offer: a forward pass whose derivative is another one, and no other score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from saliency_widget.errors import ModelError

ModelInput = Callable[[Tensor], Tensor]
"""Pixels (N, C, H, W) to what the model gets, differentiable."""


class Rules(ABC):
    """Changed backward rules for one call of :meth:`~saliency_widget.engine.problem.Problem.gradients`.

    An instance serves one call and knows afterwards what was done in it.
    """

    def enter(self, pixels: Tensor, model_input: ModelInput) -> tuple[Tensor, Tensor]:
        """What the scores are differentiated with respect to, and what the model gets.

        Parameters
        ----------
        pixels
            (N, C, H, W), without a graph.
        model_input
            How pixels become the model's input.

        Returns
        -------
        leaf : Tensor
            (N, ...), which requires a gradient.
        input : Tensor
            (N, C, H, W), computed from it.
        """
        leaf = pixels.detach().requires_grad_()
        return leaf, model_input(leaf)

    @abstractmethod
    def active(self) -> AbstractContextManager[Any]:
        """The rules hold for the operators of a forward pass inside this context."""

    def leave(self, outputs: Tensor) -> Tensor:
        """Look at what happened in the forward pass; gives its outputs back.

        Raises
        ------
        ModelError
            The rules cannot be applied to this model.
        """
        return outputs

    def result(self, gradients: Tensor) -> tuple[Tensor, ...]:
        """Turn the derivatives (N, K, ...) with respect to the leaf into the map (N, K, C, H, W) and anything else."""
        return (gradients,)

    def settle(self, *found: Tensor) -> None:  # noqa: B027  (most rules find nothing else)
        """Learn, for all rows, what :meth:`result` gave beside the map."""


def check_same(ruled: Tensor, plain: Tensor) -> None:
    """Refuse outputs that a changed backward rule changed.

    Raises
    ------
    ModelError
        The outputs differ by more than rounding.
    """
    ruled, plain = ruled.detach(), plain.detach()
    if torch.equal(ruled, plain):
        return
    scale = plain.abs().nan_to_num(0, 0, 0).max()
    allowed = float(torch.finfo(plain.dtype).eps ** 0.75)
    if not torch.allclose(ruled, plain, rtol=0, atol=allowed * float(scale), equal_nan=True):
        raise ModelError(
            "the model computes other scores when its backward rules are changed, so that the map would be one of "
            "another function. Use a method that leaves the rules as they are, such as 'gradient'."
        )
