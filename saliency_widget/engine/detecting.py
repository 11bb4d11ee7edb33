"""Detectors of torchvision, run so that one box's score can be differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from saliency_widget.engine.replica import Replica
from saliency_widget.errors import InputError
from saliency_widget.models.detectors import Hearing, find_detector, hearing
from saliency_widget.targets import Detection, Target

R = TypeVar("R")
Run = Callable[[Replica, Tensor], Any]


class Detecting:
    """How a model is run for some targets.

    Parameters
    ----------
    model
        The user's; it is looked at only.
    targets
        Of a problem. If they are detections, the detector scores their regions, or its anchors, and suppresses nothing.

    Attributes
    ----------
    targets
        The same, each with its row among what is scored.

    Raises
    ------
    InputError
        Some of the targets are detections of a detector of torchvision, and some are not: they need different passes.
    """

    def __init__(self, model: nn.Module, targets: Sequence[Target]) -> None:
        self._model = model
        boxes = [target for target in targets if isinstance(target, Detection)]
        self._detector = find_detector(model) if boxes else None
        self._regions = tuple(dict.fromkeys(box.region for box in boxes if box.region is not None))
        self.targets = tuple(
            target.among(self._regions) if isinstance(target, Detection) else target for target in targets
        )
        if self._detector is not None and len(boxes) != len(targets):
            other = next(target for target in targets if not isinstance(target, Detection))
            raise InputError(
                "target",
                other.text,
                "stands beside detections, for which the model is run in another way",
                "Explain it in a call of its own.",
            )

    def output(self, run: Run, replica: Replica, seen: Tensor) -> Any:
        """What the model, or its detector before suppression, gives for some rows."""
        if self._detector is None:
            return run(replica, seen)
        self._watch_first(run, replica, seen)
        with hearing(replica.module, self._detector, self._regions) as heard:
            run(replica, seen)
        return heard.result(len(seen))

    def whole(self, run: Run, replica: Replica, seen: Tensor, see: Callable[[Any, Hearing | None], R]) -> R:
        """What a function makes of the model's own output, and of what its detector heard."""
        detector = find_detector(self._model)
        if detector is None:
            return see(run(replica, seen), None)
        self._watch_first(run, replica, seen)
        with hearing(replica.module, detector, keep=True) as heard:
            output = run(replica, seen)
            return see(output, heard)

    @staticmethod
    def _watch_first(run: Run, replica: Replica, seen: Tensor) -> None:
        """The first pass is watched and repeated, and what was changed in the module is undone in between."""
        if not replica.probed:
            with torch.no_grad():
                run(replica, seen[:1].detach())
            replica.reset()
