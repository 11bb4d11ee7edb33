"""What each method costs, in passes of the model: counted by torch's own dispatcher, and not timed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

import saliency_widget as sw
from saliency_widget.methods.base import Method, menu
from tests.engine.counting import Passes
from tests.promises.models import PLAIN, make, picture
from tests.promises.support import problem_of
from tests.promises.table import case_of, method_of, missing, names

CHANNELS = {"conv": 6, "tokens": 12}
# Pictures that go through the whole model forward, and backward for each target, with the quick parameters of the
# promises.
COSTS: dict[str, tuple[int, int]] = {
    "gradient": (1, 1),
    "input-x-gradient": (1, 1),
    # The gradient at the picture itself, for a first picture and the score.
    "smoothgrad": (6 + 1, 6 + 1),
    "expected-gradients": (6 + 1, 6 + 1),
    # The score of the baseline, for the completeness gap.
    "integrated-gradients": (8 + 1, 8),
    # That, and the score of the other end.
    "blur-ig": (6 + 2, 6 + 1),
    # The path begins at the other end.
    "guided-ig": (6 + 1, 6 + 1),
    # Two baselines, whose paths share their end.
    "xrai": (2 * 64 - 1 + 2, 2 * 64 - 1),
    "grad-cam": (1, 0),
    "grad-cam-plus-plus": (1, 0),
    "hires-cam": (1, 0),
    "layer-cam": (1, 0),
    "xgrad-cam": (1, 0),
    "eigen-cam": (1, 0),
    # The trunk once for the activations, and once for a chunk of heads.
    "ablation-cam": (1 + 1, 0),
    # One of them proves that the scores are those of the plain model.
    "guided-backprop": (2, 1),
    "deconvolution": (2, 1),
    "guided-grad-cam": (1 + 2, 1),
    "occlusion": (16 + 1, 0),
    "rise": (12 + 1, 0),
    # Once as it is, once with the attention written out.
    "attention-rollout": (2, 0),
    "gradient-rollout": (2, 0),
}
RECTIFIERS = ("guided-backprop", "deconvolution", "guided-grad-cam")
FIRST = {"conv": "conv1", "tokens": "patch_embed.proj"}
CAMS = ("grad-cam", "grad-cam-plus-plus", "hires-cam", "layer-cam", "xgrad-cam")


def cost(name: str, family: str) -> tuple[int, int]:
    return (1 + CHANNELS[family], 0) if name == "score-cam" else COSTS[name]


def families(name: str) -> list[str]:
    if case_of(name).family == "tokens":
        return ["tokens"]
    return ["conv"] if name in (*RECTIFIERS, "lrp") else ["conv", "tokens"]


def counted(model: nn.Module, method: Method, targets: tuple[int, ...]) -> Passes:
    """One run of a model that was explained before, so that nothing has to be found out or checked any more."""
    for _ in range(2):
        list(method.estimates(problem_of(model, targets)))
    problem = problem_of(model, targets)
    with Passes(model) as passes:
        list(method.estimates(problem))
    return passes


EACH = [(name, family) for name in names() if name != "lrp" for family in families(name)]


def test_every_method_is_counted() -> None:
    assert not missing()
    assert {name for name, _ in EACH} | {"lrp"} == {method.name for method in menu()}


@pytest.mark.parametrize("targets", [(1,), (1, 3, 4)], ids=["one target", "three"])
@pytest.mark.parametrize(("name", "family"), EACH)
def test_passes(name: str, family: str, targets: tuple[int, ...]) -> None:
    forward, backward = cost(name, family)
    if name == "guided-ig":
        # Each target has a path of its own; only the first step is shared.
        forward += 5 * (len(targets) - 1)
    passes = counted(make(family), method_of(name), targets)
    assert passes.forward[FIRST[family]] == forward
    assert passes.backward[FIRST[family]] == backward * len(targets)
    assert not passes.wasted


@pytest.mark.parametrize("targets", [(1,), (1, 3, 4)], ids=["one target", "three"])
def test_all_of_a_model_is_run_as_often_as_its_beginning(targets: tuple[int, ...]) -> None:
    passes = counted(make("conv"), method_of("gradient"), targets)
    layers = ("conv1", "conv2", "conv3")
    assert passes.forward == dict.fromkeys(layers, 1)
    assert passes.backward == dict.fromkeys(layers, len(targets))


@pytest.mark.parametrize("targets", [(1,), (1, 3, 4)], ids=["one target", "three"])
@pytest.mark.parametrize("name", CAMS)
def test_a_map_of_a_layer_differentiates_nothing_before_it(name: str, targets: tuple[int, ...]) -> None:
    method = dataclasses.replace(method_of(name), layer="act2")
    passes = counted(make("conv"), method, targets)
    assert passes.forward == {"conv1": 1, "conv2": 1, "conv3": 1}
    assert passes.backward == {"conv3": len(targets)}
    assert not passes.wasted


def test_the_head_alone_is_run_for_each_channel() -> None:
    passes = counted(make("conv"), sw.AblationCAM(layer="act2"), (1, 3))
    assert passes.forward == {"conv1": 2, "conv2": 2, "conv3": 1 + 6}
    # The order of the channels, to first order.
    assert passes.backward == {"conv3": 2}


@pytest.mark.parametrize("name", sorted({name for name, _ in EACH} - {"attention-rollout", "gradient-rollout"}))
def test_the_first_picture_comes_early(name: str) -> None:
    model, method = make("conv"), method_of(name)
    counted(model, method, (1,))
    estimates = method.estimates(problem_of(model, (1,)))
    with Passes(model) as passes:
        estimate = next(iter(estimates))
    # What a map starts from may take a pass or two; of a method that goes on, no more than one gradient.
    first = {"score-cam": 2, "occlusion": 2, "rise": 2, "guided-backprop": 2, "deconvolution": 2, "guided-grad-cam": 3}
    assert passes.forward["conv1"] == first.get(name, 1)
    assert passes.backward["conv1"] <= 1
    assert estimate.final == (estimate.done == estimate.total)


@pytest.mark.parametrize("targets", [(1,), (1, 3, 4)], ids=["one target", "three"])
def test_relevance(targets: tuple[int, ...]) -> None:
    epsilon = counted(make("conv"), sw.LRP(composite="epsilon"), targets)
    # Forward: the plain pass and the one with rules, on the way back each layer once more for all targets, and the
    # first layer once on a black picture.
    assert sum(epsilon.forward.values()) == 3 * 3 + 1
    assert sum(epsilon.backward.values()) == 3 * len(targets)
    assert not epsilon.wasted


def test_samples_go_through_in_chunks() -> None:
    problem = problem_of(make("conv"), (1,), chunk=4)
    with Passes(problem.shadow.model) as passes:
        found = problem.scores(problem.pixels.expand(9, -1, -1, -1))
    assert len(found) == 9
    # The first row alone, and once more because nothing is known of the model yet.
    assert passes.forward["conv1"] == 9 + 1
    with Passes(problem.shadow.model) as passes:
        problem.gradients(problem.pixels.expand(9, -1, -1, -1))
    assert passes.calls["forward", "conv1"] == passes.calls["backward", "conv1"] == 3


@pytest.mark.parametrize(("name", "forward"), [("gradient", [3, 2, 2]), ("grad-cam", [4, 3, 2])])
def test_what_is_found_out_is_found_out_once(name: str, forward: list[int]) -> None:
    model, found = make("conv"), []
    for _ in range(3):
        with Passes(model) as passes:
            sw.explain(model, picture(), target=1, method=method_of(name), preprocess=PLAIN)
        found.append(passes.forward["conv1"])
    # One forward pass is the prediction; a second one, of the first time, proves that the model gives it again.
    assert found == forward


@pytest.mark.parametrize("family", ["conv", "tokens"])
def test_a_gradient_of_a_weight_would_be_seen(family: str) -> None:
    model = make(family)
    inputs = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    with Passes(model) as passes:
        model(inputs).sum().backward()
    seen: Any = {"conv": {"convolution_backward.default", "mm.default"}}
    seen["tokens"] = seen["conv"] | {"native_layer_norm_backward.default"}
    assert seen[family] <= set(passes.wasted)
