"""How accurate integrated gradients are for their cost: the adaptive rule against fixed ones.

Prints the table and writes benchmarks/ig_accuracy.md. References (2,048 uniform midpoints) take a minute or two each on
one core and are kept in --references.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saliency_widget.engine.problem import Problem
from saliency_widget.explainer import Explainer
from saliency_widget.methods.baselines import make_baseline
from saliency_widget.methods.path import IntegratedGradients
from saliency_widget.models import demo

PHOTOGRAPHS = ("chelsea", "coffee", "rocket")
BASELINES = ("black", "blur", "noise")
COUNTS = (16, 32, 64)
REFERENCE = 2048
ROWS = 8

Rule = Callable[[int], tuple[np.ndarray, np.ndarray]]


def gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes + 1) / 2, weights / 2


def midpoint(n: int) -> tuple[np.ndarray, np.ndarray]:
    return (np.arange(n) + 0.5) / n, np.full(n, 1 / n)


def trapezoid(n: int) -> tuple[np.ndarray, np.ndarray]:
    weights = np.full(n, 1 / (n - 1))
    weights[[0, -1]] /= 2
    return np.linspace(0, 1, n), weights


def warped_midpoint(n: int) -> tuple[np.ndarray, np.ndarray]:
    u = (np.arange(n) + 0.5) / n
    return u**2, 2 * u / n


RULES: dict[str, Rule] = {
    "Gauss-Legendre": gauss_legendre,
    "midpoint": midpoint,
    "trapezoid": trapezoid,
    "midpoint in u, alpha = u^2": warped_midpoint,
}

SECANTS = "secants (experiment)"


def problem_of(photograph: str) -> Problem:
    explainer = Explainer(demo.model(), demo.image(photograph))
    return Problem(explainer.shadow, explainer.prepared, (explainer.resolve(None),), chunk=ROWS)


def by_rule(problem: Problem, baseline: Tensor, nodes: np.ndarray, weights: np.ndarray) -> Tensor:
    way = problem.pixels - baseline
    total = torch.zeros_like(way, dtype=torch.float64)
    with problem.running():
        for start in range(0, len(nodes), ROWS):
            alphas = torch.from_numpy(nodes[start : start + ROWS]).to(way)
            _, gradients = problem.gradients(baseline + alphas[:, None, None, None] * way)
            for weight, gradient in zip(weights[start : start + ROWS], gradients[:, 0], strict=True):
                total += float(weight) * gradient
    return total * way


class _Secant(torch.autograd.Function):
    """ReLU6 whose derivative is the mean one between a row and the next, were its input to move evenly."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = x.clamp(0, 6)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        x, y = ctx.saved_tensors
        dx, dy = x.diff(dim=0), y.diff(dim=0)
        middle = (x[1:] + x[:-1]) / 2
        flat = ((middle > 0) & (middle < 6)).to(x)
        slope = torch.where(dx.abs() > 1e-4 * (x[:-1].abs() + 1e-3), dy / dx, flat)
        return torch.cat([gradient[:-1] * slope, torch.zeros_like(gradient[:1])])


class _SecantReLU6(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return _Secant.apply(x)


def by_secants(problem: Problem, baseline: Tensor, n: int) -> Tensor:
    """An experiment, not part of the package: the demo model with secants for its rectifiers, in the cells of u^2."""
    model = demo.model()
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU6):
                setattr(module, name, _SecantReLU6())
    way = problem.pixels - baseline
    edges = (np.arange(n + 1) / n) ** 2
    total = torch.zeros_like(way, dtype=torch.float64)
    for start in range(0, n, ROWS):
        part = torch.from_numpy(edges[start : start + ROWS + 1]).to(way)
        places = (baseline + part[:, None, None, None] * way).requires_grad_()
        scores = model((places - 0.5) / 0.5)[:, problem.targets[0].index]
        (gradients,) = torch.autograd.grad(scores[:-1].sum(), places)
        for width, gradient in zip(np.diff(edges[start : start + ROWS + 1]), gradients[:-1], strict=True):
            total += float(width) * gradient
    return total * way


