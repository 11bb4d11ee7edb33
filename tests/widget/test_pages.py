"""What a widget puts into a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import saliency_widget as sw
from saliency_widget import InputError, SaliencyError, SaliencyWidget
from tests.export.pages import HOSTILE, Parsed
from tests.widget.conftest import Small


def picture(seed: int, size: tuple[int, int] = (20, 16)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8))


@pytest.fixture
def several() -> Any:
    widget = SaliencyWidget(
        Small(), [picture(0), picture(1)], preprocess="none", labels=[f"label {i}" for i in range(7)]
    )
    widget.wait(30)
    yield widget
    widget.close()


def written(widget: SaliencyWidget, folder: Path, **wish: Any) -> Parsed:
    goal = folder / "page.html"
    widget.to_html(goal, progress=False, **wish)
    return Parsed(goal.read_text("utf-8"))


def told(parsed: Parsed) -> set[tuple[int, str, int]]:
    return {(one["image"], one["method"]["name"], one["target"]["index"]) for one in parsed.state["traits"]["_maps"]}


def test_by_itself_it_holds_what_the_widget_holds_and_the_likely_classes(several: Any, tmp_path: Path) -> None:
    likely = {one["index"] for one in several._info["subjects"][0]["prediction"]}
    several.method = "input-x-gradient"
    several.wait(30)
    shown = several.class_index
    found = told(written(several, tmp_path))
    assert found == {(0, "gradient", index) for index in likely} | {(0, "input-x-gradient", shown)}


def test_a_wish_is_all_by_all_by_all_and_what_is_on_display(several: Any, tmp_path: Path) -> None:
    best = several.class_index
    parsed = written(
        several, tmp_path, classes=[0, "label 6"], methods=["gradient", sw.SmoothGrad(samples=3)], images="all"
    )
    wished = {(image, method, c) for image in (0, 1) for method in ("gradient", "smoothgrad") for c in (0, 6)}
    assert told(parsed) == wished | {(0, "gradient", best)}
    assert len(parsed.state["traits"]["_info"]["subjects"]) == 2
    assert len([tag for tag in parsed.tags if tag == "img"]) == 2


def test_so_many_classes_are_those_of_each_picture(several: Any, tmp_path: Path) -> None:
    parsed = written(several, tmp_path, classes=2, images=[1])
    likely = [one["index"] for one in several._info["subjects"][1]["prediction"][:2]]
    assert told(parsed) >= {(1, "gradient", index) for index in likely}


def test_pictures_without_a_map_stay_out_and_the_others_move_up(several: Any, tmp_path: Path) -> None:
    several.image_index = 1
    several.wait(30)
    parsed = written(several, tmp_path, classes=1)
    traits = parsed.state["traits"]
    assert {one["image"] for one in traits["_maps"]} == {0}
    assert (traits["image_index"], len(traits["_info"]["subjects"]), len(traits["_info"]["images"])) == (0, 1, 1)


def test_each_map_is_the_engine_s(several: Any, tmp_path: Path) -> None:
    parsed = written(several, tmp_path, classes=3, methods=["gradient", "input-x-gradient"], keep="full")
    model = Small()
    for header in parsed.state["traits"]["_maps"]:
        fresh = sw.explain(
            model,
            picture(header["image"]),
            preprocess="none",
            target=header["target"]["index"],
            method=header["method"]["name"],
        )
        found = parsed.maps()[header["key"]]["signed"]
        assert np.abs(found - fresh.values).max() <= header["error"] * 1.001
        assert header["score"] == pytest.approx(fresh.score)


def test_the_view_goes_along(several: Any, tmp_path: Path) -> None:
    several.view = {
        "sign": "signed",
        "threshold": 12.5,
        "colormap": "blue-white-orange",
        "pins": [[1, 2]],
        "look": "map",
    }
    several.panels = [{"target": {"kind": "logit", "index": 4, "other": None}}, {"image": 1}]
    several.wait(30)
    traits = written(several, tmp_path, classes=1).state["traits"]
    assert {name: traits[name] for name in ("sign", "threshold", "colormap", "pins", "look")} == {
        "sign": "signed",
        "threshold": 12.5,
        "colormap": "blue-white-orange",
        "pins": [[1, 2]],
        "look": "map",
    }
    assert [(one["image"], one["target"]["index"]) for one in traits["panels"]] == [(0, 4), (1, several.class_index)]


def test_the_map_on_display_is_the_one_that_opens(several: Any, tmp_path: Path) -> None:
    several.class_index = 5
    several.wait(30)
    traits = written(several, tmp_path, classes=4).state["traits"]
    (shown,) = (one for one in traits["_maps"] if one["key"] == traits["shown"])
    assert shown["target"]["index"] == traits["class_index"] == 5


def test_only_the_labels_of_its_classes_are_in_it(several: Any, tmp_path: Path) -> None:
    several.class_index = 5
    several.wait(30)
    parsed = written(several, tmp_path, classes=[5, 2])
    assert parsed.state["traits"]["_labels"] == [{"2": "label 2", "5": "label 5"}]


def test_another_reduction_is_kept_with_its_channels(several: Any, tmp_path: Path) -> None:
    several.reduction = "l2"
    (header,) = written(several, tmp_path, classes=1).state["traits"]["_maps"][:1]
    assert "planes" not in header
    assert header["shape"][0] == 3


def test_two_pages_of_the_same_maps_are_the_same(several: Any, tmp_path: Path) -> None:
    for one in several._info["subjects"][0]["prediction"]:
        several.class_index = one["index"]
        several.wait(30)
    several.to_html(tmp_path / "one.html", progress=False)
    several.to_html(tmp_path / "two.html", progress=False)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_map_of_earlier_weights_says_so(several: Any, tmp_path: Path) -> None:
    model = Small()
    widget = SaliencyWidget(model, picture(0), preprocess="none")
    widget.wait(30)
    with torch.no_grad():
        model.conv.weight.mul_(1.5)
    widget.class_index = (widget.class_index + 1) % 7
    widget.wait(30)
    headers = written(widget, tmp_path).state["traits"]["_maps"]
    assert {one["outdated"] for one in headers} == {True, False}
    widget.close()


@pytest.mark.parametrize("label", HOSTILE[:8], ids=range(8))
def test_labels_and_names_stay_text(label: str, tmp_path: Path) -> None:
    widget = SaliencyWidget(Small(), picture(0), preprocess="none", labels=[label, *map(str, range(6))], target=0)
    widget.wait(30)
    plain = SaliencyWidget(Small(), picture(0), preprocess="none", labels=["a", *map(str, range(6))], target=0)
    plain.wait(30)
    assert written(widget, tmp_path).tags == written(plain, tmp_path).tags
    widget.close()
    plain.close()


def test_numpy_s_numbers_and_arrays_are_numbers_and_lists(several: Any, tmp_path: Path) -> None:
    best = several.class_index
    found = told(written(several, tmp_path, classes=np.array([0, 6, 6]), images=np.arange(2)))
    assert found == {(image, "gradient", index) for image in (0, 1) for index in (0, 6)} | {(0, "gradient", best)}
    assert len(told(written(several, tmp_path, classes=np.int64(2)))) == 2


def test_the_name_of_a_file_stays_text(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a\"><img src=x onerror=1><!--'&amp;.png", "plain.png")]
    pages = []
    for at, file in enumerate(files):
        picture(0).save(file)
        widget = SaliencyWidget(Small(), file, preprocess="none")
        widget.wait(30)
        pages.append(written(widget, tmp_path))
        widget.close()
        assert [v for tag, name, v in pages[at].attributes if name == "alt"] == [f"What the model saw: {file.name}"]
    assert pages[0].tags == pages[1].tags


WRONG = [
    ({"classes": [[1, 2]]}, "target"),
    ({"classes": [{}]}, "target"),
    ({"images": np.array([[0]])}, "images"),
    ({"images": [[0]]}, "images"),
    ({"classes": 0}, "classes"),
    ({"classes": 8}, "classes.*7"),
    ({"classes": True}, "classes"),
    ({"classes": []}, "classes"),
    ({"classes": "label 1"}, "classes"),
    ({"classes": ["no such"]}, "no such"),
    ({"methods": "gradient"}, "methods"),
    ({"methods": ["gradiant"]}, "gradient"),
    ({"methods": []}, "methods"),
    ({"images": [2]}, "images.*0 to 1"),
    ({"images": "both"}, "images"),
    ({"images": [True]}, "images"),
    ({"keep": "most"}, "keep.*'signs'"),
    ({"classes": 7, "methods": [sw.SmoothGrad(samples=n) for n in range(1, 80)], "images": "all"}, "500"),
]


@pytest.mark.parametrize(("wish", "problem"), WRONG, ids=range(len(WRONG)))
def test_a_wish_that_cannot_be_is_refused_before_any_work(
    several: Any, tmp_path: Path, wish: dict[str, Any], problem: str
) -> None:
    model = several._subjects.all[0].shadow.model
    before = getattr(model, "forwards", None)
    with pytest.raises(InputError, match=problem):
        several.to_html(tmp_path / "page.html", progress=False, **wish)
    assert list(tmp_path.iterdir()) == []
    assert getattr(model, "forwards", None) == before


def test_a_closed_widget_has_no_page(tmp_path: Path) -> None:
    widget = SaliencyWidget(Small(), picture(0), preprocess="none")
    widget.close()
    with pytest.raises(SaliencyError, match="closed"):
        widget.to_html(tmp_path / "page.html")
