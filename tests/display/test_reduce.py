"""The definitions of a picture, by hand-worked numbers and by independent oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from saliency_widget.display.reduce import SIGNS, clip_level, reduce_channels, scale_to_heat
from saliency_widget.errors import InputError

# One row of three pixels, three channels: R, G, B.
VALUES = np.array([[[1.0, -5.0, 0.0]], [[-3.0, 2.0, 0.0]], [[0.5, 2.0, 0.0]]], np.float32)

maps = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 7)),
    elements=st.floats(-1e6, 1e6, width=32),
)


def heatmap(values: np.ndarray, sign: str = "absolute", clip: float = 99.0) -> np.ndarray:
    reduced = reduce_channels(values, sign)
    return scale_to_heat(reduced, clip_level(reduced, clip))


def test_reductions_by_hand() -> None:
    assert reduce_channels(VALUES, "absolute").tolist() == [[3.0, 5.0, 0.0]]
    assert reduce_channels(VALUES, "signed").tolist() == [[-1.5, -1.0, 0.0]]
    assert reduce_channels(VALUES, "absolute", "sum").tolist() == [[4.5, 9.0, 0.0]]
    assert reduce_channels(VALUES, "signed", "max").tolist() == [[-3.0, -5.0, 0.0]]
    np.testing.assert_allclose(reduce_channels(VALUES, "signed", "mean"), [[-0.5, -1 / 3, 0.0]], rtol=1e-6)


def test_positive_and_negative_split_the_signed_map() -> None:
    for reduction in (None, "default", "max", "sum", "mean", "l2", 1, "1", np.int64(1)):
        signed = reduce_channels(VALUES, "signed", reduction)
        positive, negative = (reduce_channels(VALUES, sign, reduction) for sign in ("positive", "negative"))
        assert positive.min() >= 0 >= negative.max()
        assert (positive + negative == signed).all()
        for part in (signed, positive, negative):
            assert not np.signbit(part[part == 0]).any()
    assert reduce_channels(VALUES, "positive").tolist() == [[0.0, 0.0, 0.0]]
    assert reduce_channels(VALUES, "negative").tolist() == [[-1.5, -1.0, 0.0]]


def test_l2_is_the_length_with_the_sign_of_the_sum() -> None:
    values = np.array([[[3.0, -3.0, 1.0]], [[4.0, -4.0, -1.0]]], np.float32)
    assert reduce_channels(values, "absolute", "l2").tolist() == [[5.0, 5.0, np.sqrt(np.float32(2))]]
    assert reduce_channels(values, "signed", "l2").tolist() == [[5.0, -5.0, 0.0]]
    tiny = np.full((3, 1, 1), 1e-30, np.float32)
    assert reduce_channels(tiny, "absolute", "l2")[0, 0] == pytest.approx(1e-30 * 3**0.5, rel=1e-6)


def test_one_channel_by_its_number() -> None:
    for channel in range(3):
        for name in (channel, str(channel)):
            assert (reduce_channels(VALUES, "signed", name) == VALUES[channel]).all()
            assert (reduce_channels(VALUES, "absolute", name) == np.abs(VALUES[channel])).all()


def test_a_sum_that_float32_cannot_hold_is_no_number() -> None:
    values = np.full((2, 1, 1), 3e38, np.float32)
    assert np.isnan(reduce_channels(values, "signed")).all()
    assert np.isfinite(reduce_channels(values, "signed", "mean")).all()


def test_heat_of_each_sign_has_its_own_range() -> None:
    values = np.random.default_rng(0).normal(size=(3, 9, 9)).astype(np.float32)
    for sign, least, most in (("absolute", 0, 1), ("positive", 0, 1), ("negative", -1, 0), ("signed", -1, 1)):
        heat = heatmap(values, sign, clip=100)
        assert heat.min() >= least
        assert heat.max() <= most
        assert np.abs(heat).max() == 1


def test_a_channel_that_is_no_number_makes_its_pixel_no_number_and_no_other() -> None:
    values = VALUES.copy()
    values[1, 0, 0] = np.inf
    # Also where another channel alone is asked for: all views miss the same pixels.
    assert np.isnan(reduce_channels(values, "signed", 0)[0, 0])
    for sign in SIGNS:
        reduced = reduce_channels(values, sign)
        assert np.isnan(reduced[0, 0])
        assert np.isfinite(reduced[0, 1:]).all()
        heat = heatmap(values, sign)
        assert np.isnan(heat[0, 0])
        assert np.isfinite(heat[0, 1:]).all()


@given(maps, st.floats(1, 100))
@settings(deadline=None, max_examples=80)
def test_the_clip_level_is_numpys_inverted_cdf(values: np.ndarray, clip: float) -> None:
    reduced = reduce_channels(values, "signed")
    expected = np.quantile(np.abs(reduced), clip / 100, method="inverted_cdf")
    level = clip_level(reduced, clip)
    if expected > 0:
        # The two divide by 100 at different moments, so that an exact multiple may round to a neighbour.
        ordered = np.sort(np.abs(reduced), axis=None)
        place = np.searchsorted(ordered, expected, side="left"), np.searchsorted(ordered, level, side="left")
        assert abs(int(place[0]) - int(place[1])) <= (1 if (clip * ordered.size / 100) % 1 < 1e-6 else 0) or (
            level == expected
        )
    assert level in np.abs(reduced)


def test_a_map_that_is_almost_all_zero_saturates_at_its_largest_magnitude() -> None:
    values = np.zeros((3, 100, 100), np.float32)
    values[0, 3, 4] = -2.0
    assert clip_level(reduce_channels(values, "signed"), 99) == 2.0
    assert heatmap(values, "signed")[3, 4] == -1.0


def test_a_zero_map_is_a_state_and_no_division() -> None:
    with np.errstate(all="raise"):
        assert not heatmap(np.zeros((3, 4, 4), np.float32), "absolute").any()
        assert clip_level(np.zeros((4, 4), np.float32)) == 0.0


def test_zero_stays_exactly_in_the_middle_of_a_signed_map_that_is_all_negative() -> None:
    values = -np.arange(1, 13, dtype=np.float32).reshape(1, 3, 4)
    values[0, 0, 0] = 0
    heat = heatmap(values, "signed", clip=100)
    assert heat[0, 0] == 0.0
    assert heat.min() == -1.0
    assert heat.max() == 0.0


def test_values_above_the_level_saturate() -> None:
    assert scale_to_heat(np.array([[-4.0, 1.0, 8.0]], np.float32), 2.0).tolist() == [[-1.0, 0.5, 1.0]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: reduce_channels(VALUES, "both"), "sign='both'"),
        (lambda: reduce_channels(VALUES, "signed", "median"), "reduce='median'"),
        (lambda: reduce_channels(VALUES, "signed", "3"), "reduce='3'"),
        (lambda: reduce_channels(VALUES, "signed", 3), "from 0 to 2"),
        (lambda: reduce_channels(VALUES, "signed", -1), "reduce=-1"),
        (lambda: reduce_channels(VALUES, "signed", True), "reduce=True"),
        (lambda: reduce_channels(VALUES, "signed", "9" * 5000), "reduce="),
        (lambda: reduce_channels(VALUES[:1], "signed", 1), "0 for its one channel"),
        (lambda: reduce_channels(np.zeros((4, 4)), "signed"), "(4, 4)"),
        (lambda: reduce_channels(np.zeros((0, 4, 4)), "signed"), "(0, 4, 4)"),
        (lambda: reduce_channels(np.array([[["a"]]]), "signed"), "values"),
        (lambda: heatmap(VALUES, clip=0), "clip=0"),
        (lambda: heatmap(VALUES, clip=101), "clip=101"),
        (lambda: heatmap(VALUES, clip=float("nan")), "clip=nan"),
        (lambda: heatmap(VALUES, clip=True), "clip=True"),
    ],
)
def test_bad_input_is_named(call, words: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert words in str(caught.value)
