"""Tiny models, one of each family, in every situation that a user's model can be in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import saliency_widget as sw
from tests.engine.support import fill

SIDE = 16
CLASSES = 5
PLAIN = sw.Preprocess(size=None, crop=None, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))


def picture() -> np.ndarray[Any, Any]:
    """Smooth enough for regions, with noise, no two pixels alike."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    waves = np.stack([np.sin(7 * rows), np.cos(5 * columns), rows * columns], axis=-1)
    noisy = 0.5 + 0.3 * waves + 0.1 * generator.standard_normal((SIDE, SIDE, 3))
    return (255 * noisy.clip(0, 1)).astype(np.uint8)


class Conv(nn.Module):
    """Three convolutions, the last two with the same weights; every spelling of a rectifier."""

    def __init__(self, *, stem: int = 6, in_place: bool = False, reused: bool = False) -> None:
        super().__init__()
        self.in_place = in_place
        width = 6
        self.conv1 = nn.Conv2d(3, stem, 3, padding=1)
        self.norm = nn.BatchNorm2d(stem)
        self.act = nn.ReLU(inplace=in_place)
        # Of the same shape as the next, where the stem is as wide, so that one can serve as both.
        self.narrow = nn.Identity() if stem == width else nn.Conv2d(stem, width, 1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = self.conv2 if reused else nn.Conv2d(width, width, 3, padding=1)
        self.act2 = self.act if reused else nn.ReLU(inplace=in_place)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.conv1(x)))
        x = self.narrow(F.max_pool2d(x, 2))
        x = self.act2(self.conv2(x))
        x = torch.relu_(self.conv3(x)) if self.in_place else torch.relu(self.conv3(x))
        return self.head(self.drop(x.mean((2, 3))))


def conv(**options: Any) -> nn.Module:
    plain = Conv(stem=options.get("stem", 6))
    fill(plain)
    with torch.no_grad():
        for target, source in zip(plain.conv3.parameters(), plain.conv2.parameters(), strict=True):
            target.copy_(source)
    model = Conv(**options).eval()
    model.load_state_dict(plain.state_dict())
    return model.double()


def tokens(*, stem: int = 12, **_: Any) -> nn.Module:
    import timm

    return fill(
        timm.models.VisionTransformer(
            img_size=SIDE, patch_size=4, embed_dim=stem, depth=2, num_heads=2, num_classes=CLASSES, drop_rate=0.1
        )
    ).double()


def make(family: str, **options: Any) -> nn.Module:
    """The plain model of a family, in float64 and evaluation mode, always with the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {"conv": conv, "tokens": tokens}[family](**options)


class Wrapped(nn.Module):
    """Returns what a model returns in some other form."""

    def __init__(self, inner: nn.Module, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.inner, self.wrap = inner, wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(self.inner(x))


class Trap(nn.Module):
    """Counts its passes; raises after so many, and above a size of the batch.

    The numbers stand at the class, because a shadow's own would be put back after each pass.
    """

    passes = 0
    rows = 0
    lasts: int | None = None
    fits: int | None = None

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    @classmethod
    def reset(cls, *, lasts: int | None = None, fits: int | None = None) -> None:
        cls.passes, cls.rows, cls.lasts, cls.fits = 0, 0, lasts, fits

    def forward(self, x: Tensor) -> Any:
        Trap.passes += 1
        Trap.rows = max(Trap.rows, len(x))
        y = self.inner(x)
        if Trap.lasts is not None and Trap.passes > Trap.lasts:
            raise RuntimeError("halfway")
        if Trap.fits is not None and len(x) > Trap.fits:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return y
