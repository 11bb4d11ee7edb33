"""The blur is an average over the picture alone; far from the border it is the peer's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from saliency_widget.errors import InputError
from saliency_widget.methods.blur import gaussian_blur

SIGMAS = [1e-200, 0.3, 1.0, 4.0, 1000.0]


@pytest.mark.parametrize("sigma", [0.0, *SIGMAS])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_constant_stays_what_it_is(sigma: float, dtype: torch.dtype) -> None:
    constant = torch.tensor([0.1, 0.7, -3.0], dtype=dtype)[:, None, None].expand(3, 9, 50)
    blurred = gaussian_blur(constant, sigma)
    assert blurred.dtype is dtype
    assert blurred.shape == constant.shape
    assert ((blurred - constant).abs() <= 16 * torch.finfo(dtype).eps * constant.abs()).all()


def test_it_is_the_gaussian_of_the_picture_divided_by_that_of_ones() -> None:
    picture = torch.rand(3, 20, 33, dtype=torch.float64)
    ones = np.ones((20, 33))
    for sigma in (0.5, 2.0, 9.0):
        options = {"sigma": sigma, "mode": "constant", "truncate": 40}
        expected = np.stack([gaussian_filter(one, **options) / gaussian_filter(ones, **options) for one in picture])
        assert np.abs(gaussian_blur(picture, sigma).numpy() - expected).max() < 1e-14


def test_its_ends_are_the_picture_and_the_mean() -> None:
    picture = torch.rand(2, 3, 12, 17, dtype=torch.float64)
    assert gaussian_blur(picture, 0) is picture
    assert torch.equal(gaussian_blur(picture, 1e-200), picture)
    mean = picture.mean((2, 3), keepdim=True)
    assert torch.allclose(gaussian_blur(picture, 1e7), mean.expand_as(picture), rtol=1e-12)


def test_a_batch_is_its_pictures_and_derivatives_pass() -> None:
    batch = torch.rand(2, 3, 6, 7, dtype=torch.float64, requires_grad=True)
    assert torch.allclose(gaussian_blur(batch, 1.5)[1], gaussian_blur(batch[1], 1.5), rtol=1e-14)
    assert torch.autograd.gradcheck(lambda x: gaussian_blur(x, 1.5), batch)


def test_modes_of_the_caller_change_nothing() -> None:
    picture = torch.rand(3, 12, 17)
    plain = gaussian_blur(picture, 2.0)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        assert torch.equal(gaussian_blur(picture, 2.0), plain)
    with torch.device("meta"):
        assert torch.equal(gaussian_blur(picture, 2.0), plain)


@pytest.mark.parametrize("sigma", [-1, float("nan"), float("inf"), True, "2", None])
def test_what_is_no_width_is_refused(sigma: object) -> None:
    with pytest.raises(InputError, match=r"sigma=.*number of pixels"):
        gaussian_blur(torch.rand(3, 4, 4), sigma)  # type: ignore[arg-type]
