"""The benchmarks' own modules, and models small enough to measure in no time."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

FOLDER = Path(__file__).parent.parent.parent / "benchmarks"
sys.path.insert(0, str(FOLDER))


def picture(size: int = 32) -> np.ndarray[Any, Any]:
    drawn = np.random.default_rng(0).integers(0, 256, (size // 4, size // 4, 3), dtype=np.uint8)
    return drawn.repeat(4, 0).repeat(4, 1)


class Net(nn.Module):
    """Two convolutions, pooling, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU())
        self.fc = nn.Linear(8, 30)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.body(self.stem(x)).mean((-2, -1)))


@pytest.fixture(scope="session")
def subject() -> Any:
    from against.models import Subject

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Subject("small", Net().eval(), picture(), "body", "stem", "body", "fc")


@pytest.fixture(autouse=True)
def _no_tidying(monkeypatch: pytest.MonkeyPatch) -> None:
    # Before each round, which takes longer here than all else and changes no number that is looked at.
    monkeypatch.setattr("against.timing.gc", SimpleNamespace(collect=int, disable=int, enable=int))
