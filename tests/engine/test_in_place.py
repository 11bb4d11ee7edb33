"""A model that works in place on what it is given has the map of one that does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import saliency_widget as sw
from tests.engine.support import fill


def body() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = (nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
        return fill(nn.Sequential(*layers).double())


BODY = body()


class Entry(nn.Module):
    def __init__(self, enter: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.enter = BODY, enter
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.enter(x))


def subtract_in_place(x: Tensor) -> Tensor:
    x -= 0.5
    return x


def assign_in_place(x: Tensor) -> Tensor:
    x[:, 0] = x[:, 0] * 2
    return x


def without_gradients(x: Tensor) -> Tensor:
    with torch.no_grad():
        x -= 0.5
    return x


PAIRS = {
    "relu": (torch.relu_, torch.relu),
    "sub_": (lambda x: x.sub_(0.5).div_(0.25), lambda x: (x - 0.5) / 0.25),
    "-=": (subtract_in_place, lambda x: x - 0.5),
    "[] =": (assign_in_place, lambda x: torch.cat([x[:, :1] * 2, x[:, 1:]], 1)),
    "-= without gradients": (without_gradients, lambda x: x - 0.5),
}


@pytest.mark.parametrize("method", ["gradient", "guided_backprop", "lrp", "grad_cam", "ablation_cam", "occlusion"])
@pytest.mark.parametrize("name", PAIRS)
def test_in_place_on_the_input(name: str, method: str) -> None:
    image = torch.randn(3, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before = image.clone()
    found, wanted = (
        sw.explain(Entry(enter), image, method=method, target=1, preprocess="none") for enter in PAIRS[name]
    )
    assert wanted.values.any()
    np.testing.assert_array_equal(found.values, wanted.values)
    assert found.score == wanted.score
    assert torch.equal(image, before)


def test_a_module_that_begins_in_place() -> None:
    image = torch.randn(3, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found, wanted = (
        sw.explain(nn.Sequential(nn.ReLU(inplace=inplace), BODY).eval(), image) for inplace in (True, False)
    )
    np.testing.assert_array_equal(found.values, wanted.values)