def reference(problem: Problem, photograph: str, name: str, baseline: Tensor, folder: Path) -> Tensor:
    file = folder / f"{photograph}-{name}-{REFERENCE}.npy"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(file, by_rule(problem, baseline, *midpoint(REFERENCE)).numpy())
    return torch.from_numpy(np.load(file))


def error(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().sum() / wanted.abs().sum())


def measure(photographs: tuple[str, ...], folder: Path) -> tuple[dict[tuple[str, str, int], float], float]:
    """The error by baseline, rule and number of gradients, and the mean ratio of the expected error to the true one."""
    errors: dict[tuple[str, str, int], float] = {}
    calibration: list[float] = []
    for photograph in photographs:
        problem = problem_of(photograph)
        for name in BASELINES:
            baseline = make_baseline(name, problem.pixels, seed=0)
            wanted = reference(problem, photograph, name, baseline, folder)

            def add(rule: str, n: int, value: float, name: str = name) -> None:
                errors[name, rule, n] = errors.get((name, rule, n), 0.0) + value / len(photographs)

            for estimate in IntegratedGradients(steps=max(COUNTS), baseline=name).estimates(problem):
                if estimate.done in COUNTS:
                    true = error(estimate.values[0], wanted)
                    add("adaptive", estimate.done, true)
                    calibration.append(estimate.quality[0]["expected_error"] / true)
            for n in COUNTS:
                add(SECANTS, n, error(by_secants(problem, baseline, n), wanted))
                for rule, nodes in RULES.items():
                    add(rule, n, error(by_rule(problem, baseline, *nodes(n)), wanted))
            print(f"{photograph}, {name}: done", flush=True)
    return errors, float(np.mean(calibration))


def table(errors: dict[tuple[str, str, int], float]) -> tuple[str, list[float], bool]:
    """The table in Markdown, the ratios to Gauss-Legendre, and whether the adaptive rule is the best everywhere."""
    head = ["baseline", "gradients", "adaptive", *RULES, "adaptive / Gauss-Legendre", "adaptive / best fixed", SECANTS]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    ratios: list[float] = []
    best = True
    for name in BASELINES:
        for n in COUNTS:
            own = errors[name, "adaptive", n]
            fixed = [errors[name, rule, n] for rule in RULES]
            ratios.append(own / fixed[0])
            best = best and own < min(fixed)
            cells = [name, str(n), f"**{own:.3f}**", *(f"{value:.3f}" for value in fixed)]
            ends = [f"{ratios[-1]:.2f}", f"{own / min(fixed):.2f}", f"{errors[name, SECANTS, n]:.3f}"]
            lines.append("| " + " | ".join([*cells, *ends]) + " |")
    return "\n".join(lines), ratios, best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one photograph")
    parser.add_argument("--references", type=Path, default=Path(tempfile.gettempdir()) / "saliency_widget-references")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    photographs = PHOTOGRAPHS[:1] if options.quick else PHOTOGRAPHS
    errors, calibration = measure(photographs, options.references)
    text, ratios, best = table(errors)
    summary = (
        f"Mean ratio to Gauss-Legendre: {np.mean(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f}). "
        f"Below every fixed rule in {'every' if best else 'not every'} row. "
        f"Expected error / true error, mean: {calibration:.2f}."
    )
    print(text, summary, sep="\n\n")
    if not options.quick:
        notes = options.output.with_name("ig_accuracy_notes.md").read_text()
        options.output.write_text(HEADER + text + "\n\n" + summary + "\n\n" + notes)


HEADER = f"""# Integrated gradients: accuracy for the cost

Written by `make bench`. Demo model, predicted class, logit. Error: relative L1 distance of the map to the one of
{REFERENCE:,} uniform steps; mean of {", ".join(PHOTOGRAPHS)}.

"""


if __name__ == "__main__":
    main()
