"""Where the grid lies in a layer's output."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import pytest
import torch

from saliency_widget.engine.grids import Grid, find_grid, grid_of

SQUARE = (224, 224)


@pytest.mark.parametrize(
    ("shape", "picture", "wanted"),
    [
        ((1, 512, 7, 7), SQUARE, Grid("NCHW", 7, 7, 512)),
        ((1, 7, 7, 768), SQUARE, Grid("NHWC", 7, 7, 768)),
        ((1, 56, 56, 96), SQUARE, Grid("NHWC", 56, 56, 96)),
        ((1, 8, 8, 8), (64, 64), Grid("NCHW", 8, 8, 8)),
        ((1, 14, 14, 15), SQUARE, Grid("NHWC", 14, 14, 15)),
        ((1, 2048, 8, 8), (299, 299), Grid("NCHW", 8, 8, 2048)),
        ((1, 32, 7, 12), (224, 384), Grid("NCHW", 7, 12, 32)),
        ((1, 7, 12, 32), (224, 384), Grid("NHWC", 7, 12, 32)),
        ((1, 16, 8, 5), (225, 160), Grid("NCHW", 8, 5, 16)),
        # not proportional to the picture either way: pooled in one direction
        ((1, 64, 2, 50), (128, 400), Grid("NCHW", 2, 50, 64)),
        ((1, 512, 1, 1), SQUARE, None),
        ((1, 1, 1, 512), SQUARE, None),
        ((1, 197, 768), SQUARE, Grid("NTC", 14, 14, 768, 1)),
        ((1, 198, 768), SQUARE, Grid("NTC", 14, 14, 768, 2)),
        ((1, 201, 768), SQUARE, Grid("NTC", 14, 14, 768, 5)),
        ((1, 196, 768), SQUARE, Grid("NTC", 14, 14, 768)),
        ((1, 50, 768), SQUARE, Grid("NTC", 7, 7, 768, 1)),
        ((1, 257, 384), SQUARE, Grid("NTC", 16, 16, 384, 1)),
        ((1, 3136, 96), SQUARE, Grid("NTC", 56, 56, 96)),
        # 14 x 16 patches and a class token are 225, which is no square of 15
        ((1, 225, 64), (224, 256), Grid("NTC", 14, 16, 64, 1)),
        ((1, 99, 64), (224, 448), Grid("NTC", 7, 14, 64, 1)),
        # a margin that fills no patch, left out or padded
        ((1, 197, 64), (230, 231), Grid("NTC", 14, 14, 64, 1)),
        ((1, 226, 64), (230, 231), Grid("NTC", 15, 15, 64, 1)),
        ((1, 9, 64), SQUARE, Grid("NTC", 3, 3, 64)),
        ((197, 1, 768), SQUARE, Grid("TNC", 14, 14, 768, 1)),
        ((1, 48, 1), SQUARE, None),
        ((1, 1, 768), SQUARE, None),
        ((1, 768), SQUARE, None),
        ((1, 150, 64), SQUARE, Grid("NTC", 12, 12, 64, 6)),
        ((1, 190, 64), SQUARE, None),
        # windows of Swin are no rows
        ((64, 49, 96), SQUARE, None),
        ((16, 96, 14, 14), SQUARE, None),
    ],
)
def test_the_grid_of_a_shape(shape: tuple[int, ...], picture: tuple[int, int], wanted: Grid | None) -> None:
    assert grid_of(torch.zeros(shape), picture) == wanted


def test_a_known_patch_decides() -> None:
    # 14 x 28 patches of 16 x 8, and eleven prompts before them: neither could be guessed.
    tokens = torch.zeros(1, 403, 8)
    assert grid_of(tokens, SQUARE, patch=(16, 8)) == Grid("NTC", 14, 28, 8, 11)
    many = torch.zeros(1, 196 + 51, 8)
    assert grid_of(many, SQUARE, patch=16) == Grid("NTC", 14, 14, 8, 51)
    # later layers of a pyramid have fewer tokens than patches
    assert grid_of(torch.zeros(1, 49, 8), SQUARE, patch=4) == Grid("NTC", 7, 7, 8)
    assert grid_of(torch.zeros(1, 8, 8), SQUARE, prefix=4) == Grid("NTC", 2, 2, 8, 4)


@pytest.mark.parametrize(
    "grid",
    [
        Grid("NCHW", 2, 3, 5),
        Grid("NHWC", 2, 3, 5),
        Grid("NTC", 2, 3, 5),
        Grid("NTC", 2, 3, 5, 3),
        Grid("TNC", 2, 3, 5, 1),
    ],
)
def test_reading_and_writing_are_inverse(grid: Grid) -> None:
    shape = {"NCHW": (4, 5, 2, 3), "NHWC": (4, 2, 3, 5), "NTC": (4, grid.tokens, 5), "TNC": (grid.tokens, 4, 5)}
    tensor = torch.randn(shape[grid.layout])
    values = grid.read(tensor)
    assert values.shape == (4, 5, 2, 3)
    assert torch.equal(grid.write(tensor, values), tensor)
    assert torch.equal(grid.read(grid.write(tensor, values + 1)), values + 1)
    assert grid.text == "2 x 3"


def test_the_first_patch_is_the_top_left_cell_and_the_next_is_right_of_it() -> None:
    tokens = torch.arange(7.0)[None, :, None].expand(1, 7, 2)
    assert Grid("NTC", 2, 3, 2, 1).read(tokens)[0, 0].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_one_row_serves_many() -> None:
    grid = Grid("NTC", 2, 3, 5, 1)
    tensor = torch.randn(1, 7, 5)
    written = grid.write(tensor, torch.zeros(4, 5, 2, 3))
    assert torch.equal(written[:, :1], tensor[:, :1].expand(4, 1, 5))
    assert not written[:, 1:].any()


Pair = namedtuple("Pair", "other hidden")


@pytest.mark.parametrize(
    "output",
    [
        (torch.zeros(1, 4, 7, 7), None, (7, 7)),
        [torch.zeros(1, 10), torch.zeros(1, 4, 7, 7)],
        Pair(None, torch.zeros(1, 4, 7, 7)),
        OrderedDict(pooled=torch.zeros(1, 4), hidden=torch.zeros(1, 4, 7, 7)),
        {"nested": (torch.zeros(1, 3), torch.zeros(1, 4, 7, 7))},
    ],
    ids=lambda output: type(output).__name__,
)
def test_a_grid_inside_what_a_layer_returns(output: Any) -> None:
    found = find_grid(output, SQUARE)
    assert found is not None
    assert found.grid == Grid("NCHW", 7, 7, 4)
    changed = found.put(torch.ones(2, 4, 7, 7))
    assert type(changed) is type(output)
    again = find_grid(changed, SQUARE, rows=2)
    assert again is not None
    assert again.tensor.sum() == 2 * 4 * 49
    assert not found.tensor.any()


def test_nothing_to_find() -> None:
    assert find_grid(None, SQUARE) is None
    assert find_grid((torch.zeros(1, 4), 3, "x"), SQUARE) is None
    assert find_grid(torch.zeros(1, 4, 7, 7, dtype=torch.long), SQUARE) is None
