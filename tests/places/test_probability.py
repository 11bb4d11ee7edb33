"""Probabilities of places, against softmax and the sigmoid of the model's own output, and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.errors import InputError
from saliency_widget.explainer import Explainer
from tests.places.support import (
    HEIGHT,
    PICTURE,
    PLAIN,
    WIDTH,
    Detr,
    Segmenter,
    explain,
    faster_rcnn,
    fcos,
    retinanet,
    seeded,
    slopes,
    ssd,
)

MASK = np.zeros((HEIGHT, WIDTH), dtype=bool)
MASK[5:11, 8:20] = True
MASK[20, 3] = True
OF = {"probability": torch.exp, "log-probability": lambda logs: logs}


def log_probabilities(model: Any, *, by_itself: bool = False) -> Tensor:
    """(classes, H, W) of the picture."""
    with torch.no_grad():
        output = model(torch.from_numpy(PICTURE).permute(2, 0, 1)[None].double() / 255)
    full = nn.functional.interpolate(output, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)[0]
    return nn.functional.logsigmoid(full) if by_itself else full.log_softmax(dim=0)


@pytest.mark.parametrize("of", OF)
@pytest.mark.parametrize("upsample", [False, True])
def test_of_pixels_it_is_the_mean_of_the_upsampled_scores_probabilities(of: str, upsample: bool) -> None:
    model = seeded(lambda: Segmenter(upsample=upsample))
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    full = OF[of](log_probabilities(model))
    here = int(full[:, 0, 0].argmax())
    own = np.asarray(full.argmax(dim=0) == here)
    for given, index, pixels in (
        (sw.Pixel(7, 30, 2, of=of), 2, np.s_[7:8, 30:31]),
        (sw.Region(MASK, 1, of=of), 1, MASK),
        (sw.Region((2, 3, 9, 11), 3, of=of), 3, np.s_[2:9, 3:11]),
        (sw.Segment(here, of=of), here, own),
    ):
        target = explainer.resolve(given)
        assert target.unit == ("nat" if of == "log-probability" else "probability")
        assert target.kind.endswith(f" {of}")
        assert f"softmax {of}" in target.text
        found = explain(model, given)
        assert found.score == pytest.approx(float(full[index][pixels].mean()), rel=1e-6)
        assert found.unit.startswith(target.unit)
        by_differences, by_the_map = slopes(explainer, target)
        assert by_the_map == pytest.approx(by_differences, rel=1e-6)


@pytest.mark.parametrize("of", OF)
@pytest.mark.parametrize(
    ("make", "by_itself"), [(Detr, False), (faster_rcnn, False), (ssd, False), (retinanet, True), (fcos, True)]
)
def test_of_a_box_it_is_made_as_the_detector_makes_it(make: Any, by_itself: bool, of: str) -> None:
    explainer = Explainer(seeded(make), PICTURE, preprocess=PLAIN)
    box = explainer.boxes(0.0)[0]
    place = {name: getattr(box.target, name) for name in ("query", "anchor", "region")}
    target = explainer.resolve(sw.Detection(box.index, of=of, **place))
    by_differences, by_the_map = slopes(explainer, target)
    assert by_the_map == pytest.approx(by_differences, rel=1e-5)
    found = explain(explainer.shadow.model, target)
    assert ("sigmoid" if by_itself else "softmax") in found.target.text
    wanted = 1 / (1 + np.exp(-box.score)) if by_itself else box.probability
    assert found.score == pytest.approx(wanted if of == "probability" else np.log(wanted), rel=1e-6)


def test_of_a_class_alone_it_is_that_of_its_segment_or_its_best_box() -> None:
    model = seeded(Segmenter)
    index = explain(model).target.index
    assert (
        explain(model, sw.Probability(index)).target.text
        == explain(model, sw.Segment(index, of="probability")).target.text
    )
    assert explain(seeded(Detr), sw.LogProbability()).target.kind == "box log-probability"


def test_one_class_of_pixels_is_by_itself_and_softmax_over_it_is_refused() -> None:
    model = seeded(lambda: Segmenter(1))
    found = explain(model, sw.Pixel(3, 4, of="probability"))
    assert found.score == pytest.approx(float(log_probabilities(model, by_itself=True)[0, 3, 4].exp()), rel=1e-6)
    with pytest.raises(InputError, match="is 1 whatever"):
        explain(model, sw.Pixel(3, 4, of="probability", activation="softmax"))


def test_where_the_model_is_sure_the_gradient_is_not_lost_in_rounding() -> None:
    model = seeded(Segmenter)
    with torch.no_grad():
        model.head.bias[1] += 40
    by_differences, by_the_map = slopes(
        Explainer(model, PICTURE, preprocess=PLAIN),
        Explainer(model, PICTURE, preprocess=PLAIN).resolve(sw.Pixel(3, 4, 1, of="log-probability")),
    )
    assert by_the_map != 0
    assert by_the_map == pytest.approx(by_differences, rel=1e-4)


def test_what_is_no_quantity_is_refused_when_it_is_made() -> None:
    for wrong in ({"of": "margin"}, {"of": "probability", "activation": "tanh"}, {"activation": "sigmoid"}):
        with pytest.raises(InputError):
            sw.Pixel(1, 2, **wrong)  # type: ignore[arg-type]


def test_a_margin_of_places_is_refused_with_the_way_out() -> None:
    for make in (Segmenter, Detr):
        with pytest.raises(InputError, match="a score of the whole picture"):
            explain(seeded(make), sw.Margin(1))
