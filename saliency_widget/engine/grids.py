"""Find the spatial grid in what a layer returns, and bring activations onto it and back.

Pure arithmetic on shapes: nothing here runs a model.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

Layout: TypeAlias = Literal["NCHW", "NHWC", "NTC", "TNC"]
Size: TypeAlias = tuple[int, int]

# A class token and a few registers; more is not told from chance, unless the size of the patches is known.
_MOST_PREFIX = 16
# How many tokens in front an exact division of the picture is worth.
_INEXACT = 1.5


@dataclass(frozen=True)
class Grid:
    """Where the spatial grid lies in a layer's output.

    Attributes
    ----------
    layout
        "NCHW"; "NHWC" (Swin); "NTC" or "TNC": tokens, the patches row by row after the prefix.
    height, width
        Of the grid.
    channels
        Of each cell.
    prefix
        How many tokens stand before the patches: class token, distillation token, registers.
    """

    layout: Layout
    height: int
    width: int
    channels: int
    prefix: int = 0

    @property
    def text(self) -> str:
        """In words: "7 x 7"."""
        return f"{self.height} x {self.width}"

    @property
    def tokens(self) -> int:
        """How many tokens there are, the prefix included."""
        return self.prefix + self.height * self.width

    def read(self, tensor: Tensor) -> Tensor:
        """The activations on the grid, (N, C, h, w), of a tensor in this layout; differentiable, a view if possible."""
        if self.layout == "NCHW":
            return tensor
        if self.layout == "NHWC":
            return tensor.permute(0, 3, 1, 2)
        batch_first = tensor if self.layout == "NTC" else tensor.transpose(0, 1)
        patches = batch_first[:, self.prefix : self.tokens]
        return patches.reshape(len(patches), self.height, self.width, -1).permute(0, 3, 1, 2)

    def write(self, tensor: Tensor, values: Tensor) -> Tensor:
        """A tensor in this layout that holds (N, C, h, w) values on the grid; the prefix is that of ``tensor``.

        Parameters
        ----------
        tensor
            What the layer returned: N rows, or one for all.
        values
            (N, C, h, w).
        """
        if self.layout == "NCHW":
            return values
        if self.layout == "NHWC":
            return values.permute(0, 2, 3, 1)
        batch_first = tensor if self.layout == "NTC" else tensor.transpose(0, 1)
        patches = values.permute(0, 2, 3, 1).flatten(1, 2)
        if self.prefix or self.tokens != batch_first.shape[1]:
            rest = batch_first.expand(len(values), -1, -1)
            patches = torch.cat([rest[:, : self.prefix], patches, rest[:, self.tokens :]], dim=1)
        return patches if self.layout == "NTC" else patches.transpose(0, 1)


def grid_of(
    tensor: Tensor, picture: Size, *, rows: int = 1, patch: int | Size | None = None, prefix: int | None = None
) -> Grid | None:
    """The grid in a tensor; None where it has none (one cell is none).

    Parameters
    ----------
    tensor
        What a layer returned for ``rows`` pictures: (N, C, h, w), (N, h, w, C), (N, T, C) or (T, N, C).
    picture
        Height and width of the picture.
    rows
        How many pictures there were.
    patch
        Side, or height and width, of the patches that tokens stand for, where it is known. Layers whose tokens are
        coarser are found all the same.
    prefix
        How many tokens stand before the patches, where it is known.

    Notes
    -----
    Of four dimensions, the two that are proportional to the picture are the grid; where both readings are equally
    good it is (N, C, h, w). Tokens fit if some square patch divides the picture, but for its margin, into that many
    cells; fewer tokens in front and no margin are preferred.
    """
    if not tensor.is_floating_point() or tensor.layout is not torch.strided:
        return None
    shape = tuple(tensor.shape)
    if 0 in shape:
        return None
    if len(shape) == 4 and shape[0] == rows:
        return _of_four(shape, picture)
    if len(shape) != 3 or shape[2] < 2:
        return None
    for layout, axis in (("NTC", 0), ("TNC", 1)):
        if shape[axis] == rows:
            found = _tokens(shape[1 - axis], picture, patch, prefix)
            if found is not None:
                height, width, front = found
                return Grid(layout, height, width, shape[2], front)  # type: ignore[arg-type]
    return None


@dataclass(frozen=True, eq=False)
class Found:
    """The tensor with a grid in what a layer returned.

    Attributes
    ----------
    tensor
        As the layer returned it.
    grid
        Its grid.
    put
        From a tensor to an output of the layer's kind that holds it instead.
    """

    tensor: Tensor
    grid: Grid
    put: Callable[[Tensor], Any]


def find_grid(
    output: Any, picture: Size, *, rows: int = 1, patch: int | Size | None = None, prefix: int | None = None
) -> Found | None:
    """The first tensor with a grid in a layer's output: a tensor, a tuple, a list or a mapping of them.

    Parameters
    ----------
    output
        What the layer returned.
    picture, rows, patch, prefix
        As in :func:`grid_of`.
    """
    for tensor, put in tensors_in(output):
        grid = grid_of(tensor, picture, rows=rows, patch=patch, prefix=prefix)
        if grid is not None:
            return Found(tensor, grid, put)
    return None


def tensors_in(output: Any) -> Iterator[tuple[Tensor, Callable[[Tensor], Any]]]:
    """The tensors of a layer's output, each with the function that makes an output with another in its place."""
    if isinstance(output, Tensor):
        yield output, lambda new: new
    elif isinstance(output, Mapping):
        for key, item in output.items():
            for tensor, put in tensors_in(item):
                yield tensor, _put_key(output, key, put)
    elif isinstance(output, (tuple, list)):
        for index, item in enumerate(output):
            for tensor, put in tensors_in(item):
                yield tensor, _put_item(output, index, put)


