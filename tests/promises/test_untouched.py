"""Every method in every situation: model, process and picture are as before, and the map is that of the plain case."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import saliency_widget as sw
from saliency_widget.engine.weights import Weights
from tests.promises import models
from tests.promises.forms import FORMS
from tests.promises.models import PLAIN, Trap, Wrapped, make
from tests.promises.support import distance, explain, problem_of, untouched
from tests.promises.table import case_of, method_of, names

NAMES = names()

SITUATIONS: dict[str, Callable[[str], nn.Module]] = {
    "plain": make,
    "frozen": lambda family: make(family).requires_grad_(False),
    "in training mode": lambda family: make(family).train(),
    "in-place rectifiers": lambda family: make(family, in_place=True),
    "reused modules": lambda family: make(family, reused=True),
    "a dict": lambda family: Wrapped(make(family), lambda y: {"features": y[:, :1], "logits": y}),
    "a tuple": lambda family: Wrapped(make(family), lambda y: (y, y[:, :1])),
    "data parallel": lambda family: nn.DataParallel(make(family)),
    "compiled": lambda family: torch.compile(make(family), backend="eager"),
    "no_grad": make,
    "inference_mode": make,
    **{name: lambda family, change=change: change(make(family)) for name, change in FORMS.items()},
}
AROUND: dict[str, Callable[[], Any]] = {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode}
CONV_ONLY = ("in-place rectifiers", "reused modules", *FORMS)


@cache
def model_in(situation: str, family: str) -> nn.Module:
    return SITUATIONS[situation](family)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_whatever_the_situation(name: str, situation: str, plain: Callable[[str], Any]) -> None:
    family = case_of(name).family
    if situation in CONV_ONLY and family != "conv":
        pytest.skip("this family has no such form")
    model = model_in(situation, family)
    training = [part.training for part in model.modules()]
    with untouched(model), AROUND.get(situation, nullcontext)():
        values = explain(model, method_of(name))
    assert [part.training for part in model.modules()] == training
    assert distance(values, plain(name)) < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_is_not_written_to(name: str) -> None:
    model = model_in("plain", case_of(name).family)
    image = models.picture()
    tensor = PLAIN(Image.fromarray(image))
    kept, version = tensor.clone(), tensor._version
    with untouched(model):
        sw.explain(model, tensor, target=1, method=method_of(name), preprocess=PLAIN)
    assert torch.equal(tensor, kept)
    assert (tensor._version, tensor.requires_grad, tensor.grad) == (version, False, None)
    sw.explain(model, image, target=1, method=method_of(name), preprocess=PLAIN)
    assert np.array_equal(image, models.picture())


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_target_is_refused_before_any_work(name: str) -> None:
    Trap.reset()
    model = Trap(make(case_of(name).family))
    with untouched(model), pytest.raises(sw.InputError, match="5 classes"):
        explain(model, method_of(name), [1, 99])
    # What is watched, and the prediction.
    assert Trap.passes == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_raises_halfway(name: str, plain: Callable[[str], Any]) -> None:
    Trap.reset()
    model = Trap(make(case_of(name).family))
    explain(model, method_of(name))
    total = Trap.passes
    assert total > 2
    for lasts in {0, 2, max(2, total // 2), total - 1}:
        fresh = Trap(make(case_of(name).family))
        Trap.reset(lasts=lasts)
        with untouched(fresh), pytest.raises(sw.ModelError, match="halfway"):
            explain(fresh, method_of(name))
    Trap.reset()
    assert distance(explain(fresh, method_of(name)), plain(name)) < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_cancelled_halfway(name: str, plain: Callable[[str], Any]) -> None:
    model = model_in("plain", case_of(name).family)
    with untouched(model):
        steps = sw.stream(model, models.picture(), target=[1, 3], method=method_of(name), preprocess=PLAIN)
        next(steps)
        steps.close()  # type: ignore[attr-defined]
    assert distance(explain(model, method_of(name)), plain(name)) < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_the_shadow_computes_and_not_the_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(case_of(name).family)
    attach = Weights.attach

    def poisoned(self: Weights) -> bool:
        done = attach(self)
        for _, own in self.views:
            own.data = torch.full_like(own, float("nan"))
        return done

    monkeypatch.setattr(Weights, "attach", poisoned)
    with untouched(model):
        values = explain(model, method_of(name))
    assert np.isnan(values).all()
    assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_modes_that_change_between_two_estimates(name: str, plain: Callable[[str], Any]) -> None:
    model = make(case_of(name).family)
    with untouched(model):
        with torch.inference_mode():
            estimates = method_of(name).estimates(problem_of(model))
            last = next(estimates)
        for step in estimates:
            last = step
            assert not torch.is_inference_mode_enabled()
    assert last.final
    assert distance(last.values, plain(name)) < 1e-6
