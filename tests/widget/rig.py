"""A session with a sink that writes down what it is told, and an explainer that a test steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch

from saliency_widget.widget.session import Order, Session

WAIT = 10.0


@dataclass
class Recorder:
    """A sink that writes down what it is told."""

    told: list[tuple[str, str, Any]] = field(default_factory=list)

    def started(self, order: Order) -> None:
        self.told.append(("started", order.key, order.req))

    def estimate(self, order: Order, step: Any) -> None:
        self.told.append(("estimate", order.key, step.done))

    def done(self, order: Order, step: Any) -> None:
        self.told.append(("done", order.key, order.req))

    def cancelled(self, order: Order, reason: str, kept: Any = None) -> None:
        self.told.append(("cancelled", order.key, order.req))
        if kept is not None:
            self.told.append(("kept", order.key, kept.done))

    def refreshed(self, explainer: Any) -> None:
        self.told.append(("refreshed", "", None))

    def failed(self, order: Order, message: str, trace: str) -> None:
        self.told.append(("failed", order.key, message))

    def ends(self, key: str) -> list[str]:
        return [kind for kind, k, _ in self.told if k == key and kind in ("done", "cancelled", "failed")]


class SlowExplainer:
    """Yields estimates only when the test lets it."""

    def __init__(self, steps: int = 2) -> None:
        self.shadow = SimpleNamespace(home=(torch.device("cpu"), torch.float32))
        self.count = steps
        self.gate = threading.Semaphore(0)
        self.at_gate = threading.Semaphore(0)
        self.error: BaseException | None = None
        self.asked: list[list[Any]] = []
        self.weights = 0
        self.moved = False

    def refresh(self, content: Any = None) -> bool:
        moved, self.moved = self.moved, False
        self.weights += moved
        return moved

    def steps(self, targets: Any, method: Any, *, stop: Any = None) -> Iterator[Any]:
        self.asked.append(list(targets))
        for number in range(1, self.count + 1):
            self.at_gate.release()
            assert self.gate.acquire(timeout=WAIT)
            if self.error is not None:
                raise self.error
            step = SimpleNamespace(done=number, final=number == self.count, weights=self.weights)
            step.only = lambda which, step=step: SimpleNamespace(done=step.done, final=step.final, which=which)
            yield step


@dataclass
class Rig:
    explainer: SlowExplainer
    recorder: Recorder
    session: Session
    changed: threading.Condition

    def until(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, WAIT), self.recorder.told

    def spin(self, condition: Callable[[], bool]) -> None:
        """Like until, for what nobody is notified of."""
        limit = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < limit, self.recorder.told
            time.sleep(0.005)

    def let(self, estimates: int) -> None:
        for _ in range(estimates):
            self.explainer.gate.release()

    def reach_gate(self) -> None:
        assert self.explainer.at_gate.acquire(timeout=WAIT)


SHARED = SimpleNamespace(shares_passes=True)
EXPLAINER: list[Any] = [None]


def order(key: str, req: str | None = None, quiet: bool = False) -> Order:
    given: Any = (SimpleNamespace(), SimpleNamespace(), EXPLAINER[0])
    return Order(key, *given, req=req, quiet=quiet)


def shared(key: str, **more: Any) -> Order:
    given: Any = (key, SHARED, EXPLAINER[0])
    return Order(key, *given, **more)
