"""Architectures as their libraries make them, small ones, with random weights that are the same each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import timm
import torch
import transformers as hf
from skimage import data
from torch import Tensor, nn
from torchvision import models as tv
from torchvision.transforms import Normalize

import saliency_widget as sw
from saliency_widget.models.preprocess import prepare


@dataclass(frozen=True)
class Case:
    """One model.

    Attributes
    ----------
    library, name
        As the table names it.
    make
        Makes it.
    read_from
        Where the preprocessing comes from, in words.
    preprocess
        Makes what is given as ``preprocess``; None where the model says it itself.
    target
        None is the default: a class, a segment or a box.
    """

    library: str
    name: str
    make: Callable[[], nn.Module]
    read_from: str
    preprocess: Callable[[], Any] | None = None
    target: Callable[[], Any] | None = None

    @property
    def key(self) -> str:
        return f"{self.library} {self.name}"


class UNet(nn.Module):
    """Two levels, with a bridge between them."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()

        def block(given: int, made: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(given, made, 3, padding=1), nn.BatchNorm2d(made), nn.ReLU(inplace=True))

        self.down, self.low, self.up = block(3, 8), block(8, 16), nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.pool, self.merge, self.head = nn.MaxPool2d(2), block(16, 8), nn.Conv2d(8, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        high = self.down(x)
        return self.head(self.merge(torch.cat([high, self.up(self.low(self.pool(high)))], dim=1)))


def _vit() -> nn.Module:
    return tv.VisionTransformer(64, 16, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=10)


_TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def _backbone() -> Any:
    return hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1], out_features=["stage4"])


def _detr() -> nn.Module:
    sizes = {f"{side}_{part}": 2 for side in ("encoder", "decoder") for part in ("layers", "attention_heads")}
    return hf.DetrForObjectDetection(
        hf.DetrConfig(
            use_timm_backbone=False,
            use_pretrained_backbone=False,
            backbone=None,
            backbone_config=_backbone(),
            d_model=16,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            num_queries=8,
            num_labels=5,
            **sizes,
        )
    )


def _segformer() -> nn.Module:
    sizes = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 24, 32], "decoder_hidden_size": 16}
    return hf.SegformerForSemanticSegmentation(hf.SegformerConfig(num_labels=4, **sizes))


def _swin(cls: Any) -> nn.Module:
    return cls(hf.SwinConfig(image_size=224, embed_dim=16, depths=[1, 1, 2, 1], num_heads=[1, 2, 2, 4], num_labels=5))


def _of(cls: Any, **options: Any) -> Callable[[], Any]:
    return lambda: cls(**options)


def _of_keras(name: str) -> Callable[[], Any]:
    return lambda: getattr(keras.applications, name)(weights=None, classes=10, input_shape=(96, 96, 3))


FUNCTION = "preprocess_input"
WEIGHTS, PROCESSOR, ITSELF, PRESET = "torchvision weights", "image processor", "the model", "a preset"
TV, TIMM, HF, KERAS = "torchvision", "timm", "Hugging Face", "Keras"
_BARE = {"weights": None, "weights_backbone": None}

