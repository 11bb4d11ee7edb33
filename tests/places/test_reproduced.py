"""A score of a place is told in plain values, and computed again from them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.errors import InputError
from saliency_widget.targets.plain import target_from_plain
from tests.places.support import HEIGHT, PICTURE, PLAIN, WIDTH, Detr, Segmenter, explain, faster_rcnn, retinanet, seeded


@pytest.mark.parametrize(
    ("make", "target"),
    [
        (Segmenter, sw.Pixel(3, 4)),
        (Segmenter, sw.Region((1, 2, 5, 6), 2)),
        (Segmenter, sw.Segment()),
        (faster_rcnn, sw.Detection()),
        (retinanet, sw.Detection(2, anchor=7)),
        (Detr, None),
        (Segmenter, sw.Pixel(3, 4, of="probability")),
        (retinanet, sw.Detection(2, anchor=7, of="log-probability")),
    ],
    ids=[
        "pixel",
        "region",
        "segment",
        "box of a region",
        "box of an anchor",
        "box of a query",
        "probability",
        "log-probability",
    ],
)
def test_the_same_map_again(make: Any, target: Any) -> None:
    model = seeded(make)
    map_ = explain(model, target)
    told = json.loads(json.dumps(dict(map_.provenance)))
    again = sw.reproduce(told, model, PICTURE, preprocess=PLAIN)
    assert again.same
    assert target_from_plain(told["target"]).text == map_.target.text


def test_a_mask_that_was_drawn_has_to_be_given_again() -> None:
    map_ = explain(seeded(Segmenter), sw.Region(np.ones((HEIGHT, WIDTH), dtype=bool), 1))
    with pytest.raises(InputError, match="Give the target itself"):
        target_from_plain(map_.provenance["target"])
