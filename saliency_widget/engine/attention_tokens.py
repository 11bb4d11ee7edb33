"""What the tokens of a transformer are, from what a forward pass showed; or why there is no one set of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from saliency_widget.engine.attention_survey import Survey
from saliency_widget.engine.grids import grid_of
from saliency_widget.errors import ModelError

# Class token, distillation token, registers, prompts.
_MOST_PREFIX = 16
_INSTEAD = "Use a method for any model, such as the gradient or Grad-CAM"


@dataclass(frozen=True)
class Tokens:
    """The tokens over which every self-attention of a model runs.

    Attributes
    ----------
    blocks
        How many self-attentions there are.
    prefix
        How many tokens stand before the patches: class token, distillation token, registers.
    height, width
        Of the grid of patches, which follow row by row.
    pooled
        After the blocks, one query reads the tokens by an attention of its own (a pooling head), and the output depends
        on what it reads.
    fused
        How many of the attentions a fused kernel hides.
    shapes
        Of the weights as the model computes them.
    """

    blocks: int
    prefix: int
    height: int
    width: int
    pooled: bool
    fused: int
    shapes: tuple[tuple[int, ...], ...]

    @property
    def length(self) -> int:
        """How many tokens there are."""
        return self.prefix + self.height * self.width


def tokens_of(survey: Survey, rows: int, picture: tuple[int, int]) -> Tokens:
    """Find the tokens.

    The grid of the patches is that of the last convolution before the first attention that leaves few tokens in front,
    or no more than there are patches; where no convolution makes the patches, what the number of tokens allows.

    Parameters
    ----------
    survey
        Of a forward pass.
    rows
        How many pictures went through.
    picture
        Height and width of a picture.

    Raises
    ------
    ModelError
        There is no self-attention, or it is not over one set of tokens; the message names the reason.
    """
    shapes = [*survey.shapes, *survey.unused]
    if not shapes:
        raise ModelError(
            "no self-attention was found in the model's forward, so there is nothing to roll out: a convolutional net "
            f"has none. {_INSTEAD}. If it is a transformer, its attention runs where PyTorch does not see it: compute "
            'it by scaled_dot_product_attention or by softmax and matmul (Hugging Face: attn_implementation="sdpa" or '
            '"eager").'
        )
    for shape in shapes:
        if len(shape) > 4 or (len(shape) == 4 and shape[0] != rows) or shape[0] % rows:
            raise ModelError(
                f"the model attends within windows (weights of shape {shape} for {_pictures(rows)}, as in Swin), so "
                f"there is no one graph over all tokens to roll out. {_INSTEAD}."
            )
    square = [shape[-1] for shape in shapes if shape[-1] == shape[-2]]
    foreign = [length for length in square if length not in survey.lengths]
    if foreign:
        raise ModelError(
            f"the model attends over {foreign[0]} channels, not over tokens (cross-covariance attention, as in XCiT), "
            f"so there is nothing to roll out. {_INSTEAD}."
        )
    _check_lengths([(shape[-2], shape[-1]) for shape in shapes])
    if survey.unused:
        raise ModelError(
            f"between softmax and values the model changes {len(survey.unused)} of its {len(shapes)} attentions in a "
            f"way that cannot be followed (talking heads, or values multiplied from the left). {_INSTEAD}."
        )
    if survey.parallel:
        raise ModelError(
            "the model computes several attentions of the same tokens side by side (parallel blocks, differential "
            f"attention), for which rollout is not defined. {_INSTEAD}."
        )
    pooled = shapes[-1][-2] != shapes[-1][-1]
    height, width = _grid(square[0], survey, picture)
    return Tokens(
        blocks=len(square),
        prefix=square[0] - height * width,
        height=height,
        width=width,
        pooled=pooled,
        fused=survey.fused,
        shapes=tuple(shapes),
    )


def _check_lengths(sizes: Sequence[tuple[int, int]]) -> None:
    blocks = sizes[:-1] if sizes[-1][0] == 1 and len(sizes) > 1 and sizes[-1][1] == sizes[0][1] else sizes
    for queries, keys in blocks:
        if queries != keys:
            raise ModelError(
                f"an attention of the model has {_count(queries, 'query')} for {keys} keys (class attention as in "
                "CaiT, or keys that are pooled as in PVT and LeViT), so its tokens are not the same on both sides and "
                f"there is no one graph to roll out. {_INSTEAD}."
            )
        if keys != blocks[0][0]:
            raise ModelError(
                f"the number of the model's tokens changes from {blocks[0][0]} to {keys} (a pyramid, several "
                f"scales, or a class token that joins late), so there is no one graph to roll out. {_INSTEAD}."
            )


def _grid(length: int, survey: Survey, picture: tuple[int, int]) -> tuple[int, int]:
    for height, width in reversed(survey.grids):
        patches = height * width
        if 1 < patches <= length <= patches + max(_MOST_PREFIX, patches):
            return height, width
    found = grid_of(torch.empty(1, length, 2), picture)
    if found is None:
        raise ModelError(
            f"the model's {length} tokens make no grid of patches on a picture of {picture[0]} x {picture[1]}, so a "
            f"rollout has no place on it. {_INSTEAD}."
        )
    return found.height, found.width


def _pictures(rows: int) -> str:
    return "one picture" if rows == 1 else f"{rows} pictures"


def _count(queries: int, word: str) -> str:
    return f"one {word}" if queries == 1 else f"{queries} queries"
