"""Scores of boxes, against the detector's own output and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import saliency_widget as sw
from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.explainer import Explainer
from saliency_widget.models.preprocess import prepare
from tests.places.support import (
    PICTURE,
    PLAIN,
    Detr,
    explain,
    faster_rcnn,
    fcos,
    keypoint_rcnn,
    mask_rcnn,
    retinanet,
    seeded,
    slopes,
    ssd,
)

MAKERS = {"region": faster_rcnn, "anchor": retinanet, "query": Detr}
ALL = [faster_rcnn, mask_rcnn, keypoint_rcnn, retinanet, fcos, ssd, Detr]
METHODS = [
    sw.GradCAM(),
    sw.AblationCAM(layer="backbone"),
    sw.SmoothGrad(samples=3),
    sw.Occlusion(window=8, stride=8),
]
LABELS = ["cat", "dog", "bird"]


def own(model: Any) -> list[dict[str, torch.Tensor]]:
    with torch.no_grad():
        kept: list[dict[str, torch.Tensor]] = model([prepare(PICTURE, model, PLAIN).input.double()])
    return kept


@pytest.mark.parametrize("make", ALL[:-1])
def test_the_boxes_are_those_that_the_detector_keeps(make: Any) -> None:
    model = seeded(make)
    (kept,) = own(model)
    with ModelGuard(model):
        boxes = sw.boxes(model, PICTURE, preprocess=PLAIN, least=0.0)
    assert len(boxes) == len(kept["scores"]) > 3

    assert [box.index for box in boxes] == kept["labels"].tolist()
    for found, wanted in (
        ([box.probability for box in boxes], kept["scores"]),
        ([box.box for box in boxes], kept["boxes"][:, [1, 0, 3, 2]]),
    ):
        torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), wanted, rtol=0, atol=1e-9)
    assert [b.probability for b in boxes] == sorted((b.probability for b in boxes), reverse=True)


@pytest.mark.parametrize("make", ALL)
def test_the_score_of_a_box_is_its_logit_and_its_gradient_is_that_of_finite_differences(make: Any) -> None:
    model = seeded(make)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    boxes = explainer.boxes(0.0)
    for box in (boxes[0], boxes[-1]):
        problem = Problem(explainer.shadow, explainer.prepared, (box.target,))
        assert float(problem.scores(problem.pixels[None])) == pytest.approx(box.score, abs=1e-9)
        by_differences, by_the_map = slopes(explainer, box.target)
        assert by_the_map == pytest.approx(by_differences, rel=1e-6)
        assert by_the_map != 0


@pytest.mark.parametrize("make", [faster_rcnn, retinanet])
def test_probability_is_made_of_the_logit(make: Any) -> None:
    model = seeded(make)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    box = explainer.boxes(0.0)[0]
    row = explainer.scene.places
    assert row is not None
    same = [
        float((one.softmax(0) if make is faster_rcnn else one.sigmoid())[box.index])
        for one in row
        if float(one[box.index]) == pytest.approx(box.score, abs=1e-12)
    ]
    assert any(p == pytest.approx(box.probability, abs=1e-12) for p in same)


@pytest.mark.parametrize("make", ALL)
def test_noise_moves_ranks_and_no_target(make: Any) -> None:
    model = seeded(make)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    boxes = explainer.boxes(0.0)[:6]
    problem = Problem(explainer.shadow, explainer.prepared, [box.target for box in boxes])
    noise = torch.randn(4, *problem.pixels.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    still = problem.scores(problem.pixels[None])
    noisy = problem.scores(problem.pixels + 1e-4 * noise)
    # A score that hangs on a rank jumps from one object to another.
    assert float((noisy - still).abs().max()) < 0.01
    # And a batch is what each of its rows is alone.
    alone = torch.cat([problem.scores(one[None]) for one in problem.pixels + 1e-4 * noise])
    torch.testing.assert_close(noisy, alone, rtol=0, atol=1e-10)


def test_a_region_of_the_users_is_pooled_where_he_says() -> None:
    model = seeded(faster_rcnn)
    region = (3.0, 5.0, 17.0, 21.0)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    target = explainer.resolve(sw.Detection(2, region=region))
    # The picture is enlarged inside the detector by 2: 24 x 32 to 48 x 64.
    with torch.no_grad():
        images, _ = model.transform([torch.from_numpy(PICTURE).permute(2, 0, 1).double() / 255])
        features = {"0": model.backbone(images.tensors)}
        edges = torch.tensor([[5.0, 3.0, 21.0, 17.0]], dtype=torch.float64) * 2
        pooled = model.roi_heads.box_head(model.roi_heads.box_roi_pool(features, [edges], images.image_sizes))
        wanted = float(model.roi_heads.box_predictor(pooled)[0][0, 2])
    assert images.image_sizes == [(48, 64)]
    problem = Problem(explainer.shadow, explainer.prepared, (target,))
    assert float(problem.scores(problem.pixels[None])) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(("place", "make"), MAKERS.items())
def test_each_detector_takes_its_own_kind_of_place(place: str, make: Any) -> None:
    model = seeded(make)
    several = {"region": "regions", "anchor": "anchors", "query": "queries"}
    given = {"region": (2.0, 2.0, 12.0, 14.0), "anchor": 7, "query": 3}
    for name, value in given.items():
        target = sw.Detection(1, **{name: value})
        if name == place:
            assert explain(model, target).target.index == 1
        else:
            with pytest.raises(InputError, match=f"this model's scores are of {several[place]}"):
                explain(model, target)


@pytest.mark.parametrize("make", ALL)
def test_a_click_takes_the_most_probable_box_around_it(make: Any) -> None:
    explainer = Explainer(seeded(make), PICTURE, preprocess=PLAIN)
    box = explainer.boxes(0.0)[-1]
    middle = (box.box[0] + box.box[2]) / 2, (box.box[1] + box.box[3]) / 2
    found = explainer.target_at(*middle)
    around = [
        b for b in explainer.boxes(0.0) if b.box[0] <= middle[0] <= b.box[2] and b.box[1] <= middle[1] <= b.box[3]
    ]
    assert found == around[0].target
    assert explainer.target_at(*middle, box.index) == next(b for b in around if b.index == box.index).target
    with pytest.raises(InputError, match="fits no box"):
        explainer.target_at(-500, -500)


def test_nothing_is_the_most_probable_box_and_a_label_the_most_probable_of_it() -> None:
    model = seeded(Detr)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN, labels=LABELS)
    assert explainer.scene.without == 1  # the last class means "no object", and no box is of it
    assert {box.index for box in explainer.boxes(0.0)} <= {0, 1, 2}
    best = explainer.boxes(0.0)[0]
    assert explainer.resolve(None) == best.target
    assert explainer.resolve(best.label) == best.target
    assert best.label in best.target.text
    probability = explainer.scene.places.softmax(1)[best.target.query, best.index]  # type: ignore[union-attr]
    assert best.probability == pytest.approx(float(probability), abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_methods_explain_a_region(method: Any) -> None:
    model = seeded(faster_rcnn)
    with ModelGuard(model):
        map_ = explain(model, method=method)
    assert map_.target.kind == "box logit"
    assert np.isfinite(map_.values).all()
    assert map_.values.any()


def test_cells_of_a_region_are_not_cells_of_the_picture() -> None:
    model = seeded(faster_rcnn)
    names = [layer.name for layer in sw.layers(model, PICTURE, preprocess=PLAIN)]
    assert "backbone" in names
    assert not any(name.startswith("roi_heads") for name in names)
    assert explain(model, method="grad-cam").quality["layer"] == "backbone"
    with pytest.raises(InputError, match="Give a layer of the backbone"):
        explain(model, method=sw.GradCAM(layer="roi_heads.box_roi_pool"))


class Decoded(Detr):
    """Its queries, 3 x 4 of them, could be taken for patches."""

    def __init__(self) -> None:
        super().__init__(queries=12)
        self.decoder = nn.Linear(6 * 48, 12 * 7)
        self.split = nn.Unflatten(1, (12, 7))
        self.last = nn.Linear(7, 8)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        found = self.last(self.split(self.decoder(self.trunk(x).flatten(1))).tanh())
        return {"pred_logits": found[..., :4], "pred_boxes": found[..., 4:].sigmoid()}


def test_queries_are_no_patches() -> None:
    names = [layer.name for layer in sw.layers(seeded(Decoded), PICTURE, preprocess=PLAIN)]
    assert "trunk" in names
    assert not set(names) & {"split", "last"}


class Inside(nn.Module):
    """A detector inside a module of the user's."""

    def __init__(self) -> None:
        super().__init__()
        self.detector = faster_rcnn()

    def forward(self, x: torch.Tensor) -> Any:
        return self.detector(x)


