"""The mean of a gradient along a straight path: nested points, refined where the gradient changes, in constant memory.

Along a path the gradient of a rectifier network is a sum of many small jumps at unknown places, so that it behaves like
a random walk: the mean squared change over a distance d is v d, with a variation v that differs by a factor of up to a
thousand between one end of the path and the other. From that follows everything here.

- The best estimate between two points is the straight line between them (the trapezoid rule); a smoother curve is no
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
from dataclasses import dataclass, field

import torch
from torch import Tensor

from saliency_widget.methods.quality import ratio
from saliency_widget.methods.sampling import wide

PILOT = (1 / 12, 1 / 4, 1 / 2, 3 / 4)
"""The first points after 1, before anything is known."""
SPLIT = 12
"""Up to so many panels, the middle of a panel becomes an end of two; beyond, all cells of a panel are halved."""
MOST = 18
"""Up to so many panels, the gap at the baseline is made smaller."""
SKETCH = 2048
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
    """Points to be added to one panel (None: to the gap at the baseline), in the order of the path.

    Attributes
    ----------
    panel, points
        Where.
    kept
        The gradients found there so far; of a panel that is halved, their sum alone.
    last, squares
        The sketch of the last one, and the squared changes between them.
    """

    panel: Panel | None
    points: tuple[float, ...]
    kept: list[Tensor] = field(default_factory=list)
    last: Tensor | None = None
    squares: list[Tensor] = field(default_factory=list)
    taken: int = 0


class Line:
    """The mean of a gradient along the path from a baseline (0) to the picture (1).

    Has room for ``2 MOST + 2`` gradients from the beginning, and needs no more, however many points it sees.

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
        gradient = wide(gradient)
        room = torch.empty((2 * MOST + 2, *gradient.shape), dtype=gradient.dtype, device=gradient.device)
        self._room = list(room.unbind(0))
        self._left, self._low = 1.0, self._keep(gradient)
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
        return [ratio(e, s) for e, s in zip(expected.tolist(), size.tolist(), strict=True)]

    # -- the next points ----------------------------------------------------------------------------------------

    def plan(self, room: int) -> list[Refinement]:
        """The refinements that lessen the expected error most, worst first, of ``room`` points in all.

        With several targets, a cell's error is the root of the sum of squares of its errors relative to each map.
        Where none fits into ``room``, the worst alone.
        """
        if not self._panels:
            return [Refinement(None, PILOT)]
        gap = Refinement(None, (self._left / 3,))
        choices = [Refinement(panel, _middles(panel)) for panel in self._panels]
        errors = [(panel.square / panel.cells).sqrt().mean(1) for panel in self._panels]
        widths = [panel.width for panel in self._panels]
        if len(self._panels) < MOST:
            choices.append(gap)
            errors.append(self._gap_square().sqrt().mean(1))
            widths.append(self._left)
        scale = self._scale(self.attribution()).clamp_min(torch.finfo(self._low.dtype).tiny)
        relative = torch.stack(errors) / scale
        worth = torch.nan_to_num(relative.square().sum(1), nan=0.0).tolist()
        order = sorted(range(len(choices)), key=lambda i: (-worth[i], -widths[i], i))
        chosen: list[Refinement] = []
        for i in order:
            if len(choices[i].points) <= room:
                chosen.append(choices[i])
                room -= len(choices[i].points)
        return chosen or [choices[order[0]]]

    def take(self, refinement: Refinement, gradient: Tensor) -> None:
        """Learn the gradients (K, C, H, W) at the next point of a refinement; its last point puts it into effect."""
        gradient, sketch = wide(gradient), self._sketch(gradient)
        panel = refinement.panel
        if panel is None or not refinement.taken:
            refinement.kept.append(self._keep(gradient))
        else:
            refinement.kept[0].add_(gradient)
        before = self._sketch(panel.low) if panel is not None and not refinement.taken else refinement.last
        if before is not None:
            refinement.squares.append((sketch - before).square())
            if panel is not None and len(refinement.squares) == 2:
                refinement.squares = [refinement.squares[0] + refinement.squares[1]]
        refinement.last = sketch
        refinement.taken += 1
        if refinement.taken < len(refinement.points):
            return
        self.points += refinement.taken
        refinement.squares.append((self._sketch(self._low if panel is None else panel.high) - sketch).square())
        if panel is None:
            self._extend(refinement)
        elif panel.cells == 1 and len(self._panels) < SPLIT:
            self._split(panel, refinement)
        else:
            self._halve(panel, refinement)
        refinement.kept, refinement.last, refinement.squares = [], None, []

    def _extend(self, refinement: Refinement) -> None:
        ends = [*refinement.points, self._left]
        gradients = [*refinement.kept, self._low]
        self._panels[:0] = [
            Panel(ends[k], ends[k + 1], 1, gradients[k], gradients[k + 1], None, square / (ends[k + 1] - ends[k]))
            for k, square in enumerate(refinement.squares)
        ]
        self._left, self._low = ends[0], gradients[0]

    def _split(self, panel: Panel, refinement: Refinement) -> None:
        (point,), (middle,), (first, second) = refinement.points, refinement.kept, refinement.squares
        half = panel.right - point
        at = self._panels.index(panel)
        self._panels[at : at + 1] = [
            Panel(panel.left, point, 1, panel.low, middle, None, first / half),
            Panel(point, panel.right, 1, middle, panel.high, None, second / half),
        ]

    def _halve(self, panel: Panel, refinement: Refinement) -> None:
        (total,) = refinement.kept
        if panel.inner is None:
            panel.inner = total
        else:
            panel.inner.add_(total)
            self._room.append(total)
        panel.cells *= 2
        panel.variation = (refinement.squares[0] + refinement.squares[1]) / (panel.right - panel.left)

    # -- parts --------------------------------------------------------------------------------------------------

    def _keep(self, gradient: Tensor) -> Tensor:
        return self._room.pop().copy_(gradient)

    def _sketch(self, gradient: Tensor) -> Tensor:
        return wide(gradient).flatten(1)[:, self._where] * self._factor

    def _scale(self, attribution: Tensor) -> Tensor:
        return attribution.flatten(1)[:, self._where].abs().mean(1)

    def _gap_square(self) -> Tensor:
        return self._panels[0].variation * (self._left**3 / 3)


def _middles(panel: Panel) -> tuple[float, ...]:
    return tuple(panel.left + panel.width * (k + 0.5) for k in range(panel.cells))


def chunks(refinements: Sequence[Refinement], rows: int) -> list[list[tuple[Refinement, float]]]:
    """All points of the refinements in order, in batches of ``rows``."""
    flat = [(refinement, point) for refinement in refinements for point in refinement.points]
    return [flat[k : k + rows] for k in range(0, len(flat), rows)]
