"""A replica: one rebuilt module tree, the weights it sees, and what a forward pass left in it."""

from __future__ import annotations

import contextlib
import copy
import threading
import types
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as nn_module

from saliency_widget.engine.calls import call_without_global_hooks
from saliency_widget.engine.classes import ClassPlan
from saliency_widget.engine.fingerprint import Fingerprint
from saliency_widget.engine.motion import Mark
from saliency_widget.engine.pristine import Pristine
from saliency_widget.engine.rebuild import Rebuilder
from saliency_widget.engine.weights import Pair, Weights

_NO_BACKWARD_HOOKS = (
    "the model's backward hooks were left out: the map is the derivative of the score, not of what hooks make of it"
)


class Replica:
    """A module in evaluation mode that computes what the user's model computes and shares nothing but its weights.

    Parameters
    ----------
    model
        The user's model, unwrapped. Only weak references to it are kept.
    kind
        "view": the parameters share the storage of the user's. "copy": they are copies, brought up to date before each
        run. "snapshot": they are copies of this moment.
    deep
        Rebuild a deep copy of the model rather than the model: it also reaches what the rebuilding takes for granted.

    Attributes
    ----------
    module
        The shadow's root.
    lock
        Held during each forward and backward pass.
    users
        How many runs use it.
    probed
        The sentinel has seen a forward pass of it.
    norms, grads
        Which parts of the exact mode its forward needs.
    batch_statistics
        Rows depend on each other, so that each has to be computed alone.
    scripted
        Part of it is a ScriptModule, into which no function mode sees.
    class_plan
        How several scores are differentiated.
    taps, picks
        What is known of its layers, by name and size of the picture, and the layer that stands for the model at a size.
    notes
        What a user should know.
    """

    def __init__(self, model: nn.Module, kind: str = "view", *, deep: bool = False) -> None:
        self.kind = kind
        self.lock = threading.RLock()
        self.users = 0
        self.probed = self.norms = self.grads = False
        self.class_plan: ClassPlan | None = None
        self.taps: dict[tuple[str, tuple[int, int]], Any] = {}
        self.picks: dict[tuple[int, int], str] = {}
        self._fingerprint = None if kind == "snapshot" else Fingerprint(model)
        self._local_calls = False
        source, twins = _deep_copy(model) if deep else (model, [])
        rebuilder = Rebuilder(clone=kind != "view" and not deep)
        self.module = rebuilder.root(source)
        self.scripted = rebuilder.scripted
        self.batch_statistics = rebuilder.batch_statistics
        self.notes = [*([_NO_BACKWARD_HOOKS] if rebuilder.backward_hooks else []), *rebuilder.notes]
        self.weights = Weights(rebuilder.views, rebuilder.copies, twins)
        # What the shadow refers to weakly, or stands on.
        self._held = (rebuilder.held, source if deep else None)
        self._pristine = [Pristine(thing) for thing in rebuilder.mutable]
        self._empty = rebuilder.empty

    def matches(self) -> bool:
        """Whether the model's tree is still the one this was made from."""
        return self._fingerprint is None or self._fingerprint.matches()

    def attach(self) -> bool:
        """Get ready for a run; False if the model's tensors need another replica."""
        self._set_calls()
        if self.kind == "snapshot":
            self.weights.keep()
            return True
        return self.weights.attach()

    def mark(self) -> Mark:
        """Remember the state of the user's weights."""
        return Mark(self.weights.views)

    def owned(self) -> list[Tensor]:
        """The shadow's own tensors."""
        return [*self.module.parameters(), *self.module.buffers(), *(own for _, own in self.weights.copies)]

    @contextmanager
    def computing(self) -> Iterator[nn.Module]:
        """Hold the module for one forward and backward pass; afterwards it is as before."""
        with self.lock:
            try:
                yield self.module
            finally:
                self.reset()

    def reset(self) -> None:
        """Undo what a forward pass wrote into the shadow."""
        for pristine in self._pristine:
            pristine.restore()
        for thing in self._empty:
            if thing:
                thing.clear()
        self.weights.reset()
        if self._local_calls:
            self._call_locally(True)

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
        self._call_locally(wanted)

    def _call_locally(self, wanted: bool) -> None:
        for part in self.module.modules():
            if not isinstance(part, torch.jit.ScriptModule):
                call = types.MethodType(call_without_global_hooks, part) if wanted else None
                part.__dict__["_compiled_call_impl"] = call


def _deep_copy(model: nn.Module) -> tuple[nn.Module, list[Pair]]:
    # A ScriptModule clones its parameters by differentiable operators.
    with torch.no_grad():
        twin = copy.deepcopy(model)
    # Parts of it may be used as they are.
    for part in twin.modules():
        with contextlib.suppress(RuntimeError, AttributeError):  # a frozen ScriptModule has no such flag any more
            part.training = False
    for parameter in twin.parameters():
        parameter.grad = None
        parameter.requires_grad_(False)
    old, new = [*model.parameters(), *model.buffers()], [*twin.parameters(), *twin.buffers()]
    return twin, [(weakref.ref(a), b) for a, b in zip(old, new, strict=True)]
