"""Weights that changed since a picture was made ready: all that a result says is of those that made the map."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from saliency_widget.explainer import Explainer
from saliency_widget.targets import Logit
from tests.promises.models import PLAIN, make, picture
from tests.promises.table import case_of, method_of, names


def shaken(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn(parameter.shape, generator=generator).to(parameter) * 0.3


@torch.no_grad()
def outputs(model: nn.Module, explainer: Explainer) -> Tensor:
    own = next(model.parameters())
    return model(explainer.prepared.input[None].to(own))[0].double()


@pytest.mark.parametrize("name", names())
def test_score_and_probability_are_of_the_same_weights(name: str) -> None:
    model = make(case_of(name).family)
    explainer = Explainer(model, picture(), preprocess=PLAIN)
    before = outputs(model, explainer)
    shaken(model, 0)
    after = outputs(model, explainer)
    *_, last = explainer.steps([Logit(1)], method_of(name))
    (found,) = last.attributions
    assert found.score == pytest.approx(float(after[1]), rel=1e-5)
    assert found.probability == pytest.approx(float(after.softmax(0)[1]), rel=1e-5)
    assert abs(float(after.softmax(0)[1] - before.softmax(0)[1])) > 1e-3


def test_also_when_they_move_between_two_estimates() -> None:
    model = make("conv")
    explainer = Explainer(model, picture(), preprocess=PLAIN)
    steps = explainer.steps([Logit(1)], method_of("integrated-gradients"))
    first = next(steps).attributions[0]
    assert first.probability == pytest.approx(float(outputs(model, explainer).softmax(0)[1]), rel=1e-5)
    shaken(model, 1)
    *_, last = steps
    (found,) = last.attributions
    after = outputs(model, explainer)
    assert found.provenance["shadow"] == "snapshot"
    assert found.score == pytest.approx(float(after[1]), rel=1e-5)
    assert found.probability == pytest.approx(float(after.softmax(0)[1]), rel=1e-5)
