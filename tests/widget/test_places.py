"""Pixels, regions, segments and boxes in the widget: traits that name them, and requests that a page makes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
import traitlets
from torch import nn

import saliency_widget as sw
from saliency_widget.explainer import Explainer
from saliency_widget.targets import Located, at_place
from saliency_widget.targets.segmentation import Mask
from tests.places.support import HEIGHT, PICTURE, WIDTH, Detr, Segmenter, faster_rcnn, retinanet, seeded
from tests.widget.conftest import Small
from tests.widget.test_choices import answer, ask

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def segmenter() -> nn.Module:
    model: nn.Module = seeded(Segmenter)
    return model


@pytest.fixture(scope="module")
def detr() -> nn.Module:
    model: nn.Module = seeded(Detr)
    return model


@pytest.fixture
def pixels(make: Make, segmenter: nn.Module) -> Any:
    return make(segmenter, PICTURE, labels=["sky", "cat", "dog", "elk"]).wait(20)


@pytest.fixture
def boxes(make: Make, detr: nn.Module) -> Any:
    return make(detr, PICTURE, labels=["cat", "dog", "bird"]).wait(20)


def seen(widget: Any) -> dict[str, Any]:
    scene: dict[str, Any] = widget._info["subjects"][0]["scene"]
    json.dumps(scene, allow_nan=False)
    return scene


def predicted(model: nn.Module, row: int, column: int) -> int:
    target = sw.explain(model, PICTURE, target=sw.Pixel(row, column), preprocess="none").target
    assert target.index is not None
    return target.index


def test_a_segmentation_says_what_it_sees(pixels: Any) -> None:
    scene = seen(pixels)
    assert (scene["kind"], scene["height"], scene["width"], scene["boxes"]) == ("segmentation", HEIGHT, WIDTH, [])
    shares = [one["share"] for one in scene["areas"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert (pixels.score, pixels.place, pixels.class_index) == ("segment logit", [], scene["areas"][0]["index"])


def test_a_place_is_a_click(pixels: Any, segmenter: nn.Module) -> None:
    pixels.place = [3, 30]
    assert pixels.wait(20).target.text.endswith("at row 3, column 30")
    assert (pixels.score, pixels.class_index) == ("pixel logit", predicted(segmenter, 3, 30))
    # Another class at the same place.
    other = (pixels.class_index + 1) % 4
    pixels.class_index = other
    pixels.wait(20)
    assert (pixels.place, pixels.class_index, pixels.target) == ([3, 30], other, sw.Pixel(3, 30, other))
    # And where it is predicted, if it is.
    index = seen(pixels)["areas"][0]["index"]
    pixels.class_index = index
    pixels.wait(20).score = "segment logit"
    assert pixels.wait(20).target == sw.Segment(index)
    assert pixels.place == []


def cells(mask: dict[str, Any]) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(base64.b64decode(mask["bits"]), np.uint8))
    return bits[: mask["height"] * mask["width"]].reshape(mask["height"], mask["width"]).astype(bool)


def test_the_shape_of_a_segment_goes_with_its_map(pixels: Any) -> None:
    def told() -> Any:
        key = pixels.wait(20).shown
        return next(one for one in pixels._maps if one["key"] == key)["target"]["mask"]

    mask = told()
    assert mask["step"] == 1
    np.testing.assert_array_equal(cells(mask), pixels.target.pixels)
    # What numbers say needs none.
    for place in ([3, 4], [1, 2, 3, 4]):
        pixels.place = place
        assert told() is None


def test_a_large_shape_travels_in_cells_of_which_most_is_in_it() -> None:
    pixels = np.zeros((300, 131), dtype=bool)
    pixels[:5, :4] = True
    # The last column is of two pixels alone.
    pixels[297:, 129] = pixels[297:, 130] = True
    step, found = Mask(pixels).cells
    assert (step, found.shape) == (3, (100, 44))
    assert sorted(map(tuple, np.argwhere(found).tolist())) == [(0, 0), (1, 0), (99, 43)]


def test_a_rectangle_is_a_region(pixels: Any) -> None:
    pixels.place = [2, 4, 10, 20]
    attribution = pixels.wait(20).attribution
    assert (pixels.score, attribution.target.text[-28:]) == ("region logit", "rows 2 to 9, columns 4 to 19")
    np.testing.assert_array_equal(np.argwhere(pixels.target.pixels)[[0, -1]], [[2, 4], [9, 19]])


def test_a_mask_that_was_drawn_in_python_can_be_had_again_and_of_another_class(pixels: Any) -> None:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[3:9, 5] = mask[5, 2:20] = True
    pixels.target = sw.Region(mask, 1)
    view = pixels.wait(20).view
    pixels.place = []
    pixels.wait(20).view = {**view, "class_index": 2}
    assert pixels.wait(20).target == sw.Region(mask, 2)
    with pytest.raises(traitlets.TraitError, match="no mask that was looked at"):
        pixels.place = [12345]


def test_a_box_is_bound_to_its_query(boxes: Any) -> None:
    scene = seen(boxes)
    assert scene["kind"] == "detection"
    probabilities = [one["probability"] for one in scene["boxes"]]
    assert probabilities == sorted(probabilities, reverse=True)
    first, last = scene["boxes"][0], scene["boxes"][-1]
    assert (boxes.place, boxes.class_index, boxes.score) == (first["place"], first["index"], "box logit")
    boxes.place = last["place"]
    assert boxes.wait(20).class_index == last["index"]
    assert boxes.target == sw.Detection(last["index"], query=last["place"][0])
    # A click in the picture is what target_at means by it, and its answer is the query.
    top, left, bottom, right = first["box"]
    middle = [(top + bottom) / 2, (left + right) / 2]
    boxes.place = middle
    boxes.wait(20)
    assert boxes.target == boxes._explainer.target_at(*middle)
    assert len(boxes.place) == 1


@pytest.mark.parametrize("make_model", [faster_rcnn, retinanet])
def test_boxes_of_regions_and_anchors_go_through_json(make: Make, make_model: Any) -> None:
    widget = make(seeded(make_model), PICTURE, labels=None).wait(60)
    box = json.loads(json.dumps(seen(widget)))["boxes"][-1]
    ask(widget, target={"kind": "box logit", "index": box["index"], "place": box["place"]})
    reply = answer(widget)
    assert reply["kind"] == "done", reply
    header = next(one for one in widget._maps if one["key"] == reply["key"])
    assert (header["target"]["place"], header["target"]["index"]) == (box["place"], box["index"])


def test_a_request_without_a_class_is_of_what_is_predicted_there(pixels: Any, segmenter: nn.Module) -> None:
    for req, column in (("a", 1), ("b", 30), ("a2", 1)):
        ask(pixels, req, target={"kind": "pixel logit", "index": None, "other": None, "place": [20, column]})
        reply = answer(pixels, req)
        assert reply["kind"] == "done", reply
        target = next(one["target"] for one in pixels._maps if one["key"] == reply["key"])
        assert (target["place"], target["index"]) == ([20, column], predicted(segmenter, 20, column))


BAD = [
    None,
    7,
    "ab",
    {},
    [1, 2, 3],
    [1] * 1000,
    [True, False],
    [1, None],
    [1, "2"],
    [[1], [2]],
    [float("nan"), 1],
    [float("inf"), 1],
    [10**400, 1],
    [-1, 0],
    [0, WIDTH],
    [5, 5, 5, 9],
    [0, 0, HEIGHT + 1, 3],
]


@pytest.mark.parametrize("place", BAD)
def test_what_is_no_place_is_refused_and_nothing_changes(pixels: Any, place: Any) -> None:
    before = pixels.view
    with pytest.raises(traitlets.TraitError):
        pixels.place = place
    with pytest.raises(sw.InputError):
        pixels.view = {**before, "place": place}
    pixels.comm.receive({"method": "update", "state": {"place": place}})
    ask(pixels, target={"place": place})
    assert answer(pixels)["kind"] == "error"
    assert pixels.view == before


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"score": "pixel logit"}, "set the place"),
        ({"score": "margin"}, "whole picture"),
        ({"versus": 1}, "cannot be taken off"),
        ({"class_index": 99}, "out of range"),
        ({"class_index": -7}, "no class index"),
    ],
)
def test_what_a_place_has_not_is_refused_with_the_way_out(pixels: Any, state: dict[str, Any], words: str) -> None:
    (name, value) = next(iter(state.items()))
    with pytest.raises(traitlets.TraitError, match=words):
        setattr(pixels, name, value)


def test_the_probability_of_a_place_is_asked_for_by_its_word(pixels: Any) -> None:
    pixels.place = [1, 2]
    logit = pixels.wait(20).attribution
    pixels.score = "probability"
    assert pixels.wait(20).attribution.target.kind == "pixel probability"
    assert pixels.attribution.target.index == logit.target.index
    assert list(pixels.place) == [1, 2]
    assert 0 < pixels.attribution.score < 1
    pixels.place = [3, 4]
    assert pixels.wait(20).attribution.target.kind == "pixel probability", "what was asked stays"
    pixels.place = []
    assert pixels.wait(20).score == "segment probability"
    pixels.score = "logit"
    assert pixels.wait(20).score == "segment logit"


def test_what_makes_the_probability_of_a_place_is_told(pixels: Any, boxes: Any) -> None:
    assert [one._info["subjects"][0]["probability"] for one in (pixels, boxes)] == ["softmax", "softmax"]


def test_a_classifier_has_no_places(make: Make) -> None:
    widget = make(target="gnu").wait(20)
    assert widget._info["subjects"][0]["scene"] is None
    with pytest.raises(traitlets.TraitError, match="as a whole"):
        widget.place = [1, 2]
    widget.place = []
    assert widget.class_index == 6
    # -1, and None in a request, is the predicted class, also where something else is on display.
    best = widget._info["subjects"][0]["prediction"][0]["index"]
    ask(widget, target={"kind": "logit", "index": None, "other": None})
    assert answer(widget)["key"] == f"gradient/logit/{best}"
    widget.class_index = 5
    widget.wait(20).class_index = -1
    assert widget.wait(20).class_index == best
    assert best not in (5, 6)


def test_boxes_that_no_query_has_are_refused(boxes: Any) -> None:
    for place in ([99], [0.5], [1, 2, 3, 4], [-50, -50]):
        with pytest.raises(traitlets.TraitError):
            boxes.place = place


def test_the_latest_of_several_clicks_wins(pixels: Any) -> None:
    for column in range(10, 20):
        ask(pixels, f"q{column}", target={"kind": "pixel logit", "index": 1, "place": [5, column]})
    assert answer(pixels, "q19")["kind"] == "done"
    for column in range(10, 20):
        assert answer(pixels, f"q{column}")["kind"] in ("done", "cancelled")


def test_a_view_brings_the_place_back_in_another_widget(make: Make, segmenter: nn.Module, pixels: Any) -> None:
    pixels.place = [7, 8]
    view = json.loads(json.dumps(pixels.wait(20).view))
    again = make(segmenter, PICTURE, labels=None, view=view)
    assert again.wait(20).target == pixels.target


def test_linked_places_come_to_rest(make: Make, segmenter: nn.Module, pixels: Any) -> None:
    other = make(segmenter, PICTURE, labels=None).wait(20)
    ipywidgets.link((pixels, "place"), (other, "place"))
    ipywidgets.link((pixels, "class_index"), (other, "class_index"))
    pixels.place = [9, 9]
    assert other.wait(20).target == pixels.wait(20).target == sw.Pixel(9, 9, pixels.class_index)
    other.class_index = (pixels.class_index + 1) % 4
    assert other.wait(20).target == pixels.wait(20).target


def test_another_picture_is_asked_for_its_own(make: Make, detr: nn.Module, segmenter: nn.Module) -> None:
    pictures = [PICTURE, 255 - PICTURE]
    for model in (detr, segmenter):
        widget = make(model, pictures, labels=None).wait(20)
        widget.place = [10, 12] if model is segmenter else [int(widget.place[0])]
        widget.wait(20).image_index = 1
        usual = sw.explain(model, pictures[1], preprocess="none").target.text
        assert widget.wait(20).target.text == usual


def test_a_classifier_beside_a_segmentation(make: Make, segmenter: nn.Module) -> None:
    widget = make([segmenter, Small().double().eval()], PICTURE, labels=None).wait(20)
    assert [one["target"]["kind"] for one in widget.panels] == ["logit"]
    widget.model_index = 1
    assert (widget.wait(20).score, widget.place) == ("logit", [])
    widget.model_index = 0
    assert widget.wait(20).score == "segment logit"
    widget.panels = [{"model": 1}, {"target": {"place": [1, 2]}}]
    assert [one["target"]["kind"] for one in widget.panels] == ["logit", "pixel logit"]


def test_a_page_offers_the_boxes_that_it_has(boxes: Any) -> None:
    from saliency_widget.widget.pages import Wish, page_of

    page = page_of(boxes, Wish(classes=2), progress=False)
    kept = [one["target"]["place"] for one in page.traits["_maps"]]
    assert kept == [one["place"] for one in seen(boxes)["boxes"][:2]]
    assert page.traits["place"] == boxes.place
    assert page.traits["_info"]["subjects"][0]["scene"] == seen(boxes)


class Trunk(Small):
    """Returns one vector for each picture."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).mean((2, 3))


