"""A replica: one rebuilt module tree, the weights it sees, and what a forward pass left in it."""

from __future__ import annotations

import contextlib
import copy
import operator
import threading
import types
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as nn_module

from saliency_widget.engine.calls import call_without_global_hooks
from saliency_widget.engine.classes import ClassPlan
from saliency_widget.engine.fingerprint import Fingerprint
from saliency_widget.engine.kinds import is_plain
from saliency_widget.engine.rebuild import Rebuilder, TensorRef

_SAMPLED_TENSORS = 24
_SAMPLED_NUMBERS = 512


class Replica:
    """A module in evaluation mode that computes what the user's model computes and shares nothing but its weights.

    Parameters
    ----------
    model
        The user's model, unwrapped. Only weak references to it are kept.
    kind
        "view": the parameters share the storage of the user's. "copy": the tree is rebuilt with its own weights,
        or, where ``deep``, it is a deep copy; brought up to date before each run. "snapshot": own weights, never
        brought up to date.
    deep
        Use ``copy.deepcopy`` rather than the rebuilding.

    Attributes
    ----------
    module
        The shadow's root.
    lock
        Held during each forward and backward pass.
    probed
        The sentinel has seen a forward pass of it.
    norms, grads
        Which parts of the exact mode its forward needs.
    """

    def __init__(self, model: nn.Module, kind: str = "view", *, deep: bool = False) -> None:
        self.kind = kind
        self.lock = threading.RLock()
        self.users = 0
        self.probed = False
        self.norms = False
        self.grads = False
        self.class_plan: ClassPlan | None = None
        self.notes: list[str] = []
        self._views: list[tuple[TensorRef, Tensor]] = []
        self._copies: list[tuple[TensorRef, Tensor]] = []
        self._held: list[Any] = []
        self._mutable: list[Any] = []
        self._empty: list[Any] = []
        self._fingerprint = None if kind == "snapshot" else Fingerprint(model)
        if deep:
            self.module = self._deep_copy(model)
        else:
            self.module = self._rebuild(model, clone=kind != "view")
        self._pristine = [_Pristine(thing) for thing in self._mutable]
        self._versions: list[int] = []
        self._local_calls = False

    def _rebuild(self, model: nn.Module, *, clone: bool) -> nn.Module:
        rebuilder = Rebuilder(clone=clone)
        module = rebuilder.root(model)
        self.scripted = rebuilder.scripted
        self.batch_statistics = rebuilder.batch_statistics
        if rebuilder.backward_hooks:
            self.notes.append(
                "the model's backward hooks were left out: the map is the derivative of the score, not of what hooks "
                "make of it"
            )
        self._views, self._held, self._mutable = rebuilder.views, rebuilder.held, rebuilder.mutable
        self._empty = rebuilder.empty
        if self.kind != "snapshot":
            self._copies = rebuilder.copies
        return module

    def _deep_copy(self, model: nn.Module) -> nn.Module:
        # A ScriptModule clones its parameters by differentiable operators.
        with torch.no_grad():
            module = copy.deepcopy(model)
        parts = list(module.modules())
        for part in parts:
            with contextlib.suppress(RuntimeError, AttributeError):
                part.training = False
        self.scripted = any(isinstance(part, torch.jit.ScriptModule) for part in parts)
        self.batch_statistics = False
        own = [*module.parameters(), *module.buffers()]
        for parameter in module.parameters():
            parameter.requires_grad_(False)
            parameter.grad = None
        theirs = [*model.parameters(), *model.buffers()]
        self._copies = [(weakref.ref(old), new) for old, new in zip(theirs, own, strict=True)]
        return module

    # -- before and after a run ---------------------------------------------------------------------------------

    def matches(self) -> bool:
        """Whether the model's tree is still the one this was made from."""
        return self._fingerprint is None or self._fingerprint.matches()

    def attach(self) -> bool:
        """See the weights as they are now; False if that needs another replica."""
        try:
            for reference, own in self._views:
                tensor = reference()
                if tensor is None:
                    return False
                if is_plain(own):
                    own.data = tensor.detach().clone() if tensor.is_inference() else tensor.detach()
            if not self._copy_tensors():
                return False
        except (RuntimeError, TypeError):
            return False
        self._versions = [own._version for _, own in self._copies]
        self._set_calls()
        return True

    def _copy_tensors(self) -> bool:
        for reference, own in self._copies:
            tensor = reference()
            if tensor is None:
                return False
            if tensor.shape == own.shape and tensor.dtype == own.dtype and tensor.device == own.device:
                own.copy_(tensor.detach())
            else:
                own.data = tensor.detach().clone()
        return True

    def is_current(self) -> bool:
        """Whether an attached replica, in use elsewhere, sees the weights as they are now."""
        for reference, own in self._views:
            tensor = reference()
            if tensor is None or (tensor.data_ptr() != own.data_ptr() and not tensor.is_inference()):
                return False
        for reference, own in self._copies:
            tensor = reference()
            if tensor is None or not _same(tensor, own):
                return False
        return True

    def release(self) -> None:
        """Let the weights go, so that ``model.cpu()`` frees the memory they had on the device."""
        for _, own in self._views:
            if is_plain(own):
                own.data = torch.empty(0, dtype=own.dtype, device=own.device)

    def reset(self) -> None:
        """Undo what a forward pass wrote into the shadow: caches, counters, features that a hook kept."""
        for pristine in self._pristine:
            pristine.restore()
        for thing in self._empty:
            if thing:
                thing.clear()
        if self.kind != "snapshot" and [own._version for _, own in self._copies] != self._versions:
            self._copy_tensors()
            self._versions = [own._version for _, own in self._copies]

    def _set_calls(self) -> None:
        """Keep hooks that the user registered for every module of the process away from the shadow's modules."""
        wanted = any(
            (
                nn_module._global_forward_hooks,
                nn_module._global_forward_pre_hooks,
                nn_module._global_backward_hooks,
                nn_module._global_backward_pre_hooks,
            )
        )
        if wanted == self._local_calls:
            return
        self._local_calls = wanted
        for part in self.module.modules():
            if not isinstance(part, torch.jit.ScriptModule):
                call = types.MethodType(call_without_global_hooks, part) if wanted else None
                part.__dict__["_compiled_call_impl"] = call

    # -- weights that move --------------------------------------------------------------------------------------

    def mark(self) -> Mark:
        """Remember the state of the user's weights."""
        return Mark(self._views)

    # -- what the sentinel needs --------------------------------------------------------------------------------

    def owned(self) -> list[Tensor]:
        """The shadow's own tensors."""
        return [*self.module.parameters(), *self.module.buffers(), *(own for _, own in self._copies)]

    def views(self) -> list[Tensor]:
        """The shadow's tensors that share storage with the user's."""
        return [own for _, own in self._views]

    @contextmanager
    def computing(self) -> Iterator[nn.Module]:
        """Hold the module for one forward and backward pass; afterwards it is as before."""
        with self.lock:
            try:
                yield self.module
            finally:
                self.reset()


