"""What stands for "nothing there"."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from saliency_widget.errors import InputError
from saliency_widget.methods.baselines import (
    check_baseline,
    describe,
    generator_of,
    make_baseline,
    several,
)

PIXELS = torch.rand(3, 8, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def made(spec: Any, pixels: torch.Tensor = PIXELS, seed: int = 0) -> list[torch.Tensor]:
    return [make_baseline(one, pixels, seed=seed, index=i) for i, one in enumerate(several(check_baseline(spec)))]


def test_the_names() -> None:
    assert torch.equal(made("black")[0], torch.zeros_like(PIXELS))
    assert torch.equal(made(" White ")[0], torch.ones_like(PIXELS))
    mean = made("mean")[0]
    assert torch.allclose(mean[1], PIXELS[1].mean().expand(8, 6))
    blurred = made("blur", PIXELS.repeat(1, 20, 20))[0]
    assert 0 < blurred.var() < PIXELS.var() / 10
    noise = made("noise")[0]
    assert noise.min() >= 0
    assert noise.max() <= 1
    assert not torch.equal(noise, made("noise", seed=1)[0])
    assert torch.equal(noise, made("noise")[0])


def test_noise_is_the_same_in_every_type_and_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    wide, short = made("noise")[0], made("noise", PIXELS.bfloat16())[0]
    assert short.dtype == torch.float32
    assert torch.equal(wide.float(), short)
    assert torch.equal(torch.get_rng_state(), before)
    first = torch.rand(4, generator=generator_of(0, 1))
    assert not torch.equal(first, torch.rand(4, generator=generator_of(1, 0)))


def test_colours_and_arrays() -> None:
    assert torch.equal(made((1, 0.5, 0))[0][:, 2, 2], torch.tensor([1, 0.5, 0], dtype=torch.float64))
    assert torch.equal(made(np.array([1, 0.5, 0]))[0], made([1, 0.5, 0])[0])
    array = np.random.default_rng(0).random((3, 8, 6))
    assert np.array_equal(made(array)[0].numpy(), array)
    assert np.array_equal(made(array.transpose(1, 2, 0))[0].numpy(), array)
    assert torch.equal(made(torch.from_numpy(array).requires_grad_())[0], torch.from_numpy(array))
    white = np.full((8, 6, 3), 255, np.uint8)
    assert torch.equal(made(white)[0], torch.ones_like(PIXELS))
    assert torch.equal(made(Image.fromarray(white))[0], torch.ones_like(PIXELS))


def test_several_and_each_has_its_own_noise() -> None:
    found = made(["black", (1, 1, 1), "noise", "noise"])
    assert len(found) == 4
    assert torch.equal(found[1], torch.ones_like(PIXELS))
    assert not torch.equal(found[2], found[3])
    assert len(made([(0, 0, 0), (1, 1, 1)])) == 2


def test_what_was_checked_can_be_checked_again_compared_and_written_down() -> None:
    array = np.random.default_rng(0).random((3, 8, 6))
    spec = check_baseline(["black", (0, 0, 1), array])
    assert check_baseline(spec) == spec == check_baseline(["black", (0, 0, 1), array.copy()])
    assert spec != check_baseline(["black", (0, 0, 1), array + 1e-9])
    assert hash(spec) == hash(check_baseline(spec))
    assert describe(spec)[:2] == ["black", [0, 0, 1]]
    assert "(3, 8, 6)" in describe(spec)[2]
    array[:] = 0  # the caller's own array is not what was kept
    assert made(spec)[2].any()


@pytest.mark.parametrize(
    "spec",
    [
        "blak",
        "",
        None,
        7,
        [],
        (0, 0, 300),
        (0, 0, -0.1),
        (0, float("nan"), 0),
        (True, 0, 0),
        ["black", "blck"],
        [["black"]],
        np.zeros((4, 4)),
        np.zeros((3, 4, 4), int),
        np.full((3, 4, 4), np.nan),
        object(),
    ],
)
def test_what_is_no_baseline_is_refused_by_name(spec: Any) -> None:
    with pytest.raises(InputError, match="baseline"):
        check_baseline(spec)


@pytest.mark.parametrize(
    "spec", [(0.5,), (0.1, 0.2, 0.3, 0.4), np.zeros((3, 6, 8)), np.zeros((1, 8, 6)), np.full((3, 8, 6), 200.0)]
)
def test_what_does_not_fit_the_picture_is_refused_by_name(spec: Any) -> None:
    with pytest.raises(InputError, match="baseline"):
        made(spec)
