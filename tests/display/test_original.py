"""A map over the picture from which the model's picture was cut."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.display.cells import on_original, to_picture
from saliency_widget.display.geometry import Geometry, Known, plain_geometry, read_geometry
from saliency_widget.errors import InputError

T = torchvision.transforms
RAMP = np.arange(12, dtype=np.float32).reshape(1, 3, 4)


class Weighted(nn.Module):
    """Its gradient is the weights, whatever the picture."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weights).sum((1, 2, 3))[:, None]


def test_the_same_place_is_the_same_map() -> None:
    whole = Geometry(3, 4, (0, 0, 3, 4), (3, 4))
    np.testing.assert_array_equal(on_original(RAMP, whole), RAMP)
    # A picture that was reduced to a third, and a coarse map over it, are both spread as over their picture.
    large = Geometry(9, 12, (0, 0, 9, 12), (3, 4))
    for between in ("smooth", "cells"):
        np.testing.assert_array_equal(on_original(RAMP, large, between), to_picture(RAMP, 9, 12, between))
        coarse = Geometry(9, 12, (0, 0, 9, 12), (90, 120))
        np.testing.assert_array_equal(on_original(RAMP, coarse, between), to_picture(RAMP, 9, 12, between))


def test_what_was_cut_off_is_nan_and_what_was_padded_is_left_out() -> None:
    cut = on_original(RAMP, Geometry(7, 8, (2, 3, 5, 7), (3, 4)))
    assert cut.shape == (1, 7, 8)
    np.testing.assert_array_equal(cut[:, 2:5, 3:7], RAMP)
    assert np.isnan(cut).sum() == 7 * 8 - 12
    padded = on_original(RAMP, Geometry(1, 4, (-1, 0, 2, 4), (3, 4)))
    np.testing.assert_array_equal(padded, RAMP[:, 1:2])


def test_cells_that_are_no_number_stay_so() -> None:
    values = RAMP.copy()
    values[0, 1, 2] = np.nan
    found = on_original(values, Geometry(6, 8, (0, 0, 6, 8), (3, 4)))
    assert np.isnan(found).sum() == 4


@pytest.mark.parametrize("size", [(90, 60), (61, 100), (40, 40)])
def test_a_mark_lies_where_it_was_in_the_original(size: tuple[int, int]) -> None:
    transform = T.Compose([T.Resize(40), T.CenterCrop(32), T.ToTensor()])
    weights = torch.zeros(3, 32, 32)
    weights[:, 20, 8] = 1
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    map_ = sw.explain(Weighted(weights).eval(), picture, preprocess=transform)
    found = map_.on_original(between="cells")
    assert found.shape == (3, size[1], size[0])
    geometry = map_.geometry
    assert geometry is not None
    marked = np.argwhere(np.nan_to_num(found[0]))
    wanted = geometry.to_original(20.5, 8.5)
    assert np.abs(marked.mean(axis=0) + 0.5 - wanted).max() <= 0.75
    scale = min(size) / 40
    assert int(scale) ** 2 <= len(marked) <= (int(scale) + 1) ** 2
    assert set(np.unique(found[~np.isnan(found)])) == {0.0, 1.0}
    seen = (32 * scale) ** 2
    assert (~np.isnan(found[0])).sum() == pytest.approx(seen, rel=0.06)
    masked: Any = map_.on_original(masked=True)
    assert np.array_equal(masked.mask, np.isnan(map_.on_original()))


def made(image: Any = None, transform: Any = None) -> sw.Attribution:
    given = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8))
    chosen = transform or T.Compose([T.Resize((32, 32)), T.ToTensor()])
    model = Weighted(torch.rand(3, 32, 32)).eval()
    result: sw.Attribution = sw.explain(model, given if image is None else image, preprocess=chosen)
    return result


def test_it_survives_saving_copying_and_pickling(tmp_path: Path) -> None:
    map_ = made()
    map_.save(tmp_path / "a.npz")
    wanted = map_.on_original()
    for again in (
        sw.Attribution.load(tmp_path / "a.npz"),
        pickle.loads(pickle.dumps(map_)),
        copy.deepcopy(made()),
    ):
        assert again.geometry == map_.geometry
    np.testing.assert_array_equal(sw.Attribution.load(tmp_path / "a.npz").on_original(), wanted)


def test_nothing_is_measured_until_it_is_asked_for() -> None:
    runs: list[int] = []
    transform = T.Compose([T.Resize((32, 32)), T.Lambda(lambda x: runs.append(1) or x), T.ToTensor()])
    map_ = made(transform=transform)
    before = len(runs)
    _ = map_.heatmap(), repr(map_)
    assert len(runs) == before
    _ = map_.geometry
    assert len(runs) > before


def test_what_has_no_place_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a tensor was given"):
        made(torch.rand(3, 32, 32)).on_original()
    turned = made(transform=T.Compose([T.Resize((32, 32)), T.Lambda(lambda x: x.rotate(30)), T.ToTensor()]))
    with pytest.raises(InputError, match="straight"):
        turned.on_original()
    turned.save(tmp_path / "a.npz")
    with pytest.raises(InputError, match="straight"):
        sw.Attribution.load(tmp_path / "a.npz").on_original()


def test_plain_values_tell_all() -> None:
    for known in (Known(Geometry(3, 4, (0.5, -1.0, 2.0, 3.25), (7, 9))), Known("bends it")):
        assert read_geometry(plain_geometry(known)) == known
    assert read_geometry(plain_geometry(None)) is None
