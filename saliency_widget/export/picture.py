"""The picture as it travels beside a map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from saliency_widget.display.encode import shrink


def travelling_picture(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bring a picture, uint8 (H, W, 3), to the pixels of a map that was reduced to travel."""
    small = shrink(picture.transpose(2, 0, 1).astype(np.float32))
    return np.ascontiguousarray(np.floor(small + 0.5).astype(np.uint8).transpose(1, 2, 0))
