"""Weights that change: between two runs, during one, and in another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from saliency_widget.engine.problem import Problem
from saliency_widget.methods.base import Estimate, Method, as_method
from tests.engine.support import explain, fill, picture, plainly, problem_of, relative
from tests.engine.test_shadow import Net


def step(optimiser: Callable[..., torch.optim.Optimizer], **options: object) -> Callable[[Net], None]:
    def move(model: Net) -> None:
        made = optimiser(model.parameters(), lr=0.05, **options)
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        made.step()

    return move


def by_data(model: Net) -> None:
    for parameter in model.parameters():
        parameter.data.mul_(1.1)


def by_numpy(model: Net) -> None:
    for parameter in model.parameters():
        array = parameter.detach().numpy()
        array *= np.asarray(1.1, array.dtype)


def new_storage(model: Net) -> None:
    for parameter in model.parameters():
        parameter.data = parameter.data * 1.1


def to_vector_and_back(model: Net) -> None:
    vector = nn.utils.parameters_to_vector(model.parameters()) * 1.1
    nn.utils.vector_to_parameters(vector, model.parameters())


def new_parameter(model: Net) -> None:
    model.head.weight = nn.Parameter(model.head.weight.detach() * 2)


def new_module(model: Net) -> None:
    torch.manual_seed(5)
    model.head = nn.Linear(8, 5).to(model.stem.weight.dtype)


def new_statistics(model: Net) -> None:
    model.train()
    with torch.no_grad():
        model(torch.rand(4, 3, 8, 8, dtype=model.stem.weight.dtype))
    model.eval()


def another_eps(model: Net) -> None:
    model.block.bn.eps = 1.0


def another_forward(model: Net) -> None:
    old = model.block.forward
    model.block.forward = lambda x: 3 * old(x)


def a_hook(model: Net) -> None:
    model.block.register_forward_hook(lambda module, args, output: output * 2)


def laid_out(model: Net) -> None:
    model.to(memory_format=torch.channels_last)
    by_data(model)


def half_and_back(model: Net) -> None:
    model.half().double()


def buffers_of_another_shape(model: Net) -> None:
    model.block.bn.running_mean = torch.ones(8, dtype=torch.float64)


def pruned(model: Net) -> None:
    nn.utils.prune.l1_unstructured(model.block.conv, "weight", 0.5)


MOVES: dict[str, Callable[[Net], None]] = {
    "SGD": step(torch.optim.SGD),
    "fused SGD": step(torch.optim.SGD, fused=True),
    "fused AdamW": step(torch.optim.AdamW, fused=True),
    "foreach Adam": step(torch.optim.Adam, foreach=True),
    "p.data.mul_": by_data,
    "numpy": by_numpy,
    "p.data =": new_storage,
    "vector_to_parameters": to_vector_and_back,
    "a new parameter": new_parameter,
    "a new module": new_module,
    "new statistics": new_statistics,
    "another eps": another_eps,
    "another forward": another_forward,
    "a hook": a_hook,
    "channels last": laid_out,
    "half and back": half_and_back,
    "a new buffer": buffers_of_another_shape,
    "pruning": pruned,
}


@pytest.mark.parametrize("name", MOVES)
def test_the_next_run_sees_the_model_as_it_is_then(name: str) -> None:
    torch.manual_seed(0)
    model = fill(Net().double())
    problem = problem_of(model, picture(8, 8), [1])
    before = problem.gradients(problem.pixels[None])[1]
    MOVES[name](model)
    wanted = plainly(model, picture(8, 8), 1)
    assert relative(before[0], wanted) > 1e-6
    # A problem made before, and one made now.
    assert relative(problem.gradients(problem.pixels[None])[1][0], wanted) < 1e-12
    assert relative(explain(model, picture(8, 8), 1)[0], wanted) < 1e-12


def test_another_type() -> None:
    model = fill(Net().double())
    problem = problem_of(model, picture(8, 8), [1])
    problem.gradients(problem.pixels[None])
    wanted = plainly(model, picture(8, 8), 1)
    model.float()
    assert explain(model, picture(8, 8), 1)[0].dtype is torch.float32
    # One that was made before moves with its model.
    found = problem.gradients(problem.pixels[None])[1]
    assert found.dtype is problem.pixels.dtype is torch.float32
    assert relative(found[0].double(), wanted) < 1e-5


def test_a_parameter_that_is_empty() -> None:
    class Empty(Net):
        def __init__(self) -> None:
            super().__init__()
            self.none = nn.Parameter(torch.zeros(1, 0, 8, dtype=torch.float64))

        def middle(self, x: Tensor) -> Tensor:
            return self.block(x) + self.none.sum()

    model = fill(Empty().double())
    assert relative(explain(model, picture(8, 8), 1)[0], plainly(model, picture(8, 8), 1)) < 1e-12


@dataclass(frozen=True)
class Twice(Method):
    """Two passes, between which the consumer has its turn."""

    name: ClassVar[str] = "twice"
    label: ClassVar[str] = "Twice"

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        total: Tensor | None = None
        for k in (1, 2):
            scores, gradients = problem.gradients(problem.pixels[None])
            total = gradients[0] if total is None else total + gradients[0]
            yield Estimate(total / k, scores[0], k, 2, k == 2)


@pytest.mark.parametrize("name", ["SGD", "fused SGD", "fused AdamW", "p.data.mul_", "numpy", "p.data ="])
def test_weights_that_move_during_a_run_start_it_over_on_a_snapshot(name: str) -> None:
    torch.manual_seed(0)
    model = fill(Net().double())
    problem = problem_of(model, picture(8, 8), [1])
    run = Twice().estimates(problem)
    before = plainly(model, picture(8, 8), 1)
    assert relative(next(run).values, before) < 1e-12
    MOVES[name](model)
    after = plainly(model, picture(8, 8), 1)
    rest = list(run)
    # One snapshot for all that follows: nothing is a mixture of two states.
    assert [estimate.done for estimate in rest] == [1, 2]
    for estimate in rest:
        assert relative(estimate.values, after) < 1e-12
    assert problem.provenance["shadow"] == "snapshot"
    assert "snapshot" in problem.provenance["notes"][-1]
    # The next run is an ordinary one again.
    list(as_method("gradient").estimates(problem))
    assert problem.provenance["shadow"] == "view"
    assert not any("snapshot" in note for note in problem.provenance["notes"])


def test_a_mode_switch_between_two_estimates_changes_nothing() -> None:
    model = fill(Net().double())
    run = Twice().estimates(problem_of(model, picture(8, 8), [1]))
    first = next(run)
    model.train()
    assert relative(next(run).values, first.values) < 1e-12


class Trainer:
    """Trains a model in a thread, always with the same numbers, for so many steps or until it is stopped."""

    def __init__(self, model: Net, *, fused: bool, steps: int | None = None) -> None:
        self.model, self.limit, self.steps = model, steps, 0
        self.optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=fused)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        # The order of a sum must not depend on how many threads are free.
        torch.set_num_threads(1)
        generator = torch.Generator().manual_seed(3)
        while not self.stop.is_set() and self.steps != self.limit:
            self.model.train()
            batch = torch.rand(8, 3, 16, 16, generator=generator)
            self.optimiser.zero_grad()
            nn.functional.cross_entropy(self.model(batch), torch.arange(8) % 5).backward()
            self.optimiser.step()
            self.steps += 1


def net() -> Net:
    torch.manual_seed(0)
    made = fill(Net())
    made.block.drop.p = 0.0
    return made


@pytest.mark.parametrize("fused", [False, True])
def test_explaining_while_another_thread_trains(fused: bool) -> None:
    model = net()
    trainer = Trainer(model, fused=fused)
    kinds: list[str] = []
    try:
        # On a busy machine the other thread may not get its turn for a while.
        while len(kinds) < 15 or ("snapshot" not in kinds and len(kinds) < 3000):
            problem = problem_of(model, picture(16, 16), [0, 1, 2])
            *_, last = as_method("gradient").estimates(problem)
            assert last.values.isfinite().all()
            assert last.values.any()
            kinds.append(problem.provenance["shadow"])
    finally:
        trainer.stop.set()
        trainer.thread.join()
    assert "snapshot" in kinds
    assert set(kinds) <= {"view", "snapshot"}
    # The weights are bit for bit those of a training that nobody looked at.
    alone = net()
    Trainer(alone, fused=fused, steps=trainer.steps).thread.join()
    for (name, own), other in zip(model.state_dict().items(), alone.state_dict().values(), strict=True):
        assert torch.equal(own, other), name
    assert relative(explain(model, picture(16, 16), 1)[0], plainly(model.eval(), picture(16, 16), 1)) < 1e-5
