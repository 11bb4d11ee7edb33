"""The command line, as a person uses it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import webbrowser
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import timm
import torch
from PIL import Image

import saliency_widget as sw
from saliency_widget import cli
from saliency_widget._version import __version__
from saliency_widget.attribution import SAVERS
from saliency_widget.display.reduce import SIGNS
from saliency_widget.methods import base
from saliency_widget.methods.base import menu
from saliency_widget.methods.gradient import Gradient
from saliency_widget.models import demo, named
from saliency_widget.targets import KINDS
from tests.export.pages import Parsed, attribution

TINY = "test_resnet.r160_in1k"


@pytest.fixture
def cat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    file = folder / "cat.png"
    demo.image("chelsea").save(file)
    monkeypatch.chdir(tmp_path)
    return file


def assert_refused(code: int, capsys: pytest.CaptureFixture[str], words: str, expected: int = 2) -> None:
    said = capsys.readouterr()
    assert code == expected
    assert said.err.startswith("saliency-widget: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert "Traceback" not in said.err


def test_the_predicted_class(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", str(cat)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    lines = said.out.splitlines()
    assert [line.split("%")[1].strip() for line in lines[1:4]] == [
        "tiger cat (282)",
        "Egyptian cat (285)",
        "tabby, tabby cat (281)",
    ]
    assert sum("%" in line for line in lines) == 5
    assert "logit of tiger cat" in said.out
    assert lines[-1] == "Wrote cat-saliency.png"
    with Image.open("cat-saliency.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 500
    assert sorted(p.name for p in Path().iterdir()) == ["cat-saliency.png", "pictures"]


@pytest.mark.parametrize("target", ["tabby", "281", " 281 ", "Tabby_Cat"])
def test_numbers_are_those_of_explain(cat: Path, target: str) -> None:
    assert cli.main(["explain", str(cat), "-o", "map.png", "--target", target, "--npz", "map.npz"]) == 0
    saved = sw.Attribution.load("map.npz")
    wanted = sw.explain(demo.model(), cat, target="tabby")
    assert isinstance(wanted, sw.Attribution)
    np.testing.assert_allclose(saved.values, wanted.values, rtol=1e-4, atol=1e-4 * np.abs(wanted.values).max())
    assert saved.target == wanted.target
    assert saved.provenance["weights"] == "the demo model, trained on ImageNet"


def pixels(file: str) -> Any:
    with Image.open(file) as picture:
        return np.asarray(picture)


def test_signed_and_probability(cat: Path) -> None:
    assert cli.main(["explain", str(cat), "-o", "a.png"]) == 0
    assert cli.main(["explain", str(cat), "-o", "b.png", "--signed"]) == 0
    assert not np.array_equal(pixels("a.png"), pixels("b.png"))
    assert cli.main(["explain", str(cat), "-o", "b2.png", "--sign", "signed"]) == 0
    # The files differ in how long it took.
    assert np.array_equal(pixels("b2.png"), pixels("b.png"))
    more = ["--sign", "negative", "--reduce", "l2", "--colormap", "viridis"]
    assert cli.main(["explain", str(cat), "-o", "d.png", *more]) == 0
    assert cli.main(["explain", str(cat), "-o", "c.png", "--score", "probability", "--npz", "c.npz"]) == 0
    saved = sw.Attribution.load("c.npz")
    assert saved.target.kind == "probability"
    assert saved.score == pytest.approx(0.3928, abs=1e-3)


BAD: list[tuple[list[str], str]] = [
    (["explain", "missing.png"], "image='missing.png' does not exist"),
    (["explain", "pictures"], "is a folder"),
    (["explain", "text.png"], "not a picture"),
    (["explain", "https://example.com/cat.png"], "is a URL"),
    (["explain", "CAT", "--target", "tabbby"], "The nearest are 'tabby' (281)"),
    (["explain", "CAT", "--target", "crane"], "134 (crane), 517 (crane)"),
    (["explain", "CAT", "--target", "1000"], "index from 0 to 999"),
    (["explain", "CAT", "--target", "-1"], "index from 0 to 999"),
    (["explain", "CAT", "--target", ""], "is an empty label"),
    (["explain", "CAT", "--colormap", "jett"], "colormap='jett'"),
    (["explain", "CAT", "--signed", "--colormap", "jet"], "no colour table for a signed map"),
    (["explain", "CAT", "--reduce", "median"], "reduce='median'"),
    (["explain", "CAT", "-o", "map.jpg"], "Name it map.png"),
    (["explain", "CAT", "-o", "nowhere/map.png"], "Make nowhere first"),
    (["explain", "CAT", "-o", "folder.png"], "is a folder"),
    (["explain", "CAT", "-o", "CAT"], "is the picture itself"),
    (["explain", "CAT", "--npz", "map.txt"], "Name it map.npz"),
    (["explain", "CAT", "--model", "resnt18"], "The nearest are resnet18"),
    (["explain", "CAT", "--random-weights"], "--model NAME"),
    (["explain", "CAT", "--weights", "w.pth"], "--model NAME"),
    (["explain", "CAT", "--model", TINY, "--weights", "missing.pth"], "does not exist"),
    (["explain", "CAT", "--model", TINY, "--weights", "text.png"], "read safely"),
    (["explain", "CAT", "--model", TINY, "--weights", "other.pth"], "does not fit"),
    (["explain", "CAT", "--model", TINY, "--weights", "list.pth"], "holds no state dict"),
    (["explain", "CAT", "--model", TINY, "--weights", "code.pth"], "read safely"),
]


class Code:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("was-run"),)


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=[f"{i}-{b[1]}" for i, b in enumerate(BAD)])
def test_bad_input(cat: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    Path("text.png").write_text("no picture")
    Path("folder.png").mkdir()
    torch.save({"weight": torch.zeros(2)}, "other.pth")
    torch.save([torch.zeros(2)], "list.pth")
    torch.save({"weight": Code()}, "code.pth")
    Path("map.png").write_bytes(b"the old map")
    before = sorted(Path().rglob("*"))
    picture = cat.read_bytes()
    given = [str(cat) if argument == "CAT" else argument for argument in arguments]
    if "-o" not in given:
        given += ["-o", "map.png"]
    assert_refused(cli.main(given), capsys, words)
    assert Path("map.png").read_bytes() == b"the old map"
    assert cat.read_bytes() == picture
    assert sorted(Path().rglob("*")) == before


def test_a_failure_while_writing_leaves_the_old_files(
    cat: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("map.png").write_bytes(b"the old map")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert_refused(cli.main(["explain", str(cat), "-o", "map.png"]), capsys, "No space left", expected=1)
    assert Path("map.png").read_bytes() == b"the old map"
    assert sorted(p.name for p in Path().iterdir()) == ["map.png", "pictures"]


def test_an_old_map_is_replaced(cat: Path) -> None:
    Path("map.png").write_bytes(b"the old map")
    assert cli.main(["explain", str(cat), "-o", "map.png"]) == 0
    with Image.open("map.png") as picture:
        assert picture.format == "PNG"


def test_random_weights_say_so(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explain", str(cat), "--model", TINY, "--random-weights", "-o", "map.png", "--npz", "map.npz"]
    assert cli.main(arguments) == 0
    assert "(random weights)" in capsys.readouterr().out
    saved = sw.Attribution.load("map.npz")
    assert saved.target.text.endswith("(random weights)")  # the headline of the picture
    assert saved.provenance["weights"] == "random weights"
    first = saved.values
    assert cli.main(arguments) == 0
    np.testing.assert_array_equal(sw.Attribution.load("map.npz").values, first)


@pytest.mark.parametrize("wrapped", ["plain", "state_dict", "DataParallel", "safetensors"])
def test_weights_from_a_file(cat: Path, capsys: pytest.CaptureFixture[str], wrapped: str) -> None:
    model = timm.create_model(TINY, num_classes=7)
    state = model.state_dict()
    file = "mine.safetensors" if wrapped == "safetensors" else "mine.pth"
    if wrapped == "safetensors":
        from safetensors.torch import save_file

        save_file(state, file)
    elif wrapped == "DataParallel":
        torch.save({f"module.{key}": value for key, value in state.items()}, file)
    else:
        torch.save({"state_dict": state, "epoch": 3} if wrapped == "state_dict" else state, file)
    assert cli.main(["explain", str(cat), "--model", TINY, "--weights", file, "-o", "m.png", "--npz", "m.npz"]) == 0
    assert f"weights from {file}" in capsys.readouterr().out
    wanted = sw.explain(model.eval(), cat)
    assert isinstance(wanted, sw.Attribution)
    saved = sw.Attribution.load("m.npz")
    assert saved.target == wanted.target
    np.testing.assert_allclose(saved.values, wanted.values, rtol=1e-4, atol=1e-4 * np.abs(wanted.values).max())


def test_weights_that_cannot_be_downloaded(
    cat: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any, pretrained: bool, **__: Any) -> None:
        assert pretrained
        raise RuntimeError("cannot load") from OSError(-2, "Name or service not known")

    monkeypatch.setattr(timm, "create_model", offline)
    code = cli.main(["explain", str(cat), "--model", TINY])
    said = capsys.readouterr()
    assert code == 2
    for words in ("Name or service not known", "--weights FILE", "--random-weights"):
        assert words in said.err
    assert said.err.count("\n") == 1


def test_without_the_demo_extra(cat: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert_refused(cli.main(["explain", str(cat)]), capsys, 'pip install "saliency_widget[demo]"', expected=1)


def test_without_timm(cat: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    assert_refused(cli.main(["explain", str(cat), "--model", TINY]), capsys, "pip install", expected=1)


def test_warnings_are_lines_not_source(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    monkeypatch.setattr(cli, "_explain", lambda arguments: warnings.warn("two\nlines", stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert cli.main(["explain", "x.png"]) == 0
    assert capsys.readouterr().err == "saliency-widget: warning: two lines\n"


def test_stopping_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_explain", stopped)
    assert_refused(cli.main(["explain", "x.png"]), capsys, "stopped", expected=130)


@pytest.mark.parametrize("arguments", [[], ["explain"], ["explain", "a.png", "--frobnicate"], ["explore", "a.png"]])
def test_a_slip_of_the_pen(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: saliency-widget" in capsys.readouterr().err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"saliency-widget {__version__}\n"
    with pytest.raises(SystemExit):
        cli.main(["explain", "--help"])
    helped = capsys.readouterr().out
    for words in ("examples:", "--target", "--signed", "--npz", "--model", "--weights", "--score"):
        assert words in helped
    assert max(map(len, helped.splitlines())) <= 120


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, json\nfrom saliency_widget import cli\n"
    code += "try: cli.main(['explain', '--help'])\nexcept SystemExit: pass\n"
    code += "print(json.dumps([m for m in ('torch', 'timm', 'matplotlib') if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_named_models_leave_the_generator_alone() -> None:
    before = torch.get_rng_state()
    assert not named.untrained(TINY).training
    assert torch.equal(before, torch.get_rng_state())


# -- methods and scores ---------------------------------------------------------------------------------------------


def test_help_lists_the_methods_of_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert cli.main(["methods"]) == 0
    listed = capsys.readouterr().out
    for method in menu():
        for text in (said, listed):
            assert f"\n  {method.name}\n" in f"\n{text}"
            assert method.summary in text
    assert cli.main(["methods", "gradient"]) == 0
    one = capsys.readouterr().out
    assert "Simonyan" in one
    assert cli.main(["methods", "gradiant"]) == 2
    assert "Did you mean 'gradient'" in capsys.readouterr().err


def test_a_method_with_parameters(
    cat: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @dataclass(frozen=True)
    class Scaled(Gradient):
        factor: float = 2.0
        name: ClassVar[str] = "scaled"

        def compute(self, problem: Any) -> Any:
            for estimate in super().compute(problem):
                yield replace(estimate, values=self.factor * estimate.values)

    monkeypatch.setitem(base._METHODS, "scaled", Scaled)
    tiny = ["--model", TINY, "--random-weights", "--npz", "map.npz"]
    found = []
    for more in (["--set", "factor=1"], [], ["--set", "factor=-3"]):
        assert cli.main(["explain", str(cat), *tiny, "--method", "scaled", *more, "--target", "1"]) == 0
        attribution = sw.Attribution.load("map.npz")
        assert attribution.method.name == "scaled"
        found.append((attribution.method.parameters["factor"], attribution.values))
    assert [factor for factor, _ in found] == [1, 2.0, -3]
    assert np.allclose(found[1][1], 2 * found[0][1])
    assert np.allclose(found[2][1], -3 * found[0][1])
    capsys.readouterr()
    for more, words in (
        (["--set", "factr=1"], "Did you mean 'factor'"),
        (["--set", "factor"], "NAME=VALUE"),
        (["--method", "nothing"], "method"),
    ):
        assert_refused(cli.main(["explain", str(cat), "--method", "scaled", *more]), capsys, words)
    assert_refused(cli.main(["explain", str(cat), "--set", "steps=3"]), capsys, "names no parameter of gradient")


def test_every_kind_of_score(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(KINDS) == cli.SCORES
    assert SIGNS == cli.SIGNS
    tiny = ["--model", TINY, "--random-weights", "--npz", "map.npz", "--target", "1"]
    for kind in cli.SCORES:
        assert cli.main(["explain", str(cat), *tiny, "--score", kind]) == 0
        assert sw.Attribution.load("map.npz").target.kind == kind
    assert cli.main(["explain", str(cat), *tiny, "--against", "2"]) == 0
    assert sw.Attribution.load("map.npz").target.kind == "contrast"
    capsys.readouterr()
    assert_refused(
        cli.main(["explain", str(cat), "--target", "1", "--against", "2", "--score", "margin"]), capsys, "--score"
    )
    assert_refused(cli.main(["explain", str(cat), "--target", "1", "--against", "1"]), capsys, "twice")


# -- several pictures, several files ---------------------------------------------------------------------------------


def test_each_picture_gets_its_files_in_the_folder(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dog = cat.parent / "dog.v2.png"
    demo.image("coffee").save(dog)
    tiny = ["--model", TINY, "--random-weights", "--target", "1"]
    assert cli.main(["explain", str(cat), str(dog), *tiny, "--out", "maps", "--format", "png,npz,svg"]) == 0
    said = capsys.readouterr().out
    names = sorted(file.name for file in Path("maps").iterdir())
    assert names == [f"{name}-saliency.{kind}" for name in ("cat", "dog.v2") for kind in ("npz", "png", "svg")]
    assert said.count("Wrote ") == 6
    first, second = (sw.Attribution.load(f"maps/{name}-saliency.npz") for name in ("cat", "dog.v2"))
    assert not np.array_equal(first.image, second.image)
    for kind in ("png", "svg", "npz"):
        told = sw.read_provenance(f"maps/dog.v2-saliency.{kind}")
        assert told == second.provenance
        assert told["weights"] == "random weights"
    assert sw.reproduce("maps/cat-saliency.png", named.untrained(TINY), cat).same


def test_one_picture_as_svg(cat: Path) -> None:
    assert cli.main(["explain", str(cat), "--model", TINY, "--random-weights", "-o", "map.svg"]) == 0
    assert Path("map.svg").read_text().startswith("<?xml")
    assert tuple(sorted(suffix.lstrip(".") for suffix in SAVERS)) == cli.FORMATS


def test_pages_of_several_pictures(cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "dog.png"
    Image.open(cat).rotate(90).save(other)
    arguments = ["explain", str(cat), str(other), "--model", TINY, "--random-weights", "--html", "pages", "--signed"]
    assert cli.main(arguments) == 0
    for name in (cat.stem, "dog"):
        told = Parsed(Path(f"pages/{name}-saliency.html").read_text("utf-8")).state["traits"]
        assert told["sign"] == "signed"
        assert len(told["_info"]["subjects"][0]["prediction"]) == 5
        assert sw.read_provenance(f"pages/{name}-saliency.html")["target"]["index"] == told["class_index"]
    assert cli.main([*arguments, "--out", "elsewhere"]) == 2
    assert not Path("elsewhere").exists()
    capsys.readouterr()
    assert_refused(cli.main(["explain", str(cat), "--html", str(other)]), capsys, "--html")


def test_a_saved_map_is_opened_as_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))
    attribution("a </script> label").save(tmp_path / "map.npz")
    assert cli.main(["open", str(tmp_path / "map.npz"), "-o", "page.html"]) == 0
    assert opened == [Path("page.html").resolve().as_uri()]
    assert Parsed(Path("page.html").read_text("utf-8")).state["traits"]["_maps"][0]["target"]["index"] == 3
    assert cli.main(["open", str(tmp_path / "map.npz"), "--no-browser"]) == 0
    assert len(opened) == 1
    page = Path(capsys.readouterr().out.splitlines()[-1].removeprefix("Wrote "))
    assert page.name == "map.html"
    shutil.rmtree(page.parent)
    for wrong in (["open", "none.npz"], ["open", str(tmp_path / "map.npz"), "-o", "page.htm"]):
        assert cli.main(wrong) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["CAT", "CAT"], "is given twice"),
        (["CAT", "OTHER", "-o", "map.png"], "there are several pictures"),
        (["CAT", "OTHER", "--npz", "map.npz"], "there are several pictures"),
        (["CAT", "OTHER"], "would be written for"),
        (["CAT", "--out", "maps", "-o", "map.png"], "does not go with --out"),
        (["CAT", "-o", "map.png", "--format", "svg"], "does not go with -o"),
        (["CAT", "--format", "png,jpg"], "'jpg' is not written"),
        (["CAT", "--out", "CAT"], "is a file"),
        (["CAT", "--out", "no/where"], "Make no first"),
        (["CAT", "missing.png", "--out", "maps"], "does not exist"),
    ],
)
def test_several_pictures_are_refused_before_any_work(
    cat: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    other = cat.parent / "more" / "cat.png"
    other.parent.mkdir()
    demo.image("coffee").save(other)
    before = sorted(Path().rglob("*"))
    monkeypatch.setattr(cli, "_model", lambda arguments: pytest.fail("work was done"))
    given = [{"CAT": str(cat), "OTHER": str(other)}.get(one, one) for one in arguments]
    assert_refused(cli.main(["explain", *given]), capsys, words)
    assert sorted(Path().rglob("*")) == before
