"""The forms of a model of which a shallow replica would run, or change, the original; none changes what it computes."""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

SEEN: dict[str, Tensor] = {}


def bound_method(model: Any) -> nn.Module:
    model.plain = model.forward
    model.forward = types.MethodType(lambda self, x: self.plain(x), model)
    return model


def partial(model: Any) -> nn.Module:
    model.act2.forward = functools.partial(torch.relu)
    model.forward = functools.partial(type(model).forward, model)
    return model


def closure(model: Any) -> nn.Module:
    inner = type(model).forward
    model.forward = lambda x: inner(model, x)
    return model


def weak_parent(model: Any) -> nn.Module:
    model.act2.parent = weakref.ref(model)
    model.act2.forward = types.MethodType(lambda self, x: self.parent().act(x), model.act2)
    return model


class Listed(nn.Module):
    """Keeps its layers where ``nn.Module`` does not look for them."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.layers = {"head": [model.head], "drop": (model.drop,)}
        model.head, model.drop = nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers["head"][0](self.layers["drop"][0](self.model(x)))


def counted(model: Any) -> nn.Module:
    model.register_buffer("passes", torch.zeros((), dtype=torch.int64))
    model.history, inner = [], type(model).forward

    def forward(self: Any, x: Tensor) -> Tensor:
        self.passes += 1
        self.history.append(len(x))
        return inner(self, x)

    model.forward = types.MethodType(forward, model)
    return model


def cached(model: Any) -> nn.Module:
    model.bias_cache, inner = {}, model.head.forward

    def forward(x: Tensor) -> Tensor:
        if "bias" not in model.bias_cache:
            model.bias_cache["bias"] = model.head.bias * 1
        return inner(x) - model.head.bias + model.bias_cache["bias"]

    model.head.forward = forward
    return model


def hooked(model: Any) -> nn.Module:
    model.conv2.register_forward_hook(lambda module, args, output: SEEN.update(features=output))
    model.conv3.register_forward_pre_hook(lambda module, args: (args[0] * 1,))
    return model


def writing(model: Any) -> nn.Module:
    inner = model.conv3.forward

    def forward(x: Tensor) -> Tensor:
        with torch.no_grad():
            model.conv3.weight.clamp_(-100, 100)
        return inner(x)

    model.conv3.forward = forward
    return model


def frozen_inside(model: Any) -> nn.Module:
    inner = model.norm.forward

    def forward(x: Tensor) -> Tensor:
        with torch.no_grad():
            return inner(x)

    model.norm.forward = forward
    return model


def pruned(model: Any) -> nn.Module:
    prune.l1_unstructured(model.conv3, "weight", 0)
    return model


def normed(model: Any) -> nn.Module:
    parametrizations.weight_norm(model.conv3)
    return model


def scripted(model: Any) -> nn.Module:
    model.head = torch.jit.trace(model.head, torch.zeros(1, model.head.in_features, dtype=torch.float64))
    return model


def compiled_itself(model: Any) -> nn.Module:
    model.compile(backend="eager")
    return model


def compiled_forward(model: Any) -> nn.Module:
    model.forward = torch.compile(model.forward, backend="eager")
    return model


FORMS: dict[str, Callable[[Any], nn.Module]] = {
    "a bound method": bound_method,
    "a partial": partial,
    "a closure": closure,
    "a weak reference to the parent": weak_parent,
    "layers in a dict": Listed,
    "a counter of passes": counted,
    "a cache": cached,
    "the user's hooks": hooked,
    "a forward that writes": writing,
    "no_grad inside": frozen_inside,
    "pruned": pruned,
    "weight norm": normed,
    "a scripted part": scripted,
    "its own compile": compiled_itself,
    "a compiled forward": compiled_forward,
    "traced by fx": torch.fx.symbolic_trace,
    "averaged": torch.optim.swa_utils.AveragedModel,
}
