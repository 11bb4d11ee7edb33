"""Where a score is of, for the eye: what is drawn over the picture when the model is gone."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from saliency_widget.targets.base import Target
from saliency_widget.targets.detection import Detection
from saliency_widget.targets.located import Located
from saliency_widget.targets.segmentation import Region, Segment


def mask_of(target: Target) -> dict[str, Any] | None:
    """The shape of what a target is of, for the eye, where no numbers say it: bits of cells row by row, in base64."""
    found = target.cells if isinstance(target, (Region, Segment)) else None
    if found is None:
        return None
    step, cells = found
    bits = base64.b64encode(np.packbits(cells).tobytes()).decode("ascii")
    return {"height": cells.shape[0], "width": cells.shape[1], "step": step, "bits": bits}


def mark_of(target: Target) -> dict[str, Any] | None:
    """What is marked in the picture that the model sees, plain values; None where that is nothing in particular.

    Returns
    -------
    dict or None
        ``place``: a pixel [row, column] or a rectangle [top, left, bottom, right]; or ``mask``, as of :func:`mask_of`.
    """
    if not isinstance(target, Located):
        return None
    mask = mask_of(target)
    if mask is not None:
        return {"mask": mask}
    place = target.place
    if isinstance(target, Detection) and target.box is not None:
        place = target.box
    return {"place": [float(one) for one in place]} if len(place) in (2, 4) else None
