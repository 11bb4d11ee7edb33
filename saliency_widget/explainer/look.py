"""What a model says of the places of a picture, where it gives no score of the picture as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from saliency_widget.engine.problem import Problem
from saliency_widget.models.detectors import Hearing, Rectangle, find_detector
from saliency_widget.models.ends import end_of
from saliency_widget.models.unwrap import unwrap
from saliency_widget.targets import Box, Detection, Scene
from saliency_widget.targets.reading import classifies_masks, grid_in, queries_in

Names = Callable[[int], tuple[str, ...]]


def look(problem: Problem, names: Names) -> Scene:
    """Read the scores of pixels, queries, anchors or regions for the picture itself.

    Parameters
    ----------
    problem
        Any of the picture.
    names
        The labels of a model with so many classes.
    """
    height, width = (int(side) for side in problem.pixels.shape[1:])
    empty = Scene(height, width)
    model = unwrap(problem.shadow.model)

    def see(output: Any, heard: Hearing | None) -> Scene:
        if heard is not None:
            return _detected(empty, model, output, heard, names)
        queries = queries_in(output)
        if queries is not None:
            return _queried(empty, model, _kept(queries.logits), _kept(queries.boxes), names)
        grid = grid_in(output, 1)
        if grid is None:
            return empty
        cells, labels = _kept(grid), names(grid.shape[1])
        # Of a model that classifies masks the scores are sums of probabilities, and made here.
        masks = classifies_masks(output)
        end = "" if masks else end_of(cells)
        squashed = masks or end in ("softmax", "sigmoid")
        activation = "" if squashed else "sigmoid" if len(cells) == 1 else "softmax"
        return replace(empty, grid=cells, labels=labels, activation=activation, end=end)

    return problem.read(see)


def _kept(values: Tensor) -> Tensor:
    """The first row, in float64 on the CPU."""
    return values[0].detach().to("cpu", torch.float64).clone()


def _detected(empty: Scene, model: nn.Module, output: Any, heard: Hearing, names: Names) -> Scene:
    found, detector = heard.detections(output), find_detector(model)
    assert detector is not None
    logits = _kept(heard.result(1).logits)
    by_itself = detector.family in ("RetinaNet", "FCOS")
    scene = replace(
        empty,
        places=logits,
        place=detector.kind,
        labels=names(logits.shape[1]),
        activation="sigmoid" if by_itself else "softmax",
    )
    boxes = []
    for one in found:
        place: Any = {"region": one.region} if detector.kind == "region" else {"anchor": one.place}
        target = Detection(one.index, **place).bind(one.index, scene, _box=one.box)
        boxes.append(Box(one.box, one.index, _name(one.index, scene), one.probability, one.logit, target))
    return replace(scene, boxes=tuple(boxes))


def _queried(empty: Scene, model: nn.Module, logits: Tensor, boxes: Tensor, names: Names) -> Scene:
    classes = logits.shape[1]
    config = getattr(model, "config", None)
    known = getattr(config, "num_labels", None)
    # The first of their kind, and most since, count "no object" as one more class; a later branch has none.
    without = 0 if known == classes else 1
    probabilities = logits.softmax(dim=1) if without else logits.sigmoid()
    scene = replace(
        empty,
        places=logits,
        place="query",
        labels=names(classes - without),
        without=without,
        activation="softmax" if without else "sigmoid",
    )
    best = probabilities[:, : scene.choices].max(dim=1)
    found = []
    for query in torch.argsort(best.values, descending=True, stable=True).tolist():
        index = int(best.indices[query])
        box = _edges(boxes[query], empty)
        target = Detection(index, query=query).bind(index, scene, _box=box)
        probability, score = float(best.values[query]), float(logits[query, index])
        found.append(Box(box, index, _name(index, scene), probability, score, target))
    return replace(scene, boxes=tuple(found))


def _edges(box: Tensor, scene: Scene) -> Rectangle:
    across, down, width, height = box.tolist()
    top, bottom = ((down + part * height / 2) * scene.height for part in (-1, 1))
    left, right = ((across + part * width / 2) * scene.width for part in (-1, 1))
    return top, left, bottom, right


def _name(index: int, scene: Scene) -> str:
    return scene.labels[index] if index < len(scene.labels) else f"class {index}"
