"""The mark of what a score is of, in figures, pictures beside a view, and pages of one map."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import saliency_widget as sw
from saliency_widget.display.marks import mark_on
from saliency_widget.display.view import Seen, View
from saliency_widget.export.alone import page_of
from saliency_widget.export.still import still_of_map
from tests.places.support import HEIGHT, PICTURE, WIDTH, Detr, Segmenter, seeded

DRAWN = np.zeros((HEIGHT, WIDTH), dtype=bool)
DRAWN[5:11, 8:20] = True
DRAWN[20, 3] = True


def explained(target: Any = None, make: Any = Segmenter) -> sw.Attribution:
    return sw.explain(seeded(make), PICTURE, target=target, preprocess="none")


def inside(lines: Any) -> np.ndarray:
    """Which pixels an outline encloses, by counting the upright edges to the left of each."""
    found = np.zeros((HEIGHT, WIDTH), dtype=int)
    for (row, column), (to_row, to_column) in lines:
        if column == to_column:
            found[int(min(row, to_row)) : int(max(row, to_row)), int(column) :] += 1
    return found % 2 == 1


def test_a_region_and_a_mask_are_outlined_exactly() -> None:
    mark = mark_on(explained(sw.Region((2, 3, 10, 12))))
    assert mark is not None
    wanted = np.zeros((HEIGHT, WIDTH), dtype=bool)
    wanted[2:10, 3:12] = True
    assert np.array_equal(inside(mark.lines), wanted)
    drawn = mark_on(explained(sw.Region(DRAWN)))
    assert drawn is not None
    assert np.array_equal(inside(drawn.lines), DRAWN)


def test_a_pixel_is_marked_about_its_middle_and_a_box_where_the_model_drew_it() -> None:
    mark = mark_on(explained(sw.Pixel(5, 20)))
    assert mark is not None
    assert (mark.pixel, mark.lines) == ((5.5, 20.5), ())
    box = sw.boxes(seeded(Detr), PICTURE, preprocess="none")[0]
    boxed = mark_on(explained(box.target, Detr))
    assert boxed is not None
    rows = sorted({row for line in boxed.lines for row, _ in line})
    assert rows == pytest.approx([max(box.box[0], 0), min(box.box[2], HEIGHT)])


def test_the_figure_and_the_picture_beside_the_view_draw_it_and_only_there() -> None:
    region = explained(sw.Region((2, 3, 10, 12)))
    bare = replace(region, provenance={})
    figures = [one.plot(look="map", caption=False, title=False, colorbar=False) for one in (region, bare)]
    drawn = [np.asarray(Image.open(io.BytesIO(one._repr_png_())).convert("RGB")).astype(int) for one in figures]
    assert drawn[0].shape == drawn[1].shape
    changed = np.abs(drawn[0] - drawn[1]).sum(axis=2) > 60
    top, left = np.argwhere(changed).min(axis=0)
    assert changed.any(axis=1).sum() < 0.5 * len(changed)
    assert not changed[top + 15 : top + 25, left + 15 : left + 25].any(), "the inside is as it was"
    stills = [still_of_map(Seen(one, View()), "overlay", "a", "b") for one in (region, bare)]
    a, b = (np.asarray(Image.open(io.BytesIO(one)).convert("L")).astype(int) for one in stills)
    assert 0 < (a != b).mean() < 0.2


def test_a_page_of_a_saved_map_has_the_mark(tmp_path: Path) -> None:
    file = tmp_path / "map.npz"
    explained(sw.Pixel(5, 20)).save(file)
    page = page_of(sw.Attribution.load(file))
    assert page.traits["_maps"][0]["target"]["place"] == [5, 20]
    assert page.traits["_info"]["subjects"][0]["scene"]["height"] == HEIGHT


@pytest.mark.parametrize(
    "mark",
    [
        None,
        3,
        {},
        {"place": "x"},
        {"place": [1]},
        {"place": [float("nan"), 3]},
        {"place": [99, 3]},
        {"place": [5, 5, 5, 9]},
        {"mask": {"height": 3, "width": 3, "step": 1, "bits": "!"}},
        {"mask": {"height": 9, "width": 9, "step": 1, "bits": "AAAA"}},
        {"mask": {"height": 10**9, "width": 10**9, "step": 1, "bits": ""}},
    ],
)
def test_what_a_file_says_amiss_is_not_drawn(mark: Any) -> None:
    map_ = replace(explained(sw.Pixel(5, 20)), provenance={"target": {"mark": mark}})
    assert mark_on(map_) is None
