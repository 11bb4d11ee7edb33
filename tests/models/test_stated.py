"""What models say of their own input, and what speaks against another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor, ViTImageProcessorPil

import saliency_widget as sw
from saliency_widget.errors import InputError, SaliencyWarning
from saliency_widget.explainer import Explainer
from saliency_widget.models.preprocess import prepare

T = torchvision.transforms
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 90, 3), dtype=np.uint8))
SILENT = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5)).eval()


def warned(call: Any) -> list[str]:
    with pytest.warns(SaliencyWarning) as caught:
        call()
    return [str(one.message) for one in caught]


# -- torchvision ----------------------------------------------------------------------------------------------------


def test_weights_of_torchvision_say_how_and_what() -> None:
    weights = ResNet18_Weights.IMAGENET1K_V1
    prepared = prepare(PICTURE, SILENT, weights)
    assert torch.equal(prepared.input, weights.transforms()(PICTURE))
    assert prepared.variable == "full-scale pixel"
    assert "ResNet18_Weights.IMAGENET1K_V1" in prepared.source
    model = torchvision.models.resnet18().eval()
    labels = Explainer(model, PICTURE, preprocess=weights).labels
    assert labels == tuple(weights.meta["categories"])
    assert Explainer(SILENT, PICTURE, preprocess=weights).labels == ()  # another number of classes


def test_a_detector_of_torchvision_normalises_by_itself() -> None:
    model = torchvision.models.detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None).eval()
    prepared = prepare(PICTURE, model)
    assert torch.equal(prepared.input, T.ToTensor()(PICTURE))
    assert "normalises by itself" in prepared.source


# -- presets --------------------------------------------------------------------------------------------------------


def test_caffe_is_blue_first_less_the_mean() -> None:
    prepared = prepare(Image.new("RGB", (300, 280), (255, 51, 0)), SILENT, "caffe")
    wanted = torch.tensor([0 - 103.939, 51 - 116.779, 255 - 123.68])
    torch.testing.assert_close(prepared.input, wanted[:, None, None].expand(3, 224, 224), rtol=0, atol=1e-4)
    assert (prepared.picture == (255, 51, 0)).all()
    assert prepared.channels == ("R", "G", "B")
    assert "BGR" in prepared.source


@pytest.mark.parametrize(
    ("preprocess", "fits"),
    [
        ("imagenet", False),
        ("tf", True),
        ("none", False),
        (sw.Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3, bgr=True), False),
        (T.Compose([T.Resize((224, 224)), T.ToTensor(), T.Normalize((0.5,) * 3, (0.5,) * 3)]), True),
        (T.Compose([T.Resize((224, 224)), T.PILToTensor(), T.ConvertImageDtype(torch.float32)]), False),
        (T.Compose([T.Resize((224, 224)), T.ToTensor(), T.Lambda(lambda x: x * 255)]), False),
    ],
)
def test_a_preset_that_contradicts_the_model_is_warned_of(preprocess: Any, fits: bool) -> None:
    model = timm.create_model("tf_efficientnet_lite0")  # mean and standard deviation 0.5
    doubts = prepare(PICTURE, model, preprocess).doubts
    assert bool(doubts) is not fits
    if doubts:
        assert "confident tells nothing" in doubts[0]


def test_the_warning_names_both_and_the_numbers() -> None:
    model = timm.create_model("test_resnet").eval()
    (text,) = warned(lambda: sw.explain(model, PICTURE, preprocess="caffe"))
    assert "the preset 'caffe'" in text
    assert "timm's configuration of test_resnet" in text
    assert "255" not in text or "151" in text  # the numbers are those of the model's input


# -- Normalize in front ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "std", "full"), [(MEAN, STD, 1), ((124.0, 116.0, 103.5), (58.0, 57.0, 57.0), 255)])
def test_a_normalize_in_front_takes_values_as_they_are(mean: Any, std: Any, full: int) -> None:
    model = nn.Sequential(T.Normalize(mean, std), SILENT).eval()
    prepared = prepare(PICTURE, model)
    torch.testing.assert_close(prepared.input, T.ToTensor()(PICTURE) * full, rtol=1e-6, atol=1e-6)
    assert prepared.variable == "full-scale pixel"
    assert "Normalize in front" in prepared.source
    assert sw.explain(model, PICTURE).unit == "logit per full-scale pixel"


def test_a_normalize_in_front_of_a_timm_model_keeps_its_geometry_and_is_not_done_twice() -> None:
    inner = timm.create_model("test_resnet").eval()
    mean, std = inner.pretrained_cfg["mean"], inner.pretrained_cfg["std"]
    model = nn.Sequential(T.Normalize(mean, std), inner).eval()
    alone, whole = sw.explain(inner, PICTURE, target=3), sw.explain(model, PICTURE, target=3)
    assert whole.score == pytest.approx(alone.score, rel=1e-4)
    np.testing.assert_allclose(whole.values, alone.values, rtol=1e-3, atol=1e-6)
    assert not prepare(PICTURE, model).doubts
    other = nn.Sequential(T.Normalize((0.1, 0.2, 0.3), std), inner).eval()
    (text,) = warned(lambda: sw.explain(other, PICTURE))
    assert "timm's configuration of test_resnet" in text


# -- Hugging Face ---------------------------------------------------------------------------------------------------


def tiny_vit() -> Any:
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8,
        id2label={0: "cat", 1: "dog", 2: "bird"}, label2id={"cat": 0, "dog": 1, "bird": 2},
    )  # fmt: skip
    return ViTForImageClassification(config).eval()


@pytest.mark.parametrize("cls", [ViTImageProcessor, ViTImageProcessorPil])
def test_an_image_processor_is_a_transform(cls: Any) -> None:
    processor = cls(size={"height": 32, "width": 32}, image_mean=[0.1, 0.2, 0.3], image_std=[0.5, 0.4, 0.2])
    prepared = prepare(PICTURE, SILENT, processor)
    assert torch.equal(prepared.input, processor(images=PICTURE, return_tensors="pt")["pixel_values"][0])
    assert cls.__name__ in prepared.source
    assert "mean 0.1, 0.2, 0.3, std 0.5, 0.4, 0.2" in prepared.source
    assert prepared.variable == "full-scale pixel"


def test_the_processor_saved_beside_a_model_is_its_own(tmp_path: Path) -> None:
    processor = ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.3] * 3, image_std=[0.2] * 3)
    tiny_vit().save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"AutoImageProcessor\.from_pretrained"):
        prepare(PICTURE, ViTForImageClassification.from_pretrained(tmp_path))
    processor.save_pretrained(tmp_path)
    model = ViTForImageClassification.from_pretrained(tmp_path).eval()
    explainer = Explainer(model, PICTURE)
    assert torch.equal(explainer.prepared.input, processor(images=PICTURE, return_tensors="pt")["pixel_values"][0])
    assert str(tmp_path) in explainer.prepared.source
    assert explainer.labels == ("cat", "dog", "bird")
    assert prepare(PICTURE, model, "imagenet").doubts
    assert not prepare(PICTURE, model, processor).doubts


def test_a_processor_that_pads_says_what_to_do() -> None:
    from transformers import DetrImageProcessor

    processor = DetrImageProcessor(size={"shortest_edge": 32, "longest_edge": 64}, pad_size={"height": 64, "width": 64})
    with pytest.raises(InputError, match="pixel_mask"):
        prepare(PICTURE, SILENT, processor)


# -- parts of a model -----------------------------------------------------------------------------------------------


class Around(nn.Module):
    """What a module of Lightning looks like: a model, and what training needs."""

    def __init__(self, inner: nn.Module, change: Any = lambda x: x) -> None:
        super().__init__()
        self.model, self.loss, self.change = inner, nn.CrossEntropyLoss(), change

    def forward(self, x: Tensor) -> Tensor:
        return self.model(self.change(x))


def test_a_part_states_it_for_the_whole() -> None:
    inner = timm.create_model("test_vit").eval()
    model = Around(inner).eval()
    explainer = Explainer(model, PICTURE)
    assert torch.equal(explainer.prepared.input, prepare(PICTURE, inner).input)
    assert explainer.prepared.inside == "model"
    assert "(model)" in explainer.prepared.source
    assert explainer.labels == Explainer(inner, PICTURE).labels != ()
    assert not explainer.prepared.doubts


@pytest.mark.parametrize("change", [lambda x: x / 2, lambda x: x.flip(1), lambda x: x[..., 2:, :]])
def test_a_part_that_gets_something_else_is_doubted(change: Any) -> None:
    model = Around(timm.create_model("test_resnet"), change).eval()
    (text,) = warned(lambda: sw.explain(model, PICTURE))
    assert "a part of the model (model)" in text


def test_a_module_of_lightning() -> None:
    lightning = pytest.importorskip("pytorch_lightning")

    class Trained(lightning.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.net, self.loss = timm.create_model("test_resnet"), nn.CrossEntropyLoss()

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)

    model = Trained().eval()
    map_ = sw.explain(model, PICTURE)
    assert np.array_equal(map_.values, sw.explain(model.net, PICTURE).values)
    assert map_.target.label == sw.explain(model.net, PICTURE).target.label is not None


def test_a_model_with_adapters_of_peft() -> None:
    peft = pytest.importorskip("peft")
    settings = peft.LoraConfig(target_modules=["query", "value", "q_proj", "v_proj"], init_lora_weights=False)
    model = peft.get_peft_model(tiny_vit(), settings).eval()
    explainer = Explainer(model, PICTURE, preprocess=sw.Preprocess(size=(32, 32), crop=None))
    with torch.no_grad():
        logits = model(pixel_values=explainer.prepared.input[None]).logits
    torch.testing.assert_close(explainer.outputs.float(), logits)
    assert explainer.labels == ("cat", "dog", "bird")
    merged = model.merge_and_unload()
    np.testing.assert_allclose(
        explainer.outputs.numpy(),
        Explainer(merged, PICTURE, preprocess=sw.Preprocess(size=(32, 32), crop=None)).outputs.numpy(),
        atol=1e-5,
    )


def test_what_nothing_states_is_asked_for() -> None:
    with pytest.raises(InputError, match="does not say it either"):
        prepare(PICTURE, Around(SILENT))
    with pytest.raises(InputError, match=r"ResNet50_Weights\.DEFAULT"):
        prepare(PICTURE, torchvision.models.resnet18())
    # A layer that learns is no preprocessing.
    with pytest.raises(InputError, match="does not say it either"):
        prepare(PICTURE, nn.Sequential(nn.BatchNorm2d(3), SILENT))
