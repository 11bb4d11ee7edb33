"""The mean of a gradient along a straight path: nested points, refined where the gradient changes, in constant memory.

Along a path the gradient of a rectifier network is a sum of many small jumps at unknown places, so that it behaves like
a random walk: the mean squared change over a distance d is v d, with a variation v that differs by factors of a
thousand between one end of the path and the other. From that follows everything here.

- The best estimate between two points is the straight line between them (the trapezoid rule), and no smoother rule is
  better. Its squared error on a cell of width w is v w^3 / 12.
- The end of the path towards the baseline needs no point: extending the first one over a gap of width a costs
  v a^3 / 3. The best place for a point in that gap is a / 3.
- The next point belongs where the expected error is largest, in the middle of its cell.
- The expected error of the whole map is known without any reference.

What the scores say about a cell (their difference is the integral of the sum over all pixels) is of no use for the
pixels: on the demo model it explains less than 2 % of a cell's squared error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SPLIT = 12
"""Up to so many panels, the middle of a panel becomes an end of two; beyond, all cells of a panel are halved."""
MOST = 20
"""Up to so many panels, the gap at the baseline is made smaller."""
SKETCH = 4096
"""How many values of each map are looked at to see how much the gradient changes."""


@dataclass(eq=False)
class Panel:
    """A stretch of the path in cells of equal width, of which only the sum is kept.

    Attributes
    ----------
    left, right
        Where it begins and ends.
    cells
        How many cells it has.
    low, high
        (K, C, H, W), the gradients at its ends.
    inner
        The sum of the gradients between its cells; None where there is one cell.
    variation
        (K, s), the mean squared change for each unit of the path, on the sketch.
    """

    left: float
    right: float
    cells: int
    low: Tensor
    high: Tensor
    inner: Tensor | None
    variation: Tensor

    @property
    def width(self) -> float:
        """Width of a cell."""
        return (self.right - self.left) / self.cells

    @property
    def square(self) -> Tensor:
        """(K, s), the expected squared error of the panel's integral."""
        return self.variation * (self.cells * self.width**3 / 12)


@dataclass(eq=False)
class Refinement:
    """Points to be added to one panel (None: to the gap at the baseline), and what was found at them so far."""

    panel: Panel | None
    points: tuple[float, ...]
    first: Tensor | None = None
    total: Tensor | None = None
    last: Tensor | None = None
    squares: Tensor | None = None


