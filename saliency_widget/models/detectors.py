"""torchvision's detectors, heard before they suppress boxes.

A detection's rank among those that are left changes with the picture, and so does the order of a region network's
proposals. What stays is the anchor, and the region of the picture that a score is of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

Rectangle = tuple[float, float, float, float]
"""(top, left, bottom, right) in pixels of the model's picture."""

_HOME = "torchvision.models.detection."
_REGIONAL = "GeneralizedRCNN"
_ANCHORED = ("RetinaNet", "FCOS", "SSD")
_SAME_SCORE = 1e-5


@dataclass(frozen=True)
class Detector:
    """A detector of torchvision inside a model.

    Attributes
    ----------
    name
        Dotted, "" for the model itself.
    kind
        "region": scores are of regions that a first network proposes. "anchor": of a fixed set of anchors.
    family
        The class of torchvision.
    """

    name: str
    kind: Literal["region", "anchor"]
    family: str


@dataclass(eq=False)
class Heard:
    """The scores of a detector before suppression; it stands for the model's output.

    Attributes
    ----------
    logits
        (N, places, classes), before softmax or sigmoid.
    regions
        Of a detector of regions: the places, in order.
    """

    logits: Tensor
    regions: tuple[Rectangle, ...] = ()


@dataclass(frozen=True)
class Found:
    """One box that a detector keeps, and the place it came from."""

    box: Rectangle
    index: int
    probability: float
    logit: float
    place: int
    region: Rectangle | None


class Hearing:
    """What went through a detector in one forward pass; see :func:`hearing`."""

    def __init__(self, regions: Sequence[Rectangle]) -> None:
        self._regions = tuple(regions)
        self._logits: Tensor | None = None
        self._table: Tensor | None = None
        self._places: Tensor | None = None
        self._scale = (1.0, 1.0)

    def result(self, rows: int) -> Heard:
        """The scores of so many pictures."""
        assert self._logits is not None, "the detector was called"
        logits = self._logits
        return Heard(logits.reshape(rows, -1, logits.shape[-1]), self._regions)

    def detections(self, output: Any) -> list[Found]:
        """What the detector kept of one picture, most probable first, each with its place."""
        assert self._logits is not None, "the detector was called"
        assert self._table is not None
        assert self._places is not None
        kept, found = output[0], []
        logits = self._logits.reshape(-1, self._logits.shape[-1])
        middles = (self._places[:, :2] + self._places[:, 2:]) / 2
        down, across = self._scale
        for edges, index, score in zip(kept["boxes"], kept["labels"].tolist(), kept["scores"], strict=True):
            column = self._table[:, index]
            same = torch.where((column - score).abs() <= _SAME_SCORE * score.abs())[0]
            if not len(same):  # another post-processing than torchvision's own
                continue
            left, top, right, bottom = edges.tolist()
            middle = torch.tensor([(left + right) / 2 / across, (top + bottom) / 2 / down]).to(middles)
            place = int(same[(middles[same] - middle).square().sum(1).argmin()])
            x0, y0, x1, y1 = self._places[place].tolist()
            region = (y0 * down, x0 * across, y1 * down, x1 * across)
            found.append(
                Found((top, left, bottom, right), index, float(score), float(logits[place, index]), place, region)
            )
        return sorted(found, key=lambda one: -one.probability)

    def _take(self, logits: Tensor, table: Tensor, places: Tensor) -> None:
        self._logits, self._table, self._places = logits, table, places


def find_detector(model: nn.Module) -> Detector | None:
    """The detector of torchvision that a model is, or holds; None where there is none."""
    for name, module in model.named_modules():
        for base in type(module).__mro__:
            if base.__module__.startswith(_HOME):
                if base.__name__ == _REGIONAL:
                    return Detector(name, "region", base.__name__)
                if base.__name__ in _ANCHORED:
                    return Detector(name, "anchor", base.__name__)
    return None


def is_of_regions(model: nn.Module, name: str) -> bool:
    """Whether a layer sees regions that were cut out of the picture, so that its grid is not that of the picture."""
    detector = find_detector(model)
    if detector is None or detector.kind != "region":
        return False
    inside = f"{detector.name}.roi_heads" if detector.name else "roi_heads"
    return name == inside or name.startswith(f"{inside}.")


