"""Blur integrated gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from saliency_widget.errors import InputError
from saliency_widget.methods.blur import gaussian_blur
from saliency_widget.methods.blur_path import BlurIG, coarse_to_fine
from tests.engine.support import picture, problem_of, relative
from tests.engine.test_exact import Linear
from tests.methods.test_path import Smooth, fill, rectified


def explained(model: torch.nn.Module, method: BlurIG, *targets: int, size: int = 12, **options: Any) -> Any:
    *_, last = method.estimates(problem_of(model, picture(size, size), targets or (0,), **options))
    return last


@pytest.mark.parametrize("steps", [1, 2, 7, 16])
def test_a_linear_model_is_exact_at_any_number_of_steps(steps: int) -> None:
    problem = problem_of(Linear().double(), picture(4, 4), [2, 0])
    gradient = problem.gradients(problem.pixels[None])[1][0]
    *_, last = BlurIG(steps=steps, max_sigma=3).estimates(problem)
    assert relative(last.values, gradient * (problem.pixels - gaussian_blur(problem.pixels, 3.0))) < 1e-12
    assert last.quality[1]["completeness_gap"] < 1e-10


def test_completeness_and_convergence_of_second_order() -> None:
    model = fill(Smooth().double())
    fine = explained(model, BlurIG(steps=800, max_sigma=5), 3)
    coarse = [explained(model, BlurIG(steps=steps, max_sigma=5), 3) for steps in (50, 100)]
    errors = [relative(found.values, fine.values) for found in coarse]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.3)
    assert fine.quality[0]["completeness_gap"] < 1e-4


def test_against_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    # PAIR blurs towards black beyond the border; with our blur in its place, what is left is its rule of first order,
    # of which one step of extrapolation is taken.
    pair = pytest.importorskip("saliency.core.blur_ig")
    monkeypatch.setattr(
        pair,
        "gaussian_blur",
        lambda image, sigma: (
            gaussian_blur(torch.from_numpy(image).permute(2, 0, 1), sigma).permute(1, 2, 0).contiguous().numpy()
        ),
    )
    model, prepared = fill(Smooth().double()), picture(12, 12)
    problem = problem_of(model, prepared, [3])

    def call(batch: np.ndarray, call_model_args: Any = None, expected_keys: Any = None) -> dict[str, np.ndarray]:
        _, gradients = problem.gradients(torch.from_numpy(batch).permute(0, 3, 1, 2))
        return {"INPUT_OUTPUT_GRADIENTS": gradients[:, 0].permute(0, 2, 3, 1).numpy()}

    def theirs(steps: int) -> torch.Tensor:
        image = prepared.pixels.permute(1, 2, 0).contiguous().numpy()
        mask = pair.BlurIG().GetMask(image, call, max_sigma=4, steps=steps, grad_step=1e-5, batch_size=1)
        return torch.from_numpy(mask).permute(2, 0, 1)

    coarse, fine = theirs(150), theirs(300)
    ours = explained(model, BlurIG(steps=400, max_sigma=4), 3).values[0]
    assert relative(fine, ours) < 2e-2
    assert relative(2 * fine - coarse, ours) < 5e-4


def test_estimates_come_coarse_to_fine_and_end_at_the_sum() -> None:
    problem = problem_of(rectified(), picture(12, 12), [1])
    found = list(BlurIG(steps=64, max_sigma=5).estimates(problem))
    assert [estimate.done for estimate in found] == [0, *range(8, 65, 8)]
    scores, gradients = problem.gradients(problem.pixels[None])
    wanted = gradients[0] * (problem.pixels - gaussian_blur(problem.pixels, 5))
    assert torch.equal(found[0].values, wanted)
    assert all(torch.equal(estimate.scores, scores[0]) for estimate in found)
    errors = [relative(estimate.values, found[-1].values) for estimate in found]
    assert errors[-1] == 0 < errors[4] < errors[1] < 1.5
    for count in (1, 2, 3, 5, 8, 13, 64):
        assert sorted(coarse_to_fine(count)) == list(range(count))
    assert coarse_to_fine(8)[:4] == [0, 4, 2, 6]


@pytest.mark.parametrize("chunk", [1, 3, 50])
def test_chunks_targets_and_types(chunk: int) -> None:
    wanted = explained(rectified(), BlurIG(steps=20, max_sigma=5), 1, 3)
    cut = explained(rectified(), BlurIG(steps=20, max_sigma=5), 1, 3, chunk=chunk)
    assert relative(cut.values, wanted.values) < 1e-12
    alone = explained(rectified(), BlurIG(steps=20, max_sigma=5), 3)
    assert relative(wanted.values[1], alone.values[0]) < 1e-12
    short = explained(rectified().bfloat16(), BlurIG(steps=20, max_sigma=5), 1, 3)
    assert short.values.dtype == torch.float32


def test_it_is_cancelled_by_taking_no_more() -> None:
    run = BlurIG().estimates(problem_of(rectified(), picture(12, 12), [1]))
    assert not next(run).final
    run.close()
    assert list(run) == []


@pytest.mark.parametrize(
    ("parameters", "argument"),
    [({"steps": 0}, "steps"), ({"max_sigma": 0}, "max_sigma"), ({"max_sigma": -1}, "max_sigma")],
)
def test_bad_parameters_are_named(parameters: dict[str, Any], argument: str) -> None:
    with pytest.raises(InputError, match=f"^{argument}="):
        BlurIG(**parameters)
