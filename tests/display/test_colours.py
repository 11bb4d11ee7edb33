"""Colours: the neutral is exactly zero, the sequential table grows lighter, and the golden file is current."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from saliency_widget.display.colours import (
    DEFAULT_TABLE,
    check_colormap,
    colour_table,
    colourise,
    grey,
    is_uniform,
    overlay,
    table_names,
)
from saliency_widget.display.reduce import SIGNS
from saliency_widget.errors import InputError

GOLDEN = Path(__file__).parent.parent / "golden"


def lightness(table: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB colours."""
    linear = np.where(table / 255 <= 0.04045, table / 255 / 12.92, ((table / 255 + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)


def test_zero_is_the_neutral_entry_of_every_diverging_table() -> None:
    for name in table_names("signed"):
        table = colour_table("signed", name)
        assert table.shape == (257, 3)
        neutral = table[128].astype(int)
        assert neutral.max() - neutral.min() <= 6, name
        assert colourise(np.zeros((1, 1), np.float32), "signed", name)[0, 0].tolist() == table[128].tolist()


def test_both_signs_weigh_the_same() -> None:
    light = lightness(colour_table("signed").astype(np.float64))
    assert np.abs(light - light[::-1]).max() < 4


def test_a_stronger_value_is_never_darker_in_the_uniform_sequential_tables() -> None:
    for name in filter(is_uniform, table_names("absolute")):
        table = colour_table("absolute", name)
        assert table.shape == (256, 3)
        assert np.diff(lightness(table.astype(np.float64))).min() > -0.6, name


def test_what_is_not_uniform_is_listed_as_such_and_is_so() -> None:
    assert [name for name in table_names("absolute") if not is_uniform(name)] == ["hot", "jet"]
    assert all(map(is_uniform, table_names("signed")))

    def unevenness(name: str) -> float:
        steps = np.abs(np.diff(lightness(colour_table("absolute", name).astype(np.float64))[::16]))
        return float(steps.std() / steps.mean())

    assert min(unevenness("hot"), unevenness("jet")) > 2 * max(unevenness("inferno"), unevenness("viridis"))


def test_the_tables_are_those_of_matplotlib() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    for name in table_names("absolute"):
        expected = matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3]
        assert (colour_table("absolute", name) == expected).all()


def test_only_a_signed_map_has_two_ended_colours() -> None:
    for sign in SIGNS:
        assert table_names(sign)[0] == DEFAULT_TABLE[sign]
        assert len(colour_table(sign)) == (257 if sign == "signed" else 256)
        assert check_colormap(sign, "") == check_colormap(sign) == DEFAULT_TABLE[sign]
    heat = np.array([[0.25, 1.0]], np.float32)
    assert (colourise(-heat, "negative", "viridis") == colourise(heat, "positive", "viridis")).all()


def test_the_ends_of_the_tables_are_reached() -> None:
    heat = np.array([[-1.0, 0.0, 1.0]], np.float32)
    table = colour_table("signed")
    assert colourise(heat, "signed")[0].tolist() == table[[0, 128, 256]].tolist()
    table = colour_table("absolute")
    assert colourise(heat[:, 1:], "absolute")[0].tolist() == table[[0, 255]].tolist()


def test_what_is_no_number_is_grey() -> None:
    heat = np.array([[np.nan, 0.5]], np.float32)
    for sign in ("absolute", "signed"):
        assert colourise(heat, sign)[0, 0].tolist() == [128, 128, 128]


def test_an_overlay_of_opacity_zero_is_the_grey_photograph() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    coloured = colourise(np.random.default_rng(1).random((4, 5)).astype(np.float32), "absolute")
    assert (overlay(picture, coloured, 0.0) == grey(picture)).all()
    assert (overlay(picture, coloured, 1.0) == coloured).all()
    mask = np.zeros((4, 5), bool)
    mask[1, 2] = True
    shown = overlay(picture, coloured, 1.0, mask)
    assert (shown[1, 2] == coloured[1, 2]).all()
    assert (shown[~mask] == grey(picture)[~mask]).all()


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(InputError, match="jett"):
        colour_table("absolute", "jett")
    for wrong in (3, ["hot"], "blue-orange"):
        with pytest.raises(InputError, match="colormap"):
            check_colormap("negative", wrong)
    assert DEFAULT_TABLE["signed"] in table_names("signed")


def test_the_golden_file_is_what_python_says() -> None:
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert (GOLDEN / "maps.json").read_text("utf-8") == make.text(), "run `make golden` and say in the commit why"
