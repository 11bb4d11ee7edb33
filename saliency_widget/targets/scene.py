"""What a target of a place is bound to: the picture, and what the model says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.models.detectors import Rectangle
from saliency_widget.targets.reading import upsampled


@dataclass(frozen=True, eq=False)
class Box:
    """A box that a detector sees in a picture.

    Attributes
    ----------
    box
        (top, left, bottom, right) in pixels of the picture that the model sees, :attr:`Attribution.image`.
    index, label
        Its class, and the name of it.
    probability
        Of that class, as the detector gives it.
    score
        The logit that the target explains.
    target
        A :class:`~saliency_widget.Detection` of the query, the anchor or the region from which the box came.
    """

    box: Rectangle
    index: int
    label: str
    probability: float
    score: float
    target: Any = field(repr=False)


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture, and what a model says of its places.

    Attributes
    ----------
    height, width
        Of the picture that the model sees, in pixels.
    labels
        Names of the classes; may be empty.
    grid
        (classes, h, w): the scores of the cells of the picture, where the model gives such.
    places
        (places, classes): the scores of queries or anchors, where the model gives such.
    place
        "query", "anchor" or "region": what a detector's scores are of; "" where it is none.
    boxes
        What a detector sees, most probable first.
    without
        1 where the last class of a detector means that there is nothing, else 0.
    activation
        What makes probabilities of the scores of a place: "softmax" or "sigmoid"; "" where nothing does.
    end
        "softmax", "log-softmax" or "sigmoid" where the model seems to end in it; its scores are then no logits.
    embed
        The vector (D,) that the model gives for another image.
    """

    height: int
    width: int
    labels: tuple[str, ...] = ()
    grid: Tensor | None = None
    places: Tensor | None = None
    place: str = ""
    boxes: tuple[Box, ...] = ()
    without: int = 0
    activation: str = ""
    end: str = ""
    embed: Callable[[Any], Tensor] | None = None

    @property
    def classes(self) -> int:
        """How many classes there are to choose from."""
        if self.grid is not None:
            return int(self.grid.shape[0])
        return 0 if self.places is None else int(self.places.shape[1])

    @property
    def choices(self) -> int:
        """How many of them a box can be of: all but "no object", which comes last."""
        return self.classes - self.without

    @property
    def kind(self) -> str:
        """What the model does: "segmentation", "detection", or "" where it gives no scores of places."""
        return "segmentation" if self.grid is not None else "detection" if self.place else ""

    @cached_property
    def predicted(self) -> npt.NDArray[np.int32]:
        """(H, W): of a segmentation the class of each pixel; -1 where a model with one class says no.

        Raises
        ------
        InputError
            The output holds NaN, or is of no segmentation.
        """
        if self.grid is None:
            raise InputError("target", None, "means a predicted class, and this model gives no scores of pixels", "")
        logits = upsampled(self.grid[None].double(), self.height, self.width)[0]
        if bool(torch.isnan(logits).any()):
            raise InputError(
                "target", None, "means a predicted class, but the model's output holds NaN", "Give a class and a place."
            )
        more = 0.5 if self.end == "sigmoid" else 0
        found = logits.argmax(dim=0) if len(logits) > 1 else (logits[0] > more).long() - 1
        return np.asarray(found.cpu().numpy(), dtype=np.int32)

    @cached_property
    def areas(self) -> dict[int, int]:
        """Pixels of each class that a segmentation predicts somewhere, the largest first."""
        predicted = self.predicted
        counts = np.bincount(predicted[predicted >= 0], minlength=self.classes)
        return {int(k): int(counts[k]) for k in np.argsort(-counts, kind="stable") if counts[k]}
