"""Every method runs where the model is: on a device that is not the CPU, without one stray tensor of the CPU.

Run by test_device.py, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.promises.device import Elsewhere, StrayCpuTensorError, device, moved
from tests.promises.models import make
from tests.promises.support import distance, explain, problem_of, untouched, values_of
from tests.promises.table import case_of, method_of, names


@pytest.fixture
def elsewhere() -> Iterator[torch.device]:
    with device() as place:
        yield place


def test_the_device_is_strict(elsewhere: torch.device) -> None:
    a = torch.arange(6.0).reshape(2, 3).to(elsewhere)
    assert isinstance(a, Elsewhere)
    assert a.device == elsewhere
    assert torch.equal(a.cpu(), torch.arange(6.0).reshape(2, 3))
    assert (a * 2 + torch.tensor(1.0)).device == elsewhere
    for stray in (lambda: a + torch.ones(3), lambda: torch.cat([a, torch.ones(1, 3)]), lambda: a[torch.tensor([0])]):
        with pytest.raises(StrayCpuTensorError):
            stray()
    made = torch.zeros(2, 3, device=elsewhere)
    made[0] += a[1]
    assert torch.equal(made.cpu(), torch.tensor([[3.0, 4.0, 5.0], [0.0, 0.0, 0.0]]))
    x = torch.ones(3, device=elsewhere).requires_grad_()
    (gradient,) = torch.autograd.grad((x * a[1]).sum(), x)
    assert gradient.device == elsewhere
    assert torch.equal(gradient.cpu(), a[1].cpu())


@pytest.mark.parametrize("name", names())
def test_every_method_runs_on_a_device(name: str, elsewhere: torch.device) -> None:
    family = case_of(name).family
    wanted = values_of(make(family), method_of(name), chunk=4)
    model = moved(make(family), elsewhere)
    problem = problem_of(model, chunk=4)
    assert problem.device == elsewhere
    with untouched(model):
        estimates = list(method_of(name).estimates(problem))
    for estimate in estimates:
        assert estimate.values.device == elsewhere
        assert estimate.scores.device == elsewhere
    assert distance(estimates[-1].values.cpu(), wanted) < 1e-10
    assert problem.provenance["device"] == "elsewhere:0"


@pytest.mark.parametrize("name", names())
def test_the_public_function_brings_the_map_home(name: str, elsewhere: torch.device, plain: Any) -> None:
    model = moved(make(case_of(name).family), elsewhere)
    assert distance(explain(model, method_of(name)), plain(name)) < 1e-6
