"""The tensors that a shadow shares with the user's model, and those that it copies."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor, nn

from saliency_widget.engine.kinds import is_plain

TensorRef = Callable[[], Tensor | None]
Pair = tuple[TensorRef, Tensor]

# Loops over these run in C: there are hundreds of tensors, which are looked at in each run.
_SET_DATA = Tensor.data.__set__  # type: ignore[attr-defined]
_VERSION = operator.attrgetter("_version")
_KIND = operator.attrgetter("dtype", "device")


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
        self._shared = [pair for pair in views if is_plain(pair[1])]
        self._owned = [own for _, own in self._shared]
        # Of another class, ``data`` may be the class's own.
        self._simple = all(own.__class__ in (Tensor, nn.Parameter) for own in self._owned)
        self._nothing: tuple[list[object], list[Tensor]] = ([], [])

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
        found = _originals(self.views)
        tensors = found if len(self._shared) == len(self.views) else _originals(self._shared)
        if found is None or tensors is None:
            return False
        if not self._simple or any(map(Tensor.is_inference, tensors)):
            for own, tensor in zip(self._owned, tensors, strict=True):
                own.data = tensor.detach().clone() if tensor.is_inference() else tensor.detach()
        else:
            _set_all(self._owned, tensors)
        return True

    def release(self) -> None:
        """Let the weights go, so that ``model.cpu()`` frees the memory they had on the device."""
        kinds = [*map(_KIND, self._owned)]
        if kinds != self._nothing[0]:
            empty = {kind: torch.empty(0, dtype=kind[0], device=kind[1]) for kind in set(kinds)}
            self._nothing = ([*kinds], [empty[kind] for kind in kinds])
        if self._simple:
            _set_all(self._owned, self._nothing[1])
        else:
            for own, nothing in zip(self._owned, self._nothing[1], strict=True):
                own.data = nothing

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
        return [*map(_VERSION, [own for _, own in self.copies])]


def _originals(pairs: list[Pair]) -> list[Tensor] | None:
    tensors = [tensor for reference, _ in pairs if (tensor := reference()) is not None]
    return tensors if len(tensors) == len(pairs) else None


def _set_all(owned: list[Tensor], tensors: list[Tensor]) -> None:
    deque(map(_SET_DATA, owned, tensors), maxlen=0)


@torch.no_grad()
def _copy(pairs: list[Pair]) -> bool:
    tensors = _originals(pairs)
    if tensors is None:
        return False
    owned = [own for _, own in pairs]
    # One call would broadcast and convert without a word.
    if owned and _shapes(owned) == _shapes(tensors) and [*map(_KIND, owned)] == [*map(_KIND, tensors)]:
        torch._foreach_copy_(owned, tensors)
        return True
    for own, tensor in zip(owned, tensors, strict=True):
        _set(own, tensor)
    return True


def _shapes(tensors: list[Tensor]) -> list[torch.Size]:
    return [*map(Tensor.size, tensors)]


def _set(own: Tensor, tensor: Tensor) -> None:
    if tensor.shape == own.shape and tensor.dtype == own.dtype and tensor.device == own.device:
        own.copy_(tensor)
    else:
        own.data = tensor.detach().clone()


def _same(tensor: Tensor | None, own: Tensor) -> bool:
    if tensor is None or tensor.shape != own.shape or tensor.dtype != own.dtype or tensor.device != own.device:
        return False
    return bool(torch.equal(tensor.detach(), own.detach()))