class Mark:
    """A cheap proof that weights stand still.

    Version counters see ordinary writes; a few numbers of some tensors see those of fused optimisers, of ``.data`` and
    of numpy, which no version counter sees.
    """

    def __init__(self, views: list[tuple[TensorRef, Tensor]]) -> None:
        self._views = views
        moving = [own for reference, own in views if own.is_floating_point() and _learns(reference())]
        step = max(1, -(-len(moving) // _SAMPLED_TENSORS))
        chosen = [own for own in moving[::step] if is_plain(own) and own.layout is torch.strided]
        self._samples = [_sample(own) for own in chosen]
        self._before = self._read()

    def moved(self) -> bool:
        """Whether the weights changed since."""
        versions, norms = self._before
        now_versions, now_norms = self._read()
        if versions != now_versions or len(norms) != len(now_norms):
            return True
        return any(not bool(((a == b) | (a.isnan() & b.isnan())).all()) for a, b in zip(norms, now_norms, strict=True))

    def _read(self) -> tuple[list[Any], list[Tensor]]:
        versions: list[Any] = []
        for reference, _ in self._views:
            tensor = reference()
            if tensor is None:
                versions.append(None)
            elif tensor.is_inference():
                versions.append(0)
            else:
                versions.append((tensor._version, _pointer(tensor)))
        if not self._samples:
            return versions, []
        by_device: dict[torch.device, list[Tensor]] = {}
        for norm in torch._foreach_norm(self._samples):
            by_device.setdefault(norm.device, []).append(norm.double() if norm.device.type != "mps" else norm)
        return versions, [torch.stack(group) for group in by_device.values()]


def _sample(tensor: Tensor) -> Tensor:
    data = tensor.detach()
    while data.dim() > 1:
        data = data[:, 0] if data.shape[0] >= data.shape[1] else data[-1]
    return data[:_SAMPLED_NUMBERS] if data.dim() else data


def _learns(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.requires_grad


def _pointer(tensor: Tensor) -> int:
    try:
        return tensor.data_ptr()
    except RuntimeError:
        return 0


def _same(tensor: Tensor, own: Tensor) -> bool:
    alike = tensor.shape == own.shape and tensor.dtype == own.dtype and tensor.device == own.device
    return alike and bool(torch.equal(tensor.detach(), own))


class _Pristine:
    """Puts one container of the shadow back as it was."""

    __slots__ = ("_items", "_thing")

    def __init__(self, thing: Any) -> None:
        self._thing = thing
        self._items: Any = _content(thing)

    def restore(self) -> None:
        thing, items = self._thing, self._items
        if isinstance(thing, dict):
            # By identity, and without the keys: this is done after every pass.
            if len(thing) == len(items) and all(map(operator.is_, dict.values(thing), items.values())):
                return
            dict.clear(thing)
            dict.update(thing, items)
        elif isinstance(thing, types.CellType):
            thing.cell_contents = items
        elif isinstance(thing, list):
            list.__setitem__(thing, slice(None), items)
        elif isinstance(thing, set):
            set.clear(thing)
            set.update(thing, items)
        elif isinstance(thing, deque):
            thing.clear()
            thing.extend(items)


def _content(thing: Any) -> Any:
    if isinstance(thing, types.CellType):
        return thing.cell_contents
    return dict(dict.items(thing)) if isinstance(thing, dict) else list(thing)
