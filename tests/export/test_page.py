"""One file that needs nothing: what is in it, what cannot get out of it, and what it costs."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.errors import InputError, SaliencyError
from saliency_widget.export import page as pages
from saliency_widget.export.alone import page_of, write_html
from saliency_widget.export.frame import static_of
from saliency_widget.export.page import render
from tests.export.pages import HOSTILE, Parsed, attribution, hash_of


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_breaks_out_of_its_place(label: str) -> None:
    plain, hostile = Parsed(render(page_of(attribution()))), Parsed(render(page_of(attribution(label))))
    assert hostile.tags == plain.tags
    assert [(tag, name) for tag, name, _ in hostile.attributes] == [(tag, name) for tag, name, _ in plain.attributes]
    assert [text for known, text in hostile.scripts if known.get("id") != "state"] == [
        text for known, text in plain.scripts if known.get("id") != "state"
    ]
    # Not cut, not changed: a label is what it is.
    assert hostile.state["traits"]["_maps"][0]["target"]["label"] == label


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_a_frame_and_its_picture_s_words_stay_in_their_attributes(label: str) -> None:
    page = page_of(attribution(label))
    parsed = Parsed(static_of(page, b"", f"Of {label}").markup)
    assert parsed.tags == ["div", "img", "iframe"]
    found = {(tag, name): value for tag, name, value in parsed.attributes}
    assert found["iframe", "sandbox"] == "allow-scripts allow-downloads"
    assert found["iframe", "srcdoc"] == render(page)
    assert found["img", "alt"] == found["iframe", "title"]
    assert found["img", "alt"][:12] == f"Of {label}"[:12].replace("\0", "\ufffd")


def test_the_policy_lets_two_scripts_run_and_no_network() -> None:
    parsed = Parsed(render(page_of(attribution())))
    program = zlib.decompress(base64.b64decode(parsed.script("program"))).decode()
    running = [text for known, text in parsed.scripts if "type" not in known]
    assert len(running) == 1
    rules = dict(one.strip().split(" ", 1) for one in parsed.policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"].split() == [hash_of(running[0]), hash_of(program)]
    assert rules["img-src"] == "data: blob:"
    assert (rules["base-uri"], rules["form-action"]) == ("'none'", "'none'")
    assert not {"a", "form", "iframe", "link", "base", "object", "embed"} & set(parsed.tags)
    assert not [value for _, name, value in parsed.attributes if name in ("src", "href") and "://" in value]


def test_a_page_is_the_same_byte_for_byte() -> None:
    one = attribution("ぬこ")
    assert render(page_of(one)) == render(page_of(one))


@pytest.mark.parametrize("keep", ["shown", "signs", "channels", "full"])
def test_what_is_read_of_it_is_the_map_to_the_error_that_it_states(keep: str) -> None:
    one = attribution()
    parsed = Parsed(render(page_of(one, keep=keep)))
    (header,), (planes,) = parsed.state["traits"]["_maps"], parsed.maps().values()
    for name, found in planes.items():
        exact = sw_reduced(one, name) if header.get("planes") else one.values
        error = header["absolute_error"] if name == "absolute" else header["error"]
        assert 0 < error < 0.005 * np.abs(exact).max()
        assert np.abs(found - exact).max() <= error


def sw_reduced(one: sw.Attribution, sign: str) -> np.ndarray:
    from saliency_widget.display.reduce import reduce_channels

    return reduce_channels(one.values, sign)[None]


def test_the_picture_in_it_is_what_the_model_saw() -> None:
    import io

    from PIL import Image

    one = attribution()
    (source,) = (v for tag, name, v in Parsed(render(page_of(one))).attributes if (tag, name) == ("img", "src"))
    found = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))
    np.testing.assert_array_equal(found, one.image)


def test_what_is_no_number_is_written_as_none() -> None:
    values = attribution().values.copy()
    values[0, 0, 0] = np.nan
    text = render(page_of(attribution(values=values, score=float("nan"), probability=float("inf"))))
    (header,) = Parsed(text).state["traits"]["_maps"]
    assert (header["score"], header["probability"], header["nonfinite"]) == (None, None, 1)


def test_a_contrast_is_told_as_the_widget_tells_it(tmp_path: Path) -> None:
    from tests.widget.conftest import Small

    target, picture = sw.Contrast("b", "d", of="probability"), np.zeros((20, 16, 3), np.uint8)
    known: dict[str, Any] = {"preprocess": "none", "labels": list("abcdefg")}
    one = sw.explain(Small(), picture, target=target, **known)
    with_widget = sw.SaliencyWidget(Small(), picture, target=target, **known)
    with_widget.wait(30)
    with_widget.to_html(tmp_path / "w.html", classes=[target], progress=False)
    with_widget.close()
    mine, its = (
        Parsed(text).state["traits"] for text in (render(page_of(one)), (tmp_path / "w.html").read_text("utf-8"))
    )
    assert mine["_maps"][0]["target"] == its["_maps"][0]["target"]
    assert [mine[name] for name in ("class_index", "versus", "score")] == [1, 3, "probability"]
    assert mine["_labels"] == [{"1": "b", "3": "d"}]


@pytest.mark.parametrize("told", [3, {}, {"of": 3, "other": 1}, {"of": "logit", "other": True}, {"of": "logit"}])
def test_a_contrast_of_a_file_from_elsewhere_may_lack_its_parts(told: Any) -> None:
    target = sw.attribution.TargetRecord("contrast", 3, "cat", "logit of cat minus logit of dog")
    header = Parsed(render(page_of(attribution(target=target, provenance={"target": told})))).state["traits"]["_maps"][
        0
    ]
    assert (header["target"]["kind"], header["target"]["other"]) == ("contrast", None)


@pytest.mark.parametrize("seconds", ["<b>", float("inf"), [1.0], {"a": 1}, 10**400, None], ids=range(6))
def test_seconds_of_a_file_from_elsewhere_may_be_anything(seconds: Any) -> None:
    parsed = Parsed(render(page_of(attribution(provenance={"seconds": seconds}))))
    assert parsed.state["traits"]["_maps"][0]["seconds"] is None


def test_a_failed_export_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goal = tmp_path / "lesson.html"
    goal.write_text("old")

    def fail(_page: Any) -> str:
        raise SaliencyError("no")

    monkeypatch.setattr(pages, "render", fail)
    with pytest.raises(SaliencyError):
        write_html(attribution(), goal)
    assert goal.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["lesson.html"]


@pytest.mark.parametrize(
    ("path", "problem"),
    [("x.htm", "does not end in .html"), ("gone/x.html", "does not exist"), (".", "is a folder"), (3, "no path")],
)
def test_a_place_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Any, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=problem):
        write_html(attribution(), path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_built_front_end_it_says_how_to_build_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pages._program.cache_clear()
    monkeypatch.setattr(pages, "files", lambda _name: tmp_path)
    with pytest.raises(SaliencyError, match="make install"):
        render(page_of(attribution()))
    pages._program.cache_clear()


# What is not image and not maps, and each map at 224 x 224, in bytes of the file.
ROOM = 140_000
MAP = {"shown": 60_000, "signs": 120_000, "channels": 160_000, "full": 400_000}


@pytest.mark.parametrize("keep", MAP)
def test_it_is_small(keep: str) -> None:
    model = sw.demo.model()
    for name in ("chelsea", "astronaut"):
        one = sw.explain(model, sw.demo.image(name))
        assert one.values.shape == (3, 224, 224)
        text = render(page_of(one, keep=keep))
        parsed = Parsed(text)
        (slot,) = parsed.state["slots"]
        (picture,) = (value for tag, attribute, value in parsed.attributes if (tag, attribute) == ("img", "src"))
        assert len(slot) <= MAP[keep]
        assert len(text.encode()) - len(slot) - len(picture) <= ROOM
