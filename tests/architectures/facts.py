"""What is found out about one architecture, and the page that says it of all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import torch
from torch import Tensor

import saliency_widget as sw
from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.problem import Problem
from saliency_widget.errors import ModelError
from saliency_widget.explainer import Explainer
from saliency_widget.targets import Target
from tests.architectures.models import CASES, KERAS, Case, made, picture
from tests.engine.support import relative

_STEPS = (1e-7, 1e-8, 1e-9)

PAGE = Path(__file__).parent.parent.parent / "docs" / "models.md"

HEAD = """\
# Models that were tried

Each row is a test: the architecture as its library makes it, with random weights, on a photograph. It asserts that the
gradient is that of finite differences (in float64; of Keras, which normalises in float32, that of autograd through the
model itself), that a picture in a batch gets the map that it gets alone, and that the model is as it was before. The
page is written by `make docs` from these tests; they fail where it is not true.

*Preprocessing* is where it was read from: the model itself; torchvision weights, an image processor or Keras's
`preprocess_input`, which was given; or a preset. *Explained* is the kind of score. *Grad-CAM* is the layer that was
chosen, and its grid in cells.

Other forms of a model are held by tests of their own: `DataParallel`, `torch.compile`, `torch.jit`, prune,
weight_norm, spectral_norm, LoRA of peft, modules of Lightning, frozen parameters. Refused, with the way out: quantized
modules, models on `meta`, FSDP, uninitialised lazy modules, and Keras models on another backend than torch, or that
Keras cannot make again from their configuration.

| library | model | input | preprocessing | explained | Grad-CAM |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Facts:
    """What the tests compare, and the row of the table.

    Attributes
    ----------
    by_differences, by_the_map
        The derivative of the score along a direction.
    alone_and_in_a_batch
        Relative difference of the two maps.
    row
        The line of the table.
    """

    by_differences: float
    by_the_map: float
    alone_and_in_a_batch: float
    row: str


def find(case: Case) -> Facts:
    """Explain the model of a case, and have its promises checked."""
    preprocess = None if case.preprocess is None else case.preprocess()
    model, image = made(case, preprocess), picture()
    with ModelGuard(model):
        explainer = Explainer(model, image, preprocess=preprocess)
        target = explainer.resolve(None if case.target is None else case.target())
        problem = Problem(explainer.shadow, explainer.prepared, (target,))
        generator = torch.Generator().manual_seed(0)
        direction = torch.randn(problem.pixels.shape, generator=generator, dtype=torch.float64)
        _, alone = problem.gradients(problem.pixels[None])
        _, both = problem.gradients(torch.stack([problem.pixels, 1 - problem.pixels]))
        by_the_map = float((alone[0, 0] * direction).sum())
        if case.library == KERAS:
            slopes = [_slope_by_keras(model, explainer, target, direction)]
        else:
            slopes = _slopes(problem, direction)
        by_differences = min(slopes, key=lambda one: abs(one - by_the_map))
        layer = _grad_cam(explainer, target)
    height, width = (int(side) for side in problem.pixels.shape[1:])
    cells = (case.library, case.name, f"{height} x {width}", case.read_from, _explained(target), layer)
    return Facts(
        by_differences,
        by_the_map,
        relative(both[0, 0], alone[0, 0]),
        f"| {' | '.join(cells)} |",
    )


def _slopes(problem: Problem, direction: Tensor) -> list[float]:
    """Differences to either side over smaller and smaller steps.

    A deep net of rectifiers has a kink in most directions within a millionth of full scale, which spoils the difference
    that reaches over it, and rounding spoils the smallest: there is no one step, or side, for all.
    """
    steps = [sign * step for step in _STEPS for sign in (1, -1)]
    pixels = problem.pixels
    still, *moved = problem.scores(torch.stack([pixels, *(pixels + step * direction for step in steps)]))[:, 0].tolist()
    return [(one - still) / step for one, step in zip(moved, steps, strict=True)]


def _slope_by_keras(model: Any, explainer: Explainer, target: Target, direction: Tensor) -> float:
    """Of the model itself, up to its last layer, by autograd: Keras normalises in float32 whatever it is asked for."""
    logits = keras.Model(model.input, model.layers[-2].output)
    seen = explainer.prepared.input.float().permute(1, 2, 0)[None].requires_grad_()
    dense: Any = model.layers[-1]
    score = (logits(seen, training=False)[0] * dense.kernel.value[:, target.index]).sum()
    (gradient,) = torch.autograd.grad(score, seen)
    moved = torch.einsum("ij,jhw->hwi", explainer.prepared.matrix, direction)
    return float((gradient[0].double() * moved).sum())


def _grad_cam(explainer: Explainer, target: Target) -> str:
    try:
        *_, last = explainer.steps([target], sw.GradCAM())
    except ModelError:
        return "no layer"
    (map_,) = last.attributions
    return f"`{map_.quality['layer']}`, {map_.values.shape[1]} x {map_.values.shape[2]}"


def _explained(target: Target) -> str:
    place: Any = next((name for name in ("query", "anchor", "region") if getattr(target, name, None) is not None), "")
    return f"{target.kind} (of {'an' if place == 'anchor' else 'a'} {place})" if place else target.kind


def page(rows: list[str]) -> str:
    """The whole text."""
    return HEAD + "\n".join(rows) + "\n"


def write() -> None:
    """Write the page."""
    PAGE.write_text(page([find(case).row for case in CASES]), "utf-8")