def test_of_a_similarity_nothing_can_be_pointed_at(make: Make) -> None:
    target = sw.Similarity(255 - PICTURE, "its negative")
    widget = make(Trunk().eval(), PICTURE, labels=None, target=target).wait(20)
    assert widget._info["subjects"][0]["scene"] is None
    shown = widget.shown
    with pytest.raises(traitlets.TraitError, match="as a whole"):
        widget.place = [1, 2]
    ask(widget, target={"kind": "pixel logit", "index": None, "place": [1, 2]})
    assert answer(widget)["kind"] == "error"
    widget.method = "smoothgrad"
    assert widget.wait(60).target.text == "similarity to its negative"
    assert widget.shown != shown


@pytest.mark.parametrize("make_model", [Segmenter, Detr, retinanet, faster_rcnn])
def test_a_place_in_numbers_is_the_target_again(make_model: Any) -> None:
    explainer = Explainer(seeded(make_model), PICTURE, preprocess="none")
    targets = explainer.likely(3)
    if make_model is Segmenter:
        places = [sw.Pixel(3, 4, 2), sw.Region((1, 2, 5, 9), 1)]
        targets = (*targets, *map(explainer.resolve, places))
    assert len(set(targets)) == len(targets) >= 3
    for target in targets:
        assert isinstance(target, Located)
        place = json.loads(json.dumps(target.place))
        again = at_place(place, target.index, explainer.scene).locate(explainer.scene)
        assert (again, again.text) == (target, target.text)


class Regression(Small):
    """What Hugging Face calls a regression."""

    def __init__(self) -> None:
        super().__init__(3)
        self.config = type("Config", (), {"problem_type": "regression"})()


def test_outputs_of_a_regression_are_no_probabilities(make: Make) -> None:
    widget = make(Regression().eval(), PICTURE, labels=["age", "height", "weight"]).wait(20)
    subject = widget._info["subjects"][0]
    assert subject["probability"] == ""
    assert [one["probability"] for one in subject["prediction"]] == [None] * 3
    scores = [one["score"] for one in subject["prediction"]]
    assert scores == sorted(scores, reverse=True)
    assert widget.attribution.probability is None
