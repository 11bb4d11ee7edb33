"""A zero gradient, a NaN and an infinity are said to be what they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import saliency_widget as sw
from tests.promises.models import PLAIN, Wrapped, make, picture
from tests.promises.table import case_of, method_of, names

NAMES = names(of_scores=True)


def explained(model: nn.Module, name: str) -> sw.Attribution | None:
    """The map; None where the method refuses the model, with words of its own."""
    try:
        found = sw.explain(model, picture(), target=1, method=method_of(name), preprocess=PLAIN)
    except sw.SaliencyError:
        return None
    assert isinstance(found, sw.Attribution)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_score_that_does_not_depend_on_the_picture(name: str) -> None:
    model = make(case_of(name).family)
    with torch.no_grad():
        model.head.weight.zero_()  # type: ignore[union-attr, operator]
    found = explained(model, name)
    if found is not None and case_of(name).zero_if_constant:
        assert found.quality["zero"] is True
        assert found.quality["nonfinite"] == 0
        assert not found.values.any()
        assert not found.heatmap().any()


@pytest.mark.parametrize("name", NAMES)
def test_a_score_that_is_no_number(name: str) -> None:
    model = Wrapped(make(case_of(name).family), lambda y: y * float("nan"))
    found = explained(model, name)
    if found is not None:
        assert found.quality["zero"] is False
        assert found.quality["nonfinite"] == found.values[0].size
        assert np.isnan(found.score)


def to_infinity(y: Tensor) -> Tensor:
    return y.double() * 1e300 * 1e300


@pytest.mark.parametrize("name", NAMES)
def test_a_score_that_is_infinite(name: str) -> None:
    found = explained(Wrapped(make(case_of(name).family), to_infinity), name)
    if found is not None:
        assert found.quality["zero"] is False
        assert found.quality["nonfinite"] > 0
        assert not np.isfinite(found.score)


@pytest.mark.parametrize("name", NAMES)
def test_a_map_that_is_fine_says_so(name: str) -> None:
    found = explained(make(case_of(name).family), name)
    assert found is not None
    assert (found.quality["zero"], found.quality["nonfinite"]) == (False, 0)


def test_a_nan_an_infinity_and_a_score_that_is_no_number_are_told_apart() -> None:
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x.sqrt().sum((1, 2, 3)), x.sum((1, 2, 3)) * 0 + float("nan")], dim=1)

    pixels = np.full((4, 4, 3), 128, np.uint8)
    pixels[1, 2] = 0
    found = sw.explain(Root(), pixels, target=[0, 1], preprocess="none", labels=["root", "nothing"])
    assert isinstance(found, list)
    root, nothing = found
    states = ("nonfinite", "nan", "infinite", "score_state")
    assert [root.quality[name] for name in states] == [1, 0, 1, "finite"]
    assert nothing.quality["score_state"] == "nan"
    times = sw.explain(Root(), pixels, target=0, method="input-x-gradient", preprocess="none")
    assert isinstance(times, sw.Attribution)
    assert [times.quality[name] for name in states] == [1, 1, 0, "finite"]
