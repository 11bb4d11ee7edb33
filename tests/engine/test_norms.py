"""The gradient is the derivative of the score, also where PyTorch's own is not: finite differences are the oracle."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_widget.engine import norms
from tests.engine.support import explain, fill, picture, plainly, problem_of, relative, slope


class Transposing(nn.Module):
    """What makes PyTorch's CPU kernel wrong: a normalisation whose output is transposed."""

    def __init__(self, norm: nn.Module, dims: int = 2) -> None:
        super().__init__()
        conv = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dims]
        self.dims = dims
        self.conv, self.norm = conv(3, 8, 3, padding=1), norm
        self.scale, self.head = nn.Parameter(torch.randn(48, 8)), nn.Linear(8, 5)

    def normalise(self, x: Tensor) -> Tensor:
        return self.norm(x)

    def forward(self, x: Tensor) -> Tensor:
        if self.dims == 1:
            x = x.flatten(2)
        if self.dims == 3:
            x = x.unflatten(3, (2, -1))
        tokens = self.normalise(self.conv(x)).flatten(2).transpose(1, 2)
        return self.head((tokens * self.scale).tanh().mean(1))


class Functional(Transposing):
    def normalise(self, x: Tensor) -> Tensor:
        n = self.norm
        if isinstance(n, nn.InstanceNorm2d):
            return F.instance_norm(x, weight=n.weight, bias=n.bias, eps=n.eps)
        return F.batch_norm(x, n.running_mean, n.running_var, n.weight, n.bias, False, 0.1, n.eps)


class Operator(Transposing):
    """Calls what an exported graph calls."""

    def __init__(self, operator: Any, *flags: bool) -> None:
        super().__init__(nn.BatchNorm2d(8))
        self.operator, self.flags = operator, flags

    def normalise(self, x: Tensor) -> Tensor:
        n = self.norm
        found = self.operator(x, n.weight, n.bias, n.running_mean, n.running_var, *self.flags, 0.1, n.eps)
        return found if isinstance(found, Tensor) else found[0]


def exported(norm: nn.Module, *, lowered: bool) -> nn.Module:
    model = fill(Transposing(norm).double())
    example = torch.rand(2, 3, 6, 8, dtype=torch.float64)
    program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim("rows")},))
    return (program.run_decompositions() if lowered else program).module()


