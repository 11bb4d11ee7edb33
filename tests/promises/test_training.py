"""A model that another thread trains while it is explained learns what it would have learnt alone."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.promises.models import CLASSES, SIDE, make
from tests.promises.support import explain
from tests.promises.table import case_of, method_of, names

STEPS = 12


def train(model: nn.Module, begun: threading.Event | None = None) -> None:
    generator = torch.Generator().manual_seed(1)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    model.train()
    # Dropout draws from the random state of the process, which an explanation must leave alone.
    torch.manual_seed(2)
    for _ in range(STEPS):
        x = torch.rand(4, 3, SIDE, SIDE, generator=generator, dtype=torch.float64)
        y = torch.randint(CLASSES, (4,), generator=generator)
        optimiser.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimiser.step()
        if begun is not None:
            begun.set()


def state_of(model: nn.Module) -> dict[str, Tensor]:
    gradients = {f"{name}.grad": parameter.grad for name, parameter in model.named_parameters()}
    return {**model.state_dict(), **{name: value for name, value in gradients.items() if value is not None}}


@pytest.fixture(scope="module")
def alone() -> dict[str, dict[str, Tensor]]:
    found = {}
    for family in {case_of(name).family for name in names()}:
        model = make(family)
        # In a thread, too: how a convolution is cut into parts depends on the thread, and with it how it rounds.
        thread = threading.Thread(target=train, args=(model,))
        thread.start()
        thread.join()
        found[family] = state_of(model)
    return found


@pytest.mark.parametrize("name", names())
def test_training_goes_on_undisturbed(name: str, alone: dict[str, dict[str, Tensor]]) -> None:
    family = case_of(name).family
    model = make(family)
    begun = threading.Event()
    thread = threading.Thread(target=train, args=(model, begun))
    maps: list[Any] = []
    thread.start()
    try:
        assert begun.wait(30)
        while thread.is_alive() or not maps:
            maps.append(explain(model, method_of(name)))
    finally:
        thread.join()
    assert all(np.isfinite(one).all() for one in maps)
    state = state_of(model)
    assert state.keys() == alone[family].keys()
    for key, value in alone[family].items():
        assert torch.equal(state[key], value), key
