"""What a map loses on its way to the browser, and how much at most."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from saliency_widget.display.encode import RELATIVE_ERROR, decode_half, encode_half, shrink

maps = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 8)),
    elements=st.floats(-(2.0**100), 2.0**100, width=32),
)


@given(maps)
@settings(deadline=None, max_examples=150)
def test_the_stated_error_bound_holds(values: np.ndarray) -> None:
    packed = encode_half(values)
    back = decode_half(packed.data, packed.shape, packed.scale)
    wrong = np.abs(back.astype(np.float64) - values)
    assert wrong.max() <= packed.error
    # And relative to each value, as long as it is not 2^29 times smaller than the largest.
    large = np.abs(values) >= packed.scale * 2.0**-14
    relative = wrong[large & (values != 0)] / np.abs(values[large & (values != 0)])
    assert (relative <= RELATIVE_ERROR * 1.001).all()


def test_an_outlier_flushes_nothing_to_zero() -> None:
    values = np.random.default_rng(0).normal(size=(3, 50, 50)).astype(np.float32)
    values[0, 0, 0] = 1e6
    packed = encode_half(values)
    back = decode_half(packed.data, packed.shape, packed.scale)
    assert (back[values != 0] != 0).all()


def test_states_survive() -> None:
    zero = encode_half(np.zeros((3, 2, 2), np.float32))
    assert (zero.scale, zero.error, zero.nonfinite) == (0.0, 0.0, 0)
    values = np.ones((3, 2, 2), np.float32)
    values[0, 0, 0], values[1, 0, 1], values[2, 1, 0] = np.nan, np.inf, -np.inf
    packed = encode_half(values)
    back = decode_half(packed.data, packed.shape, packed.scale)
    assert packed.nonfinite == 3
    assert np.isnan(back[0, 0, 0])
    assert back[1, 0, 1] == np.inf
    assert back[2, 1, 0] == -np.inf
    assert (back[:, 1, 1] == 1).all()


def test_large_maps_are_reduced_by_whole_blocks_and_say_so() -> None:
    values = np.random.default_rng(0).normal(size=(1, 1500, 1030)).astype(np.float32)
    packed = encode_half(values)
    assert packed.shape == (1, 750, 515)
    assert packed.reduced_from == (1500, 1030)
    small = shrink(values)
    np.testing.assert_allclose(small[0, 3, 4], values[0, 6:8, 8:10].mean(), rtol=1e-5)
    assert encode_half(values[:, :1024, :1024]).reduced_from is None
    assert shrink(np.ones((1, 2049, 3), np.float32)).shape == (1, 683, 1)
