"""The tensors that a shadow shares with the user's model, and those that it copies."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from saliency_widget.engine.kinds import is_plain

TensorRef = Callable[[], Tensor | None]
Pair = tuple[TensorRef, Tensor]


class Weights:
    """Keeps the tensors of a shadow up to date.

    Parameters
    ----------
    views
        Pairs of an original parameter (weakly) and the shadow's, which shares its storage.
    copies
        Pairs of an original tensor (weakly) and the shadow's own copy of it.
    twins
        As ``copies``, for a deep copy of the model on which ``views`` and ``copies`` stand: these are brought up to
        date first.
    """

    def __init__(self, views: list[Pair], copies: list[Pair], twins: list[Pair]) -> None:
        self.views, self.copies, self.twins = views, copies, twins
        self._versions: list[int] = []
        self._base: list[Tensor] | None = None

    def attach(self) -> bool:
        """See the weights as they are now; False if that needs another shadow."""
        try:
            if not (_copy(self.twins) and self._attach_views() and _copy(self.copies)):
                return False
        except (RuntimeError, TypeError):
            return False
        if self._base is not None:
            self._base = [own.clone() for _, own in self.copies]
        self._versions = self._read_versions()
        return True

    def _attach_views(self) -> bool:
        for reference, own in self.views:
            tensor = reference()
            if tensor is None:
                return False
            if is_plain(own):
                own.data = tensor.detach().clone() if tensor.is_inference() else tensor.detach()
        return True

    def release(self) -> None:
        """Let the weights go, so that ``model.cpu()`` frees the memory they had on the device."""
        nothing: dict[tuple[torch.dtype, torch.device], Tensor] = {}
        for _, own in self.views:
            if is_plain(own):
                key = (own.dtype, own.device)
                if key not in nothing:
                    nothing[key] = torch.empty(0, dtype=key[0], device=key[1])
                own.data = nothing[key]

    def are_current(self) -> bool:
        """Whether attached tensors, in use elsewhere, are the weights as they are now."""
        for reference, own in self.views:
            tensor = reference()
            if tensor is None or (tensor.data_ptr() != own.data_ptr() and not tensor.is_inference()):
                return False
        return all(_same(reference(), own) for reference, own in [*self.twins, *self.copies])

    def reset(self) -> None:
        """Undo what a forward pass wrote into the copies."""
        if self._read_versions() == self._versions:
            return
        if self._base is None:
            # The first time it is found that the forward writes; from then on the run has a state to return to.
            _copy(self.copies)
            self._base = [own.clone() for _, own in self.copies]
        else:
            with torch.no_grad():
                for (_, own), base in zip(self.copies, self._base, strict=True):
                    _set(own, base)
        self._versions = self._read_versions()

    def keep(self) -> None:
        """Return to the present state from now on: what is copied will not be brought up to date any more."""
        self._base = [own.clone() for _, own in self.copies]
        self._versions = self._read_versions()

    def _read_versions(self) -> list[int]:
        return [own._version for _, own in self.copies]


@torch.no_grad()
def _copy(pairs: list[Pair]) -> bool:
    for reference, own in pairs:
        tensor = reference()
        if tensor is None:
            return False
        _set(own, tensor)
    return True


def _set(own: Tensor, tensor: Tensor) -> None:
    if tensor.shape == own.shape and tensor.dtype == own.dtype and tensor.device == own.device:
        own.copy_(tensor)
    else:
        own.data = tensor.detach().clone()


def _same(tensor: Tensor | None, own: Tensor) -> bool:
    if tensor is None or tensor.shape != own.shape or tensor.dtype != own.dtype or tensor.device != own.device:
        return False
    return bool(torch.equal(tensor.detach(), own.detach()))