def test_a_detector_inside_another_module() -> None:
    assert explain(seeded(Inside)).score == pytest.approx(explain(seeded(faster_rcnn)).score, abs=1e-9)


@pytest.mark.parametrize(
    ("make", "target", "words"),
    [
        (Detr, sw.Detection(query=5), "is out of range"),
        (Detr, sw.Detection(9), "is out of range: the model has 3 classes"),
        (Detr, sw.Detection(3), "is out of range: the model has 3 classes"),
        (faster_rcnn, sw.Detection(region=(0, 0, 5, 5)), "names a region and no class"),
        (faster_rcnn, sw.Detection(1, region=(90, 0, 99, 5)), "lies outside the picture"),
        (Detr, sw.Pixel(0, 0), "needs a score for each pixel"),
        (faster_rcnn, [sw.Detection(), sw.Score(lambda out: out[0]["scores"][:1], "x")], "stands beside detections"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, target: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        explain(seeded(make), target)


def test_what_is_no_place_is_refused_when_it_is_made() -> None:
    for wrong in (
        {"query": 1, "anchor": 2},
        {"query": 1.5},
        {"query": True},
        {"region": (5, 5, 2, 9)},
        {"region": (1, 2)},
        {"at": (1, float("nan"))},
    ):
        with pytest.raises(InputError):
            sw.Detection(1, **wrong)  # type: ignore[arg-type]


def test_a_classifier_draws_no_boxes() -> None:
    model = seeded(lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4)))
    with pytest.raises(InputError, match="draws no boxes"):
        sw.boxes(model, PICTURE, preprocess=PLAIN)


def test_a_refusal_names_what_was_given_and_nothing_else() -> None:
    with pytest.raises(InputError) as caught:
        explain(seeded(retinanet), sw.Detection(2, at=(500, 500)))
    assert "target=Detection(which=2, at=(500.0, 500.0)) fits no box" in str(caught.value)
    assert "an anchor can be given by itself" in str(caught.value)
