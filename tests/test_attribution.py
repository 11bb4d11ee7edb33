"""The result: a fact that does not change, saved without pickle and read without torch."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saliency_widget import Attribution, InputError
from saliency_widget.attribution import MethodRecord, TargetRecord


def words_of(figure: Any) -> str:
    texts = (text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
    return " ".join(" ".join(texts).split())


@pytest.fixture
def attribution() -> Attribution:
    random = np.random.default_rng(0)
    return Attribution(
        values=random.normal(size=(3, 12, 10)).astype(np.float32),
        image=random.integers(0, 256, (12, 10, 3)).astype(np.uint8),
        target=TargetRecord("logit", 3, 'cat, "felis" \u2028</script>', "logit of cat"),
        method=MethodRecord("gradient", "Gradient", {"blur": 0}),
        score=1.5,
        unit="logit per full-scale pixel",
        probability=0.25,
        quality={"zero": False, "nonfinite": np.int64(0)},
        provenance={"versions": {"torch": "2"}, "steps": (1, 2)},
        extras={"standard_error": np.full((1, 3, 4), 0.5)},
    )


def test_what_is_saved_is_what_is_loaded(attribution: Attribution, tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    attribution.save(path)
    back = Attribution.load(path)
    assert (back.values == attribution.values).all()
    assert (back.image == attribution.image).all()
    assert back.target == attribution.target
    assert back.method == attribution.method
    assert (back.score, back.unit, back.probability) == (1.5, "logit per full-scale pixel", 0.25)
    assert back.channels == ("R", "G", "B")
    assert dict(back.quality) == {"zero": False, "nonfinite": 0}
    assert back.provenance["versions"] == {"torch": "2"}
    assert back.extras.keys() == {"standard_error"}
    assert np.array_equal(back.extras["standard_error"], np.full((1, 3, 4), 0.5, np.float32))


def test_it_is_read_and_drawn_where_torch_is_not_installed(attribution: Attribution, tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    attribution.save(path)
    script = f"""
import sys
class NoTorch:
    def find_spec(self, name, *rest):
        if name.split('.')[0] in ('torch', 'torchvision', 'timm', 'anywidget', 'ipywidgets', 'traitlets', 'IPython'):
            raise ImportError(name + ' is not here')
sys.meta_path.insert(0, NoTorch())
import saliency_widget as sw
a = sw.Attribution.load({str(path)!r})
a.save({str(tmp_path / "map.png")!r})
a.save({str(tmp_path / "map.svg")!r}, sign="signed")
print(a.heatmap('signed').shape, len(a.plot().axes), len(sw.plot_grid([a, a]).axes))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert result.stdout.split() == ["(12,", "10)", "4", "4"]


def test_it_cannot_be_changed_neither_here_nor_through_the_callers_array() -> None:
    values = np.ones((1, 2, 2), np.float32)
    image = np.zeros((2, 2, 3), np.uint8)
    made = Attribution(values, image, TargetRecord("logit", 0, None, "t"), MethodRecord("gradient", "G"), 0.0, "u")
    values[:] = 9
    assert (made.values == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        made.values[0, 0, 0] = 3
    with pytest.raises(AttributeError):
        made.score = 2.0
    with pytest.raises(TypeError):
        made.quality["zero"] = True


def test_it_survives_pickling(attribution: Attribution) -> None:
    back = pickle.loads(pickle.dumps(attribution))
    assert (back.values == attribution.values).all()
    assert back.target == attribution.target
    assert dict(back.provenance) == dict(attribution.provenance)
    assert np.array_equal(back.extras["standard_error"], attribution.extras["standard_error"])


def test_a_failed_save_leaves_the_old_file(
    attribution: Attribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "map.npz"
    attribution.save(path)
    before = path.read_bytes()

    def broken(*args: object, **kwargs: object) -> None:
        args[0].write(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(np, "savez_compressed", broken)
    with pytest.raises(OSError, match="full"):
        attribution.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["map.npz"]


def _not_ours(path: Path) -> None:
    np.savez(path, header=np.array(json.dumps({"format": "other"})), values=np.ones(3), image=np.ones(3))


def _newer(path: Path) -> None:
    header = json.dumps({"format": "saliency_widget/attribution", "version": 99})
    np.savez(path, header=np.array(header), values=np.ones((1, 1, 1)), image=np.zeros((1, 1, 3), np.uint8))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_bytes(b""), "is not a saved attribution"),
        (lambda path: path.write_bytes(b"PK\x03\x04 broken"), "is not a saved attribution"),
        (lambda path: path.write_text("hello"), "is not a saved attribution"),
        (lambda path: np.savez(path, a=np.ones(3)), "is not a saved attribution"),
        (lambda path: np.savez(path, header=np.array({"a": 1}, dtype=object)), "is not a saved attribution"),
        (_not_ours, "is not a saved attribution"),
        (_newer, "Update saliency_widget"),
    ],
)
def test_what_is_no_saved_attribution_is_named(tmp_path: Path, make, words: str) -> None:
    path = tmp_path / "map.npz"
    make(path)
    with pytest.raises(InputError, match=words) as caught:
        Attribution.load(path)
    assert "map.npz" in str(caught.value)