class Inherited(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 2


NORMS = {
    "batch 1d": lambda: Transposing(nn.BatchNorm1d(8), 1),
    "batch 2d": lambda: Transposing(nn.BatchNorm2d(8)),
    "batch 3d": lambda: Transposing(nn.BatchNorm3d(8), 3),
    "batch, not affine": lambda: Transposing(nn.BatchNorm2d(8, affine=False)),
    "batch, own statistics": lambda: Transposing(nn.BatchNorm2d(8, track_running_stats=False)),
    "sync": lambda: Transposing(nn.SyncBatchNorm(8)),
    "inherited": lambda: Transposing(Inherited(8)),
    "functional": lambda: Functional(nn.BatchNorm2d(8)),
    "timm": lambda: Transposing(timm.layers.BatchNormAct2d(8)),
    "instance": lambda: Transposing(nn.InstanceNorm2d(8)),
    "instance, affine": lambda: Transposing(nn.InstanceNorm2d(8, affine=True)),
    "instance, tracking": lambda: Transposing(nn.InstanceNorm2d(8, affine=True, track_running_stats=True)),
    "instance, functional": lambda: Functional(nn.InstanceNorm2d(8, affine=True)),
    "exported": lambda: exported(nn.BatchNorm2d(8), lowered=False),
    "exported, lowered": lambda: exported(nn.BatchNorm2d(8), lowered=True),
    "exported instance": lambda: exported(nn.InstanceNorm2d(8, affine=True, track_running_stats=True), lowered=False),
    "native": lambda: Operator(torch.native_batch_norm, False),
    "native operator": lambda: Operator(torch.ops.aten.native_batch_norm, False),
    "legit operator": lambda: Operator(torch.ops.aten._native_batch_norm_legit, False),
    "evaluation operator": lambda: Operator(torch.ops.aten._native_batch_norm_legit_no_training),
    "group": lambda: Transposing(nn.GroupNorm(2, 8)),
    "script": lambda: torch.jit.script(fill(Transposing(nn.BatchNorm2d(8)).double())),
    "script inside": lambda: nn.Sequential(torch.jit.script(fill(Transposing(nn.BatchNorm2d(8)).double()))),
    "traced": lambda: torch.jit.trace(
        fill(Transposing(nn.BatchNorm2d(8)).double()), torch.rand(2, 3, 6, 8, dtype=torch.float64)
    ),
}
ARCHITECTURES = {
    "levit": ("levit_128s", 224, {}),
    "xcit": ("xcit_nano_12_p16_224", 64, {}),
    "efficientformer": ("efficientformer_l1", 224, {}),
}


def assert_is_derivative(model: nn.Module, size: tuple[int, int], accuracy: float) -> None:
    prepared = picture(*size)
    problem = problem_of(model, prepared, [1])
    scores, gradients = problem.gradients(problem.pixels[None])
    generator = torch.Generator().manual_seed(1)
    direction = torch.randn(problem.pixels.shape, generator=generator, dtype=torch.float64)
    # Along the gradient the derivative is large, across it a wrong gradient shows.
    direction = direction / direction.norm() + gradients[0, 0] / gradients[0, 0].norm()
    expected = slope(lambda batch: problem.scores(batch)[:, 0], problem.pixels, direction)
    assert float((gradients[0, 0] * direction).sum()) == pytest.approx(expected, rel=accuracy)
    rows = torch.stack([problem.pixels, problem.pixels.flip(2)])
    both = problem_of(model, prepared, [1], chunk=2).gradients(rows)
    assert relative(gradients[0, 0], both[1][0, 0]) < 1e-9
    assert torch.allclose(scores[0], both[0][0], rtol=1e-10)


@pytest.mark.parametrize("name", NORMS)
def test_gradient_is_the_derivative_at_batch_one(name: str) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = NORMS[name]()
    if not isinstance(model, torch.jit.ScriptModule) and name != "script inside":
        model = fill(model.double())
    assert_is_derivative(model, (6, 8), 1e-6)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradient_is_the_derivative_on_real_architectures(name: str) -> None:
    torch.manual_seed(0)
    kind, size, options = ARCHITECTURES[name]
    model = fill(timm.create_model(kind, num_classes=10, **options).double())
    assert_is_derivative(model, (size, size), 1e-5)


def test_plain_autograd_is_wrong_there() -> None:
    """Why normalisations are written out; says so when PyTorch no longer needs it."""
    torch.manual_seed(0)
    model = fill(Transposing(nn.BatchNorm2d(8)).double())
    prepared = picture(6, 8)
    error = relative(plainly(model, prepared, 1), explain(model, prepared, 1)[0])
    if error < 1e-9:
        pytest.skip("this PyTorch differentiates BatchNorm right at batch 1")
    assert error > 0.01


@pytest.mark.parametrize(
    ("given", "statistics"),
    [
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
        (torch.bfloat16, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        (torch.float16, torch.float32),
    ],
)
def test_written_out_is_the_same_function(given: torch.dtype, statistics: torch.dtype) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, 5, 6).to(given)
    mean, var, weight, bias = (t.to(statistics) for t in (torch.randn(4), torch.rand(4) + 0.1, *torch.randn(2, 4)))
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5}.get(given, 2e-2)
    for scale, shift in ((weight, bias), (None, None), (weight, None), (None, bias)):
        wanted = F.batch_norm(x, mean, var, scale, shift, False, 0.1, 1e-5)
        found = norms.batch_norm(x, mean, var, scale, shift, False, 0.1, 1e-5)
        assert found.dtype == wanted.dtype
        torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)
    if given == statistics:
        wanted = F.instance_norm(x, weight=weight, bias=bias)
        torch.testing.assert_close(
            norms.instance_norm(x, weight=weight, bias=bias), wanted, rtol=tolerance, atol=tolerance
        )


def test_a_wrong_input_is_still_refused() -> None:
    model = nn.BatchNorm2d(3)
    norms.write_out(model)
    with pytest.raises(ValueError, match="expected 4D"):
        model(torch.rand(2, 3))


def test_statistics_of_the_batch_do_not_mix_rows() -> None:
    torch.manual_seed(0)
    model = fill(Transposing(nn.BatchNorm2d(8, track_running_stats=False)).double())
    problem = problem_of(model, picture(6, 8), [0, 2], chunk=8)
    batch = torch.rand(5, 3, 6, 8, dtype=torch.float64)
    together = problem.gradients(batch)[1]
    alone = torch.cat([problem.gradients(batch[k : k + 1])[1] for k in range(5)])
    assert torch.equal(together, alone)