def _put_key(output: Any, key: Any, put: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    def replaced(new: Tensor) -> Any:
        changed = copy.copy(output)
        changed[key] = put(new)
        return changed

    return replaced


def _put_item(output: Any, index: int, put: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    def replaced(new: Tensor) -> Any:
        items = [*output[:index], put(new), *output[index + 1 :]]
        return type(output)(*items) if hasattr(output, "_fields") else type(output)(items)

    return replaced


def _of_four(shape: tuple[int, ...], picture: Size) -> Grid | None:
    _, first, second, third = shape
    usual, last = _misfit(second, third, picture), _misfit(first, second, picture)
    if last is not None and (usual is None or last < usual):
        return None if first * second == 1 else Grid("NHWC", first, second, third)
    return None if second * third == 1 else Grid("NCHW", second, third, first)


def _misfit(height: int, width: int, picture: Size) -> float | None:
    """How far a grid is from the picture's proportions; None if rounding to whole cells cannot be the reason."""
    low = max(side / (cells + 1) for side, cells in zip(picture, (height, width), strict=True))
    high = min(side / (cells - 1 or 1e-9) for side, cells in zip(picture, (height, width), strict=True))
    if low >= high:
        return None
    return abs(math.log(height * picture[1] / (width * picture[0])))


@lru_cache(maxsize=1024)
def _tokens(count: int, picture: Size, patch: int | Size | None, prefix: int | None) -> tuple[int, int, int] | None:
    if patch is not None:
        sides = (patch, patch) if isinstance(patch, int) else (int(patch[0]), int(patch[1]))
        for height, width in _cells(picture, sides):
            front = count - height * width
            if (front == prefix) if prefix is not None else (0 <= front <= max(_MOST_PREFIX, height * width)):
                return height, width, front
    best: tuple[float, tuple[int, int, int]] | None = None
    for side in range(1, max(picture) + 1):
        for height, width in _cells(picture, (side, side)):
            front = count - height * width
            if height * width < 2 or not ((front == prefix) if prefix is not None else (0 <= front <= _MOST_PREFIX)):
                continue
            exact = height * side == picture[0] and width * side == picture[1]
            cost = front + (0 if exact else _INEXACT)
            if best is None or cost < best[0]:
                best = cost, (height, width, front)
    return None if best is None else best[1]


def _cells(picture: Size, patch: Size) -> Iterator[Size]:
    """The grids that such patches make: what does not fill one is left out, or padded."""
    yield picture[0] // patch[0], picture[1] // patch[1]
    yield -(-picture[0] // patch[0]), -(-picture[1] // patch[1])
