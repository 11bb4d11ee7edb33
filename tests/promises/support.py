"""Running a method, and what must be as it was afterwards."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as nn_module
from torch.overrides import _get_current_function_mode_stack
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

import saliency_widget as sw
from saliency_widget.engine.problem import Problem
from saliency_widget.engine.shadow import shadow_of
from saliency_widget.methods.base import Estimate, Method
from saliency_widget.models.preprocess import prepare
from saliency_widget.targets import Logit
from tests.promises.models import PLAIN, picture

TARGETS = (1, 3)


def explain(model: nn.Module, method: Method, target: Any = TARGETS) -> np.ndarray[Any, Any]:
    """(K, C, h, w), by the public function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sw.SaliencyWarning)
        found = sw.explain(model, picture(), target=list(target), method=method, preprocess=PLAIN)
    return np.stack([one.values for one in found])


def problem_of(model: nn.Module, targets: tuple[int, ...] = TARGETS, **options: Any) -> Problem:
    return Problem(shadow_of(model), prepare(picture(), model, PLAIN), [Logit(k) for k in targets], **options)


def last_of(method: Method, problem: Problem) -> Estimate:
    last: Estimate | None = None
    # One at a time: a list of all of them would be memory that grows.
    for last in method.estimates(problem):  # noqa: B007
        pass
    assert last is not None
    assert last.final
    return last


def values_of(model: nn.Module, method: Method, **options: Any) -> Tensor:
    """(K, C, h, w), in the type in which it was computed."""
    return last_of(method, problem_of(model, **options)).values


def distance(found: Any, wanted: Any) -> float:
    """Relative L1."""
    found, wanted = torch.as_tensor(found).double(), torch.as_tensor(wanted).double()
    return float((found - wanted).abs().sum() / wanted.abs().sum())


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Everything that a user could notice is as before: also after an exception."""
    modes = (_get_current_function_mode_stack(), _get_current_dispatch_mode_stack())
    hooks = _hooks_of(model)
    with sw.ModelGuard(model):
        yield
    assert all(parameter.grad is None for parameter in model.parameters())
    assert _hooks_of(model) == hooks
    for name in ("forward_hooks", "forward_pre_hooks", "backward_hooks", "backward_pre_hooks"):
        assert not getattr(nn_module, f"_global_{name}")
    assert modes == (_get_current_function_mode_stack(), _get_current_dispatch_mode_stack())
    replica = shadow_of(model)._shared.replica
    assert replica is None or replica.users == 0


def _hooks_of(model: nn.Module) -> list[list[int]]:
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [list(part.__dict__.get(name, ())) for part in model.modules() for name in names]
