"""Which layers have a spatial grid, and which of them is the last that matters."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from saliency_widget.engine.activations import Forward, Score
from saliency_widget.engine.grids import Grid, Size, find_grid
from saliency_widget.engine.layers import Layer
from saliency_widget.engine.replica import Replica
from saliency_widget.engine.taps import differentiate
from saliency_widget.errors import ModelError
from saliency_widget.models.detectors import is_of_regions
from saliency_widget.targets.reading import places_in

# A maximum over the tokens, or over the cells, reaches a few of them only.
_ENOUGH = 0.25
_AT_ONCE = 6


@dataclass(eq=False)
class Candidate:
    """The last call of a layer whose output has a grid.

    Attributes
    ----------
    name, kind, grid, calls
        As in :class:`~saliency_widget.engine.layers.Layer`.
    edge
        Where the graph of the forward pass left the layer.
    bare
        It returned the tensor itself and not something around it.
    """

    name: str
    kind: str
    grid: Grid
    calls: int
    edge: GradientEdge
    bare: bool

    @property
    def is_step(self) -> bool:
        """A linear map of tokens, as of an attention's queries, or a pooling to a fixed size: no stage of its own."""
        return self.kind.startswith("Adaptive") or (self.kind.endswith("Linear") and self.grid.layout != "NCHW")


class Survey:
    """One forward pass of a picture in which every layer says what it returned.

    Parameters
    ----------
    replica
        The model. It is computing.
    forward, score
        As in :class:`~saliency_widget.engine.activations.Reader`.
    row
        (1, C, H, W).
    patch
        Size of the patches that tokens stand for, where the model states it.

    Attributes
    ----------
    candidates
        In the order in which they returned.
    """

    def __init__(self, replica: Replica, forward: Forward, score: Score, row: Tensor, patch: int | Size | None) -> None:
        self._picture: Size = (row.shape[2], row.shape[3])
        self._patch = patch
        self._last: dict[str, Candidate] = {}
        self._calls: dict[str, int] = {}
        with ExitStack() as stack:
            for name, module in replica.module.named_modules():
                if name:
                    # A part of a ScriptModule takes no hook.
                    with suppress(RuntimeError, AttributeError):
                        handle = module.register_forward_hook(self._hook(name))
                        stack.callback(handle.remove)
            outputs = forward(replica, row.detach().requires_grad_(), 1)
        scores = score(outputs)
        if not scores.requires_grad:
            raise ModelError(_NO_PATH)
        # No two scores may cancel, as the two directions of one contrast would.
        weights = torch.linspace(1.0, 1.7, scores.shape[1], device=scores.device, dtype=scores.dtype)
        self._total = (scores * weights).sum()
        places = places_in(outputs)
        never = -1 if places is None else places.shape[1]
        self.candidates = _distinct(
            [
                one
                for one in self._last.values()
                # The queries of a detector are no patches, and a region's cells are not the picture's.
                if not (one.grid.layout in ("NTC", "TNC") and one.grid.tokens == never)
                and not is_of_regions(replica.module, one.name)
            ]
        )

    def _hook(self, name: str) -> Any:
        def hook(module: nn.Module, _given: Any, output: Any) -> None:
            self._calls[name] = calls = self._calls.get(name, 0) + 1
            self._last.pop(name, None)
            found = find_grid(output, self._picture, rows=1, patch=self._patch)
            if found is not None and found.tensor.requires_grad:
                edge = get_gradient_edge(found.tensor)
                self._last[name] = Candidate(
                    name, type(module).__name__, found.grid, calls, edge, found.tensor is output
                )

        return hook

    def layers(self) -> tuple[Layer, ...]:
        """All layers with a grid, in the order in which they returned; of those that return the same, one."""
        shares = self._shares(self.candidates)
        return tuple(
            Layer(one.name, one.kind, one.grid, one.calls, share is not None and share > 0)
            for one, share in zip(self.candidates, shares, strict=True)
        )

    def pick(self) -> tuple[str, bool]:
        """The last executed layer with a grid whose gradient on the grid is not zero, and whether that is for good.

        It is not where no layer has a gradient: the weights may change.

        Linear maps of tokens are left out: they are parts of an attention or of a perceptron rather than what a
        transformer passes on; and so is pooling to a fixed size, which resamples the grid of the layer before it.

        Raises
        ------
        ModelError
            There is none.
        """
        fitting = [one for one in self.candidates if not one.is_step] or self.candidates
        few: str | None = None
        reached: str | None = None
        for stop in range(len(fitting), 0, -_AT_ONCE):
            some = fitting[max(0, stop - _AT_ONCE) : stop]
            for one, share in reversed(list(zip(some, self._shares(some), strict=True))):
                if share is None:
                    continue
                if share >= _ENOUGH:
                    return one.name, True
                if share > 0:
                    few = few or one.name
                elif not one.grid.prefix:
                    reached = reached or one.name
        chosen = few or reached
        if chosen is None:
            raise ModelError(
                "no layer of the model returns activations on a spatial grid on which the score depends. A class "
                "activation map needs one: use a method that works on the pixels."
            )
        return chosen, few is not None

    def _shares(self, some: Sequence[Candidate]) -> list[float | None]:
        """Of each, the share of cells with a gradient; None where the score does not depend on it."""
        if not some:
            return []
        found = differentiate(self._total, [one.edge for one in some], keep=True)
        return [
            None if gradient is None else float(one.grid.read(gradient).ne(0).any(dim=1).float().mean())
            for one, gradient in zip(some, found, strict=True)
        ]


def _distinct(found: list[Candidate]) -> list[Candidate]:
    """Without false grids, and of layers that return the same tensor only the outermost and of these the first."""
    lengths = {one.grid.tokens for one in found if one.grid.layout in ("NTC", "TNC")}
    chosen: dict[tuple[int, int], Candidate] = {}
    for one in found:
        # Attention between tokens, or tokens split among heads, look like a map with a row or a column for each token.
        if one.grid.layout == "NCHW" and lengths & {one.grid.height, one.grid.width}:
            continue
        key = (id(one.edge.node), one.edge.output_nr)
        known = chosen.get(key)
        if known is None or _rank(one) < _rank(known):
            chosen.pop(key, None)
            chosen[key] = one
    return sorted(chosen.values(), key=found.index)


def _rank(one: Candidate) -> tuple[bool, int]:
    return (not one.bare, one.name.count("."))


_NO_PATH = (
    "no gradient leads from the score to the picture, so no layer can be picked. Give a layer that comes after the "
    "place where the model leaves the graph."
)
