"""Files of a map: what is in them, that nothing breaks out of them, and that a failure leaves the old one."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import saliency_widget as sw
from saliency_widget.attribution import SAVERS
from tests.export.support import HOSTILE, attribution, explained

SVG = "{http://www.w3.org/2000/svg}"
LABELS = [HOSTILE, "</metadata></svg><script>alert(1)</script>", "x" * 10_000, "]]>", "\ufffe\uffff", "قط"]


@pytest.fixture(scope="module")
def made() -> sw.Attribution:
    return explained(target=1)


@pytest.mark.parametrize("suffix", [".npz", ".png", ".svg", ".PNG"])
def test_every_file_carries_the_same_provenance(made: sw.Attribution, tmp_path: Path, suffix: str) -> None:
    made.save(tmp_path / f"map{suffix}")
    assert sw.read_provenance(tmp_path / f"map{suffix}") == dict(made.provenance)


def test_the_provenance_of_a_png_is_an_international_text_chunk(made: sw.Attribution, tmp_path: Path) -> None:
    made.save(tmp_path / "map.png", sign="signed", dpi=50)
    with Image.open(tmp_path / "map.png") as image:
        image.load()
        assert json.loads(image.text["saliency_widget"]) == dict(made.provenance)
        assert image.text["Title"].startswith("Gradient, logit of bee = ")
        assert "what the score is sensitive to" in image.text["Description"]
        assert image.width == 350
    assert b"iTXtsaliency_widget\0" in (tmp_path / "map.png").read_bytes()


def test_the_same_map_is_the_same_file(made: sw.Attribution, tmp_path: Path) -> None:
    for suffix in (".png", ".svg"):
        files = [tmp_path / f"{name}{suffix}" for name in "ab"]
        for file in files:
            made.save(file, dpi=40) if suffix == ".png" else made.save(file)
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("label", LABELS, ids=range(len(LABELS)))
def test_no_label_breaks_out_of_an_svg(label: str, tmp_path: Path) -> None:
    told = {"target": {"label": label, "text": label}, "notes": [label]}
    made = attribution(label=label, unit=label, method=label, provenance=told)
    made.save(tmp_path / "map.svg", sign="signed")
    content = (tmp_path / "map.svg").read_text("utf-8")
    root = ElementTree.fromstring(content)  # it is well formed, or this raises
    names = {element.tag.removeprefix(SVG) for element in root.iter()}
    known = {"svg", "title", "desc", "metadata", "defs", "style", "g", "path", "use", "image", "text", "tspan"}
    assert names <= known | {"clipPath", "rect"}
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\u2028\u2029]", content)
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            if name.endswith("href"):
                assert value.startswith(("data:image/png;base64,", "#"))
    assert sw.read_provenance(tmp_path / "map.svg") == told
    made.save(tmp_path / "map.png", dpi=40)
    assert sw.read_provenance(tmp_path / "map.png") == told
    made.save(tmp_path / "map.npz")
    back = sw.Attribution.load(tmp_path / "map.npz")
    assert back.target.label == label
    assert back.provenance == told


def test_an_svg_has_its_words_as_text_and_its_pictures_in_their_own_pixels(tmp_path: Path) -> None:
    import base64
    import io

    made = attribution(label="tiger cat")
    made.save(tmp_path / "map.svg")
    root = ElementTree.fromstring((tmp_path / "map.svg").read_text("utf-8"))
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "Gradient, logit of tiger cat = 1.5"
    words = " ".join("".join(element.itertext()) for element in root.iter(f"{SVG}text"))
    assert "logit of tiger cat" in words
    assert "logit per full-scale pixel" in " ".join(words.split())
    found = []
    for element in root.iter(f"{SVG}image"):
        href = next(value for name, value in element.attrib.items() if name.endswith("href"))
        with Image.open(io.BytesIO(base64.b64decode(href.partition(",")[2]))) as image:
            found.append(np.asarray(image.convert("RGB")))
    assert any(one.shape == made.image.shape and (one == made.image).all() for one in found)


def test_a_failure_leaves_the_old_file_its_rights_and_no_other(
    made: sw.Attribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix in (".npz", ".png", ".svg"):
        file = tmp_path / f"map{suffix}"
        file.write_bytes(b"old")
        file.chmod(0o640)
        with monkeypatch.context() as broken:
            broken.setattr("os.fsync", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(OSError, match="No space left"):
                made.save(file)
        assert file.read_bytes() == b"old"
        made.save(file)
        assert file.read_bytes() != b"old"
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o640
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("name", "options", "argument"),
    [
        ("map.jpg", {}, "path"),
        ("map", {}, "path"),
        ("missing/map.svg", {}, "path"),
        ("map.svg", {"sign": "both"}, "sign"),
        ("map.svg", {"ax": object()}, "ax"),
        ("map.png", {"dpi": 0}, "dpi"),
        ("map.png", {"dpi": 10**6}, "dpi"),
        ("map.npz", {"sign": "signed"}, "sign"),
    ],
)
def test_what_cannot_be_is_named_and_nothing_is_written(
    made: sw.Attribution, tmp_path: Path, name: str, options: dict[str, Any], argument: str
) -> None:
    with pytest.raises(sw.InputError) as caught:
        made.save(tmp_path / name, **options)
    assert caught.value.argument == argument
    assert list(tmp_path.iterdir()) == []


def test_a_suffix_that_is_registered_is_written(
    made: sw.Attribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAVERS, ".txt", "tests.export.test_files:write_text")
    made.save(tmp_path / "map.txt", words="hello")
    assert (tmp_path / "map.txt").read_text() == "hello"
    with pytest.raises(sw.InputError, match=re.escape(".npz, .png, .svg, .html, .txt")):
        made.save(tmp_path / "map.jpg")


def write_text(_: sw.Attribution, path: str, *, words: str) -> None:
    Path(path).write_text(words)
