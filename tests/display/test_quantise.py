"""What a page keeps of a map, and how far each value may be off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from saliency_widget.display.quantise import KEEPS, Kept, keep_map, read_kept
from saliency_widget.display.reduce import reduce_channels
from saliency_widget.errors import InputError

maps = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
    elements=st.floats(-(2.0**60), 2.0**60, width=32),
)


def read(kept: Kept) -> dict[str, np.ndarray]:
    return read_kept(kept.data, kept.dtype, kept.shape, kept.planes, kept.scale, kept.absolute_scale)


@given(maps, st.sampled_from(KEEPS), st.sampled_from(["absolute", "signed"]))
@settings(deadline=None, max_examples=200)
def test_the_stated_error_bound_holds(values: np.ndarray, keep: str, sign: str) -> None:
    kept = keep_map(values, keep, sign)
    for plane, found in read(kept).items():
        exact = values if not kept.planes else reduce_channels(values, plane)[None]
        error = kept.absolute_error if plane == "absolute" else kept.error
        assert np.abs(found.astype(np.float64) - exact).max() <= error


def test_what_is_kept_is_what_was_asked_for() -> None:
    values = np.random.default_rng(0).normal(size=(3, 70, 70)).astype(np.float32)
    assert keep_map(values, "shown", "absolute").planes == ("absolute",)
    for sign in ("signed", "positive", "negative"):
        assert keep_map(values, "shown", sign).planes == ("signed",)
    assert keep_map(values, "signs").planes == ("signed", "absolute")
    channels = keep_map(values, "channels")
    assert (channels.planes, channels.shape, channels.dtype) == ((), (3, 70, 70), "int8")
    assert keep_map(values, "full").dtype == "float16"
    sizes = [len(keep_map(values, keep).data) for keep in KEEPS]
    assert sizes == [4900, 9800, 14700, 29400]


def test_the_largest_magnitude_is_exact_to_rounding_and_zero_is_zero() -> None:
    values = np.random.default_rng(1).normal(size=(3, 20, 20)).astype(np.float32)
    values[:, 3, 4] = 0
    for keep in ("signs", "channels"):
        kept = keep_map(values, keep)
        for found in read(kept).values():
            assert (found[:, 3, 4] == 0).all()
        loudest = read(kept).get("absolute", np.abs(read(kept)["signed"])).max()
        assert loudest == pytest.approx(np.abs(values).max(), rel=1e-6)


def test_a_coarse_map_of_one_channel_keeps_all_its_views() -> None:
    values = np.random.default_rng(2).normal(size=(1, 7, 7)).astype(np.float32)
    for keep in KEEPS:
        kept = keep_map(values, keep)
        assert (kept.dtype, kept.planes) == ("float16", ())
    large = keep_map(np.random.default_rng(2).normal(size=(1, 80, 80)).astype(np.float32), "shown", "absolute")
    assert (large.dtype, large.planes, large.shape) == ("int8", (), (1, 80, 80))


def test_what_is_no_number_stays_none_and_takes_nothing_with_it() -> None:
    values = np.ones((3, 4, 4), np.float32)
    values[0, 0, 0], values[1, 0, 1], values[2, 1, 0] = np.nan, np.inf, -np.inf
    for keep in ("shown", "signs", "channels"):
        kept = keep_map(values, keep)
        assert kept.nonfinite == 3
        for found in read(kept).values():
            wrong = np.isnan(found).any(axis=0)
            assert wrong.sum() == 3
            assert wrong[[0, 0, 1], [0, 1, 0]].all()
            assert np.isfinite(found[:, ~wrong]).all()


def test_zero_and_nothing_but_nan_are_states() -> None:
    for values in (np.zeros((3, 5, 5), np.float32), np.full((3, 5, 5), np.nan, np.float32)):
        for keep in KEEPS:
            kept = keep_map(values, keep)
            assert (kept.scale, kept.absolute_scale, kept.error, kept.absolute_error) == (0, 0, 0, 0)
            for found in read(kept).values():
                np.testing.assert_array_equal(np.nan_to_num(found), 0)


def test_a_large_map_is_reduced_and_says_so() -> None:
    kept = keep_map(np.ones((3, 1500, 20), np.float32), "signs")
    assert (kept.shape, kept.reduced_from) == ((1, 750, 10), (1500, 20))


@pytest.mark.parametrize("keep", ["all", "", None, 8, ["signs"]])
def test_another_word_is_refused_with_those_there_are(keep: object) -> None:
    with pytest.raises(InputError, match=r"keep.*'shown', 'signs', 'channels', 'full'"):
        keep_map(np.ones((3, 2, 2)), keep)  # type: ignore[arg-type]
