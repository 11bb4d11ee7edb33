"""Expected gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from saliency_widget.errors import InputError
from saliency_widget.methods.expected import ExpectedGradients
from saliency_widget.methods.path import IntegratedGradients
from tests.engine.support import picture, problem_of, relative
from tests.engine.test_exact import Linear
from tests.methods.test_path import rectified

SET = ["black", "white", (0.2, 0.9, 0.4)]


def explained(model: torch.nn.Module, method: ExpectedGradients, *targets: int, **options: Any) -> Any:
    *_, last = method.estimates(problem_of(model, picture(12, 12), targets or (0,), **options))
    return last


def test_one_baseline_and_a_linear_model_leave_nothing_to_chance() -> None:
    problem = problem_of(Linear().double(), picture(4, 4), [2])
    gradient = problem.gradients(problem.pixels[None])[1][0]
    for estimate in ExpectedGradients(samples=20, baseline="white").estimates(problem):
        assert relative(estimate.values, gradient * (problem.pixels - 1)) < 1e-12
        # One sample says nothing of how far others would be off.
        assert ("standard_error" in estimate.quality[0]) == (estimate.done > 1)
        assert estimate.quality[0].get("standard_error", 0.0) < 1e-12


def test_it_is_the_mean_of_integrated_gradients_within_its_standard_error() -> None:
    problem = problem_of(rectified(), picture(12, 12), [1])
    *_, wanted = IntegratedGradients(steps=512, baseline=SET).estimates(problem)
    distances = []
    for seed in range(4):
        last = explained(rectified(), ExpectedGradients(samples=200, baseline=SET, seed=seed), 1)
        size = float(last.values.abs().mean())
        error = last.quality[0]["standard_error"] * size
        assert error == pytest.approx(float(last.extras["standard_error"].mean()))
        # The mean magnitude of a normal error is sqrt(2 / pi) of its standard deviation.
        distances.append(float((last.values - wanted.values).abs().mean()) / (error * 0.798))
    assert 0.6 < sum(distances) / 4 < 1.6
    assert min(distances) > 0


def test_the_error_falls_with_the_root_and_every_estimate_is_a_mean_of_the_first_samples() -> None:
    long = list(ExpectedGradients(samples=128).estimates(problem_of(rectified(), picture(12, 12), [1])))
    short = explained(rectified(), ExpectedGradients(samples=16), 1)
    early = next(estimate for estimate in long if estimate.done == 16)
    assert relative(early.values, short.values) < 1e-14
    ratio = early.quality[0]["standard_error"] / long[-1].quality[0]["standard_error"]
    assert 1.5 < ratio * float(early.values.abs().sum() / long[-1].values.abs().sum()) < 5


@pytest.mark.parametrize(("baseline", "middle"), [("noise", 0.5), (["black", "white", "noise", "white"], 0.625)])
def test_the_gradient_at_the_picture_comes_first(baseline: Any, middle: float) -> None:
    problem = problem_of(rectified(), picture(12, 12), [1, 3])
    scores, gradients = problem.gradients(problem.pixels[None])
    found = list(ExpectedGradients(samples=20, baseline=baseline).estimates(problem))
    assert [estimate.done for estimate in found] == [0, 8, 16, 20]
    assert relative(found[0].values, gradients[0] * (problem.pixels - middle)) < 1e-12
    assert found[0].quality == ({}, {})
    assert all(torch.equal(estimate.scores, scores[0]) for estimate in found)
    (only,) = ExpectedGradients(samples=1).estimates(problem)
    assert only.final


def test_seeds_chunks_targets_and_the_random_state() -> None:
    before = torch.get_rng_state()
    wanted = explained(rectified(), ExpectedGradients(samples=20, baseline=SET), 1, 3)
    assert torch.equal(torch.get_rng_state(), before)
    again = explained(rectified(), ExpectedGradients(samples=20, baseline=SET), 1, 3)
    assert torch.equal(wanted.values, again.values)
    for chunk in (1, 3, 50):
        cut = explained(rectified(), ExpectedGradients(samples=20, baseline=SET), 1, 3, chunk=chunk)
        assert relative(cut.values, wanted.values) < 1e-12
    alone = explained(rectified(), ExpectedGradients(samples=20, baseline=SET), 3)
    assert relative(wanted.values[1], alone.values[0]) < 1e-12
    other = explained(rectified(), ExpectedGradients(samples=20, baseline=SET, seed=1), 1, 3)
    assert relative(other.values, wanted.values) > 1e-3


@pytest.mark.parametrize(
    ("parameters", "argument"),
    [({"samples": 0}, "samples"), ({"baseline": []}, "baseline"), ({"seed": "x"}, "seed")],
)
def test_bad_parameters_are_named(parameters: dict[str, Any], argument: str) -> None:
    with pytest.raises(InputError, match=f"^{argument}="):
        ExpectedGradients(**parameters)
