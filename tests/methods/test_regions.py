"""XRAI: the peer's regions and its order, and what the order must be where it is known."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.explainer import explain
from saliency_widget.methods.base import as_method
from saliency_widget.methods.gradient import Gradient
from saliency_widget.methods.noise import SmoothGrad
from saliency_widget.methods.occlusion import Occlusion
from saliency_widget.methods.path import IntegratedGradients
from saliency_widget.methods.regions import Indices, order_regions, order_segments, rough_segments, segments_of
from saliency_widget.methods.xrai import XRAI
from tests.engine.support import fill, picture, problem_of
from tests.engine.test_exact import Convolutional, Linear
from tests.methods.support import Constant, last

pytest.importorskip("skimage")


def scene(height: int, width: int) -> npt.NDArray[np.float64]:
    """(H, W, 3), smooth blobs that fill the range from 0 to 1."""
    random = np.random.default_rng(0).normal(size=(height, width, 3))
    blobs = gaussian_filter(random, (9, 9, 0))
    return (blobs - blobs.min()) / (blobs.max() - blobs.min())


def masks_of(segments: list[Indices], shape: tuple[int, int]) -> list[npt.NDArray[np.bool_]]:
    masks = []
    for segment in segments:
        mask = np.zeros(shape, bool)
        mask.ravel()[segment] = True
        masks.append(mask)
    return masks


def test_segments_are_the_peers() -> None:
    peer = pytest.importorskip("saliency.core.xrai")
    image = scene(224, 224)
    ours = masks_of(segments_of(2 * image - 1, 5), (224, 224))
    theirs = peer._get_segments_felzenszwalb(image)
    assert {mask.tobytes() for mask in ours} == {mask.tobytes() for mask in theirs}


@pytest.mark.parametrize("smallest", [1, 50, 5000])
def test_the_order_is_the_peers(smallest: int) -> None:
    peer = pytest.importorskip("saliency.core")
    segments = segments_of(2 * scene(96, 120) - 1, 5)
    attribution = gaussian_filter(np.random.default_rng(1).normal(size=(96, 120)), 3)
    values, ranks, count = order_regions(attribution, segments, smallest)
    expected, places = peer.XRAI._xrai(attribution, masks_of(segments, (96, 120)), min_pixel_diff=smallest)
    assert np.abs(values - expected).sum() <= 1e-6 * np.abs(expected).sum()
    assert np.array_equal(ranks, places)
    assert count == places.max()


def test_the_regions_share_out_the_picture_and_what_it_was_given() -> None:
    attribution = np.random.default_rng(1).normal(size=(64, 50))
    segments = segments_of(2 * scene(64, 50) - 1, 2)
    values, ranks, count = order_regions(attribution, segments, 30)
    assert values.sum() == pytest.approx(attribution.sum(), rel=1e-9)
    assert sorted(np.unique(ranks)) == list(range(1, count + 1))
    for rank in range(1, count + 1):
        assert values[ranks == rank] == pytest.approx(attribution[ranks == rank].mean(), rel=1e-9)


def test_the_largest_mean_of_what_is_left_comes_first() -> None:
    attribution = np.array([[9.0, 5.0, 1.0, -4.0]])
    overlapping = [np.array([0, 1, 2]), np.array([1, 2]), np.array([0]), np.array([0, 1])]
    values, ranks, count = order_regions(attribution, overlapping, 1)
    assert values.tolist() == [[9, 5, 1, -4]]
    assert ranks.tolist() == [[1, 2, 3, 4]]
    assert count == 4
    values, ranks, count = order_regions(attribution, [], 1)
    assert values.tolist() == [[2.75] * 4]
    assert count == 1


@pytest.mark.parametrize("shape", [(1, 9), (40, 30), (300, 200), (260, 500)])
def test_segments_of_each_scale_cover_the_picture(shape: tuple[int, int]) -> None:
    segments = segments_of(2 * scene(*shape) - 1, 0)
    covered = np.zeros(shape[0] * shape[1], int)
    for segment in segments:
        covered[segment] += 1
    assert (covered == 6).all()


@pytest.mark.parametrize("shape", [(1, 9), (40, 30), (300, 200), (260, 500)])
def test_rough_segments_are_regions_as_they_are(shape: tuple[int, int]) -> None:
    labels = rough_segments(2 * scene(*shape) - 1)
    assert labels.shape == shape
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    attribution = np.random.default_rng(1).normal(size=shape)
    apart = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    wanted, found = order_regions(attribution, apart, 1), order_segments(attribution, labels)
    assert np.allclose(found[0], wanted[0], rtol=1e-12)
    assert np.array_equal(found[1], wanted[1])
    assert found[2] == wanted[2]


def test_a_first_estimate_is_rough_and_says_so() -> None:
    model, prepared = fill(Convolutional()), picture(48, 40)
    method = XRAI(IntegratedGradients(16, ("black", "white")))
    first, *others = method.estimates(problem_of(model, prepared, [1, 4]))
    assert [quality["rough"] for quality in first.quality] == [True, True]
    assert not any("rough" in quality for estimate in others for quality in estimate.quality)
    for k in range(2):
        wanted = order_segments(
            first.extras["attribution"][k].amax(0).double().numpy(),
            rough_segments(2 * prepared.pixels.permute(1, 2, 0).double().numpy() - 1),
        )
        assert np.allclose(first.values[k, 0], wanted[0], rtol=1e-5, atol=1e-7)
        assert np.array_equal(first.extras["rank"][k, 0], wanted[1])
    # Where there is one only, it is whole.
    (only,) = XRAI(Gradient()).estimates(problem_of(model, prepared, [1]))
    assert "rough" not in only.quality[0]


def test_the_map_is_regions_of_the_attribution_it_carries() -> None:
    model, prepared = fill(Convolutional()), picture(48, 40)
    estimates = list(XRAI(IntegratedGradients(16, ("black", "white"))).estimates(problem_of(model, prepared, [1, 4])))
    assert len(estimates) > 2
    assert all(later.done >= 2 * sooner.done or later.final for sooner, later in itertools.pairwise(estimates))
    found = estimates[-1]
    base = last(IntegratedGradients(16, ("black", "white")), problem_of(model, prepared, [1, 4]))
    assert torch.equal(found.extras["attribution"], base.values)
    assert found.values.shape == found.extras["rank"].shape == (2, 1, 48, 40)
    for k in range(2):
        strongest, ranks = base.values[k].amax(0), found.extras["rank"][k, 0]
        assert found.quality[k] == {**base.quality[k], "regions": int(ranks.max())}
        for rank in ranks.unique():
            inside = ranks == rank
            assert float(found.values[k, 0][inside].std()) < 1e-6 if inside.sum() > 1 else True
            assert float(found.values[k, 0][inside][0]) == pytest.approx(
                float(strongest[inside].mean()), rel=1e-4, abs=1e-7
            )


def test_without_scikit_image_it_names_the_way_out_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(Linear):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError("the model ran")

    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    with pytest.raises(InputError, match="pip install scikit-image"):
        next(as_method("xrai").estimates(problem_of(Refusing(), picture(4, 4), [0])))


def test_zero_is_zero_and_nan_is_nan() -> None:
    model = Constant()
    method = XRAI(Gradient())
    found = last(method, problem_of(model, picture(16, 16), [0]))
    assert not found.values.any()
    with torch.no_grad():
        model.w[0] = float("nan")
    found = last(method, problem_of(model, picture(16, 16), [0]))
    assert found.values.isnan().all()
    assert found.quality[0]["regions"] == 0
    flat = picture(16, 16)
    flat.pixels.fill_(0.5)
    assert last(method, problem_of(Constant(), flat, [1])).values.isfinite().all()


def test_bad_parameters_are_refused() -> None:
    for parameters, argument in (
        ({"base": "xrai"}, "base"),
        ({"base": "gradeint"}, "method"),
        ({"dilation": -1}, "dilation"),
        ({"smallest": 0}, "smallest"),
    ):
        with pytest.raises(InputError, match=f"{argument}="):
            XRAI(**parameters)  # type: ignore[arg-type]


def test_unit_and_parameters_are_those_of_the_base() -> None:
    assert XRAI().unit == "{score}"
    assert XRAI(SmoothGrad(statistic="square")).unit == SmoothGrad(statistic="square").unit
    assert XRAI(Occlusion(4)).parameters()["base"]["name"] == "occlusion"
    found = explain(fill(Convolutional()), torch.rand(3, 16, 16), target=0, method=XRAI(Gradient()))
    assert found.unit == "logit per input unit"  # type: ignore[union-attr]
    assert found.method.parameters["base"] == {"name": "gradient", "blur": 0.0}  # type: ignore[union-attr]
