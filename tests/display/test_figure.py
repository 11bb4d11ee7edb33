"""Figures for print: what they say, whose style they take, and that they leave nothing behind."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
import weakref
from typing import Any

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import saliency_widget as sw
from saliency_widget.display.cells import to_picture
from saliency_widget.display.colours import colourise, grey
from saliency_widget.display.lettering import width_of, wrapped
from saliency_widget.display.reduce import clip_level
from saliency_widget.display.view import Seen, View
from saliency_widget.display.words import one_line
from tests.export.support import HOSTILE, attribution, picture


def words_of(figure: Any) -> str:
    texts = (text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
    return " ".join(" ".join(texts).split())


def rendered(figure: Figure, **options: Any) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, **{"format": "png", **options})
    return buffer.getvalue()


def overflowing(figure: Figure) -> list[str]:
    """The texts that are not wholly on the figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    inside = figure.bbox.padded(1)
    found = []
    for text in figure.findobj(lambda artist: hasattr(artist, "get_window_extent") and hasattr(artist, "get_text")):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent(canvas.get_renderer())
            if box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1:
                found.append(text.get_text())
    return found


# -- one definition -------------------------------------------------------------------------------------------------


def test_a_coarse_map_is_reduced_clipped_and_cut_on_its_own_grid() -> None:
    values = np.array([[[1.0, -2.0], [3.0, -8.0]]], np.float32)
    made = attribution(values=values, image=picture(8, 8))
    seen = Seen(made, View("absolute", clip=75, threshold=50))
    assert seen.level == 3.0  # a value of the map, and none between two cells
    assert seen.kept is not None
    assert (seen.kept.cut, seen.kept.area, seen.kept.mass) == (3.0, 0.5, 11 / 14)
    # Magnitudes are taken before cells are joined: between 3 and -8 there is no zero.
    assert (seen.full == to_picture(np.abs(values), 8, 8)[0]).all()
    assert seen.full.min() == 1
    assert (made.heatmap("absolute", clip=75) == np.minimum(seen.full / 3, 1)).all()


def test_a_view_of_everything_is_the_definition() -> None:
    made = attribution()
    seen = Seen(made, View("signed", "mean", 90, threshold=20, opacity=0.25, photo="colour"))
    reduced = made.values.astype(float).sum(0) / 3
    assert np.allclose(seen.reduced, reduced, atol=1e-6)
    assert seen.level == clip_level(seen.reduced, 90)
    assert (seen.coloured == colourise(made.heatmap("signed", "mean", 90), "signed")).all()
    kept = np.abs(seen.reduced) >= seen.kept.cut
    assert (seen.mask == kept).all()
    mixed = np.floor(made.image * 0.75 + seen.coloured * 0.25 + 0.5)
    assert (seen.over[kept] == mixed[kept]).all()
    assert (seen.over[~kept] == made.image[~kept]).all()
    assert (Seen(made, View(threshold=0)).over == grey(made.image)).all()


def test_a_map_of_zeros_gets_no_scale_from_others_and_covers_nothing() -> None:
    zero = attribution(values=np.zeros((3, 12, 10)))
    seen = Seen(zero, View(level=5.0))
    assert seen.level == 0
    assert (seen.over == grey(zero.image)).all()


# -- what it says ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sign", "shape"), [("absolute", (12, 10)), ("signed", (60, 10)), ("positive", (10, 80)), ("negative", (3, 90))]
)
def test_no_word_leaves_the_figure(sign: Any, shape: tuple[int, int]) -> None:
    for label in ("a label of very many words " * 20, "without_any_space_in_it" * 20, HOSTILE):
        made = attribution(image=picture(*shape), label=label, unit="thousandths of a logit per full-scale pixel")
        for width in (2.5, 7.0):
            figure = made.plot(sign, threshold=30, width=width)
            assert overflowing(figure) == []
            assert figure.get_figwidth() <= max(width, 3.4) + 1


