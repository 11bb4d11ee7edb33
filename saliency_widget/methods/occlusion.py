"""Occlusion: hide one window after another and see what happens to the score."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, register
from saliency_widget.methods.baselines import describe
from saliency_widget.methods.blur import full_precision
from saliency_widget.methods.filling import FILLS, check_fill, make_fill
from saliency_widget.methods.sampling import batches

Size = tuple[int, int]


@register
@dataclass(frozen=True)
class Occlusion(Method):
    """How much the score drops when a window of the picture is hidden.

    Value of a pixel: mean over all windows W that cover it of S(x) - S(x with W replaced by ``fill``). Positive: what
    is hidden speaks for the score. The map has one channel, because a window hides all of them together. The windows
    start at multiples of the stride, from the upper left corner on; the last ones are cut off by the border (as in
    Captum; PAIR sums the windows instead of averaging them, and has none that would be cut off).

    Costs one forward pass for each window and one for the picture, and no backward pass; all targets come from one run.
    Memory does not depend on the number of windows.

    The windows are taken from coarse to fine: early estimates are whole, a window that was not tried yet having the
    value of the one that stands for its surroundings. With the last window the map is exact.

    Known failings: the picture with a hole is one that the model was not made for, and what it says of it depends on
    ``fill``; a part whose work another part can do as well drops nothing; nothing smaller than the window is seen.

    Parameters
    ----------
    window
        Height and width of the window in pixels, or one number for both; None is an eighth of the picture.
    stride
        Steps down and across in pixels, or one number for both, at most the window; None is half of the window.
    fill
        What hides: "mean" (the mean of each channel of the picture), "grey", "black", "white", "blur" (the picture,
        blurred by the larger side of the window), a colour of one number a channel from 0 to 1, or an array.

    Notes
    -----
    ``quality`` holds ``window`` and ``stride`` as they were used.

    References
    ----------
    Zeiler and Fergus (2014), "Visualizing and Understanding Convolutional Networks", https://arxiv.org/abs/1311.2901
    """

    window: int | Size | None = declare.whole(None, least=1, most=128, soft=["most"], pair=True)
    stride: int | Size | None = declare.whole(None, least=1, most=128, soft=["most"], pair=True)
    fill: Any = declare.baseline("mean", FILLS)

    name: ClassVar[str] = "occlusion"
    label: ClassVar[str] = "Occlusion"
    summary: ClassVar[str] = "How much the score drops when a window of the picture is hidden."
    unit: ClassVar[str] = "{score}"
    shares_passes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        window, stride = _size(self.window, "window"), _size(self.stride, "stride")
        object.__setattr__(self, "window", window)
        object.__setattr__(self, "stride", stride)
        object.__setattr__(self, "fill", check_fill(self.fill))
        if window and stride and (stride[0] > window[0] or stride[1] > window[1]):
            raise InputError("stride", stride, f"leaves gaps between windows of {window}", "Give at most the window.")

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result, by name."""
        return {**super().parameters(), "fill": describe(self.fill)}

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield an estimate after every batch of windows."""
        pixels = problem.pixels
        window, stride = self._sizes((pixels.shape[1], pixels.shape[2]))
        fill = make_fill(self.fill, pixels, max(window))
        scores = problem.scores(pixels[None])[0]
        down = _cover(pixels.shape[1], window[0], stride[0], scores)
        across = _cover(pixels.shape[2], window[1], stride[1], scores)
        rows, columns = down.shape[1], across.shape[1]
        order, levels = _coarse_to_fine(rows, columns)
        drops = scores.new_zeros(len(scores), rows, columns)
        tried = torch.zeros(rows, columns, dtype=torch.bool, device=pixels.device)
        covering = down.sum(1)[:, None] * across.sum(1)
        quality = tuple({"window": list(window), "stride": list(stride)} for _ in range(len(scores)))
        for start, stop in batches(len(order), problem):
            at = torch.tensor(order[start:stop], device=pixels.device)
            hidden = (down.T[at[:, 0]][:, None, :, None] * across.T[at[:, 1]][:, None, None, :]) > 0
            drops[:, at[:, 0], at[:, 1]] = scores[:, None] - problem.scores(torch.where(hidden, fill, pixels)).T
            tried[at[:, 0], at[:, 1]] = True
            step = min(step for step, until in levels if until <= stop)
            with full_precision(pixels.device):
                values = down @ _whole(drops, tried, step) @ across.T / covering
            yield Estimate(values[:, None], scores, stop, len(order), stop == len(order), quality)

    def _sizes(self, picture: Size) -> tuple[Size, Size]:
        """Window and stride for a picture of this size."""
        assert not isinstance(self.window, int)
        assert not isinstance(self.stride, int)
        window = self.window or (max(1, round(picture[0] / 8)), max(1, round(picture[1] / 8)))
        if window[0] > picture[0] or window[1] > picture[1]:
            raise InputError("window", window, f"is larger than the picture of {picture}", "Give a smaller one.")
        stride = self.stride or (max(1, window[0] // 2), max(1, window[1] // 2))
        if stride[0] > window[0] or stride[1] > window[1]:
            raise InputError("stride", stride, f"leaves gaps between windows of {window}", "Give at most the window.")
        return window, stride


def _size(value: Any, argument: str) -> Size | None:
    if value is None:
        return None
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    remedy = "Give a positive integer, or a pair of them: (height, width)."
    if len(pair) != 2 or any(isinstance(one, bool) for one in pair):
        raise InputError(argument, value, "is no size", remedy)
    try:
        height, width = (operator.index(one) for one in pair)
    except TypeError:
        raise InputError(argument, value, "is no size", remedy) from None
    if height < 1 or width < 1:
        raise InputError(argument, value, "is no size", remedy)
    return height, width


def _cover(size: int, window: int, stride: int, like: Tensor) -> Tensor:
    """(size, windows): 1 where a window covers a position."""
    starts = torch.arange(-(-(size - window) // stride) + 1, device=like.device) * stride
    at = torch.arange(size, device=like.device)[:, None]
    return ((starts <= at) & (at < starts + window)).to(like.dtype)


def _coarse_to_fine(rows: int, columns: int) -> tuple[list[Size], list[tuple[int, int]]]:
    """All windows, those first that stand for large surroundings.

    Returns
    -------
    order : list of (int, int)
        Row and column of each window.
    levels : list of (int, int)
        Of each level, its step and how many windows there are up to its end: of every ``step`` x ``step`` windows, the
        one in the middle is among them.
    """
    step = 1
    while step < max(rows, columns):
        step *= 2
    order: dict[Size, None] = {}
    levels = []
    while step:
        middles = (_middles(rows, step), _middles(columns, step))
        order.update({(i, j): None for i in middles[0][::step] for j in middles[1][::step]})
        levels.append((step, len(order)))
        step //= 2
    return list(order), levels


def _middles(count: int, step: int) -> list[int]:
    """For each of ``count`` windows in a line, the one in the middle of the ``step`` that it is one of."""
    return [min(i // step * step + step // 2, count - 1) for i in range(count)]


def _whole(drops: Tensor, tried: Tensor, step: int) -> Tensor:
    """(K, rows, columns), where a window that was not tried has the drop of the one in the middle."""
    rows, columns = (torch.tensor(_middles(count, step), device=drops.device) for count in tried.shape)
    return torch.where(tried, drops, drops[:, rows][:, :, columns])
