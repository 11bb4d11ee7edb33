"""The models that are explained: the demo model, ResNet-50, ViT-S/16."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from inspect import signature
from typing import Any

import numpy as np
import timm
import torch
import torchvision
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.engine.problem import Problem
from saliency_widget.engine.shadow import Shadow, shadow_of
from saliency_widget.methods.base import Estimate, Method
from saliency_widget.models import demo
from saliency_widget.models.preprocess import Prepared, prepare
from saliency_widget.targets import Logit

# The model's input is the picture itself, so that all tools differentiate with respect to the same variable.
PLAIN = sw.Preprocess(size=None, crop=None, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
CPU = torch.device("cpu")
# Which way is quick for a model is measured when it is first explained, and not in the midst of what is timed.
MEASURED: dict[str, Any] = {"fast": True} if "fast" in signature(Problem).parameters else {}
PHOTOGRAPHS = ("chelsea", "coffee", "rocket")


@dataclass
class Subject:
    """A model with a picture.

    Attributes
    ----------
    name
        For the table.
    model
        In evaluation mode, on its device; its parameters require gradients, as those of a user's model do.
    picture
        uint8 (H, W, 3).
    layer
        Of which class activation maps are made.
    narrow, late
        An early layer with few channels and a late one whose activations are at least zero, for methods that run the
        model or its head once for each; "" for none.
    classifier
        The linear layer that, with global average pooling, is all that comes after ``layer``; "" where more does.
    tokens
        Whether the layer returns tokens, behind a class token.
    sizes
        The sizes of a batch that were found to be the quickest, by what for.
    """

    name: str
    model: nn.Module
    picture: np.ndarray[Any, Any]
    layer: str
    narrow: str = ""
    late: str = ""
    classifier: str = ""
    tokens: bool = False
    sizes: dict[str, int] = field(default_factory=dict)

    @cached_property
    def device(self) -> torch.device:
        """Where everything is computed."""
        return next(self.model.parameters()).device

    @cached_property
    def inputs(self) -> Tensor:
        """(1, C, H, W), what the model gets, on its device."""
        return self.prepared.input[None].clone().to(self.device)

    @cached_property
    def prepared(self) -> Prepared:
        """The same for the engine."""
        return prepare(self.picture, self.model, PLAIN)

    def at(self, size: int, photograph: str = PHOTOGRAPHS[0], flipped: Sequence[int] = ()) -> Subject:
        """The same model with a picture of another size, or another picture, flipped along some axes."""
        name = self.name if size == len(self.picture) else f"{self.name}, {size} px"
        picture = np.ascontiguousarray(np.flip(photo(size, photograph), tuple(flipped)))
        return replace(self, name=name, picture=picture, sizes={})

    @cached_property
    def shadow(self) -> Shadow:
        """Of the model; made once."""
        return shadow_of(self.model)

    @cached_property
    def frozen(self) -> nn.Module:
        """A copy for the limit, whose parameters need no gradient."""
        return copy.deepcopy(self.model).requires_grad_(False)

    def copy(self) -> nn.Module:
        """Another one for a peer, which may do with it what it likes."""
        return copy.deepcopy(self.model)

    @cached_property
    def ranked(self) -> list[int]:
        """All classes, the most likely first."""
        with torch.no_grad():
            return torch.argsort(self.frozen(self.inputs)[0], descending=True).tolist()

    @cached_property
    def rounding(self) -> float:
        """Relative L1 distance of bare autograd's gradient of the most likely class to the one in float64."""
        found = []
        for model, dtype in ((self.frozen, torch.float32), (copy.deepcopy(self.frozen).double(), torch.float64)):
            pixels = self.inputs.to(dtype, copy=True).requires_grad_()
            found.append(torch.autograd.grad(model(pixels)[0, self.ranked[0]], pixels)[0].double())
        return float((found[0] - found[1]).abs().sum() / found[1].abs().sum())

    def problem(self, *classes: int) -> Problem:
        """The engine's view of it, new for each run."""
        return Problem(self.shadow, self.prepared, [Logit(k) for k in classes], **MEASURED)

    @cached_property
    def way(self) -> str:
        """In which way the engine computes it, as provenance says it; decided once, by measuring."""
        problem = self.problem(self.ranked[0])
        with problem.running():
            # The first pass is watched, and nothing is decided in it.
            for _ in range(2):
                problem.gradients(problem.pixels[None])
        return str(problem.provenance.get("way", "plain"))

    def last(self, method: Method, *classes: int) -> Estimate:
        """The final estimate of a method."""
        found = None
        for found in method.estimates(self.problem(*classes)):  # noqa: B007
            pass
        assert found is not None
        return found

    def first(self, method: Method, *classes: int) -> Estimate:
        """Its first estimate."""
        return next(iter(method.estimates(self.problem(*classes))))


def photo(size: int = 224, name: str = PHOTOGRAPHS[0]) -> np.ndarray[Any, Any]:
    """A photograph, uint8 (size, size, 3)."""
    return np.asarray(demo.image(name).convert("RGB").resize((size, size)))


def _demo(device: torch.device = CPU) -> Subject:
    return Subject("demo model", demo.model().to(device), photo(), "bn2", "blocks.1", "bn2", "classifier")


def _resnet(device: torch.device = CPU) -> Subject:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torchvision.models.resnet50(weights=None)
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = None
        with torch.no_grad():
            # Statistics, without which random weights let the activations grow from layer to layer.
            model.train()(torch.rand(8, 3, 96, 96))
    return Subject("ResNet-50", model.eval().to(device), photo(), "layer4", "maxpool", "layer4", "fc")


def _vit(device: torch.device = CPU, **options: Any) -> Subject:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = timm.create_model("vit_small_patch16_224", pretrained=False, **options)
    return Subject("ViT-S/16", model.eval().to(device), photo(), "blocks.10", tokens=True)


def vit_of_any_size(device: torch.device = CPU) -> Subject:
    """The same network at 224 pixels; takes others too."""
    return _vit(device, dynamic_img_size=True)


SUBJECTS: dict[str, Callable[[torch.device], Subject]] = {"demo": _demo, "resnet": _resnet, "vit": _vit}