def test_target_score_method_reduction_clip_unit_and_threshold_are_named() -> None:
    made = attribution(score=-0.12345)
    words = words_of(made.plot("signed", reduce="mean", clip=95, threshold=10))
    for said in (
        "Gradient, logit of cat = −0.1235",
        "Mean over channels",
        "95th percentile",
        "strongest 10 % of the area is shown, which holds",
        "logit per full-scale pixel",
        "raises",
        "lowers",
        "not what caused it",
    ):
        assert said in words
    short = words_of(made.plot(title=False, caption=False, colorbar=False))
    assert short == "image overlay map"


def test_numbers_that_are_very_small_have_their_power_beside_the_unit() -> None:
    figure = attribution(values=1e-7 * np.random.default_rng(0).normal(size=(3, 12, 10))).plot()
    rendered(figure, dpi=40)
    bar = figure.axes[3]
    assert bar.get_ylabel().startswith("1e−7 logit")
    assert [label.get_text() for label in bar.get_yticklabels()][:3] == ["0", "1", "2"]


def test_what_is_no_number_is_grey_and_counted_under_a_threshold_too() -> None:
    values = np.random.default_rng(0).normal(size=(3, 12, 10))
    values[1, 2:4, 3] = np.nan
    figure = attribution(values=values).plot(threshold=10)
    assert "2 of 120 values are no number (grey)" in words_of(figure)
    assert (figure.axes[2].images[0].get_array()[2:4, 3] == [128, 128, 128, 255]).all()
    assert "No value is a number" in words_of(attribution(values=np.full((3, 12, 10), np.nan)).plot())


def test_the_bar_points_beyond_its_ends_only_where_something_is_clipped() -> None:
    made = attribution()
    assert made.plot("signed").axes[3]._colorbar.extend == "both"
    assert made.plot("signed", clip=100).axes[3]._colorbar.extend == "neither"
    level = made.plot(level=0.5).axes[3]._colorbar
    assert (level.vmax, level.extend) == (0.5, "max")
    assert "Colours end at 0.5" not in words_of(made.plot(level=0.5))
    assert "colours end at 0.5" in words_of(made.plot(level=0.5))


@pytest.mark.parametrize("label", ["$x^2$", "$\\frac{", "a_b % & # {", HOSTILE])
def test_a_label_is_text_and_no_formula(label: str) -> None:
    made = attribution(label=label, unit=label, method=label)
    figure = made.plot("signed")
    rendered(figure, dpi=40)
    for text in (*figure.texts, figure.axes[3].yaxis.label):
        assert not text.get_parse_math()
        assert not text.get_usetex()
    figure = Figure()
    made.plot(ax=figure.add_subplot())
    rendered(figure, dpi=40)
    rendered(sw.plot_grid({label: {label: made}}), dpi=40)


def test_a_name_from_right_to_left_leaves_the_score_where_it_is() -> None:
    title = attribution(label="חתול").plot().texts[0].get_text()
    assert title.endswith("חתול\u200e = 1.5")
    assert "\u200e" not in attribution().plot().texts[0].get_text()


def test_one_line_is_one_line_of_what_is_seen() -> None:
    assert one_line("a\nb\tc\u2028d\x00e\u202ef\ud800g") == "a b c d e f g"
    assert len(one_line("ab " * 10_000)) == 300
    assert one_line("ab " * 10_000).endswith("…")
    text = wrapped("one two three four five six", 10, width_of("one two three", 10) + 0.01, 2)
    assert text == "one two three\nfour five six"
    assert wrapped("one two three", 10, width_of("one tw…", 10) + 0.01, 1) == "one tw…"
    assert wrapped("", 10, 1.0) == ""


# -- whose style, whose axes ----------------------------------------------------------------------------------------


