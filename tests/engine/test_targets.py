"""Targets say which number is meant, and refuse what names none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from saliency_widget.errors import InputError
from saliency_widget.targets import Logit, Probability, as_target

LABELS = ("tabby", "tiger cat", "lynx", "espresso")
OUTPUTS = torch.tensor([[0.0, 3.0, 1.0, 2.0]])


def test_every_way_to_name_a_class() -> None:
    for spec in (1, np.int64(1), torch.tensor(1), "tiger cat", Logit(1), Logit("tiger cat"), None):
        target = as_target(spec).resolve(LABELS, 4, OUTPUTS)
        assert (target.index, target.label, target.kind, target.text) == (1, "tiger cat", "logit", "logit of tiger cat")
        assert target == Logit(1, label="tiger cat")
        assert type(target.which) is int
    zero = as_target(0).resolve((), 4, None)
    assert (zero.index, zero.label, zero.text) == (0, None, "logit of class 0")
    probability = Probability("lynx").resolve(LABELS, 4, OUTPUTS)
    assert isinstance(probability, Probability)
    assert (probability.index, probability.text, probability.unit) == (2, "probability of lynx", "probability")
    assert probability.resolve(LABELS, 4, OUTPUTS) == probability


def test_text_before_it_is_resolved() -> None:
    assert [as_target(spec).text for spec in (None, "lynx", 17)] == [
        "logit of the predicted class",
        "logit of lynx",
        "logit of class 17",
    ]
    assert as_target(None).index is None
    assert as_target("lynx").index is None


@pytest.mark.parametrize(
    "spec", [True, np.bool_(True), torch.tensor(True), 1.0, np.float32(1), "", " ", [1], b"x", object()]
)
def test_what_is_no_target_is_refused(spec: Any) -> None:
    with pytest.raises(InputError, match="target"):
        as_target(spec)


@pytest.mark.parametrize("index", [-1, 4, 10**9])
def test_an_index_out_of_range_names_the_range(index: int) -> None:
    with pytest.raises(InputError, match=r"4 classes.*0 to 3"):
        as_target(index).resolve(LABELS, 4, OUTPUTS)


def test_an_unknown_label_names_the_nearest() -> None:
    with pytest.raises(InputError, match="tabby"):
        as_target("taby").resolve(LABELS, 4, OUTPUTS)
    with pytest.raises(InputError, match=r"no label|has none"):
        as_target("tabby").resolve((), 4, OUTPUTS)


def test_no_prediction_without_a_number() -> None:
    with pytest.raises(InputError, match="NaN"):
        as_target(None).resolve(LABELS, 4, OUTPUTS * float("nan"))
    with pytest.raises(InputError, match="prediction"):
        as_target(None).resolve(LABELS, 4, None)


def test_scores() -> None:
    outputs = torch.randn(3, 4, dtype=torch.float64)
    assert torch.equal(Logit(2).score(outputs), outputs[:, 2])
    assert torch.allclose(Probability(2).score(outputs), outputs.softmax(1)[:, 2], rtol=1e-13)
    assert torch.allclose(Probability(0).score(outputs[:, :1]), outputs[:, 0].sigmoid(), rtol=1e-13)
    masked = torch.tensor([[1.0, float("-inf"), 2.0]])
    assert torch.allclose(Probability(0).score(masked), masked.softmax(1)[:, 0])
    with pytest.raises(InputError, match="resolve"):
        Logit("lynx").score(outputs)