class Line:
    """The mean of a gradient along the path from a baseline (0) to the picture (1).

    Keeps at most ``2 MOST + 1`` gradients, however many points it has seen.

    Parameters
    ----------
    gradient
        (K, C, H, W), the gradients at 1.
    displacement
        (C, H, W), picture less baseline: what the mean gradient is multiplied with in the end.
    """

    def __init__(self, gradient: Tensor, displacement: Tensor) -> None:
        self.points = 1
        self._displacement = displacement
        self._panels: list[Panel] = []
        self._left, self._low = 1.0, wide(gradient)
        size = displacement.numel()
        order = torch.randperm(size, generator=torch.Generator(device="cpu").manual_seed(0), device="cpu")
        self._where = order[:SKETCH].sort().values.to(displacement.device)
        self._factor = displacement.flatten()[self._where]

    # -- the estimate -------------------------------------------------------------------------------------------

    def attribution(self) -> Tensor:
        """(K, C, H, W), the mean gradient times the displacement."""
        total = self._left * self._low
        for panel in self._panels:
            total.add_(panel.low, alpha=panel.width / 2).add_(panel.high, alpha=panel.width / 2)
            if panel.inner is not None:
                total.add_(panel.inner, alpha=panel.width)
        return total * self._displacement

    def error(self, attribution: Tensor) -> list[float | None]:
        """The expected relative L1 error of each map; None before it can be known."""
        if not self._panels:
            return [None] * len(attribution)
        square = sum((panel.square for panel in self._panels), start=self._gap_square())
        expected = square.sqrt().mean(1) * math.sqrt(2 / math.pi)
        size = self._scale(attribution)
        return [float(e / s) if s > 0 else None for e, s in zip(expected.tolist(), size.tolist(), strict=True)]

    # -- the next points ----------------------------------------------------------------------------------------

    def plan(self, room: int) -> list[Refinement]:
        """The refinements that lessen the expected error most, worst first, of ``room`` points in all.

        With several targets, a cell's error is the root of the sum of squares of its errors relative to each map.
        Where none fits into ``room``, the worst alone.
        """
        gap = Refinement(None, (self._left / 3,))
        if not self._panels:
            return [gap]
        options = [(_middles(panel), panel.square / panel.cells, panel.width) for panel in self._panels]
        choices = [Refinement(panel, points) for panel, (points, _, _) in zip(self._panels, options, strict=True)]
        squares, widths = [square for _, square, _ in options], [width for _, _, width in options]
        if len(self._panels) < MOST:
            choices.append(gap)
            # As its points halve the gap's error more than a cell's, both are compared as cells.
            squares.append(self._gap_square())
            widths.append(self._left)
        scale = self._scale(self.attribution()).clamp_min(torch.finfo(self._low.dtype).tiny)
        relative = torch.stack(squares).sqrt().mean(2) / scale
        worth = torch.nan_to_num(relative.square().sum(1), nan=0.0).tolist()
        order = sorted(range(len(choices)), key=lambda i: (-worth[i], -widths[i], i))
        chosen: list[Refinement] = []
        for i in order:
            if len(choices[i].points) <= room:
                chosen.append(choices[i])
                room -= len(choices[i].points)
        return chosen or [choices[order[0]]]

    def take(self, refinement: Refinement, gradient: Tensor) -> None:
        """Learn the gradients (K, C, H, W) at the next point of a refinement."""
        sketch = self._sketch(gradient)
        if refinement.first is None:
            # A clone, because a row of a batch keeps the batch.
            refinement.first = wide(gradient).clone()
            before = None if refinement.panel is None else self._sketch(refinement.panel.low)
        else:
            if refinement.total is None:
                refinement.total = refinement.first + wide(gradient)
            else:
                refinement.total.add_(wide(gradient))
            before = refinement.last
        if before is not None:
            change = (sketch - before).square()
            refinement.squares = change if refinement.squares is None else refinement.squares + change
        refinement.last = sketch

    def settle(self, refinement: Refinement) -> None:
        """Put a refinement whose points are all known into the estimate."""
        first, last = refinement.first, refinement.last
        assert first is not None
        assert last is not None
        self.points += len(refinement.points)
        panel = refinement.panel
        if panel is None:
            (point,) = refinement.points
            variation = (self._sketch(self._low) - last).square() / (self._left - point)
            self._panels.insert(0, Panel(point, self._left, 1, first, self._low, None, variation))
            self._left, self._low = point, first
            return
        assert refinement.squares is not None
        rest = (self._sketch(panel.high) - last).square()
        if panel.cells == 1 and len(self._panels) < SPLIT:
            (point,) = refinement.points
            half = panel.right - point
            at = self._panels.index(panel)
            self._panels[at : at + 1] = [
                Panel(panel.left, point, 1, panel.low, first, None, refinement.squares / half),
                Panel(point, panel.right, 1, first, panel.high, None, rest / half),
            ]
            return
        new = first if refinement.total is None else refinement.total
        panel.inner = new if panel.inner is None else panel.inner.add_(new)
        panel.cells *= 2
        panel.variation = (refinement.squares + rest) / (panel.right - panel.left)

    # -- parts --------------------------------------------------------------------------------------------------

    def _sketch(self, gradient: Tensor) -> Tensor:
        return wide(gradient).flatten(1)[:, self._where] * self._factor

    def _scale(self, attribution: Tensor) -> Tensor:
        return attribution.flatten(1)[:, self._where].abs().mean(1)

    def _gap_square(self) -> Tensor:
        return self._panels[0].variation * (self._left**3 / 3)


def _middles(panel: Panel) -> tuple[float, ...]:
    return tuple(panel.left + panel.width * (k + 0.5) for k in range(panel.cells))


def wide(tensor: Tensor) -> Tensor:
    """The tensor itself, in float32 where it is shorter."""
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def chunks(refinements: Sequence[Refinement], rows: int) -> list[list[tuple[Refinement, float]]]:
    """All points of the refinements in order, in batches of ``rows``."""
    flat = [(refinement, point) for refinement in refinements for point in refinement.points]
    return [flat[k : k + rows] for k in range(0, len(flat), rows)]
