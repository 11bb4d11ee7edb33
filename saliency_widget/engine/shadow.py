"""The shadow of a model: where the engine computes, so that the model itself is never touched."""

from __future__ import annotations

import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from saliency_widget.engine.content import content_of
from saliency_widget.engine.devices import home_of, neutral
from saliency_widget.engine.digest import weights_digest
from saliency_widget.engine.refuse import check_model
from saliency_widget.engine.replica import Replica
from saliency_widget.engine.sentinel import Exact, Trip
from saliency_widget.engine.watched import first_pass
from saliency_widget.engine.ways import Way
from saliency_widget.errors import ModelError
from saliency_widget.models.keras_model import is_keras
from saliency_widget.models.unwrap import unwrap

# A shadow without a user holds copies of the buffers only; a notebook still need not collect them for ever.
_KEPT = 16
_SNAPSHOT_TRIES = 5

_STEPS_OUT = {
    "reached": (
        "its forward pass uses parameters of the model that are not reached through the model itself ({operator}), for "
        "example through a global variable. Make what it uses an attribute of the model"
    ),
    "training": (
        "its forward pass is random even in evaluation mode ({operator} with training=True), so it has no map of its "
        "own. Pass training=self.training, or use nn.Dropout and nn.BatchNorm"
    ),
    "random": (
        "its forward pass draws random numbers ({operator}), so it has no map of its own. Draw them once, from a "
        "torch.Generator with a seed (generator=...), or turn the randomness off in evaluation mode"
    ),
    "unsteady": (
        "two passes of the same picture give different outputs even in evaluation mode, so it has no map of its own. "
        "Turn its randomness (of Python, of numpy, or of a generator of its own) off in evaluation mode, or draw the "
        "same numbers each time; and let the output not depend on what earlier passes left behind"
    ),
    "write": "its forward pass writes into its own weights ({operator}). Write into a copy, or into a buffer",
}


