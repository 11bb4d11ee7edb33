"""Pictures of other channels than colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torchvision.transforms import Normalize

import saliency_widget as sw
from saliency_widget.errors import InputError
from saliency_widget.models.preprocess import prepare

RNG = np.random.default_rng(0)
BANDS = RNG.integers(0, 65536, (40, 56, 12), dtype=np.uint16)


def net(channels: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = (nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
        return nn.Sequential(nn.Conv2d(channels, 6, 3), *head).eval()


@pytest.mark.parametrize(
    ("dtype", "full"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1), (np.float64, 1), (np.float16, 1)]
)
@pytest.mark.parametrize("channels", [2, 4, 5, 12])
def test_an_array_goes_to_the_model_as_it_is_from_0_to_1(channels: int, dtype: Any, full: float) -> None:
    wide = RNG.random((24, 30, channels))
    array = (wide * full).astype(dtype)
    model = net(channels)
    map_ = sw.explain(model, array, target=2)
    seen = torch.from_numpy(np.moveaxis(array.astype(np.float64) / full, 2, 0))
    assert map_.score == pytest.approx(float(model(seen[None].float())[0, 2]), abs=1e-6)
    assert map_.values.shape == (channels, 24, 30)
    assert map_.unit == "logit per full-scale pixel"
    assert map_.channels == tuple(str(k + 1) for k in range(channels))
    assert map_.on_original().shape == map_.values.shape
    grey = np.moveaxis(array.astype(float), 2, 0).mean(0)
    assert map_.image[np.unravel_index(grey.argmax(), (24, 30))][0] == 255
    assert "the mean of them" in map_.provenance["preprocess"]


def test_three_of_them_are_shown_by_their_names() -> None:
    names = [f"B{k:02}" for k in range(12)]
    bands = sw.Channels(BANDS, full=10_000, shown=(3, 2, 1), names=names)
    map_ = sw.explain(net(12), bands, target=0)
    assert map_.channels == tuple(names)
    chosen = BANDS[:, :, [3, 2, 1]].astype(float)
    wanted = (chosen - chosen.min()) / (chosen.max() - chosen.min()) * 255
    assert np.abs(map_.image - wanted).max() <= 0.51
    assert (map_.values == sw.explain(net(12), sw.Channels(BANDS, full=10_000), target=0).values).all()
    one = sw.explain(net(12), sw.Channels(torch.from_numpy(np.moveaxis(BANDS / 65535, 2, 0)), shown=7), target=0).image
    assert (one[..., 0] == one[..., 2]).all()


def test_four_are_red_green_blue_and_transparency_but_for_a_model_of_four() -> None:
    array = RNG.integers(0, 256, (40, 40, 4), dtype=np.uint8)
    assert prepare(array, net(3), "none").input.shape[0] == 3
    assert prepare(array, net(4)).input.shape[0] == 4
    assert prepare(array, timm.create_model("resnet18", in_chans=4)).input.shape[0] == 4


def test_a_transform_gets_them_as_a_tensor() -> None:
    found = prepare(BANDS, net(12), Normalize([0.5] * 12, [0.25] * 12))
    wanted = (np.moveaxis(BANDS, 2, 0) / 65535 - 0.5) / 0.25
    assert found.input.numpy() == pytest.approx(wanted, abs=1e-5)
    assert found.variable == "input unit"


def test_a_list_of_different_sizes() -> None:
    first, second = sw.explain(net(12), [BANDS, BANDS[:30]], target=1)
    assert (first.values.shape, second.values.shape) == ((12, 40, 56), (12, 30, 56))


@pytest.mark.parametrize(
    ("image", "model", "preprocess", "words"),
    [
        (BANDS, timm.create_model("resnet18"), None, "gives 12 channels, and this model takes 3"),
        (BANDS, net(12), "imagenet", "is for pictures in colours"),
        (BANDS.astype(np.int32), net(12), None, "full scale is unknown"),
        (BANDS.astype(np.float32), net(12), None, r"sw\.Channels\(image, full=10000\)"),
        (np.full((9, 9, 12), np.nan), net(12), None, "NaN"),
        (BANDS, net(12), Normalize([0.5] * 3, [0.25] * 3), "for 12 channels"),
        (np.zeros((3, 40, 56), dtype=np.uint8), net(3), "none", "Channels come last"),
        (np.zeros((0, 9, 12), dtype=np.uint8), net(12), None, "has no pixels"),
    ],
)
def test_what_does_not_fit_is_refused(image: Any, model: Any, preprocess: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        sw.explain(model, image, preprocess=preprocess)


@pytest.mark.parametrize(
    "options", [{"shown": (0, 1)}, {"shown": 12}, {"shown": (1, 2, 99)}, {"full": 0}, {"full": -1}, {"names": ["a"]}]
)
def test_what_says_nothing_is_refused_when_it_is_made(options: Any) -> None:
    with pytest.raises(InputError):
        sw.Channels(BANDS, **options)
