"""A comm that writes down what a widget sends, and a small model and picture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import comm
import numpy as np
import pytest
import torch
from comm.base_comm import BaseComm
from PIL import Image
from torch import nn

from saliency_widget import SaliencyWidget
from saliency_widget.widget.session import Session
from tests.widget.rig import EXPLAINER, Recorder, Rig, SlowExplainer


class RecordingComm(BaseComm):
    """Writes down (type, data, buffers) of all that is published."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: list[tuple[str, dict[str, Any], list[bytes]]] = []
        self.arrived = threading.Condition()
        super().__init__(*args, **kwargs)

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        with self.arrived:
            self.sent.append((msg_type, data or {}, [bytes(one) for one in buffers or []]))
            self.arrived.notify_all()

    def custom(self, req: str | None = None) -> list[dict[str, Any]]:
        with self.arrived:
            found = [data["content"] for _, data, _ in self.sent if data.get("method") == "custom"]
        return [content for content in found if req is None or content.get("req") == req]

    def until(self, condition: Callable[[], bool], timeout: float = 20.0) -> None:
        with self.arrived:
            assert self.arrived.wait_for(condition, timeout), [data for _, data, _ in self.sent[-5:]]

    def receive(self, data: Any) -> None:
        """What arrives when the front end sends ``data``."""
        self.handle_msg({"content": {"data": data}, "buffers": []})


FINAL = ("done", "cancelled", "error")


class Small(nn.Module):
    """A classifier of seven classes that takes a moment and counts its forward passes."""

    def __init__(self, classes: int = 7, pause: float = 0.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, classes)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
        self.pause = pause

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(self.pause)
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)))


LABELS = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu"]


@pytest.fixture
def model() -> Small:
    return Small().eval()


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (20, 24, 3)).astype(np.uint8))


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, model: Small, picture: Image.Image) -> Any:
    made: list[SaliencyWidget] = []
    monkeypatch.setattr(comm, "create_comm", RecordingComm)

    def build(*args: Any, **kwargs: Any) -> SaliencyWidget:
        given = args or (model, picture)
        widget = SaliencyWidget(*given, **{"preprocess": "none", "labels": LABELS, **kwargs})
        made.append(widget)
        return widget

    yield build
    for widget in made:
        widget.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    explainer, recorder, changed = SlowExplainer(), Recorder(), threading.Condition(threading.RLock())
    session = Session(recorder, changed)
    EXPLAINER[0] = explainer
    yield Rig(explainer, recorder, session, changed)
    session.close()
    for _ in range(50):
        explainer.gate.release()
