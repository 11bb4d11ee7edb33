"""Listening to one layer of a replica: what it returned, and the point in the graph at which it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from saliency_widget.engine.failures import differentiating
from saliency_widget.engine.grids import Grid, Size, find_grid, tensors_in
from saliency_widget.engine.replica import Replica
from saliency_widget.engine.waist import FEW, through_waist
from saliency_widget.errors import InputError

_TOLERANCE = 1e-4
_CHANNEL = {"NCHW": 1, "NHWC": 3}
_ROUGH = 2e-2  # for types of eight bits and fewer


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
        "one": the head runs at any number of rows on a trunk of one. "kept": it needs a trunk of as many rows, of which
        one is computed and repeated. "same": it needs a trunk of as many rows.
    felt
        Whether a gradient towards it has been seen that is not zero: without one nothing can be checked.
    """

    name: str
    calls: int
    grid: Grid
    way: Literal["unchecked", "cut", "whole"] = "unchecked"
    head: Literal["unchecked", "one", "kept", "same"] = "unchecked"
    felt: bool = False


class Caught:
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

    def factors(self, scores: Tensor) -> tuple[Tensor, Tensor] | None:
        """The gradients of many scores as two factors, (1, K, c) and (1, c, h, w); None where they are not."""
        assert self.grid is not None
        if len(scores) > 1 or scores.shape[1] <= FEW or not scores.requires_grad or self.grid.layout not in _CHANNEL:
            return None
        try:
            found = through_waist(scores, self._source, self._like, _CHANNEL[self.grid.layout])
        except RuntimeError:  # there is no way through
            return None
        return None if found is None else (found[0], self.grid.read(found[1]))

    def gradients(self, scores: Tensor, name: str) -> Tensor:
        """(N, K, c, h, w)."""
        assert self.grid is not None
        if not scores.requires_grad:
            raise independent(name)
        count = scores.shape[1]
        found: list[Tensor] = []
        behind, reached = False, False
        for k in range(count):
            direction = torch.zeros_like(scores)
            direction[:, k] = 1
            (whole,) = differentiate(scores, [self._source], direction, keep=k + 1 < count)
            reached = reached or whole is not None
            whole = torch.zeros_like(self._like) if whole is None else whole
            on_grid = self.grid.read(whole).clone()
            behind = behind or (not on_grid.any() and bool(whole.any()))
            found.append(on_grid)
        gradients = torch.stack(found, dim=1)
        if not reached:
            raise independent(name)
        if behind and not gradients.any():
            raise beside_the_grid(name, self.grid)
        return gradients


def differentiate(
    scores: Tensor, sources: Sequence[GradientEdge | Tensor], direction: Tensor | None = None, *, keep: bool
) -> tuple[Tensor | None, ...]:
    """The gradients of scores towards points of their graph; None where none leads there.

    Raises
    ------
    ModelError
        The model's forward leaves a piece of the graph out.
    """
    with differentiating():
        found: tuple[Tensor | None, ...] = torch.autograd.grad(
            scores,
            list(sources),  # type: ignore[arg-type]
            direction,
            retain_graph=keep,
            allow_unused=True,
        )
    return found


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
        raise never_called(name) from error
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


def shown_output(output: Any) -> str:
    """What a layer returned, for a sentence."""
    shapes = [str(tuple(tensor.shape)) for tensor, _ in tensors_in(output)]
    return f"{' and '.join(shapes[:4])}" if shapes else f"a {type(output).__name__} without tensors"


def never_called(name: str) -> InputError:
    """The layer took no part in a forward pass."""
    return InputError(
        "layer",
        name,
        "is never called in a forward pass",
        "The model may use its weights without calling it, as attention does with its projections, or run inside a "
        "ScriptModule. Give the module around it.",
    )


def no_grid(name: str, shown: str, picture: Size) -> InputError:
    """What the layer returned is no grid."""
    return InputError(
        "layer",
        name,
        f"returns {shown}, which is no grid of cells over a picture of {picture[0]} x {picture[1]}",
        "Give a layer that comes before the pooling.",
    )


def independent(name: str) -> InputError:
    """No gradient leads from the score to the layer."""
    return InputError(
        "layer",
        name,
        "returns something on which the score does not depend",
        "Give a layer on the way from the picture to this score.",
    )


def beside_the_grid(name: str, grid: Grid) -> InputError:
    """A gradient leads to the tokens before the patches alone."""
    return InputError(
        "layer",
        name,
        f"returns {grid.tokens} tokens, of which the score reads the {grid.prefix} before the patches alone: the map "
        "would be zero",
        "Give an earlier layer, such as the first normalisation of the last block, or None.",
    )
