"""Read a layer's activations and the gradients towards them, and run what comes after a layer alone.

Two ways lead to the gradients. Along the whole graph they are taken towards the point at which the layer returned, so
that nothing which happens to its output afterwards, in place or through another name, can spoil them: this is the
definition. Cut at the layer, the trunk before it runs without a graph and keeps nothing for a backward pass; that is
the same wherever the rest of the model uses what the layer returns and nothing else of it, which is checked once for
each layer against the definition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from saliency_widget.engine.batching import is_out_of_memory
from saliency_widget.engine.classes import ClassPlan
from saliency_widget.engine.grids import Grid, Size, find_grid, tensors_in
from saliency_widget.engine.layers import shown_name
from saliency_widget.engine.replica import Replica
from saliency_widget.errors import InputError, ModelError

Forward: TypeAlias = Callable[[Replica, Tensor, int], Tensor]
Score: TypeAlias = Callable[[Tensor], Tensor]
Triple: TypeAlias = tuple[Tensor, Tensor, Tensor]

_TOLERANCE = 1e-4
_ROUGH = 2e-2  # for types of eight bits and fewer


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
    gradients
        (N, K, c, h, w): score per unit of activation.
    """

    layer: str
    grid: Grid
    values: Tensor
    scores: Tensor
    gradients: Tensor


@dataclass(eq=False)
class Tap:
    """What is known of a layer of a replica, for pictures of one size.

    Attributes
    ----------
    name
        Dotted.
    calls
        How often one forward pass calls it: the last call counts.
    grid
        Where the grid lies in what it returns.
    way
        "cut": the trunk runs without a graph. "whole": it may not. "unchecked": not known yet.
    head
        "one": the head runs at any number of rows on a trunk of one. "same": it needs a trunk of as many rows.
    felt
        Whether a gradient towards it has been seen that is not zero: without one nothing can be checked.
    """

    name: str
    calls: int
    grid: Grid
    way: Literal["unchecked", "cut", "whole"] = "unchecked"
    head: Literal["unchecked", "one", "same"] = "unchecked"
    felt: bool = False


class _Missed(Exception):
    """The layer was not called, or what it returned was not used, when the trunk was cut."""