@contextmanager
def hearing(
    root: nn.Module, detector: Detector, regions: Sequence[Rectangle] = (), *, keep: bool = False
) -> Iterator[Hearing]:
    """Listen to a detector during one forward pass.

    Parameters
    ----------
    root
        A copy of the model, which may be changed meanwhile.
    detector
        From :func:`find_detector`.
    regions
        Score these regions and not those that a first network proposes.
    keep
        Let it go on to suppress boxes, which is otherwise left out: it has no gradient.
    """
    module: Any = root.get_submodule(detector.name)
    heard = Hearing(regions)
    if detector.kind == "region":
        last = module.roi_heads
        own = last.postprocess_detections
        last.__dict__["postprocess_detections"] = _regional(heard, own if keep else None)
        proposer = module.rpn
        proposer.__dict__["forward"] = _proposing(heard, proposer.forward, regions)
        changed = [(last, "postprocess_detections"), (proposer, "forward")]
    else:
        last = module
        own = last.postprocess_detections
        last.__dict__["postprocess_detections"] = _anchored(heard, own if keep else None, detector.family)
        changed = [(last, "postprocess_detections")]
    original = module.transform.forward
    module.transform.__dict__["forward"] = _resizing(heard, original)
    try:
        yield heard
    finally:
        for part, name in [*changed, (module.transform, "forward")]:
            part.__dict__.pop(name, None)


def _resizing(heard: Hearing, original: Any) -> Any:
    """Note how many of the picture's pixels one pixel of the resized picture covers."""

    def forward(images: Any, targets: Any = None) -> Any:
        height, width = images[0].shape[-2:]
        resized, targets = original(images, targets)
        rows, columns = resized.image_sizes[0]
        heard._scale = (height / rows, width / columns)
        return resized, targets

    return forward


def _proposing(heard: Hearing, original: Any, regions: Sequence[Rectangle]) -> Any:
    def forward(images: Any, features: Any, targets: Any = None) -> Any:
        if not regions:
            return original(images, features, targets)
        down, across = heard._scale
        edges = [(left / across, top / down, right / across, bottom / down) for top, left, bottom, right in regions]
        boxes = torch.tensor(edges, dtype=torch.float64, device="cpu").to(images.tensors)
        return [boxes] * len(images.image_sizes), {}

    return forward


def _regional(heard: Hearing, original: Any) -> Any:
    def postprocess(logits: Tensor, regression: Tensor, proposals: list[Tensor], shapes: Any) -> Any:
        heard._take(logits, logits.detach().softmax(-1), proposals[0])
        if original is not None:
            return original(logits, regression, proposals, shapes)
        none = [_nothing(logits) for _ in proposals]
        return [one["boxes"] for one in none], [one["scores"] for one in none], [one["labels"] for one in none]

    return postprocess


def _anchored(heard: Hearing, original: Any, family: str) -> Any:
    def postprocess(outputs: Any, anchors: Any, shapes: Any) -> Any:
        logits = _joined(outputs["cls_logits"])
        known = logits.detach()[0]
        if family == "SSD":
            table = known.softmax(-1)
        elif family == "FCOS":
            table = (known.sigmoid() * _joined(outputs["bbox_ctrness"]).detach()[0].sigmoid()).sqrt()
        else:
            table = known.sigmoid()
        heard._take(logits, table, _joined(anchors[0], 0))
        if original is not None:
            return original(outputs, anchors, shapes)
        return [_nothing(logits) for _ in shapes]

    return postprocess


def _joined(parts: Any, dim: int = 1) -> Tensor:
    """One tensor of those of the levels of a pyramid."""
    return parts if isinstance(parts, Tensor) else torch.cat(list(parts), dim=dim)


def _nothing(like: Tensor) -> dict[str, Tensor]:
    return {
        "boxes": like.new_zeros(0, 4),
        "scores": like.new_zeros(0),
        "labels": torch.zeros(0, dtype=torch.int64, device=like.device),
    }