CASES = (
    Case(TV, "ResNet-18", tv.resnet18, WEIGHTS, lambda: tv.ResNet18_Weights.DEFAULT),
    Case(TV, "EfficientNet-B0", tv.efficientnet_b0, WEIGHTS, lambda: tv.EfficientNet_B0_Weights.DEFAULT),
    Case(TV, "ConvNeXt-T", tv.convnext_tiny, WEIGHTS, lambda: tv.ConvNeXt_Tiny_Weights.DEFAULT),
    Case(TV, "Swin-T", tv.swin_t, WEIGHTS, lambda: tv.Swin_T_Weights.DEFAULT),
    Case(TV, "ViT, 2 layers", _vit, PRESET, lambda: sw.Preprocess(size=72, crop=64)),
    Case(
        TV,
        "LR-ASPP MobileNetV3",
        lambda: tv.segmentation.lraspp_mobilenet_v3_large(**_BARE, num_classes=5),
        PRESET,
        lambda: "imagenet",
    ),
    Case(
        TV,
        "DeepLabV3 MobileNetV3",
        lambda: tv.segmentation.deeplabv3_mobilenet_v3_large(**_BARE, num_classes=5),
        PRESET,
        lambda: "imagenet",
        lambda: sw.Pixel(100, 120),
    ),
    Case(
        TV,
        "Faster R-CNN MobileNetV3",
        lambda: tv.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
            **_BARE, num_classes=5, min_size=96, box_score_thresh=0.01
        ),
        ITSELF,
    ),
    Case(
        TV,
        "RetinaNet ResNet-50",
        lambda: tv.detection.retinanet_resnet50_fpn(**_BARE, num_classes=5, min_size=96, score_thresh=0.001),
        ITSELF,
    ),
    Case(TV, "SSDlite MobileNetV3", lambda: tv.detection.ssdlite320_mobilenet_v3_large(**_BARE, num_classes=5), ITSELF),
    Case(TIMM, "resnet18", lambda: timm.create_model("resnet18"), ITSELF),
    Case(TIMM, "tf_efficientnet_lite0", lambda: timm.create_model("tf_efficientnet_lite0"), ITSELF),
    Case(TIMM, "convnext_atto", lambda: timm.create_model("convnext_atto"), ITSELF),
    Case(TIMM, "swin_tiny_patch4_window7_224", lambda: timm.create_model("swin_tiny_patch4_window7_224"), ITSELF),
    Case(TIMM, "vit_tiny_patch16_224", lambda: timm.create_model("vit_tiny_patch16_224"), ITSELF),
    Case(TIMM, "levit_128s", lambda: timm.create_model("levit_128s"), ITSELF),
    Case(
        TIMM,
        "resnet18 without a head",
        lambda: timm.create_model("resnet18", num_classes=0),
        ITSELF,
        None,
        lambda: sw.Similarity(other()),
    ),
    Case(
        HF,
        "ResNet",
        lambda: hf.ResNetForImageClassification(
            hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1], num_labels=5)
        ),
        PROCESSOR,
        _of(hf.ConvNextImageProcessor),
    ),
    Case(
        HF,
        "EfficientNet",
        lambda: hf.EfficientNetForImageClassification(
            hf.EfficientNetConfig(
                width_coefficient=0.25, depth_coefficient=0.1, hidden_dim=320, num_labels=5, initializer_range=0.3
            )
        ),
        PROCESSOR,
        _of(hf.EfficientNetImageProcessor),
    ),
    Case(
        HF,
        "ConvNeXt",
        lambda: hf.ConvNextForImageClassification(
            hf.ConvNextConfig(hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1], num_labels=5)
        ),
        PROCESSOR,
        _of(hf.ConvNextImageProcessor),
    ),
    Case(HF, "Swin", lambda: _swin(hf.SwinForImageClassification), PROCESSOR, _of(hf.ViTImageProcessor)),
    Case(
        HF,
        "ViT",
        lambda: hf.ViTForImageClassification(hf.ViTConfig(patch_size=32, num_labels=5, **_TINY)),
        PROCESSOR,
        _of(hf.ViTImageProcessor),
    ),
    Case(
        HF,
        "CLIP, image tower",
        lambda: hf.CLIPVisionModelWithProjection(hf.CLIPVisionConfig(patch_size=32, projection_dim=16, **_TINY)),
        PROCESSOR,
        _of(hf.CLIPImageProcessor),
        lambda: sw.Similarity(other()),
    ),
    Case(HF, "SegFormer", _segformer, PROCESSOR, _of(hf.SegformerImageProcessor, size={"height": 128, "width": 128})),
    Case(HF, "DETR", _detr, PROCESSOR, _of(hf.DetrImageProcessor, size={"shortest_edge": 96, "longest_edge": 160})),
    Case(
        HF,
        "YOLOS",
        lambda: hf.YolosForObjectDetection(
            hf.YolosConfig(image_size=[96, 128], patch_size=16, num_detection_tokens=6, num_labels=5, **_TINY)
        ),
        PROCESSOR,
        _of(hf.YolosImageProcessor, size={"height": 96, "width": 128}),
    ),
    Case(KERAS, "ResNet-50", _of_keras("ResNet50"), FUNCTION, lambda: keras.applications.resnet50.preprocess_input),
    Case(KERAS, "EfficientNet-B0", _of_keras("EfficientNetB0"), ITSELF),
    Case(KERAS, "ConvNeXt-T", _of_keras("ConvNeXtTiny"), ITSELF),
    Case("one's own", "U-Net with a Normalize in front", lambda: nn.Sequential(_normalize(), UNet()), ITSELF),
)


def _normalize() -> nn.Module:
    return Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def picture() -> Any:
    """A photograph, uint8 (110, 160, 3)."""
    return data.chelsea()[40:260:2, 60:380:2]


def other() -> Any:
    """A part of another."""
    return data.astronaut()[0:300:3, 100:400:3]


def made(case: Case, preprocess: Any) -> nn.Module:
    """The model of a case in float64 and evaluation mode, with scores that depend on the picture.

    Its BatchNorms get the statistics of photographs, as in training: without them most of what a deep net computes from
    random weights is next to constant. A head that begins with zeros is drawn too.
    """
    if case.library == KERAS:
        keras.utils.set_random_seed(0)
        return case.make()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = case.make().double().eval()
        for parameter in model.parameters():
            if parameter.dim() > 1 and not parameter.any():
                parameter.normal_(std=parameter[0].numel() ** -0.5)
        norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        for module in norms:
            module.training, module.momentum = True, 1.0
        one = prepare(picture(), model, preprocess).input.double()
        if norms:
            model(torch.stack([one, one.flip(2), one.flip(1)]))
        return model.eval()