def test_nothing_of_pyplot_is_loaded_and_no_figure_is_kept() -> None:
    code = """
import sys
sys.modules["tkinter"] = None
import numpy as np
import saliency_widget as sw
from saliency_widget.attribution import MethodRecord, TargetRecord
made = sw.Attribution(np.ones((3, 4, 4)), np.zeros((4, 4, 3), np.uint8), TargetRecord("logit", 0, None, "t"),
    MethodRecord("gradient", "Gradient"), 1.0, "logit")
assert made._repr_png_().startswith(b"\\x89PNG")
sw.plot_grid([made, made])
print("matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    figure = attribution().plot()
    rendered(figure)
    kept = weakref.ref(figure)
    del figure
    gc.collect()
    assert kept() is None


def test_vector_files_hold_text_and_the_settings_are_as_before() -> None:
    before = dict(rcParams)
    made = attribution(label="tiger cat")
    svg = rendered(made.plot("signed"), format="svg").decode()
    assert "logit of tiger cat" in svg
    assert svg.count("data:image/png;base64,") == 3 + 1  # three pictures, and the bar's colours
    pdf = rendered(made.plot(), format="pdf")
    assert b"/FontFile2" in pdf  # TrueType, type 42
    assert b"/Subtype /Type3" not in pdf
    assert b"CreationDate" not in pdf
    assert rendered(made.plot(), format="pdf") == pdf
    assert rendered(made.plot("signed"), format="svg").decode() == svg
    assert dict(rcParams) == before


def test_a_style_decides_colours_and_fonts_and_puts_no_lines_over_a_picture() -> None:
    import matplotlib.style

    with matplotlib.style.context(["dark_background", {"axes.grid": True, "font.size": 14}]):
        figure = attribution().plot("signed")
        grid = sw.plot_grid([attribution(), attribution(label="dog")])
    for one in (figure, grid):
        assert one.get_facecolor() == (0, 0, 0, 1)
        assert one.texts[0].get_color() == "white"
        for axes in one.axes:
            assert not any(line.get_visible() for line in [*axes.get_xgridlines(), *axes.get_ygridlines()])
    assert figure.texts[0].get_fontsize() == 14
    assert overflowing(figure) == []


def test_axes_of_the_users_get_one_look_with_all_that_must_be_said() -> None:
    made = attribution()
    figure = Figure(figsize=(8, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    right.plot([1, 2])
    assert made.plot("signed", ax=left, look="overlay") is figure
    assert (left.images[0].get_array() == Seen(made, View("signed")).over).all()
    assert "Gradient, logit of cat = 1.5" in " ".join(left.get_title().split())
    assert "sum over channels" in " ".join(left.get_xlabel().lower().split())
    assert "99th percentile" in " ".join(left.get_xlabel().split())
    assert len(figure.axes) == 3
    assert len(right.lines) == 1
    rendered(figure)
    plain = Figure()
    axes = plain.add_subplot()
    made.plot(ax=axes, title=False, caption=False, colorbar=False)
    assert words_of(axes) == ""
    assert plain.axes == [axes]


def test_axes_of_a_part_of_a_figure_do() -> None:
    figure = Figure()
    parts = figure.subfigures(1, 2)
    axes = parts[1].add_subplot()
    assert attribution().plot(ax=axes) is figure
    rendered(figure)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"look": "photo"}, "look"),
        ({"width": 0.5}, "width"),
        ({"width": "7"}, "width"),
        ({"threshold": 101}, "threshold"),
        ({"opacity": 2}, "opacity"),
        ({"photo": "sepia"}, "photo"),
        ({"level": 0}, "level"),
        ({"level": float("nan")}, "level"),
        ({"ax": Figure()}, "ax"),
        ({"ax": object()}, "ax"),
    ],
)
def test_what_cannot_be_is_named(options: dict[str, Any], argument: str) -> None:
    with pytest.raises(sw.InputError) as caught:
        attribution().plot(**options)
    assert caught.value.argument == argument


# -- grids ----------------------------------------------------------------------------------------------------------


def bars_of(figure: Figure) -> list[Any]:
    return [axes._colorbar for axes in figure.axes if getattr(axes, "_colorbar", None) is not None]


def maps(rows: int = 2, columns: int = 3, units: Any = None) -> list[list[Any]]:
    random = np.random.default_rng(0)
    return [
        [
            attribution(
                values=(1 + i + j) * random.normal(size=(3, 12, 10)),
                label=f"class {i}",
                method=f"Method {j}",
                **({} if units is None else {"unit": units(i, j)}),
            )
            for j in range(columns)
        ]
        for i in range(rows)
    ]


def test_classes_times_methods_have_one_scale_and_are_named_once() -> None:
    given = maps()
    figure = sw.plot_grid(given)
    (bar,) = bars_of(figure)
    level = max(clip_level(np.abs(one.values).max(0)) for row in given for one in row)
    assert bar.vmax == level
    words = words_of(figure)
    for name in ("Method 0", "Method 1", "Method 2", "logit of class 0", "logit of class 1"):
        assert words.count(name) == 1
    assert "one scale for 6 maps" in words
    pictures = [axes.images[0].get_array() for axes in figure.axes if axes.images and not hasattr(axes, "_colorbar")]
    assert len(pictures) == 7  # the photograph, which is the same for all, once
    assert (pictures[0] == given[0][0].image).all()
    assert (pictures[1] == Seen(given[0][0], View(level=level)).coloured).all()
    assert overflowing(figure) == []


@pytest.mark.parametrize(
    ("units", "bars", "words"),
    [
        (lambda i, j: f"unit {j}", 3, "one scale for the maps of a unit"),
        (lambda i, j: f"unit {i}", 2, "one scale for the maps of a unit"),
        (lambda i, j: f"unit {(i + j) % 2}", 0, "colours end at"),
    ],
)
def test_maps_of_different_units_have_no_scale_in_common(units: Any, bars: int, words: str) -> None:
    given = maps(units=units)
    figure = sw.plot_grid(given)
    found = bars_of(figure)
    assert len(found) == bars
    assert words in words_of(figure)
    for bar in found:
        unit = bar.ax.get_ylabel() or bar.ax.get_xlabel()
        levels = [clip_level(np.abs(one.values).max(0)) for row in given for one in row if one.unit == unit]
        assert bar.vmax == max(levels)
    assert overflowing(figure) == []


def test_a_share_of_one_map_is_not_said_of_all() -> None:
    one, other = attribution(), attribution(values=np.arange(360.0).reshape(3, 12, 10))
    alone, both = words_of(sw.plot_grid([one], threshold=10)), words_of(sw.plot_grid([one, other], threshold=10))
    assert "strongest 10 % of the area is shown, which holds" in alone
    assert "strongest 10 % of the area of each is shown" in both
    assert "holds" not in both


def test_each_by_itself_says_where_its_colours_end() -> None:
    figure = sw.plot_grid(maps(), scale="own")
    assert bars_of(figure) == []
    assert words_of(figure).count("colours end at") == 6


def test_lists_rows_and_dicts_with_gaps_are_taken() -> None:
    one, two, three = maps(1, 3)[0]
    for given, axes, names in (
        ([one], 2, ()),
        ([one, two, three], 4, ("Method 0", "Method 2")),
        ((one, two), 3, ()),
        ([[one, two], [three]], 4, ()),
        ({"first": one, "second": two}, 3, ("first", "second")),
        ({"A": [one, two], "B": [three, None]}, 4, ("A", "B")),
        ({"A": {"x": one}, "B": {"y": two, "x": three}}, 4, ("A", "B", "x", "y")),
    ):
        figure = sw.plot_grid(given)
        assert len(figure.axes) == axes + 1
        for name in names:
            assert name in words_of(figure)
        assert overflowing(figure) == []


def test_parameters_tell_maps_of_one_method_apart() -> None:
    from saliency_widget.attribution import MethodRecord

    few, many = (
        sw.Attribution(**{**vars(attribution()), "method": MethodRecord("smoothgrad", "SmoothGrad", {"samples": n})})
        for n in (5, 50)
    )
    words = words_of(sw.plot_grid([few, many]))
    assert "SmoothGrad (samples 5)" in words
    assert "SmoothGrad (samples 50)" in words


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "holds no Attribution"),
        ({}, "holds no Attribution"),
        ([None, None], "holds no Attribution"),
        (3, "is a int"),
        ("abc", "is a str"),
        ([1, 2], "is no Attribution"),
        ([attribution()] * 401, "too many"),
    ],
)
def test_what_is_no_grid_is_named(given: Any, words: str) -> None:
    with pytest.raises(sw.InputError, match=words):
        sw.plot_grid(given)
    for options, argument in (({"look": "image"}, "look"), ({"scale": "log"}, "scale"), ({"width": -1}, "width")):
        with pytest.raises(sw.InputError) as caught:
            sw.plot_grid([attribution()], **options)
        assert caught.value.argument == argument
