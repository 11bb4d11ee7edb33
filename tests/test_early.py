"""What is wrong with labels and targets is said before the model runs, as far as that can be known."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

import saliency_widget as sw
from saliency_widget.explainer import Explainer
from tests.test_explain import LABELS, PLAIN, Small, made, pictures


class Stated(Small):
    """Says how many classes it has, as timm's models do."""

    num_classes = 4

    def get_classifier(self) -> nn.Module:
        return self.head


class Configured(Small):
    """Says how many classes it has, as transformers' models do."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(num_labels=4, id2label=dict(enumerate(LABELS)))
        self.classifier = self.head


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (Small, {"labels": "ant"}, "labels.*is a str"),
        (Small, {"labels": ["ant", 2]}, "labels.*class 1"),
        (Small, {"labels": LABELS, "target": "taby"}, "taby.*names no class"),
        (Small, {"labels": LABELS, "target": sw.Contrast("bee", 4)}, "labels given name 4 classes"),
        (Stated, {"target": 4}, "4 classes"),
        (Stated, {"target": [0, sw.Contrast(1, 9)]}, "4 classes"),
        (Stated, {"target": sw.Margin(k=4)}, "k=4.*other classes"),
        (Stated, {"target": "bee"}, "bee.*no"),
        (Stated, {"labels": ["ant"]}, "1 name"),
        (Configured, {"target": "wasp"}, "wasp.*names no class"),
        (Configured, {"target": sw.Probability(-1)}, "4 classes"),
    ],
)
def test_labels_and_targets_are_refused_before_the_model_runs(
    kind: type[nn.Module], options: dict[str, Any], words: str
) -> None:
    model = made(kind)
    for call, image in ((sw.explain, pictures(1)[0]), (sw.stream, pictures(2)), (sw.SaliencyWidget, pictures(1)[0])):
        before = Small.passes
        with pytest.raises(sw.InputError, match=f"(?s){words}"):
            call(model, image, preprocess=PLAIN, **options)
        assert Small.passes == before
    # Labels are read before a file is.
    if "target" not in options and kind is Small:
        with pytest.raises(sw.InputError, match="labels"):
            Explainer(model, "nowhere.png", **options)


def test_a_head_that_was_exchanged_is_believed_more_than_what_the_model_states() -> None:
    for kind in (Stated, Configured):
        model = made(kind)
        model.head = model.classifier = nn.Linear(6, 9)
        assert sw.explain(model, pictures(1)[0], target=8, preprocess=PLAIN).target.index == 8


def test_labels_may_be_an_iterator_also_for_several_images() -> None:
    rows = sw.explain(made(), pictures(2), target="bee", preprocess=PLAIN, labels=iter(LABELS))
    assert [one.target.label for one in rows] == ["bee", "bee"]


def test_the_training_mode_is_said_before_the_model_runs() -> None:
    model = made().train()
    before = Small.passes
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(sw.SaliencyWarning, match="training mode"):
            sw.explain(model, pictures(1)[0], preprocess=PLAIN)
    assert Small.passes == before


@pytest.mark.parametrize("method", [sw.GradCAM, sw.ScoreCAM, sw.AblationCAM, sw.EigenCAM, sw.GuidedGradCAM])
def test_a_layer_is_looked_for_before_the_model_runs(method: Any) -> None:
    model = made()
    for call in (sw.explain, sw.stream, sw.SaliencyWidget):
        for layer, words in (("cnov", "cnov.*names no layer.*conv"), (nn.Conv2d(3, 6, 3), "no part of this")):
            before = Small.passes
            with pytest.raises(sw.InputError, match=f"(?s){words}"):
                call(model, pictures(1)[0], preprocess=PLAIN, method=method(layer=layer))
            assert Small.passes == before
    method(layer="conv").check(model)