class Shadow:
    """A model's shadow; :func:`shadow_of` gives it.

    Attributes
    ----------
    model
        The user's model, without wrappers.
    """

    def __init__(self, model: nn.Module, shared: _Shared) -> None:
        self.model = model
        self._shared = shared

    @property
    def was_training(self) -> bool:
        """Whether the model is in training mode, as a whole or in a layer for which that makes a difference."""
        # Of Keras the mode is an argument of each call; a graph has none, nor has a frozen ScriptModule.
        whole = getattr(self.model, "training", False)
        without = is_keras(self.model) or isinstance(self.model, torch.fx.GraphModule)
        return (whole and not without) or any(
            part.training for part in self.model.modules() if isinstance(part, (_DropoutNd, _NormBase))
        )

    @property
    def kind(self) -> str:
        """Whether it computes with the model's own weights ("view") or with copies of them ("copy")."""
        replica = self._shared.replica
        return "view" if replica is None else replica.kind

    @property
    def passes(self) -> float:
        """How many forward and backward passes of one picture were made of it so far."""
        return self._shared.passes

    def note(self, passes: float) -> None:
        """Count passes."""
        self._shared.passes += passes

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.home[0]

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of the model."""
        return self.home[1]

    @property
    def home(self) -> tuple[torch.device, torch.dtype]:
        """Device and floating type of the model."""
        return home_of(self.model)

    def open(self) -> Replica:
        """A replica that sees the model as it is now, until :meth:`close`."""
        shared = self._shared
        with shared.lock, neutral(self.home[0]):
            replica = shared.replica
            if replica is not None:
                usable = replica.matches()
                if usable and replica.users:
                    usable = replica.weights.are_current()
                elif usable:
                    usable = replica.attach()
                if not usable:
                    replica = None
            if replica is None:
                replica = _make(self.model, shared)
                if not replica.attach():
                    raise ModelError("the model changes while its shadow is made. Explain it when it stands still.")
                shared.replica = replica
            replica.users += 1
            return replica

    def close(self, replica: Replica) -> None:
        """Give back a replica got from :meth:`open`."""
        with self._shared.lock:
            replica.users -= 1
            if replica.users == 0:
                with replica.lock:
                    replica.weights.release()
                    replica.let_go()

    def fall_back(self, replica: Replica, trip: Trip) -> Replica:
        """Exchange an open replica, in which the sentinel saw something, for a copy.

        Raises
        ------
        ModelError
            It was a copy already, or no copy can be made.
        """
        self.close(replica)
        way_out = _STEPS_OUT[trip.reason].format(operator=trip.operator)
        if replica.kind == "copy":
            raise ModelError(f"{type(self.model).__name__} cannot be explained: {way_out}.") from trip
        shared = self._shared
        with shared.lock, neutral(self.home[0]):
            # A forward that writes into its weights only needs its own; anything else got past the rebuilding.
            shared.copying, shared.deep = True, trip.reason != "write"
            shared.replica = None
            try:
                return self.open()
            except ModelError:
                raise
            except Exception as error:
                raise ModelError(
                    f"{type(self.model).__name__} cannot be explained: {way_out}. (It cannot be copied either: {error})"
                ) from trip

    def snapshot(self, replica: Replica) -> Replica:
        """Clone the weights of a model that moves while it is explained.

        The clone is private to its caller: the next run sees the weights of its own time.
        """
        with neutral(self.home[0]):
            for attempt in range(_SNAPSHOT_TRIES):
                mark = replica.mark()
                frozen = Replica(self.model, "snapshot")
                if not mark.moved():
                    break
                time.sleep(0.002 * 2**attempt)
            else:
                torn = "the weights changed while they were copied; the snapshot may mix two states of them"
                frozen.notes.append(torn)
            frozen.attach()
        frozen.norms, frozen.loose, frozen.grads = replica.norms, replica.loose, replica.grads
        frozen.probed = replica.probed
        frozen.class_plan = replica.class_plan
        frozen.taps, frozen.picks = replica.taps, replica.picks
        frozen.notes = [*replica.notes, *(note for note in frozen.notes if note not in replica.notes)]
        frozen.batch_statistics |= replica.batch_statistics
        return frozen

    def digest(self, replica: Replica) -> str:
        """The hash of the weights that an open replica computes with; see :mod:`saliency_widget.engine.digest`.

        It is made once for each state of the weights.
        """
        if replica.kind == "snapshot":
            pairs = (*replica.weights.views, *replica.weights.copies)
            return weights_digest(self.model, {id(tensor): own for ref, own in pairs if (tensor := ref()) is not None})
        content = content_of(self.model)
        known = self._shared.digest
        if known is None or known[0] != content:
            # Of the user's own: a deep copy's are these, and a forward pass may have written into the others' copies.
            known = self._shared.digest = (content, weights_digest(self.model))
        return known[1]

    def forward(
        self, replica: Replica, input: Tensor, extra: Mapping[str, Any] | None = None, way: Way | str | None = None
    ) -> Any:
        """The output of the replica, whatever it is.

        Parameters
        ----------
        replica
            Open.
        input
            (N, C, H, W), the pictures.
        extra
            Further arguments, by keyword.
        way
            How it computes, from :meth:`~saliency_widget.engine.replica.Replica.way`, or "plain"; until the replica is
            given back. None is with all normalisations written out as one operator, which backward rules know.

        Raises
        ------
        Trip
            The sentinel, which watches the first call, saw something that must not happen. Nothing was written.
        """
        given = extra or {}
        if not replica.probed:
            return first_pass(self.model, replica, input, given, partial(self._forward, way))
        return self._forward(way, replica, input, given)

    def _forward(self, way: Way | str | None, replica: Replica, input: Tensor, given: Mapping[str, Any]) -> Any:
        if isinstance(way, str):
            way = replica.way(way)
        replica.use(way)
        if way is not None and input.dim() == 4:
            input = input.contiguous(memory_format=way.layout)
        norms = replica.norms if way is None else replica.loose
        if norms or replica.grads:
            with Exact(norms=norms, grads=replica.grads):
                return replica.module(input, **given)
        return replica.module(input, **given)


class _Shared:
    """What all shadows of one model have in common. It refers to the model weakly at most."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.replica: Replica | None = None
        self.checked = False
        self.copying = False
        self.deep = False
        self.passes = 0.0
        # The content of the weights, and what it hashes to.
        self.digest: tuple[Hashable, str] | None = None


_cache: OrderedDict[int, tuple[weakref.ref[nn.Module], _Shared]] = OrderedDict()
_cache_lock = threading.Lock()


def shadow_of(model: Any) -> Shadow:
    """The shadow of a model, made when it is first used and shared by everything that explains the model.

    Parameters
    ----------
    model
        A torch module; ``torch.compile``, DataParallel and DistributedDataParallel around it are taken off.

    Raises
    ------
    InputError
        It is not a torch module.
    ModelError
        No shadow can be made of it; the message names the way out.
    """
    inner = unwrap(model)
    key = id(inner)
    with _cache_lock:
        found = _cache.get(key)
        if found is None or found[0]() is not inner:
            found = _cache[key] = (weakref.ref(inner, lambda reference: _forget(key, reference)), _Shared())
        _cache.move_to_end(key)
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
        shared = found[1]
    if shared.replica is None and not shared.checked:
        check_model(inner)
        shared.checked = True
    return Shadow(inner, shared)


def _forget(key: int, reference: weakref.ref[nn.Module]) -> None:
    # Without the lock, which the thread that triggers the collection may hold.
    found = _cache.get(key)
    if found is not None and found[0] is reference:
        _cache.pop(key, None)


def _make(model: nn.Module, shared: _Shared) -> Replica:
    if not shared.checked:
        check_model(model)
    shared.checked = False
    if shared.copying:
        return Replica(model, "copy", deep=shared.deep)
    try:
        return Replica(model)
    except RecursionError:
        return Replica(model, "copy", deep=True)
