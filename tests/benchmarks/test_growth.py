"""How the cost grows: exponents, plots, the page."""

from __future__ import annotations

from typing import Any

import growth
import pytest


def test_the_exponent_is_that_of_a_power() -> None:
    values = [1, 2, 4, 8, 16]
    found = growth.slope(values, [3 * value**1.7 for value in values])
    assert found is not None
    assert found.exponent == pytest.approx(1.7)
    assert found.error == pytest.approx(0, abs=1e-9)


def test_the_exponent_is_that_of_the_upper_half() -> None:
    # Something fixed, which no longer counts at the end.
    values = [1, 2, 4, 8, 1024, 2048, 4096]
    found = growth.slope(values, [10 + value for value in values])
    assert found is not None
    assert found.exponent == pytest.approx(1, abs=0.2)
    assert growth.slope([1, 2, 4, 8, 16], [7.0] * 5).exponent == pytest.approx(0)


def test_noise_widens_the_interval_and_too_few_points_have_none() -> None:
    values = [1, 2, 4, 8, 16]
    noisy = growth.slope(values, [1, 2, 4 * 1.3, 8, 16 * 1.3])
    assert noisy.error > 0.1
    assert "±" in noisy.text
    assert growth.slope([1, 2], [1, 2]).text == "1.00"
    assert growth.slope([1, 2], [0, 2]) is None


@pytest.mark.parametrize("name", growth.AXES)
def test_every_axis_does_what_it_says(name: str, subject: Any) -> None:
    axis = growth.AXES[name]
    value = {"size": 48, "batch": 3, "classes": 2, "steps": 8}[name]
    found = axis.make(subject, value)()
    maps = found if name == "batch" else found.values
    shapes = {"size": (1, 3, 48, 48), "batch": (3, 1, 3, 32, 32), "classes": (2, 3, 32, 32), "steps": (1, 3, 32, 32)}
    assert tuple(maps.shape) == shapes[name]
    assert name != "steps" or found.done == 8


def test_the_page_and_the_plot_show_what_was_measured(subject: Any, tmp_path: Any) -> None:
    axis = growth.AXES["classes"]
    one = growth.curve(subject, axis, (1, 2, 4), rounds=1)
    assert len(one.seconds) == 3
    assert min(one.seconds) > 0
    curves = [one, growth.Curve("other", (1, 2, 4, 8), [1.0, 2.0, 4.0, 8.0], [5.0] * 4)]
    page = "\n".join(growth.section(axis, curves))
    assert "| other | CPU time, s | 1 | 2 | 4 | 8 | 1.00 ± 0.00 |" in page
    assert "| other | memory, MB | 5 | 5 | 5 | 5 | 0.00 ± 0.00 |" in page
    for file in (tmp_path / "a.svg", tmp_path / "b" / "a.svg"):
        file.parent.mkdir(exist_ok=True)
        growth.save(growth.plot(axis, curves), file)
    drawn = (tmp_path / "a.svg").read_text()
    assert ">other: 1.00 ± 0.00<" in drawn
    assert drawn == (tmp_path / "b" / "a.svg").read_text()
    assert len(drawn) < 60_000
