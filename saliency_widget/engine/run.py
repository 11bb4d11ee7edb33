"""A run: a span in which all primitives see the same weights of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from saliency_widget.engine.classes import ClassPlan
from saliency_widget.engine.devices import default_device, neutral
from saliency_widget.engine.motion import Mark
from saliency_widget.engine.replica import Replica
from saliency_widget.engine.sentinel import Trip
from saliency_widget.engine.shadow import Shadow
from saliency_widget.errors import ModelError

R = TypeVar("R")

# A fall-back to a copy and a snapshot, each once, and the try that succeeds; one more for bad luck.
_TRIES = 4
_SNAPSHOT = "the weights changed during the run; it was done on one snapshot of them"


class WeightsMoved(Exception):
    """The weights changed during a run, after results were given out. From now on they stand still: start over."""


class Run:
    """Opens a replica for each run, watches the weights, and exchanges the replica where it has to.

    Parameters
    ----------
    shadow
        The shadow.
    plan
        How several scores are differentiated; None decides by the device.

    Attributes
    ----------
    kind
        "view", "copy" or "snapshot": what the last run computed with.
    notes
        What a user should know about the last run.
    plan
        How the last run differentiated several scores.
    turn
        Another number for each run, and for each replica that it exchanged: what was computed at two turns may be of
        two states of the weights.
    """

    def __init__(self, shadow: Shadow, plan: ClassPlan | None) -> None:
        self.kind = shadow.kind
        self.notes: tuple[str, ...] = ()
        self.plan = plan
        self.replica: Replica | None = None
        self.turn = 0
        self._shadow = shadow
        self._own_plan = plan
        self._ambient = default_device()
        self._mark: Mark | None = None
        self._depth = 0
        self._given = 0

    @contextmanager
    def opened(self) -> Iterator[None]:
        """One run; runs inside it belong to it."""
        if self._depth == 0:
            self._open(self._shadow.open())
            self._given = 0
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                replica, self.replica, self._mark = self.replica, None, None
                if replica is not None and replica.kind != "snapshot":
                    self._shadow.close(replica)

    @property
    def idle(self) -> bool:
        """Whether no run is open."""
        return self._depth == 0

    def do(self, work: Callable[[Replica], R]) -> R:
        """Do some work with weights that stand still; again where they did not.

        Raises
        ------
        WeightsMoved
            They did not, and results of before were given out.
        """
        for _ in range(_TRIES):
            replica = self.replica
            assert replica is not None
            trip: Trip | None = None
            try:
                with neutral(self._shadow.device, self._ambient):
                    result = work(replica)
                if not self._moved():
                    self.notes = tuple(replica.notes)
                    self._given += 1
                    return result
            except Trip as caught:
                # Weights that move between two passes make any model look random.
                if caught.reason != "unsteady" or not self._moved():
                    trip = caught
            except Exception:
                if not self._moved():
                    raise
            # Outside the handlers, so that what the failed try computed is gone by now.
            if trip is not None:
                self.replica = None
                self._open(self._shadow.fall_back(replica, trip))
            else:
                self._freeze(replica)
                if self._given:
                    raise WeightsMoved
        raise ModelError("the model changes faster than it can be copied. Explain it when it stands still.")

    def _open(self, replica: Replica) -> None:
        self.replica, self.kind = replica, replica.kind
        self.turn += 1
        with neutral(self._shadow.device):
            self._mark = None if replica.kind == "snapshot" else replica.mark()
        if self._own_plan is None and replica.class_plan is None:
            replica.class_plan = ClassPlan("loop" if self._shadow.device.type == "cpu" else "unchecked")
        self.plan = self._own_plan or replica.class_plan

    def _moved(self) -> bool:
        with neutral(self._shadow.device):
            return self._mark is not None and self._mark.moved()

    def _freeze(self, replica: Replica) -> None:
        frozen = self._shadow.snapshot(replica)
        self.replica = None
        self._shadow.close(replica)
        frozen.notes.append(_SNAPSHOT)
        self._open(frozen)
