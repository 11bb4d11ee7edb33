"""A replica: one rebuilt module tree, the weights it sees, and what a forward pass left in it."""

from __future__ import annotations

import contextlib
import copy
import threading
import types
import weakref
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as nn_module

from saliency_widget.engine.calls import call_without_global_hooks
from saliency_widget.engine.classes import ClassPlan
from saliency_widget.engine.fingerprint import Fingerprint
from saliency_widget.engine.motion import Mark, Sampling
from saliency_widget.engine.pristine import as_they_were
from saliency_widget.engine.rebuild import Rebuilder
from saliency_widget.engine.ways import FOLDED, Way, is_current, make, normalisations, pairs_in, refresh
from saliency_widget.engine.weights import Pair, Weights

R = TypeVar("R")

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
    loose
        Whether it needs the first also where its BatchNorm modules see to themselves.
    batch_statistics
        Rows depend on each other, so that each has to be computed alone.
    scripted
        Part of it is a ScriptModule, into which no function mode sees.
    class_plan
        How several scores are differentiated.
    decisions
        Which way it computes, by size of the picture.
    taps, picks
        What is known of its layers, by name and size of the picture, and the layer that stands for the model at a size.
    notes
        What a user should know.
    """

    def __init__(self, model: nn.Module, kind: str = "view", *, deep: bool = False) -> None:
        self.kind = kind
        self.lock = threading.RLock()
        self.users = 0
        self.probed = self.norms = self.loose = self.grads = False
        self.class_plan: ClassPlan | None = None
        self.taps: dict[tuple[str, tuple[int, int]], Any] = {}
        self.picks: dict[tuple[int, int], str] = {}
        self.decisions: dict[tuple[int, ...], Any] = {}
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
        self._put_back = as_they_were(rebuilder.mutable)
        self._empty = rebuilder.empty
        self._sampling = Sampling()
        self._ways: dict[str, Way] = {}
        # Those of which copies of weights are on a device whose memory is dear.
        self._dear: set[str] = set()
        self._on: Way | None = None
        # What is asked of the tree for each run and does not change with its weights.
        self._facts: dict[Hashable, Any] = {}
        self._norms: dict[str, nn.Module] | None = None
        self._pairs: dict[str, str] | None = None

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

    def fact(self, key: Hashable, find: Callable[[], R]) -> R:
        """Something that follows from the model's tree alone, found once."""
        if key not in self._facts:
            self._facts[key] = find()
        found: R = self._facts[key]
        return found

    def mark(self) -> Mark:
        """Remember the state of the user's weights."""
        return Mark(self.weights.views, self._sampling)

    def owned(self) -> list[Tensor]:
        """The shadow's own tensors."""
        return [*self.module.parameters(), *self.module.buffers(), *(own for _, own in self.weights.copies)]

    # -- ways to compute ----------------------------------------------------------------------------------------

    @property
    def normalisations(self) -> dict[str, nn.Module]:
        """Its BatchNorm modules, by dotted name."""
        if self._norms is None:
            self._norms = normalisations(self.module)
        return self._norms

    def means(self) -> list[Tensor]:
        """Their running means."""
        return [mean for part in self.normalisations.values() if (mean := part._buffers["running_mean"]) is not None]

    def pairs(self, run: Callable[[], Any]) -> dict[str, str]:
        """Which convolution's work goes into which BatchNorm alone; found by one pass, and kept."""
        if self._pairs is None:
            with self.computing():
                self._pairs = {} if self.scripted else pairs_in(self.module, self.normalisations, run)
        return self._pairs

    def way(self, name: str, run: Callable[[], Any] | None = None) -> Way:
        """A way to compute with the weights as they are now.

        Parameters
        ----------
        name
            One of :data:`~saliency_widget.engine.ways.WAYS`.
        run
            A plain forward pass, for a way that folds; see :meth:`pairs`.
        """
        pairs = self.pairs(run) if run is not None and FOLDED in name else {}
        with self.lock:
            self.use(None)
            found = self._ways.get(name)
            if found is None or not is_current(found):
                found = self._ways[name] = make(self.module, name, self.normalisations, pairs)
                copies = (one.value for one in found.exchanges if found.sources and isinstance(one.value, Tensor))
                if any(copy.device.type != "cpu" for copy in copies):
                    self._dear.add(name)
            else:
                refresh(found, self.normalisations)
            return found

    def use(self, way: Way | None) -> None:
        """Compute in this way until the shadow is given back; None as the modules are."""
        if self._on is not way:
            if self._on is not None:
                self._on.leave()
            self._on = way
            if way is not None:
                way.enter()

    def keep_ways(self, names: Collection[str]) -> None:
        """Let go of the copies of weights of all other ways."""
        self._ways = {name: way for name, way in self._ways.items() if name in names}

    def let_go(self) -> None:
        """Keep no copies of weights on a device whose memory is dear."""
        for name in self._dear:
            self._ways.pop(name, None)
        self._dear.clear()

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
        self.use(None)
        self._put_back()
        if any(self._empty):
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
