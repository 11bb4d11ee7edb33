"""ModelGuard finds every kind of change, and nothing where nothing changed."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from saliency_widget.engine.guard import ModelGuard
from saliency_widget.errors import InputError, ModelChangedError


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.bn.running_mean.normal_()
        self.conv.weight.grad = torch.ones_like(self.conv.weight)
        self.cache: dict[str, torch.Tensor] = {"a": torch.zeros(2)}
        self.plain, self.settings = [1, [2]], type("Settings", (), {})()
        self.settings.mode = "a"
        self.kept = torch.zeros(3)
        self.register_buffer("brain", torch.zeros(3, dtype=torch.bfloat16))
        self.scalar = nn.Parameter(torch.tensor(1.0))


def in_data(model: Model) -> None:
    model.conv.weight.data.add_(1e-6)


def by_numpy(model: Model) -> None:
    model.conv.weight.detach().numpy()[0, 0, 0, 0] += 1


def swapped(model: Model) -> None:
    model.conv.weight = nn.Parameter(model.conv.weight.detach().clone())


def statistics(model: Model) -> None:
    model.bn(torch.rand(2, 4, 8, 8))


CHANGES: dict[str, tuple[Callable[[Model], object], str]] = {
    "a weight through .data": (in_data, "parameter 'conv.weight' changed"),
    "a weight through numpy": (by_numpy, "parameter 'conv.weight' changed"),
    "a sign of zero": (lambda m: m.kept.neg_(), "attribute 'kept'"),
    "a parameter's identity": (swapped, "identity of parameter 'conv.weight'"),
    "a scalar parameter": (lambda m: m.scalar.data.add_(1), "parameter 'scalar'"),
    "a type": (lambda m: m.conv.half(), "parameter 'conv.weight' changed"),
    "batch statistics": (statistics, "buffer 'bn.running_mean'"),
    "a half precision buffer": (lambda m: m.brain.add_(1), "buffer 'brain'"),
    "requires_grad": (lambda m: m.conv.bias.requires_grad_(False), "requires_grad of parameter 'conv.bias'"),
    "a gradient's numbers": (lambda m: m.conv.weight.grad.add_(1), ".grad of parameter 'conv.weight'"),
    "a gradient's identity": (
        lambda m: setattr(m.conv.weight, "grad", m.conv.weight.grad.clone()),
        "identity of .grad of parameter 'conv.weight'",
    ),
    "a new gradient": (lambda m: setattr(m.conv.bias, "grad", torch.zeros(4)), ".grad of parameter 'conv.bias'"),
    "no gradient": (lambda m: m.zero_grad(), ".grad of parameter 'conv.weight'"),
    "a mode": (lambda m: m.bn.eval(), "training flag of BatchNorm2d 'bn'"),
    "a hook": (lambda m: m.conv.register_forward_hook(print), "'_forward_hooks' of Conv2d 'conv'"),
    "a backward hook": (lambda m: m.register_full_backward_hook(print), "'_backward_hooks' of Model"),
    "a new attribute": (lambda m: setattr(m, "extra", 1), "attribute 'extra' of Model is new"),
    "a missing attribute": (lambda m: delattr(m, "plain"), "attribute 'plain' of Model is gone"),
    "a plain number": (lambda m: setattr(m.bn, "eps", 1e-3), "attribute 'eps' of BatchNorm2d 'bn'"),
    "a cache": (lambda m: m.cache.update(b=torch.zeros(1)), "attribute 'cache'"),
    "a tensor in a cache": (lambda m: m.cache["a"].add_(1), "attribute 'cache'"),
    "a list inside a list": (lambda m: m.plain[1].append(3), "attribute 'plain'"),
    "a configuration": (lambda m: setattr(m.settings, "mode", "b"), "attribute 'settings'"),
    "a module": (lambda m: setattr(m, "conv", nn.Conv2d(3, 4, 3)), "identity of Conv2d 'conv'"),
    "a new module": (lambda m: m.add_module("late", nn.ReLU()), "ReLU 'late' is new"),
    "Python's random state": (lambda m: random.random(), "Python's random state"),
    "numpy's random state": (lambda m: np.random.rand(), "numpy's random state"),  # noqa: NPY002
    "torch's random state": (lambda m: torch.rand(1), "torch's random state"),
    "grad mode": (lambda m: torch.set_grad_enabled(False), "grad mode"),
    "the default type": (lambda m: torch.set_default_dtype(torch.float64), "the default type"),
    "the default device": (lambda m: torch.set_default_device("meta"), "the default device"),
    "the cuDNN flags": (lambda m: setattr(torch.backends.cudnn, "benchmark", True), "the cuDNN flags"),
}


@pytest.fixture(autouse=True)
def _as_before() -> object:
    benchmark = torch.backends.cudnn.benchmark
    yield
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.backends.cudnn.benchmark = benchmark


@pytest.mark.parametrize("name", CHANGES)
def test_it_finds(name: str) -> None:
    change, words = CHANGES[name]
    model = Model()
    guard = ModelGuard(model)
    with pytest.raises(ModelChangedError) as caught, guard:
        change(model)
    assert words in str(caught.value)
    # It looks again each time.
    with guard:
        pass


def test_it_finds_nothing_where_nothing_changed() -> None:
    model = Model()
    model.conv.weight.data[0] = float("nan")
    with ModelGuard(model) as guard:
        model.eval()
        model.bn(model.conv(torch.zeros(1, 3, 8, 8)))
        model.train()
        assert guard.changes() == []
    with ModelGuard(nn.Linear(2, 2, device="meta")), ModelGuard(nn.LazyLinear(2)), ModelGuard(nn.Sequential()):
        pass


def test_it_also_finds_what_a_failure_left_behind() -> None:
    model = Model()

    def fail() -> None:
        model.eval()
        raise KeyError("the real one")

    with pytest.raises(ModelChangedError) as caught, ModelGuard(model):
        fail()
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(KeyError, match="harmless"), ModelGuard(model):
        raise KeyError("harmless")


def test_it_wants_a_module_and_a_context() -> None:
    with pytest.raises(InputError, match="model"):
        ModelGuard("resnet")  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="with ModelGuard"):
        ModelGuard(nn.ReLU()).changes()
