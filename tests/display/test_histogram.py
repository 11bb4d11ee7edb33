"""Counts of values, by hand and against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from saliency_widget.display.histogram import histogram
from saliency_widget.errors import InputError

VALUES = np.array([[-4.0, -1.0, 0.0], [1.0, 2.0, np.nan]], np.float32)


def test_by_hand() -> None:
    found = histogram(VALUES, "absolute", 4)
    assert (found.start, found.end) == (0.0, 4.0)
    assert found.counts.tolist() == [1, 2, 1, 1]  # 0 | 1, 1 | 2 | 4
    signed = histogram(VALUES, "signed", 4)
    assert (signed.start, signed.end) == (-4.0, 4.0)
    assert signed.counts.tolist() == [1, 1, 2, 1]  # -4 | -1 | 0, 1 | 2


def test_what_lies_beyond_the_end_is_in_the_last_bin() -> None:
    assert histogram(VALUES, "absolute", 2, level=1.5).counts.tolist() == [1, 4]
    assert histogram(VALUES, "signed", 3, level=1.5).counts.tolist() == [2, 1, 2]


def test_a_zero_map_and_a_map_without_a_number() -> None:
    zero = np.zeros((2, 3), np.float32)
    assert histogram(zero, "absolute", 3).counts.tolist() == [6, 0, 0]
    assert histogram(zero, "signed", 3).counts.tolist() == [0, 6, 0]
    assert histogram(VALUES, "signed", 3, level=0).counts.tolist() == [2, 1, 2]
    assert histogram(np.full((2, 2), np.nan, np.float32), "signed", 3).counts.tolist() == [0, 0, 0]


@given(
    hnp.arrays(np.float32, (4, 5), elements=st.floats(-100, 100, width=16)),
    st.integers(1, 40),
)
@settings(deadline=None, max_examples=80)
def test_it_is_numpys(values: np.ndarray, bins: int) -> None:
    top = float(np.abs(values).max()) or 1.0
    signed = np.histogram(values.astype(np.float64), bins, (-top, top))[0]
    # numpy rounds its edges in another order: what lies on one may be in the bin beside it.
    found = histogram(values, "signed", bins, top).counts
    assert found.sum() == signed.sum() == values.size
    edges = np.linspace(-top, top, bins + 1)
    on_an_edge = np.abs(values.astype(np.float64).ravel()[:, None] - edges).min(axis=1) <= 1e-9 * top
    assert np.abs(np.cumsum(found) - np.cumsum(signed)).max() <= on_an_edge.sum()


@pytest.mark.parametrize("bins", [22, 7])
def test_zeros_are_where_they_belong_whatever_numpy_makes_of_its_middle_edge(bins: int) -> None:
    values = np.zeros((4, 5), np.float32)
    values[0, 0] = 25
    found = histogram(values, "signed", bins, 25.0).counts
    assert (found[bins // 2], found[-1], found.sum()) == (19, 1, 20)


@pytest.mark.parametrize(("argument", "value"), [("bins", 0), ("bins", True), ("bins", 2.5), ("level", -1.0)])
def test_bad_input_is_named(argument: str, value: object) -> None:
    with pytest.raises(InputError, match=argument):
        histogram(VALUES, "signed", **{argument: value})  # type: ignore[arg-type]
