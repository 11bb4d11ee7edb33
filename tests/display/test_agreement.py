"""Two maps of one picture, by hand and against an independent rank correlation."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_widget.display.agreement import agreement
from saliency_widget.display.cells import to_picture


def noise(seed: int, shape: tuple[int, int] = (20, 30)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_map_agrees_with_itself_whatever_its_sign_and_scale() -> None:
    a = noise(0)
    for other in (a, -a, 1e-3 * a, np.sign(a) * a**2):
        found = agreement(a, other)
        assert found.spearman == pytest.approx(1, abs=1e-12)
        assert found.overlap == 1


def test_opposite_order_is_minus_one() -> None:
    a = np.arange(1, 101, dtype=np.float32).reshape(10, 10)
    found = agreement(a, 101 - a)
    assert found.spearman == pytest.approx(-1, abs=1e-12)
    assert found.overlap == 0


def test_half_of_the_strongest() -> None:
    a = np.ones((10, 10), np.float32)
    b = np.ones((10, 10), np.float32)
    a[0, :5] = (2, 3, 4, 5, 6)
    b[0, 2:7] = (2, 3, 4, 5, 6)
    assert agreement(a, b).overlap == 3 / 7


def test_ranks_of_equals_are_shared_as_scipy_shares_them() -> None:
    stats = pytest.importorskip("scipy.stats")
    for seed in range(5):
        a, b = np.round(2 * noise(seed)), np.round(noise(seed + 10) + noise(seed))
        expected = stats.spearmanr(np.abs(a).ravel(), np.abs(b).ravel()).statistic
        assert agreement(a, b).spearman == pytest.approx(expected, abs=1e-12)


def test_grids_that_differ_meet_on_the_finer_one() -> None:
    coarse, fine = noise(1, (3, 4)), noise(2, (23, 31))
    found = agreement(coarse, fine)
    assert found == agreement(fine, coarse)
    assert found == agreement(to_picture(coarse[None], 23, 31, "cells")[0], fine)
    # One is finer upright, the other across.
    assert agreement(noise(3, (10, 3)), noise(4, (4, 20))).spearman is not None


def test_pixels_without_a_number_do_not_count() -> None:
    a, b = noise(5), noise(6)
    holes = a.copy()
    holes[:, :10] = np.nan
    assert agreement(holes, b) == agreement(a[:, 10:], b[:, 10:])


def test_a_uniform_map_agrees_with_nothing() -> None:
    for uniform in (np.zeros((20, 30), np.float32), np.full((20, 30), -2, np.float32), np.full((20, 30), np.nan)):
        found = agreement(uniform.astype(np.float32), noise(7))
        assert (found.spearman, found.overlap) == (None, None)


def test_zero_is_never_among_the_strongest() -> None:
    a, b = np.zeros((20, 30), np.float32), np.zeros((20, 30), np.float32)
    a[3, 4] = a[5, 6] = b[3, 4] = 1
    assert agreement(a, b).overlap == 0.5


def test_maps_too_small_to_have_five_percent() -> None:
    found = agreement(np.array([[1, 2]], np.float32), np.array([[3, 5]], np.float32))
    assert (found.spearman, found.overlap) == (pytest.approx(1), None)
