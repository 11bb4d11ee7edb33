"""What a model may return, and how like another image it finds this one."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.errors import InputError, ModelError
from saliency_widget.explainer import Explainer
from tests.places.support import PICTURE, PLAIN, Trunk, explain, seeded, slopes

OTHER = np.random.default_rng(8).integers(0, 256, (30, 20, 3), dtype=np.uint8)


class Returns(nn.Module):
    """A classifier whose forward returns its scores in some form."""

    def __init__(self, wrap: Any, classes: int = 4) -> None:
        super().__init__()
        self.trunk, self.head, self.wrap = Trunk(), nn.Linear(6, classes), wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(self.head(self.trunk(x).mean((2, 3))))


@dataclass
class Answer:
    scores: Tensor
    features: Tensor


def made(wrap: Any, classes: int = 4) -> Any:
    return seeded(lambda: Returns(wrap, classes))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda y: (y, y.sum()),
        lambda y: {"logits": y, "others": y * 2},
        lambda y: OrderedDict(scores=y, maps=y[:, :, None, None]),
        lambda y: Answer(y, y[:, :, None]),
        lambda y: {"out": y, "index": y.argmax(1)},
    ],
    ids=["tuple", "logits", "only", "dataclass", "dict"],
)
def test_scores_are_found_in_what_a_model_returns(wrap: Any) -> None:
    plain, wrapped = explain(made(lambda y: y), 2), explain(made(wrap), 2)
    assert wrapped.score == plain.score
    assert np.array_equal(wrapped.values, plain.values)


def test_two_tensors_that_both_may_be_scores_are_no_answer() -> None:
    with pytest.raises(ModelError, match="no one tensor of scores"):
        explain(made(lambda y: {"a": y, "b": y}))


def test_one_number_for_each_picture_is_one_output() -> None:
    one, flat = made(lambda y: y, 1), made(lambda y: y[:, 0], 1)
    assert np.array_equal(explain(flat).values, explain(one).values)
    explainer = Explainer(flat, PICTURE, preprocess=PLAIN)
    assert explainer.classes == 1
    assert explainer.probability_kind == "sigmoid"
    *_, last = explainer.steps([explainer.resolve(None)], sw.SmoothGrad(samples=4))  # batches of several
    assert last.final
    with pytest.raises(ModelError, match="keep the batch dimension"):
        explain(made(lambda y: y[0]))


class Configured(Returns):
    """What a Hugging Face model says of its outputs."""

    def __init__(self, problem: str | None, classes: int) -> None:
        super().__init__(lambda y: y, classes)
        self.config = SimpleNamespace(problem_type=problem)


def test_a_model_that_says_so_has_classes_that_do_not_exclude_each_other() -> None:
    model = seeded(lambda: Configured("multi_label_classification", 4))
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    logits = explainer.outputs[0]
    assert explainer.probability_kind == "sigmoid"
    assert [one.probability for one in explainer.prediction] == [
        float(logits[k.index].sigmoid()) for k in explainer.prediction
    ]
    assert explain(model, 2).probability == pytest.approx(float(logits[2].sigmoid()))
    probability = explain(model, sw.Probability(2))
    assert probability.score == pytest.approx(float(logits[2].sigmoid()))
    assert "sigmoid" in probability.target.text
    exclusive = explain(model, sw.Probability(2, activation="softmax"))
    assert exclusive.probability == pytest.approx(float(logits.softmax(0)[2]))
    usual = seeded(lambda: Configured(None, 4))
    assert explain(usual, 2).probability == pytest.approx(float(logits.softmax(0)[2]))


def test_a_regression_has_no_probability() -> None:
    model = seeded(lambda: Configured("regression", 1))
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    assert [one.probability for one in explainer.prediction] == [None]
    assert explainer.probability_kind == ""
    map_ = explain(model)
    assert map_.probability is None
    assert map_.provenance["prediction"][0]["probability"] is None
    for target in (sw.Probability(0), sw.LogProbability()):
        with pytest.raises(InputError, match="cannot be had of a regression"):
            explain(model, target)
    assert explain(model).score == explain(seeded(lambda: Configured(None, 1))).score


def test_similarity_is_the_cosine_and_its_gradient_that_of_finite_differences() -> None:
    model = made(lambda y: y)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    target = explainer.resolve(sw.Similarity(OTHER, "the other"))
    with torch.no_grad():
        ours, theirs = (
            model(Explainer(model, image, preprocess=PLAIN).prepared.input[None].double())[0]
            for image in (PICTURE, OTHER)
        )
    wanted = float(ours @ theirs / (ours.norm() * theirs.norm()))
    map_ = explain(model, sw.Similarity(OTHER, "the other"))
    assert map_.score == pytest.approx(wanted, abs=1e-9)
    assert map_.target.text == "similarity to the other"
    assert map_.unit == "cosine similarity per full-scale pixel"
    by_differences, by_the_map = slopes(explainer, target)
    assert by_the_map == pytest.approx(by_differences, rel=1e-6)
    # A vector of its own is the same target.
    assert explain(model, sw.Similarity(theirs.numpy(), "the other")).score == pytest.approx(wanted, abs=1e-9)


def test_a_picture_is_like_itself_and_nothing_would_raise_that() -> None:
    map_ = explain(made(lambda y: y), sw.Similarity(PICTURE))
    assert map_.score == pytest.approx(1)
    assert np.abs(map_.values).max() < 1e-9


class Embeds:
    def __init__(self, image_embeds: Tensor, text_embeds: Tensor) -> None:
        self.image_embeds, self.text_embeds = image_embeds, text_embeds


def test_the_vector_is_found_in_an_object() -> None:
    plain = explain(made(lambda y: y), sw.Similarity(OTHER))
    for wrap in (lambda y: Embeds(y, y * 3 + 1), lambda y: {"pooler_output": y[:, :, None, None], "last": y[:, None]}):
        assert explain(made(wrap), sw.Similarity(OTHER)).score == pytest.approx(plain.score, abs=1e-12)


def test_what_has_no_vector_is_refused() -> None:
    model = made(lambda y: y)
    with pytest.raises(ModelError, match="vectors of length 7"):
        explain(model, sw.Similarity(np.ones(7)))
    with pytest.raises(InputError, match="zero or no number"):
        explain(model, sw.Similarity(np.zeros(4)))
    with pytest.raises(InputError, match="does not exist"):
        explain(model, sw.Similarity("nowhere.jpg"))
    with pytest.raises(ModelError, match="no vector"):
        explain(made(lambda y: [y[:, None]]), sw.Similarity(OTHER))


@pytest.mark.parametrize(("end", "words"), [(nn.Softmax(1), "sum to 1"), (nn.LogSoftmax(1), "log-probabilities")])
def test_a_softmax_inside_the_model_is_not_taken_twice_and_is_warned_of(end: nn.Module, words: str) -> None:
    bare = seeded(lambda: Configured(None, 4))
    model = nn.Sequential(bare, end).eval()
    with pytest.warns(sw.SaliencyWarning, match=words):
        map_ = explain(model)
    (wanted,) = Explainer(bare, PICTURE, preprocess=PLAIN).outputs.softmax(dim=1)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    assert any(words in note for note in explainer.notes)
    if isinstance(end, nn.Softmax):
        assert map_.score == pytest.approx(float(wanted.max()), abs=1e-6)
        assert map_.probability is None  # it is the score itself
        assert [one.probability for one in explainer.prediction] == [None] * 4
        with pytest.raises(InputError, match="probabilities already"), pytest.warns(sw.SaliencyWarning):
            explain(model, sw.Probability(1))
    else:
        assert map_.probability == pytest.approx(float(wanted.max()), abs=1e-6)


def test_scores_that_are_none_are_not_called_probabilities(recwarn: pytest.WarningsRecorder) -> None:
    for classes in (1, 4):
        explain(seeded(lambda classes=classes: Configured(None, classes)))
    assert not [one for one in recwarn if isinstance(one.message, sw.SaliencyWarning)]
