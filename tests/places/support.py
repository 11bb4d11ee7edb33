"""Small models that score places, in float64, and the oracle for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD
from torchvision.ops import MultiScaleRoIAlign

import saliency_widget as sw
from saliency_widget.engine.problem import Problem
from saliency_widget.explainer import Explainer
from saliency_widget.targets import Target
from tests.engine.support import slope

HEIGHT, WIDTH = 24, 32
PLAIN = "none"
PICTURE = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


class Trunk(nn.Sequential):
    """Smooth, so that finite differences are as good as the type allows."""

    def __init__(self, channels: int = 6) -> None:
        super().__init__(nn.Conv2d(3, channels, 3, stride=4, padding=1), nn.Tanh())
        self.out_channels: Any = channels


class Segmenter(nn.Module):
    """Scores on a grid a quarter as fine as the picture, or on its pixels."""

    def __init__(self, classes: int = 4, *, upsample: bool = False, wrap: Any = lambda x: x) -> None:
        super().__init__()
        self.trunk, self.head, self.upsample, self.wrap = Trunk(), nn.Conv2d(6, classes, 1), upsample, wrap

    def forward(self, x: Tensor) -> Any:
        out = self.head(self.trunk(x))
        if self.upsample:
            out = nn.functional.interpolate(out, size=x.shape[2:], mode="bilinear", align_corners=False)
        return self.wrap(out)


def seeded(make: Any, seed: int = 0) -> Any:
    """A model in float64 and evaluation mode, with weights large enough for scores that differ."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(
                    torch.randn_like(parameter) * (0.5 if parameter.dim() < 2 else parameter[0].numel() ** -0.5)
                )
    return model.double().eval()


def _two_stages() -> dict[str, Any]:
    return {
        "backbone": Trunk(),
        "min_size": HEIGHT * 2,
        "max_size": WIDTH * 3,
        "box_score_thresh": 0.0,
        "rpn_anchor_generator": AnchorGenerator(((8, 16),), ((0.5, 1.0),)),
        "rpn_post_nms_top_n_test": 20,
        "box_roi_pool": MultiScaleRoIAlign(["0"], output_size=3, sampling_ratio=2),
        "box_head": nn.Sequential(nn.Flatten(), nn.Linear(54, 8), nn.Tanh()),
        "box_predictor": detection.faster_rcnn.FastRCNNPredictor(8, 4),
    }


def faster_rcnn() -> Any:
    return detection.FasterRCNN(**_two_stages())


def mask_rcnn() -> Any:
    pool = MultiScaleRoIAlign(["0"], output_size=4, sampling_ratio=2)
    return detection.MaskRCNN(
        **_two_stages(),
        mask_roi_pool=pool,
        mask_head=detection.mask_rcnn.MaskRCNNHeads(6, (8,), 1),
        mask_predictor=detection.mask_rcnn.MaskRCNNPredictor(8, 8, 4),
    )


def keypoint_rcnn() -> Any:
    pool = MultiScaleRoIAlign(["0"], output_size=4, sampling_ratio=2)
    return detection.KeypointRCNN(
        **_two_stages(),
        keypoint_roi_pool=pool,
        keypoint_head=detection.keypoint_rcnn.KeypointRCNNHeads(6, (8,)),
        keypoint_predictor=detection.keypoint_rcnn.KeypointRCNNPredictor(8, 3),
    )


SIZES = {"min_size": HEIGHT, "max_size": WIDTH * 2, "score_thresh": 0.0}


def retinanet() -> Any:
    anchors = AnchorGenerator(((8, 12),), ((0.5, 1.0, 2.0),))
    return detection.RetinaNet(Trunk(), 4, anchor_generator=anchors, **SIZES)


def fcos() -> Any:
    anchors = AnchorGenerator(((8,),), ((1.0,),))
    return detection.FCOS(Trunk(32), 4, anchor_generator=anchors, num_convs=1, **SIZES)


def ssd() -> Any:
    anchors = DefaultBoxGenerator([[2]], scales=[0.3, 0.5])
    trunk = Trunk()
    trunk.out_channels = [6]
    return SSD(trunk, anchors, (HEIGHT, WIDTH), 4, score_thresh=0.0)


class Detr(nn.Module):
    """What a transformer with queries returns."""

    def __init__(self, queries: int = 5, classes: int = 3) -> None:
        super().__init__()
        self.trunk, self.queries = Trunk(), queries
        self.logits = nn.Linear(6 * 48, queries * (classes + 1))
        self.boxes = nn.Linear(6 * 48, queries * 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        flat = self.trunk(x).flatten(1)
        return {
            "pred_logits": self.logits(flat).unflatten(1, (self.queries, -1)),
            "pred_boxes": self.boxes(flat).unflatten(1, (self.queries, 4)).sigmoid(),
        }


def slopes(explainer: Explainer, target: Target) -> tuple[float, float]:
    """(by central differences of the score itself, by the map): the derivative along a random direction."""
    problem = Problem(explainer.shadow, explainer.prepared, (target,))
    generator = torch.Generator().manual_seed(1)
    direction = torch.randn(problem.pixels.shape, generator=generator, dtype=torch.float64)
    _, gradients = problem.gradients(problem.pixels[None])
    by_differences = slope(lambda batch: problem.scores(batch)[0], problem.pixels, direction, 1e-5)
    return by_differences, float((gradients[0, 0] * direction).sum())


def explain(model: Any, target: Any = None, **options: Any) -> Any:
    return sw.explain(model, PICTURE, target=target, preprocess=PLAIN, **options)