class Reader:
    """Reads the layers of a replica.

    Parameters
    ----------
    forward
        From a replica, pixels (N, C, H, W) and the number of rows that come out, to the logits.
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
        self, forward: Forward, score: Score, plan: ClassPlan, picture: Size, patch: int | Size | None
    ) -> None:
        self._forward = forward
        self._score = score
        self._plan = plan
        self.picture = picture
        self.patch = patch

    def tap(self, replica: Replica, name: str, row: Tensor) -> Tap:
        """What is known of a layer; one pass of ``row`` (1, C, H, W) where nothing is."""
        found = replica.taps.get((name, self.picture))
        return found if found is not None else self._first(replica, name, row)[0]

    def read(self, replica: Replica, name: str, rows: Tensor) -> Triple:
        """Scores (N, K), activations (N, c, h, w) and gradients (N, K, c, h, w) of a layer."""
        parts: list[Triple] = []
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
        if len(parts) == 1:
            return parts[0]
        scores, values, gradients = (torch.cat(column) for column in zip(*parts, strict=True))
        return scores, values, gradients

    # -- the two ways to the gradients --------------------------------------------------------------------------

    def _first(self, replica: Replica, name: str, row: Tensor) -> tuple[Tap, Triple]:
        tap, triple = self._whole(replica, name, row)
        replica.taps[name, self.picture] = tap
        return tap, triple

    def _checked(self, replica: Replica, tap: Tap, row: Tensor) -> Triple:
        wanted = self._whole(replica, tap.name, row)[1]
        try:
            found = self._cut(replica, tap, row)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            tap.way = "whole"
            return wanted
        same = all(agree(a, b, replica) for a, b in zip(found, wanted, strict=True))
        tap.felt = tap.felt or bool(wanted[2].any())
        if not same:
            tap.way = "whole"
        elif bool(wanted[2].any()):
            # Zeros agree whatever is wrong; the weights may not always give zeros.
            tap.way = "cut"
        return wanted

    def _whole(self, replica: Replica, name: str, rows: Tensor) -> tuple[Tap, Triple]:
        caught: list[_Caught] = []
        count = len(rows)

        def catch(output: Any) -> Any:
            caught.append(_Caught(output, self.picture, count, self.patch))
            return caught[-1].handed_on

        with replica.computing(), calling(replica, name, catch):
            pixels = rows.detach().requires_grad_()
            outputs = self._forward(replica, pixels, count)
            if not caught:
                raise _never_called(name)
            last = caught[-1]
            if last.grid is None:
                raise _no_grid(name, last.shown, self.picture)
            scores = self._score(outputs)
            gradients = last.gradients(scores, name)
            tap = Tap(name, len(caught), last.grid, felt=bool(gradients.any()))
            assert last.values is not None
            return tap, (scores.detach().clone(), last.values, gradients)

    def _cut(self, replica: Replica, tap: Tap, rows: Tensor) -> Triple:
        leaves: list[Tensor] = []
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
            if not leaves or not outputs.requires_grad:
                raise _Missed
            scores = self._score(outputs)
            gradients = self._plan.gradients(scores, leaves[0])
            if gradients is None:
                raise _Missed
            return scores.detach().clone(), leaves[0].detach(), gradients.detach()

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
            return self._head(replica, tap, row if tap.head == "one" else _rows(row, len(values)), values)

    def _head(self, replica: Replica, tap: Tap, rows: Tensor, values: Tensor) -> Tensor:
        def exchange(output: Any) -> Any:
            found = find_grid(output, self.picture, rows=len(rows), patch=self.patch)
            if found is None:
                return None
            return found.put(found.grid.write(found.tensor, values.clone()))

        with replica.computing(), calling(replica, tap.name, exchange, only=tap.calls):
            return self._forward(replica, rows, len(values)).detach().clone()

    @torch.no_grad()
    def _check_head(self, replica: Replica, tap: Tap, row: Tensor) -> None:
        own: list[Tensor] = []

        def note(output: Any) -> None:
            found = find_grid(output, self.picture, rows=1, patch=self.patch)
            own.extend([] if found is None else [found.grid.read(found.tensor).detach().clone()])

        with replica.computing(), calling(replica, tap.name, note, only=tap.calls):
            self._forward(replica, row, 1)
        if not own:
            raise _never_called(tap.name)
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
        try:
            found = self._head(replica, tap, row, trial)
        except Exception:
            tap.head = "same"
            return
        tap.head = "one" if agree(found, wanted, replica) else "same"


class _Caught:
    """One call of a layer along the whole graph."""

    def __init__(self, output: Any, picture: Size, rows: int, patch: int | Size | None) -> None:
        found = find_grid(output, picture, rows=rows, patch=patch)
        self.grid: Grid | None = None
        self.values: Tensor | None = None
        self.handed_on: Any = None
        self.shown = ""
        if found is None:
            self.shown = shown_output(output)
            return
        self.grid = found.grid
        self.values = found.grid.read(found.tensor.detach()).clone()
        self._source: GradientEdge | Tensor
        self._like = found.tensor.detach()
        if found.tensor.requires_grad:
            self._source = get_gradient_edge(found.tensor)
        else:
            # What the model cut off from the picture, it may still have a head of its own.
            self._source = self._like.clone().requires_grad_()
            self.handed_on = found.put(self._source.clone())

    def gradients(self, scores: Tensor, name: str) -> Tensor:
        """(N, K, c, h, w)."""
        assert self.grid is not None
        if not scores.requires_grad:
            raise _independent(name)
        count = scores.shape[1]
        found: list[Tensor] = []
        behind, reached = False, False
        for k in range(count):
            direction = torch.zeros_like(scores)
            direction[:, k] = 1
            (whole,) = torch.autograd.grad(
                scores, self._source, direction, retain_graph=k + 1 < count, allow_unused=True
            )
            reached = reached or whole is not None
            whole = torch.zeros_like(self._like) if whole is None else whole
            on_grid = self.grid.read(whole).clone()
            behind = behind or (not on_grid.any() and bool(whole.any()))
            found.append(on_grid)
        gradients = torch.stack(found, dim=1)
        if not reached:
            raise _independent(name)
        if behind and not gradients.any():
            raise _beside_the_grid(name, self.grid)
        return gradients


@contextmanager
def calling(replica: Replica, name: str, act: Callable[[Any], Any], only: int | None = None) -> Iterator[None]:
    """Hand what a layer returns to ``act``, at each call or at one; what it returns is used instead, unless None."""
    count = 0

    def hook(_module: nn.Module, _given: Any, output: Any) -> Any:
        nonlocal count
        count += 1
        return act(output) if only is None or count == only else None

    try:
        handle = replica.module.get_submodule(name).register_forward_hook(hook)
    except (RuntimeError, AttributeError) as error:  # a ScriptModule
        raise _never_called(name) from error
    try:
        yield
    finally:
        handle.remove()


def agree(found: Tensor, wanted: Tensor, replica: Replica) -> bool:
    """Whether two results are the same but for rounding."""
    if found.shape != wanted.shape:
        return False
    types = {parameter.dtype for parameter in replica.module.parameters()}
    low = bool(types & {torch.float16, torch.bfloat16})
    difference = (found - wanted).abs().sum()
    return bool(difference <= (_ROUGH if low else _TOLERANCE) * wanted.abs().sum()) or bool(torch.equal(found, wanted))


def _rows(row: Tensor, count: int) -> Tensor:
    return row.expand(count, -1, -1, -1)


def shown_output(output: Any) -> str:
    """What a layer returned, for a sentence."""
    shapes = [str(tuple(tensor.shape)) for tensor, _ in tensors_in(output)]
    return f"{' and '.join(shapes[:4])}" if shapes else f"a {type(output).__name__} without tensors"


def _never_called(name: str) -> InputError:
    return InputError(
        "layer",
        name,
        "is never called in a forward pass",
        "The model may use its weights without calling it, as attention does with its projections, or run inside a "
        "ScriptModule. Give the module around it.",
    )


def _no_grid(name: str, shown: str, picture: Size) -> InputError:
    return InputError(
        "layer",
        name,
        f"returns {shown}, which is no grid of cells over a picture of {picture[0]} x {picture[1]}",
        "Give a layer that comes before the pooling.",
    )


def _independent(name: str) -> InputError:
    return InputError(
        "layer",
        name,
        "returns something on which the score does not depend",
        "Give a layer on the way from the picture to this score.",
    )


def _beside_the_grid(name: str, grid: Grid) -> InputError:
    return InputError(
        "layer",
        name,
        f"returns {grid.tokens} tokens, of which the score reads the {grid.prefix} before the patches alone: the map "
        "would be zero",
        "Give an earlier layer, such as the first normalisation of the last block, or None.",
    )
