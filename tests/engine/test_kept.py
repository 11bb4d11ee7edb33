"""The head at many rows where it is joined with what comes before the layer: the trunk runs once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.problem import Problem
from saliency_widget.explainer import Explainer
from tests.places.support import PICTURE, PLAIN, faster_rcnn, seeded


class Joined(nn.Module):
    """What the layer returns is joined with what it was given, by a concatenation, which takes equal rows only."""

    def __init__(self, *, twice: bool = False, odd: bool = False) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.Tanh())
        self.layer = nn.Conv2d(5, 6, 1)
        self.head = nn.Linear(11, 3)
        self.twice, self.odd = twice, odd

    def forward(self, x: Tensor) -> Tensor:
        x = self.trunk(x)
        if self.twice:
            x = self.trunk[1](x)
        if self.odd:
            self.seen = x.mean()
        x.mul_(2)  # the trunk's own rows are written into
        return self.head(torch.cat([x, self.layer(x).relu()], 1).mean((2, 3)))


def ready(make: Any) -> tuple[Any, Problem]:
    model = seeded(make)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    return explainer, Problem(explainer.shadow, explainer.prepared, (explainer.resolve(None),))


@pytest.mark.parametrize("options", [{}, {"twice": True}, {"odd": True}])
def test_the_scores_are_those_of_whole_passes(options: Any) -> None:
    explainer, problem = ready(lambda: Joined(**options))
    with ModelGuard(explainer.shadow.model), problem.running():
        own = problem.activations(problem.pixels[None], "layer")
        noise = torch.randn(4, *own.values.shape[1:], generator=torch.Generator().manual_seed(0)).double()
        rows = torch.cat([own.values, own.values * 0, own.values + noise])
        found = problem.scores(rows, start="layer")
        one_by_one = torch.cat([problem.scores(row[None], start="layer") for row in rows])
    assert torch.allclose(found, one_by_one, rtol=1e-12, atol=1e-12)
    assert float(found[0, 0]) == pytest.approx(float(own.scores[0, 0]), abs=1e-12)


def test_the_trunk_runs_at_one_row() -> None:
    explainer, problem = ready(Joined)
    calls: list[int] = []
    with problem.running():
        own = problem.activations(problem.pixels[None], "layer")
        problem.scores(own.values, start="layer")
        replica = problem._run.replica
        assert replica is not None
        assert replica.taps["layer", explainer.prepared.picture.shape[:2]].head == "kept"
        conv = replica.module.get_submodule("trunk.0")
        handle = conv.register_forward_hook(lambda _module, _given, output: calls.append(len(output)))
        problem.scores(own.values.repeat(20, 1, 1, 1), start="layer")
        handle.remove()
    assert calls == [1]


def test_ablation_of_a_two_stage_detector_computes_its_backbone_once() -> None:
    model = seeded(faster_rcnn)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    target = explainer.resolve(None)
    *_, last = explainer.steps([target], sw.AblationCAM(layer="backbone.1"))
    problem = Problem(explainer.shadow, explainer.prepared, (target,))
    own = problem.activations(problem.pixels[None], "backbone.1")
    wanted = torch.zeros(own.values.shape[2:], dtype=torch.float64)
    for channel in range(own.values.shape[1]):
        without = own.values.clone()
        without[:, channel] = 0
        fall = own.scores[0, 0] - problem.scores(without, start="backbone.1")[0, 0]
        wanted += fall * own.values[0, channel]
    assert torch.allclose(torch.from_numpy(last.attributions[0].values[0].copy()).double(), wanted, atol=1e-5)
