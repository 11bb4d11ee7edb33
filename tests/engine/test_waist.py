"""The gradients of many scores towards a layer by two factors: the same as one after another, or not used."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.engine.waist import FEW
from tests.engine.counting import Passes
from tests.engine.support import fill, picture, problem_of, relative

CLASSES = 3 * FEW
Head = Callable[[Tensor], Tensor]


class Net(nn.Module):
    """A layer and a head."""

    def __init__(self, pool: Head, numbers: int = 8) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.pool, self.norm, self.fc = pool, nn.LayerNorm(numbers), nn.Linear(numbers, CLASSES)
        fill(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.norm(self.pool(self.layer(x)))))


FACTORED: dict[str, Head] = {
    "mean": lambda a: a.mean((2, 3)),
    "maximum": lambda a: a.amax((2, 3)),
    "generalised mean": lambda a: a.clamp(min=1e-3).pow(3).mean((2, 3)).pow(1 / 3),
    "mean and maximum": lambda a: a.mean((2, 3)) + a.amax((2, 3)),
    "activation, mean": lambda a: torch.nn.functional.silu(a).mean((2, 3)),
}
WHOLE: dict[str, Head] = {
    "mixed channels": lambda a: (a + a.roll(1, 1)).mean((2, 3)),
    "some of two": lambda a: torch.cat([a.mean((2, 3)), a.amax((2, 3))], 1)[:, ::2],
    "softmax": lambda a: a.softmax(1).mean((2, 3)),
}


@pytest.mark.parametrize("way", ["first", "second", "later"])
@pytest.mark.parametrize("name", [*FACTORED, *WHOLE])
def test_all_classes_are_each_class(name: str, way: str) -> None:
    model = Net({**FACTORED, **WHOLE}[name]).double().eval()
    for _ in range({"first": 0, "second": 1, "later": 3}[way]):
        problem_of(model, picture(), range(CLASSES)).activations(
            problem_of(model, picture(), [0]).pixels[None], "layer"
        )
    problem = problem_of(model, picture(), range(CLASSES))
    found = problem.activations(problem.pixels[None], "layer")
    assert len(found.factors) == (2 if name in FACTORED else 1)
    one = problem_of(model, picture(), [CLASSES - 2])
    wanted = one.activations(one.pixels[None], "layer")
    assert relative(found.gradients[0, -2], wanted.gradients[0, 0]) < 1e-12
    assert found.gradients.shape == (1, CLASSES, 8, 8, 8)


@pytest.mark.parametrize(
    "method", [sw.GradCAM, sw.GradCAMPlusPlus, sw.HiResCAM, sw.LayerCAM, sw.XGradCAM, sw.EigenCAM, sw.AblationCAM]
)
def test_maps_of_all_classes_are_those_of_each(method: type) -> None:
    model = Net(FACTORED["mean"]).double().eval()
    last = [*method(layer="layer").estimates(problem_of(model, picture(), range(CLASSES)))][-1]
    for k in (0, CLASSES - 1):
        alone = [*method(layer="layer").estimates(problem_of(model, picture(), [k]))][-1]
        assert relative(last.values[k], alone.values[0]) < 1e-10


def test_the_head_is_differentiated_as_often_for_all_classes_as_for_few() -> None:
    model = Net(FACTORED["mean"]).eval()
    for _ in range(3):
        list(sw.GradCAM(layer="layer").estimates(problem_of(model, picture(), range(CLASSES))))
    problem = problem_of(model, picture(), range(CLASSES))
    with Passes(model) as passes:
        list(sw.GradCAM(layer="layer").estimates(problem))
    assert passes.forward == {"layer": 1}
    assert not passes.backward
