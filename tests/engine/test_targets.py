"""Targets say which number is meant, and refuse what names none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from saliency_widget.errors import InputError, ModelError
from saliency_widget.targets import (
    KINDS,
    Contrast,
    Logit,
    LogProbability,
    Margin,
    Probability,
    Score,
    as_target,
    target_of_kind,
)

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
    assert (probability.index, probability.text, probability.unit) == (
        2,
        "softmax probability of lynx",
        "probability",
    )
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


# -- the other kinds ------------------------------------------------------------------------------------------------


def test_a_probability_names_what_makes_it() -> None:
    outputs = torch.randn(3, 4, dtype=torch.float64)
    for kind, plain in ((Probability, torch.Tensor.double), (LogProbability, torch.log)):
        soft = kind(2).resolve(LABELS, 4, None)
        each = kind("lynx", activation="sigmoid").resolve(LABELS, 4, None)
        one = kind().resolve((), 1, outputs[:, :1])
        assert (soft.activation, each.activation, one.activation) == ("softmax", "sigmoid", "sigmoid")
        assert each.text == f"sigmoid {kind.kind} of lynx"
        assert torch.allclose(soft.score(outputs), plain(outputs.softmax(1)[:, 2]), rtol=1e-12)
        assert torch.allclose(each.score(outputs), plain(outputs[:, 2].sigmoid()), rtol=1e-12)
        assert torch.allclose(one.score(outputs[:, :1]), plain(outputs[:, 0].sigmoid()), rtol=1e-12)
        assert soft.probability(outputs) == pytest.approx(float(outputs.softmax(1)[0, 2]), rel=1e-12)
        assert each.probability(outputs) == pytest.approx(float(outputs[0, 2].sigmoid()), rel=1e-12)
        assert len({soft.key, each.key, one.key}) == 3
        with pytest.raises(InputError, match="activation"):
            kind(0, activation="tanh")
        with pytest.raises(InputError, match=r"activation.*sigmoid"):
            kind(0, activation="softmax").resolve((), 1, None)


def test_where_the_model_is_sure_the_derivatives_do_not_cancel() -> None:
    outputs = torch.tensor([[40.0, 0.0, 0.0]], dtype=torch.float32, requires_grad=True)
    (gradient,) = torch.autograd.grad(LogProbability(0).score(outputs).sum(), outputs)
    rest = 2 * float(np.exp(-40.0))
    assert float(gradient[0, 0]) == pytest.approx(rest, rel=1e-5)
    (gradient,) = torch.autograd.grad(LogProbability(1).score(outputs).sum(), outputs)
    assert torch.allclose(gradient, torch.tensor([[-1.0, 1.0, 0.0]]), atol=1e-6)


def test_a_contrast_is_a_difference() -> None:
    outputs = torch.randn(3, 4, dtype=torch.float64)
    target = Contrast("tabby", "lynx").resolve(LABELS, 4, None)
    assert torch.equal(target.score(outputs), outputs[:, 0] - outputs[:, 2])
    assert (target.index, target.label, target.other, target.other_label) == (0, "tabby", 2, "lynx")
    assert target.text == "logit of tabby minus logit of lynx"
    odds = outputs.softmax(1)
    assert torch.allclose(target.score(outputs), (odds[:, 0] / odds[:, 2]).log())
    # None is the predicted class, which is 1 here.
    assert Contrast("lynx").resolve(LABELS, 4, OUTPUTS).other == 1
    assert Contrast(None, "lynx").resolve(LABELS, 4, OUTPUTS).index == 1
    assert not Contrast(0).bound
    assert not Contrast(None, 0).bound
    assert Contrast(0, 1).bound
    with pytest.raises(InputError, match="resolve"):
        Contrast(0).score(outputs)
    for make in (
        lambda: Contrast(1, 1),
        lambda: Contrast(),
        lambda: Contrast("tabby", 0).resolve(LABELS, 4, None),
        lambda: Contrast(1).resolve(LABELS, 4, OUTPUTS),
    ):
        with pytest.raises(InputError, match="twice"):
            make()
    for wrong in (Contrast(0, 4), Contrast(4, 0)):
        with pytest.raises(InputError, match="4 classes"):
            wrong.resolve(LABELS, 4, None)
        with pytest.raises(InputError, match="4 classes"):
            wrong.check(4)
    assert Contrast(0, 2).of_class(3) == Contrast(3, 2)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_contrast_of_probabilities_is_their_difference(activation: str) -> None:
    outputs = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    target = Contrast("tabby", "lynx", of="probability", activation=activation).resolve(LABELS, 4, None)
    p = outputs.softmax(1) if activation == "softmax" else outputs.sigmoid()
    assert torch.allclose(target.score(outputs), p[:, 0] - p[:, 2], rtol=0, atol=1e-15)
    assert target.text == f"{activation} probability of tabby minus {activation} probability of lynx"
    assert target.unit == "probability"
    assert target.probability(outputs[:1].detach()) == pytest.approx(float(p[0, 0].detach()))
    (gradient,) = torch.autograd.grad(target.score(outputs).sum(), outputs)
    one, other = (
        torch.autograd.grad(Probability(k, activation=activation).score(outputs).sum(), outputs)[0] for k in (0, 2)
    )
    assert torch.allclose(gradient, one - other, rtol=0, atol=1e-15)
    step = 1e-6
    for column in range(4):
        far = torch.zeros(4, dtype=torch.float64)
        far[column] = step
        slope = (target.score(outputs.detach() + far) - target.score(outputs.detach() - far)) / (2 * step)
        assert torch.allclose(gradient[:, column], slope, rtol=0, atol=1e-9)


def test_contrasts_of_probabilities_add_up() -> None:
    outputs = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)

    def of(kind: str, a: int, b: int) -> torch.Tensor:
        return Contrast(a, b, of=kind).resolve((), 4, None).score(outputs)

    for kind in ("logit", "probability", "log-probability"):
        # Around a circle nothing is left, and one way is the other with its sign turned.
        assert torch.allclose(of(kind, 0, 1) + of(kind, 1, 2), of(kind, 0, 2))
        assert torch.equal(of(kind, 0, 1), -of(kind, 1, 0))
        # What all logits gain alike changes nothing.
        (gradient,) = torch.autograd.grad(of(kind, 0, 2).sum(), outputs)
        assert torch.allclose(gradient.sum(1), torch.zeros(5, dtype=torch.float64), atol=1e-15)
    # A probability is the mean of its contrasts with all, plus the mean probability.
    mean = sum(of("probability", 0, k) for k in (1, 2, 3)) / 4 + 0.25
    assert torch.allclose(mean, outputs.softmax(1)[:, 0])
    assert torch.equal(of("log-probability", 0, 2), of("logit", 0, 2))


def test_a_contrast_of_probabilities_does_not_vanish_by_rounding_where_the_model_is_sure() -> None:
    outputs = torch.tensor([[40.0, 0.0, 0.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(Contrast(0, 1, of="probability").score(outputs).sum(), outputs)
    rest = float(np.exp(-40.0))
    assert gradient[0].tolist() == pytest.approx([3 * rest, -2 * rest, -rest], rel=1e-5)


def test_a_contrast_of_log_odds_is_not_that_of_logits_where_each_class_is_by_itself() -> None:
    outputs = torch.randn(3, 4, dtype=torch.float64)
    target = Contrast(0, 2, of="log-probability", activation="sigmoid").resolve((), 4, None)
    p = outputs.sigmoid().log()
    assert torch.allclose(target.score(outputs), p[:, 0] - p[:, 2])
    assert target.unit == "nat"
    keys = {
        Contrast(0, 2, of=of, activation=how).key
        for of in ("probability", "log-probability")
        for how in ("softmax", "sigmoid")
    }
    assert len(keys | {Contrast(0, 2).key}) == 5
    for wrong, words in (
        ({"of": "margin"}, "of='margin'"),
        ({"of": "probability", "activation": "tanh"}, "activation='tanh'"),
        ({"activation": "softmax"}, "activation='softmax'"),
    ):
        with pytest.raises(InputError, match=words):
            Contrast(0, 2, **wrong)


def test_a_margin_is_over_the_kth_best_other() -> None:
    outputs = torch.tensor([[0.0, 3.0, 1.0, 2.0], [5.0, 3.0, 1.0, 9.0]])
    assert Margin(1).score(outputs).tolist() == [1.0, -6.0]
    assert Margin(1, k=2).score(outputs).tolist() == [2.0, -2.0]
    assert Margin(0, k=3).score(outputs).tolist() == [-1.0, 4.0]
    outputs.requires_grad_()
    (gradient,) = torch.autograd.grad(Margin(1).score(outputs).sum(), outputs)
    assert gradient.tolist() == [[0.0, 1.0, 0.0, -1.0], [0.0, 1.0, 0.0, -1.0]]
    assert Margin("lynx").resolve(LABELS, 4, None).text == "margin of lynx over the best other class"
    assert Margin(1, k=2).key != Margin(1).key
    for k in (0, True, 1.5, "1"):
        with pytest.raises(InputError, match="k="):
            Margin(0, k=k)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"k=4.*Give 1 to 3"):
        Margin(0, k=4).resolve(LABELS, 4, None)
    with pytest.raises(InputError, match="Logit"):
        Margin(0).resolve((), 1, None)


def test_a_score_is_a_users_function_with_a_name() -> None:
    outputs = torch.randn(3, 4)
    score = Score(lambda y: y.square().sum(1), "energy")
    assert torch.equal(score.score(outputs), outputs.square().sum(1))
    assert (score.text, score.index, score.label, score.bound) == ("energy", None, None, True)
    assert score.resolve(LABELS, 4, None) is score
    assert score.key != Score(lambda y: y.sum(1), "energy").key
    for wrong in (lambda y: y, lambda y: y.sum(), lambda y: y.argmax(1), lambda y: 3.0, lambda y: y.nothing):
        with pytest.raises(ModelError, match=r"'energy'.*\(3, 4\)"):
            Score(wrong, "energy").score(outputs)
    with pytest.raises(InputError, match="function"):
        Score(3, "energy")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="name"):
        Score(len, " ")


def test_kinds_of_a_menu() -> None:
    assert list(KINDS) == ["logit", "probability", "log-probability", "margin"]
    for name, kind in KINDS.items():
        assert target_of_kind(name, 2) == kind(2)
        assert kind(2).unit
    for wrong in ("contrast", "score", None, 3):
        with pytest.raises(InputError, match="kind"):
            target_of_kind(wrong, 1)
    assert target_of_kind("contrast", 3, like=Contrast(0, 2)) == Contrast(3, 2)
    assert target_of_kind("probability", 3, like=Probability(0, activation="sigmoid")) == Probability(
        3, activation="sigmoid"
    )
    assert target_of_kind("logit", 3, like=Contrast(0, 2)) == Logit(3)


def test_derivatives_of_every_kind() -> None:
    outputs = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    targets = [
        *(kind(2) for kind in KINDS.values()),
        Contrast(2, 4),
        *(
            Contrast(2, 4, of=of, activation=how)
            for of in ("probability", "log-probability")
            for how in (None, "sigmoid")
        ),
        Margin(2, k=3),
        Probability(2, activation="sigmoid"),
        Score(lambda y: y.square().sum(1), "energy"),
    ]
    for target in targets:
        assert torch.autograd.gradcheck(target.score, outputs)
