"""A small model whose maps take no time, and attributions without a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.attribution import Attribution, MethodRecord, TargetRecord
from tests.engine.support import fill

LABELS = ["ant", "bee", "cat", "dog"]
PLAIN = sw.Preprocess(size=None, crop=None, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
HOSTILE = "</script><script>x</script><!-- ]]> \"'&<img src=x onerror=x> \u2028\u2029 \x00\x1b \ud800 $x^2 _{ \\n%\nend"


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(x)).tanh().mean((2, 3)))


def model(seed: int = 0) -> Small:
    torch.manual_seed(seed)
    return fill(Small()).eval()


def picture(height: int = 12, width: int = 10, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def explained(**options: Any) -> Attribution:
    return sw.explain(model(), picture(), **{"preprocess": PLAIN, "labels": LABELS, **options})


def attribution(
    values: Any = None,
    image: Any = None,
    label: str | None = "cat",
    unit: str = "logit per full-scale pixel",
    method: str = "Gradient",
    **options: Any,
) -> Attribution:
    photo = picture() if image is None else image
    drawn = np.random.default_rng(1).normal(size=(3, *photo.shape[:2])) if values is None else values
    return Attribution(
        values=np.asarray(drawn, np.float32),
        image=photo,
        target=TargetRecord("logit", 3, label, f"logit of {label}"),
        method=MethodRecord(method.lower(), method, {"blur": 0}),
        score=options.pop("score", 1.5),
        unit=unit,
        probability=0.25,
        channels=("R", "G", "B") if len(drawn) == 3 else ("map",),
        **options,
    )
