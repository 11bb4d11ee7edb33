"""Functions on a model that name each other, or themselves, among their globals."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.shadow import shadow_of
from tests.engine.support import explain, fill, picture, plainly, relative
from tests.engine.test_shadow import Net

CALLED: list[str] = []


def halve(x: Tensor, depth: int = 2) -> Tensor:
    CALLED.append("halve")
    return x if depth == 0 else halve(x / 2, depth - 1)


def einsum(x: Tensor) -> Tensor:
    CALLED.append("einsum")
    return torch.einsum("nchw,cd->ndhw", x, torch.eye(x.shape[1], dtype=x.dtype) * 3)


def there(x: Tensor, depth: int = 3) -> Tensor:
    CALLED.append("there")
    return x if depth == 0 else back(x * 2, depth - 1)


def back(x: Tensor, depth: int) -> Tensor:
    return x if depth == 0 else there(x * 3, depth - 1)


class With(Net):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def middle(self, x: Tensor) -> Tensor:
        return self.function(self.block(x))


@pytest.mark.parametrize("function", [halve, einsum, there])
@pytest.mark.parametrize("deep", [False, True])
def test_a_function_that_leads_back_to_itself(function: Callable[[Tensor], Tensor], deep: bool) -> None:
    model = fill(With(function).double())
    if deep:
        shared = shadow_of(model)._shared
        shared.copying = shared.deep = True
    wanted = plainly(model, picture(8, 8), 1)
    CALLED.clear()
    with ModelGuard(model):
        found, _ = explain(model, picture(8, 8), 1)
    assert relative(found[0], wanted) < 1e-12
    # What it fills is a copy of the user's list.
    assert not CALLED
    assert shadow_of(model).kind == ("copy" if deep else "view")
    own: nn.Module = shadow_of(model)._shared.replica.module  # type: ignore[union-attr]
    assert own.function is not function
    assert own.function.__globals__[function.__name__] is own.function
