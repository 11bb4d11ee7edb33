"""A tensor of another layout, size or scale than the model takes, and models that raise."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

import saliency_widget as sw


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)).eval()


class Raises(nn.Module):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        raise self.error


@pytest.mark.parametrize("model", [net(), timm.create_model("test_resnet", num_classes=5).eval()])
@pytest.mark.parametrize("shape", [(16, 20, 3), (1, 16, 20, 3), (16, 20, 1)])
def test_channels_that_come_last(model: nn.Module, shape: tuple[int, ...]) -> None:
    with pytest.raises(sw.InputError) as caught:
        sw.explain(model, torch.rand(shape))
    assert caught.value.argument == "image"
    assert str(shape) in str(caught.value)
    assert "tensor.permute(2, 0, 1)" in caught.value.remedy


def test_another_number_of_channels() -> None:
    with pytest.raises(sw.InputError) as caught:
        sw.explain(net(), torch.rand(2, 16, 20))
    assert caught.value.argument == "image"
    assert "2 channels" in str(caught.value)
    assert "permute" not in str(caught.value)
    assert ".." not in str(caught.value)


def test_what_a_model_raises_is_told_as_it_is() -> None:
    image = torch.rand(3, 8, 8)
    with pytest.raises(sw.ModelError, match=r"raised RuntimeError for pictures .*: no luck\.$"):
        sw.explain(Raises(RuntimeError("no luck.")), image)
    # A picture is brought to a size by the preprocess.
    picture = torch.zeros(3, 8, 8, dtype=torch.uint8)
    with pytest.raises(sw.ModelError, match=r"bad size\. If it expects another size, give a preprocess"):
        sw.explain(Raises(ValueError("bad size.")), picture, preprocess="none")
    with pytest.raises(sw.ModelError, match=r"'size'\.$"):
        sw.explain(Raises(KeyError("size")), picture, preprocess="none")


def test_a_tensor_that_is_not_preprocessed_is_doubted_aloud() -> None:
    model = timm.create_model("test_resnet", num_classes=5).eval()
    with pytest.warns(sw.SaliencyWarning, match=r"reach from .* to .*preprocess it first") as caught:
        found = sw.explain(model, torch.rand(3, 32, 32) * 255)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert "may not be" in found.provenance["preprocess"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sw.explain(model, torch.rand(3, 32, 32) * 2 - 1)


@pytest.mark.parametrize("method", ["gradient", "integrated_gradients"])
def test_checkpointing_of_the_older_form_is_named_with_the_way_out(method: str) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = net()
            self.eval()

        def forward(self, x: Tensor) -> Tensor:
            y = torch.utils.checkpoint.checkpoint(self.body[0], x, use_reentrant=True)
            return self.body[1:](y)

    with pytest.raises(sw.ModelError, match=r"second time.*use_reentrant=False"):
        sw.explain(Checkpointed(), torch.rand(3, 8, 8), target=1, method=method)


def test_a_frozen_scripted_model_and_an_exported_one_are_in_no_training_mode(recwarn: pytest.WarningsRecorder) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    example = (torch.rand(1, 3, 16, 16),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = torch.jit.freeze(torch.jit.trace(net, example))
        exported = torch.export.export(net, example).module()
    recwarn.clear()
    wanted = sw.explain(net, example[0][0], target=1).values
    for model in (frozen, exported):
        assert np.allclose(sw.explain(model, example[0][0], target=1).values, wanted, atol=1e-6)
    assert not [one for one in recwarn if isinstance(one.message, sw.SaliencyWarning)]


def test_a_trunk_without_a_head_is_warned_of() -> None:
    trunk = timm.create_model("resnet10t", num_classes=0).eval()
    with pytest.warns(sw.SaliencyWarning, match="no classes"):
        sw.explain(trunk, torch.randn(3, 64, 64) / 2)


@pytest.mark.parametrize(
    ("channels", "words"),
    [(1, r"one channel: .*Grayscale\(1\)"), (12, r"12 channels: give an array \(height, width, 12\)")],
)
def test_a_model_of_other_channels_says_what_to_give(channels: int, words: str) -> None:
    model = nn.Sequential(nn.Conv2d(channels, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    # A preset of the same numbers for red, green and blue would be made one for grey.
    alone = sw.Preprocess(size=None, crop=None)
    with pytest.raises(sw.ModelError, match=words):
        sw.explain(model, np.zeros((8, 9, 3), np.uint8), preprocess=alone if channels == 1 else "none")
    if channels == 12:
        given = sw.explain(model, np.ones((8, 9, 12), np.uint8), preprocess="none")
    else:
        from torchvision import transforms

        grey = transforms.Compose([transforms.Grayscale(1), transforms.ToTensor()])
        given = sw.explain(model, np.ones((8, 9, 3), np.uint8), preprocess=grey)
    assert given.values.shape == (channels, 8, 9)


class _NeedsText(nn.Module):
    def forward(self, x: torch.Tensor, text: torch.Tensor | None = None) -> torch.Tensor:
        return x.mean((2, 3)) * text.shape[0]  # type: ignore[union-attr]


def test_a_model_that_needs_more_than_the_picture_says_so_and_not_that_its_size_is_wrong() -> None:
    with pytest.raises(sw.ModelError, match=r"inputs=\{name: tensor\}") as caught:
        sw.explain(_NeedsText().eval(), np.zeros((8, 9, 3), np.uint8), preprocess="none")
    assert "another size" not in str(caught.value)
