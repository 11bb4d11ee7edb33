"""Read a layer's activations and the gradients towards them, and run what comes after a layer alone.

Two ways lead to the gradients. Along the whole graph they are taken towards the point at which the layer returned, so
that nothing which happens to its output afterwards, in place or through another name, can spoil them: this is the
definition. Cut at the layer, the trunk before it runs without a graph and keeps nothing for a backward pass; that is
the same wherever the rest of the model uses what the layer returns and nothing else of it, which is checked once for
each layer against the definition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from saliency_widget.engine.batching import is_out_of_memory
from saliency_widget.engine.classes import ClassPlan
from saliency_widget.engine.devices import CPU
from saliency_widget.engine.grids import Grid, Size, find_grid
from saliency_widget.engine.kept import handing_out, watching
from saliency_widget.engine.layers import shown_name
from saliency_widget.engine.replica import Replica
from saliency_widget.engine.taps import Caught, Tap, agree, calling, never_called, no_grid
from saliency_widget.engine.waist import FEW, through_waist
from saliency_widget.errors import ModelError

Forward: TypeAlias = Callable[[Replica, Tensor, int], Tensor]
Score: TypeAlias = Callable[[Tensor], Tensor]
Head: TypeAlias = Callable[[Replica, Tap, Tensor, Tensor], Tensor]
Reading: TypeAlias = tuple[Tensor, ...]
"""Scores (N, K), activations (N, c, h, w) and gradients (N, K, c, h, w); or, of the gradients, two factors: what is
behind the waist (N, K, c), and the local share (N, c, h, w)."""


@dataclass(frozen=True, eq=False)
class Activations:
    """What a layer returned, and the derivative of each score with respect to it.

    Attributes
    ----------
    layer
        Its dotted name.
    grid
        Where the grid lies in what it returns.
    values
        (N, c, h, w), in the model's type.
    scores
        (N, K), in float32 or better.
    factors
        The gradients (N, K, c, h, w) alone; or (N, K, c) and (N, c, h, w), whose products they are: of many scores the
        gradients take more memory than a model.
    """

    layer: str
    grid: Grid
    values: Tensor
    scores: Tensor
    factors: tuple[Tensor, ...]

    @property
    def gradients(self) -> Tensor:
        """(N, K, c, h, w): score per unit of activation."""
        return _product(self.factors)

    def some(self, start: int, stop: int) -> Tensor:
        """The same of some of the scores."""
        return _product((self.factors[0][:, start:stop], *self.factors[1:]))


def _product(factors: tuple[Tensor, ...]) -> Tensor:
    return factors[0] if len(factors) == 1 else factors[0][..., None, None] * factors[1][:, None]


class _Missed(Exception):
    """The layer was not called, or what it returned was not used, when the trunk was cut."""


class Reader:
    """Reads the layers of a replica.

    Parameters
    ----------
    forward
        From a replica, pixels (N, C, H, W) and the number of rows that come out, to the logits.
    follow
        The same, where what the layer returns is exchanged.
    score
        From logits (N, classes) to the scores of the targets (N, K).
    plan
        How several scores are differentiated.
    picture
        Height and width of the picture.
    patch
        Size of the patches that tokens stand for, where the model states it.
    """

    def __init__(
        self,
        forward: Forward,
        follow: Forward,
        score: Score,
        plan: ClassPlan,
        picture: Size,
        patch: int | Size | None,
    ) -> None:
        self._forward = forward
        self._follow = follow
        self._score = score
        self._plan = plan
        self.picture = picture
        self.patch = patch

    def tap(self, replica: Replica, name: str, row: Tensor) -> Tap:
        """What is known of a layer; one pass of ``row`` (1, C, H, W) where nothing is."""
        found = replica.taps.get((name, self.picture))
        return found if found is not None else self._first(replica, name, row)[0]

    def read(self, replica: Replica, name: str, rows: Tensor, *, alone: bool) -> Reading:
        """What there is to know of a layer; in factors only where the row is ``alone``."""
        parts: list[Reading] = []
        tap = replica.taps.get((name, self.picture))
        if tap is None:
            tap, first = self._first(replica, name, rows[:1])
            parts.append(first)
            rows = rows[1:]
        if len(rows) and tap.way == "unchecked":
            parts.append(self._checked(replica, tap, rows[:1]))
            rows = rows[1:]
        if len(rows):
            parts.append(self._cut(replica, tap, rows) if tap.way == "cut" else self._whole(replica, name, rows)[1])
        if alone:
            return parts[0]
        return tuple(torch.cat(column) for column in zip(*map(_multiplied, parts), strict=True))

    # -- the two ways to the gradients --------------------------------------------------------------------------

    def _first(self, replica: Replica, name: str, row: Tensor) -> tuple[Tap, Reading]:
        tap, reading = self._whole(replica, name, row)
        replica.taps[name, self.picture] = tap
        return tap, reading

    def _checked(self, replica: Replica, tap: Tap, row: Tensor) -> Reading:
        wanted = self._whole(replica, tap.name, row)[1]
        try:
            found = self._cut(replica, tap, row)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            tap.way = "whole"
            return wanted
        if len(found) != len(wanted):
            found, wanted = _multiplied(found), _multiplied(wanted)
        same = all(agree(a, b, replica) for a, b in zip(found, wanted, strict=True))
        felt = all(bool(factor.any()) for factor in wanted[2:])
        tap.felt = tap.felt or felt
        if not same:
            tap.way = "whole"
        elif felt:
            # Zeros agree whatever is wrong; the weights may not always give zeros.
            tap.way = "cut"
        return wanted

    def _whole(self, replica: Replica, name: str, rows: Tensor) -> tuple[Tap, Reading]:
        caught: list[Caught] = []
        wanted, rows = len(rows), _paired(replica, rows)
        count = len(rows)

        def catch(output: Any) -> Any:
            caught.append(Caught(output, self.picture, count, self.patch))
            return caught[-1].handed_on

        with replica.computing(), calling(replica, name, catch):
            pixels = rows.detach().requires_grad_()
            outputs = self._forward(replica, pixels, count)
            if not caught:
                raise never_called(name)
            # Now: where activations are computed a second time on the way back, the layer is called again.
            calls, last = len(caught), caught[-1]
            if last.grid is None:
                raise no_grid(name, last.shown, self.picture)
            scores = self._score(outputs)
            gradients = last.factors(scores) or (last.gradients(scores, name),)
            tap = Tap(name, calls, last.grid, felt=all(bool(factor.any()) for factor in gradients))
            assert last.values is not None
            factors = (factor.detach()[:wanted] for factor in gradients)
            return tap, (scores.detach()[:wanted].clone(), last.values[:wanted], *factors)

    def _cut(self, replica: Replica, tap: Tap, rows: Tensor) -> Reading:
        leaves: list[Tensor] = []
        wanted, rows = len(rows), _paired(replica, rows)
        count = len(rows)

        def cut(output: Any) -> Any:
            found = find_grid(output, self.picture, rows=count, patch=self.patch)
            if found is None or found.grid != tap.grid:
                return None
            constant = found.tensor.detach()
            leaf = found.grid.read(constant).clone().requires_grad_()
            leaves.append(leaf)
            # Handed on as another tensor, which the model may write into.
            return found.put(found.grid.write(constant, leaf.clone()))

        with replica.computing(), calling(replica, tap.name, cut, only=tap.calls):
            outputs = self._forward(replica, rows.detach(), count)
            scores = self._score(outputs)
            if not leaves or not scores.requires_grad:
                raise _Missed
            found: tuple[Tensor, ...] | None = None
            if len(scores) == 1 and scores.shape[1] > FEW:
                found = through_waist(scores, leaves[0], leaves[0], 1)
            if found is None:
                gradients = self._plan.gradients(scores, leaves[0])
                if gradients is None:
                    raise _Missed
                found = (gradients,)
            factors = (factor.detach()[:wanted] for factor in found)
            return scores.detach()[:wanted].clone(), leaves[0].detach()[:wanted], *factors

    # -- the head alone -----------------------------------------------------------------------------------------

    def head(self, replica: Replica, tap: Tap, row: Tensor, values: Tensor) -> Tensor:
        """The logits (N, classes) that follow from activations (N, c, h, w) of a layer.

        Parameters
        ----------
        row
            (1, C, H, W): the pixels from which all else comes that the head uses.
        """
        if tap.head == "unchecked":
            self._check_head(replica, tap, row)
        with torch.no_grad():
            if tap.head == "kept":
                return self._kept_head(replica, tap, row, values)
            return self._head(replica, tap, row if tap.head == "one" else _rows(row, len(values)), values)

    def _kept_head(self, replica: Replica, tap: Tap, row: Tensor, values: Tensor) -> Tensor:
        with replica.computing(), watching(replica, tap.name, tap.calls) as parts:
            self._forward(replica, row, 1)
        with handing_out(parts, len(values)):
            return self._head(replica, tap, _rows(row, len(values)), values)

    def _head(self, replica: Replica, tap: Tap, rows: Tensor, values: Tensor) -> Tensor:
        def exchange(output: Any) -> Any:
            found = find_grid(output, self.picture, rows=len(rows), patch=self.patch)
            if found is None:
                return None
            return found.put(found.grid.write(found.tensor, values.clone()))

        with replica.computing(), calling(replica, tap.name, exchange, only=tap.calls):
            return self._follow(replica, rows, len(values)).detach().clone()

    @torch.no_grad()
    def _check_head(self, replica: Replica, tap: Tap, row: Tensor) -> None:
        own: list[Tensor] = []

        def note(output: Any) -> None:
            found = find_grid(output, self.picture, rows=1, patch=self.patch)
            own.extend([] if found is None else [found.grid.read(found.tensor).detach().clone()])

        with replica.computing(), calling(replica, tap.name, note, only=tap.calls):
            self._forward(replica, row, 1)
        if not own:
            raise never_called(tap.name)
        generator = torch.Generator().manual_seed(0)
        noise = torch.rand(own[0].shape, generator=generator).to(own[0])
        trial = torch.cat([own[0], own[0] / 2, own[0] + noise])
        wanted = torch.cat([self._head(replica, tap, row, one[None]) for one in trial])
        if torch.equal(wanted[0], wanted[1]) and torch.equal(wanted[0], wanted[2]):
            if not tap.felt:
                return
            raise ModelError(
                f"what {shown_name(tap.name)} returns cannot be exchanged: the model uses it under another name, for "
                "example after a call in place whose result it ignores. Give the layer after it or before it."
            )
        if self._same(self._head, replica, tap, row, trial, wanted):
            tap.head = "one"
        else:
            tap.head = "kept" if self._same(self._kept_head, replica, tap, row, trial, wanted) else "same"

    @staticmethod
    def _same(run: Head, replica: Replica, tap: Tap, row: Tensor, trial: Tensor, wanted: Tensor) -> bool:
        try:
            found = run(replica, tap, row, trial)
        except Exception:  # whatever a model raises where rows do not fit
            return False
        return agree(found, wanted, replica)


def _multiplied(reading: Reading) -> Reading:
    return (*reading[:2], _product(reading[2:]))


def _paired(replica: Replica, rows: Tensor) -> Tensor:
    # No function mode sees into a ScriptModule, where PyTorch's CPU BatchNorm is wrong for a single row.
    return torch.cat([rows, rows]) if replica.scripted and len(rows) == 1 and rows.device == CPU else rows


def _rows(row: Tensor, count: int) -> Tensor:
    return row.expand(count, -1, -1, -1)
