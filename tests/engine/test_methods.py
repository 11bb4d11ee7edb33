"""The registry, and what every method owes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch

from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods.base import Estimate, Method, as_method, menu, register
from saliency_widget.methods.gradient import Gradient
from tests.engine.support import picture, problem_of
from tests.engine.test_exact import Linear


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
    problem = problem_of(Linear(), picture(4, 4), [0, 3])
    estimates = list(method.estimates(problem))
    assert [estimate.final for estimate in estimates] == [False] * (len(estimates) - 1) + [True]
    for estimate in estimates:
        assert estimate.values.shape in ((2, 3, 4, 4), (2, 1, 4, 4))
        assert estimate.scores.shape == (2,)
        assert len(estimate.quality) == 2
        assert 0 < estimate.done <= estimate.total
        assert not estimate.values.requires_grad
        assert not estimate.scores.requires_grad
    assert estimates[-1].done == estimates[-1].total


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
