"""A coarse map at the size of its picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from saliency_widget import Attribution, InputError
from saliency_widget.attribution import MethodRecord, TargetRecord
from saliency_widget.display.cells import to_picture


def test_cells_are_rectangles() -> None:
    values = np.array([[[1.0, -2.0], [3.0, 4.0]]])
    found = to_picture(values, 4, 6, "cells")
    assert found.shape == (1, 4, 6)
    assert found.dtype == np.float32
    assert found[0].tolist() == [[1, 1, 1, -2, -2, -2]] * 2 + [[3, 3, 3, 4, 4, 4]] * 2


def test_smooth_is_linear_between_the_middles_of_the_cells() -> None:
    # Middles at 2 and 6 of 8 pixels; pixel k is read at k + 1/2.
    found = to_picture(np.array([[[0.0, 8.0]]]), 1, 8)
    assert found[0, 0].tolist() == [0, 0, 1, 3, 5, 7, 8, 8]
    # Upright likewise, and the two directions do not disturb each other.
    both = to_picture(np.array([[[0.0, 8.0], [8.0, 16.0]]]), 8, 8)
    assert np.allclose(both[0], found[0] + found[0].T)


def test_where_grid_and_pixels_are_one_nothing_changes() -> None:
    values = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32)
    assert (to_picture(values, 5, 7) == values).all()
    assert (to_picture(values, 5, 7, "cells") == values).all()


def test_a_uniform_map_stays_uniform_and_nothing_leaves_its_range() -> None:
    assert (to_picture(np.full((1, 3, 2), 0.1), 17, 31) == np.float32(0.1)).all()
    values = np.random.default_rng(1).normal(size=(1, 7, 5)).astype(np.float32)
    found = to_picture(values, 64, 33)
    assert found.min() >= values.min()
    assert found.max() <= values.max()
    # A mirrored map gives the mirrored picture.
    assert np.allclose(to_picture(values[:, ::-1, ::-1], 64, 33), found[:, ::-1, ::-1], atol=1e-6)


def test_it_is_the_interpolation_everybody_uses() -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(2).normal(size=(2, 7, 5))
    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(values.astype(np.float32)).double()[None], (40, 33), mode="bilinear", align_corners=False
    )
    assert np.abs(to_picture(values, 40, 33) - wanted[0].numpy()).max() < 1e-6


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_cell_without_a_number_stays_in_its_place(bad: float) -> None:
    values = np.array([[[1.0, bad, 3.0]]])
    found = to_picture(values, 2, 9)
    assert found[0, 0, :3].tolist() == [1, 1, 1]
    assert found[0, 0, 6:].tolist() == [3, 3, 3]
    middle = found[0, 0, 3:6]
    assert (np.isnan(middle) if np.isnan(bad) else np.isinf(middle)).all()


def test_a_grid_finer_than_the_picture_is_read_too() -> None:
    assert to_picture(np.arange(8.0)[None, None], 1, 4)[0, 0].tolist() == [0.5, 2.5, 4.5, 6.5]
    assert to_picture(np.arange(8.0)[None, None], 1, 4, "cells")[0, 0].tolist() == [1, 3, 5, 7]


def test_what_is_no_way_to_fill_is_refused() -> None:
    with pytest.raises(InputError, match=r"between='cubic'.*'smooth' or 'cells'"):
        to_picture(np.zeros((1, 2, 2)), 4, 4, "cubic")  # type: ignore[arg-type]


@pytest.fixture
def coarse() -> Attribution:
    random = np.random.default_rng(0)
    return Attribution(
        values=random.normal(size=(1, 3, 4)).astype(np.float32),
        image=random.integers(0, 256, (24, 40, 3)).astype(np.uint8),
        target=TargetRecord("logit", 3, "cat", "logit of cat"),
        method=MethodRecord("grad-cam", "Grad-CAM", {"layer": None}),
        score=1.5,
        unit="logit",
        channels=("map",),
        quality={"layer": "layer4", "grid": "3 x 4"},
    )


def test_a_coarse_attribution_is_shown_at_the_size_of_its_picture(coarse: Attribution, tmp_path: Path) -> None:
    for sign in ("absolute", "signed"):
        assert coarse.heatmap(sign).shape == (24, 40)
        assert len(np.unique(coarse.heatmap(sign, between="cells"))) <= 12
    figure = coarse.plot("signed")
    assert figure.axes[1].images[0].get_array().shape[:2] == (24, 40)
    assert figure.axes[2].images[0].get_array().shape[:2] == (24, 40)
    text = " ".join(one.get_text() for one in figure.texts)
    assert "3 x 4 cells" in text
    assert "channels" not in text
    path = tmp_path / "map.npz"
    coarse.save(path)
    back = Attribution.load(path)
    assert back.values.shape == (1, 3, 4)
    assert back.channels == ("map",)
    assert (back.heatmap() == coarse.heatmap()).all()
    with pytest.raises(InputError, match="between"):
        coarse.plot(between="no")  # type: ignore[arg-type]
