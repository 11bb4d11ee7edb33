"""What every host shows: a widget on a model of ten classes that takes no time, unless it is told to.

Imported by the kernels, so that a cell of one line makes the widget.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

import numpy as np
import torch
from torch import nn

import saliency_widget as sw
from saliency_widget.display.colours import colourise
from saliency_widget.display.encode import decode_half, encode_half
from saliency_widget.display.reduce import clip_level, reduce_channels, scale_to_heat
from saliency_widget.display.threshold import keep_strongest

LABELS = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay"]
PAUSE = "SALIENCY_TESTS_PAUSE"


class Ten(nn.Module):
    """A small convolution net; the environment variable makes it as slow as a large one, per picture."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 5, stride=2, padding=2)
        self.second = nn.Conv2d(8, len(LABELS), 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(float(os.environ.get(PAUSE, "0")) * len(x))
        return self.second(self.first(x).relu()).relu().mean((2, 3))


def make(**choices: Any) -> sw.SaliencyWidget:
    """A widget whose method takes many passes, with the first maps already there."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Ten().eval()
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    choices = {"method": "smoothgrad", "preprocess": "none", "labels": LABELS, **choices}
    return sw.SaliencyWidget(model, picture, **choices).wait()


def free(widget: sw.SaliencyWidget, expected: int = 5, limit: float = 30.0) -> list[str]:
    """Labels of classes of which the widget holds no map, once all that is computed ahead is there, and sent."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        # A map is in the traits before its message is out, but not while the lock is free.
        with widget._lock:
            held = {one["target"]["label"] for one in widget._maps}
        if len(held) >= expected:
            return [label for label in LABELS if label not in held]
        time.sleep(0.02)
    raise TimeoutError(f"{len(held)} maps after {limit:g} s, not {expected}")


def drawn(widget: sw.SaliencyWidget) -> str:
    """The digest of what the page's canvas must hold, RGBA: Python's definitions of the picture."""
    packed = encode_half(widget.attribution.values)
    reduced = reduce_channels(decode_half(packed.data, packed.shape, packed.scale), widget.sign)
    colours = colourise(scale_to_heat(reduced, clip_level(reduced, widget.clip)), widget.sign)
    # Of a map that is zero everywhere nothing is drawn.
    kept = keep_strongest(reduced, widget.threshold).mask & reduced.any()
    whole = np.dstack([colours, np.full(kept.shape, 255, np.uint8)])
    return hashlib.sha256(np.where(kept[..., None], whole, 0).astype(np.uint8).tobytes()).hexdigest()
