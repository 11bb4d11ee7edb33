"""Which pixels stay, how much they hold, and where one ranks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from saliency_widget.display.threshold import keep_strongest, rank_of
from saliency_widget.errors import InputError

reduced_maps = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.0, 0.25, 1.0, 2.0, 3.0, np.nan]),
)


def test_by_hand() -> None:
    kept = keep_strongest(np.array([[1.0, -4.0], [2.0, 3.0]], np.float32), 50)
    assert kept.mask.tolist() == [[False, True], [False, True]]
    assert (kept.cut, kept.area, kept.mass) == (3.0, 0.5, 0.7)


def test_equals_stay_together() -> None:
    kept = keep_strongest(np.array([[1.0, -1.0], [1.0, 5.0]], np.float32), 50)
    assert kept.mask.all()


@given(reduced_maps, st.floats(0, 100))
@settings(deadline=None, max_examples=150)
def test_the_kept_are_the_strongest(reduced: np.ndarray, percent: float) -> None:
    kept = keep_strongest(reduced, percent)
    a = np.abs(reduced)
    finite = np.isfinite(a)
    wanted = math.floor(percent * finite.sum() / 100 + 0.5)
    assert not kept.mask[~finite].any()
    assert kept.mask.sum() >= wanted
    if wanted:
        # Without the weakest kept value and its equals, fewer than wanted would stay.
        assert (a[kept.mask] > kept.cut).sum() < wanted
        assert a[kept.mask].min() == kept.cut
    else:
        assert not kept.mask.any()
    weakest_kept, strongest_hidden = a[kept.mask], a[finite & ~kept.mask]
    if weakest_kept.size and strongest_hidden.size:
        assert weakest_kept.min() > strongest_hidden.max()
    if a[finite].sum() == 0:
        assert kept.mass is None
    else:
        assert kept.mass == pytest.approx(a[kept.mask].sum() / a[finite].sum())


@given(reduced_maps)
@settings(deadline=None, max_examples=60)
def test_ranks(reduced: np.ndarray) -> None:
    a = np.abs(reduced[np.isfinite(reduced)])
    for (row, column), value in np.ndenumerate(reduced):
        if np.isnan(value):
            with pytest.raises(InputError):
                rank_of(reduced, row, column)
        else:
            rank, weaker = rank_of(reduced, row, column)
            assert rank == 1 + sum(x > abs(value) for x in a)
            assert weaker == 100 * sum(x < abs(value) for x in a) / a.size


@pytest.mark.parametrize("percent", [-1, 100.5, float("nan"), "5", True, None])
def test_bad_percentages_are_named(percent: object) -> None:
    with pytest.raises(InputError, match="threshold"):
        keep_strongest(np.ones((2, 2), np.float32), percent)