def test_bad_paths_are_named_before_anything_is_written(attribution: Attribution, tmp_path: Path) -> None:
    for wrong, words in (
        ("map.jpg", ".npz, .png, .svg"),
        ("map", "has no suffix"),
        ("missing/map.npz", "folder that does not exist"),
    ):
        with pytest.raises(InputError, match=words):
            attribution.save(tmp_path / wrong)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        attribution.save(tmp_path / "folder.npz")


def test_a_figure_states_unit_clip_and_caveat_and_touches_no_state_of_pyplot(attribution: Attribution) -> None:
    import matplotlib.pyplot as plt

    plt.close("all")
    for sign in ("absolute", "signed"):
        figure = attribution.plot(sign)
        texts = words_of(figure)
        assert "logit per full-scale pixel" in texts
        assert "99th percentile" in texts
        assert "not what caused it" in texts
        assert "Gradient, logit of cat = 1.5" in texts
    assert plt.get_fignums() == []


def test_a_map_drawn_into_the_callers_axes_shows_the_definitions_colours(attribution: Attribution) -> None:
    from matplotlib.figure import Figure

    from saliency_widget.display.colours import colourise

    figure = Figure()
    ax = figure.add_subplot()
    assert attribution.plot("signed", ax=ax) is figure
    assert (ax.images[0].get_array() == colourise(attribution.heatmap("signed"), "signed")).all()


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"sign": "positive"}, "sum over channels, where it is above zero"),
        ({"sign": "negative", "reduce": "mean"}, "mean over channels, where it is below zero"),
        ({"sign": "absolute", "reduce": "l2"}, "Euclidean length over channels"),
        ({"sign": "signed", "reduce": 1}, "value of channel G; zero is the neutral colour"),
        ({"sign": "absolute", "reduce": "2", "colormap": "jet"}, "|value| of channel B"),
        ({"colormap": "jet"}, "colours not uniform"),
    ],
)
def test_a_figure_says_what_of_the_channels_it_shows_and_by_which_colours(
    attribution: Attribution, choices: dict, words: str
) -> None:
    from saliency_widget.display.colours import colourise

    figure = attribution.plot(**choices)
    assert words.lower() in words_of(figure).lower()
    sign = choices.get("sign", "absolute")
    heat = attribution.heatmap(sign, choices.get("reduce"))
    assert (figure.axes[2].images[0].get_array() == colourise(heat, sign, choices.get("colormap"))).all()


def test_the_bar_of_a_negative_map_runs_up_to_zero(attribution: Attribution) -> None:
    from saliency_widget.display.colours import colour_table

    bar = attribution.plot("negative").axes[3]
    low, high = bar.get_ylim()
    assert low < 0
    assert high == 0
    assert bar.get_xlabel() == "lowers"
    assert bar.get_title(loc="left") == ""
    mappable = attribution.plot("negative", colormap="hot").axes[3]._colorbar.mappable
    assert np.allclose(mappable.to_rgba(0.0)[:3], colour_table("negative", "hot")[0] / 255)
    assert np.allclose(mappable.to_rgba(low)[:3], colour_table("negative", "hot")[255] / 255)


def test_a_zero_map_is_said_in_words() -> None:
    zero = Attribution(
        np.zeros((3, 4, 4), np.float32),
        np.zeros((4, 4, 3), np.uint8),
        TargetRecord("logit", 0, None, "logit of class 0"),
        MethodRecord("gradient", "Gradient"),
        0.0,
        "logit per full-scale pixel",
    )
    assert "Every value is zero" in words_of(zero.plot())
    assert len(zero.plot().axes) == 3  # no bar: there is no scale


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda a: a.save(3), "path"),
        (lambda a: Attribution.load(None), "path"),
        (lambda a: a.plot(ax=3), "ax"),
        (lambda a: a.heatmap(sign=np.array(["absolute", "signed"])), "sign"),
        (lambda a: a.heatmap(reduce=np.array(["max", "sum"])), "reduce"),
        (lambda a: a.plot(colormap="rainbow"), "colormap"),
        (lambda a: a.plot("signed", colormap="inferno"), "colormap"),
        (lambda a: a.plot(reduce="3"), "reduce"),
        (lambda a: a.heatmap(between=np.array(["smooth", "cells"])), "between"),
    ],
)
def test_arguments_of_another_type_are_named(attribution: Attribution, call, argument: str) -> None:
    with pytest.raises(InputError) as caught:
        call(attribution)
    assert caught.value.argument == argument


def test_a_suffix_in_capitals_is_one(attribution: Attribution, tmp_path: Path) -> None:
    attribution.save(tmp_path / "map.NPZ")
    assert (Attribution.load(str(tmp_path / "map.NPZ")).values == attribution.values).all()
