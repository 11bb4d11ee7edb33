"""The snapshot that a run falls back to is one state of the weights, whenever they move."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from saliency_widget.engine import shadow
from saliency_widget.engine.shadow import Shadow, shadow_of
from saliency_widget.methods.base import as_method
from tests.engine.support import explain, picture, problem_of


class Power(nn.Module):
    """All weights carry the same number; a map made of two states would show neither's."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.ParameterList([nn.Parameter(torch.ones(64, 64, dtype=torch.float64)) for _ in range(12)])

    def forward(self, x: Tensor) -> Tensor:
        total = x.mean((1, 2, 3))[:, None].expand(-1, 2)
        for factor in self.factors:
            total = total * factor.mean()
        return total

    @torch.no_grad()
    def move(self, value: float, which: slice = slice(None)) -> None:
        for factor in list(self.factors)[which]:
            factor.fill_(value)


class Mover:
    """Another thread, in which a model is moved at the very moments that are asked for: each while the caller waits."""

    def __init__(self, model: Power) -> None:
        self.model = model
        self.wanted: queue.Queue[tuple[float, slice] | None] = queue.Queue()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while (move := self.wanted.get()) is not None:
            self.model.move(*move)
            self.done.set()

    def move(self, value: float, which: slice = slice(None)) -> None:
        self.done.clear()
        self.wanted.put((value, which))
        assert self.done.wait(60)

    def close(self) -> None:
        self.wanted.put(None)
        self.thread.join()


@pytest.fixture
def mover() -> Iterator[Mover]:
    made = Mover(Power())
    yield made
    made.close()


def is_power(values: Tensor, value: float) -> bool:
    return abs(float(values.sum()) - value**12) < 1e-9 * value**12


@pytest.mark.parametrize("half", [False, True])
def test_a_snapshot_is_one_state_and_not_a_mixture(half: bool, mover: Mover, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights move in the middle of a forward, and again, also by half, while they are copied."""
    model, copies = mover.model, 0
    explain(model, picture(4, 4, matrix="identity"), 0)  # the shadow is there
    forward, replica = Shadow.forward, shadow.Replica

    def moving(self: Shadow, *args: Any) -> Any:
        output = forward(self, *args)
        if not copies:
            mover.move(2.0)
        return output

    def copying(model: nn.Module, kind: str = "view", **options: Any) -> Any:
        nonlocal copies
        copies += kind == "snapshot"
        if kind == "snapshot" and copies == 1:
            # What was copied so far is of one state, and what is copied from here on of another.
            mover.move(3.0, slice(6) if half else slice(None))
            made = replica(model, kind, **options)
            mover.move(3.0)
            return made
        return replica(model, kind, **options)

    monkeypatch.setattr(Shadow, "forward", moving)
    monkeypatch.setattr(shadow, "Replica", copying)
    problem = problem_of(model, picture(4, 4, matrix="identity"), [0])
    *_, last = as_method("gradient").estimates(problem)
    assert is_power(last.values, 3.0)
    assert problem.provenance["shadow"] == "snapshot"
    assert not any("mix" in note for note in problem.provenance["notes"])
    assert copies == 2  # the first was torn, and was made again
    monkeypatch.undo()
    assert is_power(explain(model, picture(4, 4, matrix="identity"), 0)[0], 3.0)
    assert shadow_of(model).kind == "view"


def test_weights_that_never_stand_still_are_said_to_be_mixed(mover: Mover, monkeypatch: pytest.MonkeyPatch) -> None:
    model, count = mover.model, 0
    replica, forward = shadow.Replica, Shadow.forward

    def copying(model: nn.Module, kind: str = "view", **options: Any) -> Any:
        nonlocal count
        made = replica(model, kind, **options)
        if kind == "snapshot":
            count += 1
            mover.move(2.0 + count)
        return made

    def moving(self: Shadow, *args: Any) -> Any:
        output = forward(self, *args)
        if not count:
            mover.move(2.0)
        return output

    monkeypatch.setattr(shadow, "Replica", copying)
    monkeypatch.setattr(Shadow, "forward", moving)
    problem = problem_of(model, picture(4, 4, matrix="identity"), [0])
    *_, last = as_method("gradient").estimates(problem)
    assert last.values.isfinite().all()
    assert any("mix" in note for note in problem.provenance["notes"])
