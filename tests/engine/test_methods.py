"""The registry, and what every method owes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods.base import Estimate, Method, as_method, menu, register
from saliency_widget.methods.gradient import Gradient
from tests.engine.support import picture, problem_of


class Plain(nn.Sequential):
    """With a grid and a rectifier: what some methods ask for."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))


class Everything(nn.Module):
    """With a grid, a rectifier and an attention."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.qkv, self.head = nn.Linear(4, 12), nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        query, key, value = self.qkv(tokens)[:, None].chunk(3, dim=-1)
        return self.head((tokens + F.scaled_dot_product_attention(query, key, value)[:, 0]).flatten(1))


def test_a_method_is_asked_for_by_name_or_given() -> None:
    assert as_method("gradient") == as_method("Gradient") == Gradient()
    own = Gradient()
    assert as_method(own) is own
    assert Gradient in menu()
    assert Gradient(2).parameters() == {"blur": 2.0}


@pytest.mark.parametrize("spec", ["gradeint", "", "grad-cam of a kind", 3, None, Gradient])
def test_what_is_no_method_is_refused_with_what_is(spec: object) -> None:
    with pytest.raises(InputError, match=r"method=.*(gradient|Gradient)"):
        as_method(spec)


@pytest.mark.parametrize("method", [method() for method in menu()], ids=lambda method: method.name)
def test_what_every_method_owes(method: Method) -> None:
    assert dataclasses.is_dataclass(method)
    assert method.label
    assert method.summary
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.anything = 1  # type: ignore[attr-defined]
    # Attention for what reads it; without it for what cannot pass it.
    model = Everything() if "rollout" in method.name else Plain()
    problem = problem_of(model, picture(4, 4), [0, 3])
    estimates = list(method.estimates(problem))
    assert [estimate.final for estimate in estimates] == [False] * (len(estimates) - 1) + [True]
    for estimate in estimates:
        assert estimate.values.shape in ((2, 3, 4, 4), (2, 1, 4, 4))
        assert estimate.scores.shape == (2,)
        assert len(estimate.quality) == 2
        # A first estimate may be of none of the steps.
        assert 0 <= estimate.done <= estimate.total
        assert not estimate.values.requires_grad
        assert not estimate.scores.requires_grad
    assert estimates[-1].done == estimates[-1].total
    assert all(sooner.done < later.done for sooner, later in itertools.pairwise(estimates))


def test_two_methods_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match="gradient"):

        @register
        @dataclasses.dataclass(frozen=True)
        class Another(Method):
            name: ClassVar[str] = "gradient"
            label: ClassVar[str] = "Another"

            def compute(self, problem: Problem) -> Iterator[Estimate]:
                raise NotImplementedError


def test_an_estimate_has_a_quality_for_each_target() -> None:
    estimate = Estimate(torch.zeros(3, 1, 2, 2), torch.zeros(3), 1, 2, False)
    assert estimate.quality == ({}, {}, {})
