"""A picture without a preprocessing, and two oracles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saliency_widget.engine.problem import Problem
from saliency_widget.engine.shadow import shadow_of
from saliency_widget.methods.base import as_method
from saliency_widget.models.preprocess import Prepared
from saliency_widget.targets import Logit, Target

MATRICES = {
    "identity": torch.eye(3),
    "per channel": torch.diag(torch.tensor([4.4, 4.5, 4.4])),
    "BGR": torch.tensor([[0.0, 0.0, 3.0], [0.0, 2.0, 0.0], [5.0, 0.0, 0.0]]),
}


def picture(
    height: int = 16, width: int = 16, channels: int = 3, *, matrix: Tensor | str = "per channel", seed: int = 0
) -> Prepared:
    """A random picture that some preprocessing made: input = matrix @ pixels + offset."""
    generator = torch.Generator().manual_seed(seed)
    chosen = (MATRICES[matrix] if isinstance(matrix, str) else matrix).double()[:channels, :channels]
    offset = torch.linspace(-2.1, -1.7, channels, dtype=torch.float64)
    drawn = torch.rand(channels, height, width, generator=generator, dtype=torch.float64)
    given = (torch.einsum("dc,chw->dhw", chosen, drawn) + offset[:, None, None]).float()
    pixels = torch.einsum("dc,chw->dhw", torch.linalg.inv(chosen), given.double() - offset[:, None, None])
    return Prepared(
        input=given,
        matrix=chosen,
        offset=offset,
        pixels=pixels,
        picture=np.zeros((height, width, 3), np.uint8),
        channels=("R", "G", "B")[:channels],
        variable="full-scale pixel",
        source="a test",
        original_size=None,
    )


def problem_of(model: nn.Module, prepared: Prepared, targets: Sequence[Target | int], **options: Any) -> Problem:
    bound = [target if isinstance(target, Target) else Logit(target) for target in targets]
    return Problem(shadow_of(model), prepared, bound, **options)


def explain(model: nn.Module, prepared: Prepared, *targets: Target | int, **options: Any) -> tuple[Tensor, Tensor]:
    """(K, C, H, W) and (K,), by the plain gradient."""
    problem = problem_of(model, prepared, targets or (0,), **options)
    *_, last = as_method("gradient").estimates(problem)
    assert last.final
    return last.values, last.scores


def plainly(model: nn.Module, prepared: Prepared, *targets: Target | int) -> Tensor:
    """The same by plain autograd through the same pixels, in the type of the model, which is in evaluation mode."""
    dtype = next(model.parameters()).dtype
    pixels = prepared.pixels.to(dtype)[None].requires_grad_()
    matrix, offset = prepared.matrix.to(dtype), prepared.offset.to(dtype)
    outputs = model(torch.einsum("dc,nchw->ndhw", matrix, pixels) + offset[:, None, None])
    found = []
    for target in targets:
        score = (target if isinstance(target, Target) else Logit(target)).score(outputs)
        found.append(torch.autograd.grad(score.sum(), pixels, retain_graph=True)[0][0])
    return torch.stack(found)


def relative(found: Tensor, wanted: Tensor) -> float:
    """Relative L1 difference."""
    return float((found - wanted).abs().sum() / wanted.abs().sum())


def slope(score: Callable[[Tensor], Tensor], at: Tensor, direction: Tensor, step: float = 1e-4) -> float:
    """Central directional derivative, of fourth order."""
    f = [float(score((at + k * step * direction)[None])[0]) for k in (-2, -1, 1, 2)]
    return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * step)


def fill(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give a module random weights and random statistics, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.05)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator, dtype=torch.float64) * 0.1)
            elif name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator, dtype=torch.float64) + 0.5)
    for part in module.modules():
        part.training = False
    return module
