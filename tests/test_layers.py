"""Explainer.layers(): what a class activation map can be made of, with the user's model untouched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.engine.guard import ModelGuard
from saliency_widget.explainer import Explainer
from tests.engine.support import fill

PLAIN = sw.Preprocess(size=None, crop=None)
SQUARE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
OBLONG = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.passes = [0]
        self.head = nn.Linear(8, 4)
        self.late = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.early = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.aside = nn.Conv2d(3, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.aside(x)
        return self.head(self.late(self.early(x).relu()).mean((2, 3)))


def test_used_layers_from_input_to_output_with_their_grids() -> None:
    model = fill(Net())
    explainer = Explainer(model, OBLONG, preprocess=PLAIN)
    # in the order in which they run, not in which they were made; what nothing uses is left out, and so is the head
    assert explainer.layers() == (("early", "Conv2d", (16, 24)), ("late", "Conv2d", (8, 12)))
    assert explainer.layers()[1].grid == (8, 12)


def test_nothing_runs_until_it_is_asked_for_and_then_once() -> None:
    passes: list[int] = []

    class Counting(Net):
        def forward(self, x: Tensor) -> Tensor:
            passes.append(len(x))
            return super().forward(x)

    explainer = Explainer(fill(Counting()), SQUARE, preprocess=PLAIN)
    before = len(passes)
    found = explainer.layers()
    assert len(passes) - before == 1
    assert explainer.layers() is found
    assert len(passes) - before == 1


@pytest.mark.parametrize("training", [False, True])
def test_the_model_is_untouched(training: bool) -> None:
    model = fill(torchvision.models.resnet18(num_classes=5)).train(training)
    with ModelGuard(model):
        found = Explainer(model, SQUARE, preprocess=PLAIN).layers()
    named = {one.name: one.grid for one in found}
    assert named["layer1"] == (8, 8)
    assert named["layer3"] == (2, 2)
    # one cell is no grid
    assert "layer4" not in named
    assert not any(module._forward_hooks for module in model.modules())


def test_every_one_of_them_makes_a_map() -> None:
    model = fill(timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=2, num_classes=4))
    found = Explainer(model, SQUARE, preprocess=PLAIN).layers()
    assert {one.grid for one in found} == {(4, 4)}
    names = [one.name for one in found]
    assert names.index("patch_embed") < names.index("blocks.0") < names.index("blocks.1.norm1")
    # nothing of it is used but the class token
    assert not {"blocks.1", "blocks", "norm"} & set(names)
    for name in names:
        map_ = sw.explain(model, SQUARE, method=sw.GradCAM(layer=name), preprocess=PLAIN)
        assert map_.values.shape == (1, 4, 4)


def test_another_target_has_its_own_layers() -> None:
    class Two(Net):
        def __init__(self) -> None:
            super().__init__()
            self.other = nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            first = self.early(x).mean((1, 2, 3)) + 100
            return torch.stack([first, self.other(x).mean((1, 2, 3))], dim=1)

    explainer = Explainer(fill(Two()), SQUARE, preprocess=PLAIN)
    assert [one.name for one in explainer.layers()] == ["early"]
    assert [one.name for one in explainer.layers(1)] == ["other"]
    assert [one.name for one in explainer.layers()] == ["early"]
    with pytest.raises(sw.InputError):
        explainer.layers(7)


class Deaf(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


class NoClasses(Net):
    def forward(self, x: Tensor) -> Any:
        grid = self.late(self.early(x))
        return {"masks": grid, "others": grid + 1}


@pytest.mark.parametrize(
    "model",
    [nn.Sequential(nn.Flatten(), nn.Linear(32 * 32 * 3, 4)), Deaf(), NoClasses()],
    ids=["no grid", "no gradient", "no classes"],
)
def test_there_may_be_none(model: nn.Module) -> None:
    assert Explainer(fill(model), SQUARE, preprocess=PLAIN).layers() == ()


def test_a_score_of_any_output_has_layers() -> None:
    explainer = Explainer(fill(NoClasses()), SQUARE, preprocess=PLAIN)
    found = explainer.layers(sw.Score(lambda output: output["masks"].mean((1, 2, 3)), "mean of the masks"))
    assert [one.name for one in found] == ["early", "late"]
    score = sw.Score(lambda output: output["masks"].mean((1, 2, 3)), "mean of the masks")
    made = sw.explain(explainer.shadow.model, SQUARE, target=score, method="grad-cam", preprocess=PLAIN)
    assert made.quality["layer"] == "late"


def test_a_scripted_model_cannot_be_heard() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x).mean((2, 3))

    assert Explainer(torch.jit.script(fill(Plain())), SQUARE, preprocess=PLAIN).layers() == ()
