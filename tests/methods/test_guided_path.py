"""Guided integrated gradients, against the paper's algorithm written out in numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods.guided_path import GuidedIG
from tests.engine.support import picture, problem_of, relative
from tests.engine.test_exact import Linear
from tests.methods.test_path import rectified

Array = npt.NDArray[np.float64]


def by_the_paper(
    x: Array, b: Array, gradient: Callable[[Array], Array], steps: int, fraction: float, max_dist: float
) -> Array:
    """One value at a time is never needed: the paper's loop, on flat arrays."""
    at, attribution = b.copy(), np.zeros_like(x)
    way = x - b
    whole = np.abs(way).sum()
    for step in range(1, steps + 1):
        g = gradient(at)
        alpha = step / steps
        low, high = b + way * max(alpha - max_dist, 0), b + way * min(alpha + max_dist, 1)
        start = at.copy()
        for i in range(len(at)):
            if way[i] and (at[i] - b[i]) / way[i] < max(alpha - max_dist, 0):
                at[i] = low[i]
        while np.abs(x - at).sum() - whole * (1 - alpha) > 1e-9 * whole:
            free = [i for i in range(len(at)) if way[i] and abs(high[i] - at[i]) > 0]
            if not free:
                break
            cut = np.sort(np.where(np.isin(np.arange(len(at)), free), np.abs(g), np.inf))
            threshold = cut[min(int(np.floor(fraction * (len(at) - 1))), len(free) - 1)]
            chosen = [i for i in free if abs(g[i]) <= threshold]
            gain = np.abs(high - at)[chosen].sum()
            share = (np.abs(x - at).sum() - whole * (1 - alpha)) / gain
            for i in chosen:
                at[i] = high[i] if share >= 1 else at[i] + share * (high[i] - at[i])
        attribution += (at - start) * g
    return attribution


def numpy_gradient(problem: Problem) -> Callable[[Array], Array]:
    def gradient(flat: Array) -> Array:
        _, found = problem.gradients(torch.from_numpy(flat).view(1, *problem.pixels.shape))
        return found[0, 0].flatten().numpy()

    return gradient


@pytest.mark.parametrize(("fraction", "max_dist"), [(0.25, 0.02), (0.1, 0.2), (0.5, 1.0), (1.0, 0.05)])
def test_against_the_paper(fraction: float, max_dist: float) -> None:
    problem = problem_of(rectified(), picture(12, 12), [1])
    x = problem.pixels.flatten().numpy()
    wanted = by_the_paper(x, np.zeros_like(x), numpy_gradient(problem), 12, fraction, max_dist)
    *_, last = GuidedIG(steps=12, fraction=fraction, max_dist=max_dist).estimates(problem)
    assert relative(last.values.flatten(), torch.from_numpy(wanted)) < 1e-9


def test_against_pair_where_it_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    # It asks numpy for quantile(interpolation=), which numpy 2.4 has no more.
    pair = pytest.importorskip("saliency.core.guided_ig")
    quantile = np.quantile
    monkeypatch.setattr(np, "quantile", lambda a, q, interpolation: quantile(a, q, method=interpolation))
    problem = problem_of(rectified(), picture(12, 12), [1])
    x = problem.pixels.flatten().numpy()
    theirs = pair.guided_ig_impl(x, np.zeros_like(x), numpy_gradient(problem), steps=20, fraction=0.25, max_dist=0.02)
    *_, last = GuidedIG(steps=20).estimates(problem)
    assert relative(last.values.flatten(), torch.from_numpy(theirs)) < 1e-6


@pytest.mark.parametrize("baseline", ["black", "noise", (0.1, 0.5, 0.9)])
def test_a_linear_model_is_exact_on_any_path(baseline: Any) -> None:
    from saliency_widget.methods.baselines import make_baseline, several

    problem = problem_of(Linear().double(), picture(4, 4), [2, 0])
    gradient = problem.gradients(problem.pixels[None])[1][0]
    method = GuidedIG(steps=9, baseline=baseline)
    start = make_baseline(several(method.baseline)[0], problem.pixels, seed=0)
    *_, last = method.estimates(problem)
    assert relative(last.values, gradient * (problem.pixels - start)) < 1e-8


def test_without_any_freedom_it_is_the_left_sum_on_the_straight_path() -> None:
    problem = problem_of(rectified(), picture(12, 12), [1])
    *_, last = GuidedIG(steps=10, max_dist=0).estimates(problem)
    _, gradients = problem.gradients(torch.stack([k / 10 * problem.pixels for k in range(10)]))
    assert relative(last.values[0], gradients[:, 0].mean(0) * problem.pixels) < 1e-9


def test_each_target_walks_its_own_path() -> None:
    problem = problem_of(rectified(), picture(12, 12), [1, 3])
    *_, both = GuidedIG(steps=10).estimates(problem)
    *_, alone = GuidedIG(steps=10).estimates(problem_of(rectified(), picture(12, 12), [3]))
    assert relative(both.values[1], alone.values[0]) < 1e-12


def test_the_gradient_at_the_picture_comes_first() -> None:
    problem = problem_of(rectified(), picture(12, 12), [1, 3])
    scores, gradients = problem.gradients(problem.pixels[None])
    found = list(GuidedIG(steps=20, baseline="white").estimates(problem))
    assert [estimate.done for estimate in found] == [0, 8, 16, 20]
    assert torch.equal(found[0].values, gradients[0] * (problem.pixels - 1))
    assert all(torch.equal(estimate.scores, scores[0]) for estimate in found)
    (only,) = GuidedIG(steps=1).estimates(problem)
    assert only.final


def test_the_picture_as_its_own_baseline_and_a_nan_end() -> None:
    class Broken(Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * torch.nan

    problem = problem_of(rectified(), picture(12, 12), [1])
    *_, last = GuidedIG(steps=3, baseline=problem.pixels).estimates(problem)
    assert not last.values.any()
    assert last.quality[0]["completeness_gap"] is None
    *_, last = GuidedIG(steps=3).estimates(problem_of(Broken(), picture(4, 4), [1]))
    assert last.values.isnan().any()


@pytest.mark.parametrize(
    ("parameters", "argument"),
    [
        ({"steps": 0}, "steps"),
        ({"fraction": 0}, "fraction"),
        ({"fraction": 1.5}, "fraction"),
        ({"max_dist": -0.1}, "max_dist"),
        ({"baseline": ["black", "white"]}, "baseline"),
        ({"baseline": 3}, "baseline"),
    ],
)
def test_bad_parameters_are_named(parameters: dict[str, Any], argument: str) -> None:
    with pytest.raises(InputError, match=f"^{argument}="):
        GuidedIG(**parameters)
