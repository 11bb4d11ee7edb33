"""What a preprocessing does to colours, measured by pushing pictures through it.

A transform is a black box here. Seven solid colours show whether its output is an affine function of the colour, the
same at every position, and which one (so a swapped channel order falls out, and a border that it pads with is told
apart). A ramp at full and at half contrast shows whether it adapts itself to the picture. The picture itself is pushed
through twice, because what the model gets must be what the transform returns, every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.models.outputs import as_input
from saliency_widget.models.randomness import KeptRandomness
from saliency_widget.models.words import Shown, shown

Transform = Callable[[Image.Image], object]

_ARGUMENT = "preprocess"
_BLACK, _WHITE = 0, 4
_SOLIDS = ((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128), (64, 128, 192))
_GREYS = (_BLACK, _WHITE, 5)  # the mixed colours pass through 8-bit rounding on their way to one grey channel
_LONGEST_PROBE = 512
_LONGEST_MAP = 256
_WORST_CONDITION = 1e4
_REPEATS = 14


@dataclass(frozen=True, eq=False)
class ColourMap:
    """``output = matrix @ colour + offset`` at every position that shows the picture.

    Attributes
    ----------
    matrix
        (C, C) float64; the colour is R, G, B with black at 0 and full scale at 1 (C = 3), or grey (C = 1).
    offset
        (C,) float64.
    """

    matrix: Tensor
    offset: Tensor

    def undo(self, values: Tensor) -> Tensor:
        """Return the colours, float64, of a transform's output (C, H, W); nothing is clamped."""
        flat = values.to(torch.float64).flatten(1) - self.offset[:, None]
        if torch.equal(self.matrix, torch.diag(self.matrix.diagonal())):
            return (flat / self.matrix.diagonal()[:, None]).reshape(values.shape)
        solved: Tensor = torch.linalg.solve(self.matrix, flat)
        return solved.reshape(values.shape)


@dataclass(frozen=True, eq=False)
class Measured:
    """What a transform returned for a picture, and what it does to colours.

    Attributes
    ----------
    output
        (C, H, W) floats on the CPU.
    colours
        The colour map; None where there is none.
    reason
        Why there is none, as the rest of a sentence about the transform.
    """

    output: Tensor
    colours: ColourMap | None
    reason: str = ""


def measure(transform: Transform, picture: Image.Image) -> Measured:
    """Run a transform on a picture and measure what it does to colours.

    Parameters
    ----------
    transform
        Takes a PIL image (each time a copy) and returns a float tensor (C, H, W) or (1, C, H, W).
    picture
        RGB.

    Raises
    ------
    InputError
        The transform raises, returns something else, returns NaN, or returns something else the second time.

    Notes
    -----
    The columns of the matrix are differences between the outputs for pure colours and for black; the remaining colours
    verify them. Nothing is rounded to "nice" numbers: the error is that of the transform's own float32 arithmetic,
    about 1e-7 relative.
    """
    with torch.inference_mode(False), torch.no_grad(), KeptRandomness() as randomness:
        output = run(transform, picture, randomness)
        runs = 1 + (_REPEATS if randomness.moved() else 0)
        for _ in range(runs):
            if not _same(output, run(transform, picture, randomness)):
                raise _random(transform)
        bad = int(output.numel() - torch.isfinite(output).sum())
        if bad:
            raise InputError(
                _ARGUMENT,
                shown(transform),
                f"gives {bad:,} NaN or infinite values for this picture",
                "Look for a division by a standard deviation of 0.",
            )
        found = _colours(transform, picture.size, randomness)
    return Measured(output, found, "") if isinstance(found, ColourMap) else Measured(output, None, found)


def measure_colours(transform: Transform, size: tuple[int, int]) -> ColourMap | str:
    """Measure what a transform does to the colours of pictures of ``size`` (width, height).

    Returns
    -------
    ColourMap or str
        A string is the reason why there is no such map.
    """
    with torch.inference_mode(False), torch.no_grad(), KeptRandomness() as randomness:
        return _colours(transform, size, randomness)


def _colours(transform: Transform, size: tuple[int, int], randomness: KeptRandomness) -> ColourMap | str:
    longest = max(size)
    sizes = [size]
    if longest > _LONGEST_PROBE:  # colours do not depend on the size, the time does
        small = (max(1, size[0] * _LONGEST_PROBE // longest), max(1, size[1] * _LONGEST_PROBE // longest))
        sizes = [small, size]
    for probe in sizes:
        try:
            solids = [_thin(run(transform, Image.new("RGB", probe, colour), randomness)) for colour in _SOLIDS]
            ramp, half = _ramp(probe)
            ramps = [_thin(run(transform, ramp, randomness)) for _ in range(4)]
            halved = _thin(run(transform, half, randomness))
            break
        except InputError as error:
            failure = error
    else:
        return f"fails on solid colours ({failure.problem})"
    if not all(_same(ramps[0], other) for other in ramps[1:]):
        raise _random(transform)
    if len({tuple(out.shape) for out in (*solids, ramps[0], halved)}) > 1:
        return "returns sizes that depend on the colours"
    return _fit(solids, ramps[0], halved)


def _fit(solids: list[Tensor], ramp: Tensor, halved: Tensor) -> ColourMap | str:
    channels = ramp.shape[0]
    if channels not in (1, 3):
        return f"returns {channels} channels"
    exact = max(1e-5, 4 * torch.finfo(ramp.dtype).eps)
    out = torch.stack([one.to(torch.float64).flatten(1) for one in solids])
    if not torch.isfinite(out).all():
        return "gives no finite numbers for solid colours, as when each picture is standardised by itself"
    scale = max(float(out.abs().max()), float(ramp.abs().max()))
    black = out[_BLACK]
    which = [1, 2, 3] if channels == 3 else [_WHITE]
    local = torch.stack([out[i] - black for i in which], dim=1)
    response = local.flatten(0, 1).norm(dim=0)
    top = float(response.max())
    if not top > 1e-3 * scale:
        return "gives the same for all solid colours, as when each picture is standardised by itself"
    # what a padded border shows does not depend on the colour, or less than the picture does
    usual = response[response > 0.01 * top].median()
    inner = (response - usual).abs() <= exact * usual
    matrix = local[:, :, inner].median(dim=2).values
    offset = black[:, inner].median(dim=1).values
    if float(torch.linalg.cond(matrix)) > _WORST_CONDITION:
        return "mixes the colours so that they cannot be told apart again, as in grey"
    share = (local * matrix[:, :, None]).sum((0, 1)) / (matrix * matrix).sum()
    pure = torch.tensor(_SOLIDS, dtype=torch.float64, device="cpu")[:, :channels] / 255
    full = (share - 1).abs() <= exact
    # where a border was mixed into the picture at 8 bits, each colour was rounded by itself
    allowed = torch.where(full, exact * scale, exact * scale + 2 / 255 * float(matrix.abs().max()))
    for k in range(len(_SOLIDS)) if channels == 3 else _GREYS:
        if ((black + share * (matrix @ pure[k])[:, None] - out[k]).abs() > allowed).any():
            return "is not affine in the colours (a curve, or rounding in between)"
    if float((black - offset[:, None])[:, full].abs().max()) > exact * scale:
        return "adds something else at each position"
    matrix = torch.where(matrix.abs() <= exact * matrix.abs().max(), 0.0, matrix)
    colours = ColourMap(matrix, offset)
    dark, bright = colours.undo(solids[_BLACK]), colours.undo(solids[_WHITE])
    expected = (colours.undo(ramp) + dark) / 2 + (bright - dark) * (64 / 255)
    # two roundings to 8 bits on each way, and a grey one more
    if not float((colours.undo(halved) - expected).abs().max()) <= 3 / 255 + exact:
        return "adapts itself to the contrast of the picture"
    return colours


def run(transform: Transform, picture: Image.Image, randomness: KeptRandomness) -> Tensor:
    """Return (C, H, W) floats of what a transform makes of a copy of a picture.

    Raises
    ------
    InputError
        The transform raises, or returns something else.
    """
    try:
        output = randomness.run(transform, picture.copy())
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            _ARGUMENT,
            shown(transform),
            f"raised {type(error).__name__} on a PIL image: {' '.join(str(error).split())[:200]}",
            "Give a callable that takes a PIL image and returns a float tensor (channels, height, width).",
        ) from error
    return as_input(output, transform)


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    if torch.equal(one, other):
        return True
    scale = float(torch.nan_to_num(one.abs().double(), nan=0.0, posinf=0.0).max())
    return torch.allclose(one.double(), other.double(), rtol=0, atol=1e-5 * scale, equal_nan=True)


def _random(transform: Transform) -> InputError:
    return InputError(
        _ARGUMENT,
        Shown(repr(shown(transform))),
        "is random: the same picture came out differently when it was run again",
        "Give the transform that is used for evaluation, without augmentation.",
    )


def _thin(output: Tensor) -> Tensor:
    step = max(1, -(-max(output.shape[-2:]) // _LONGEST_MAP))
    return output[:, ::step, ::step]


def _ramp(size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    width, height = size
    across = np.linspace(16, 111, width)[None, :].round() * np.ones((height, 1))
    down = np.linspace(16, 111, height)[:, None].round() * np.ones((1, width))
    mixed = np.floor((across + 127 - down) / 2)
    # even values, so that half of them is exact
    full = 2 * np.stack([across, down, mixed], axis=2).astype(np.uint8)
    return Image.fromarray(full), Image.fromarray(full // 2 + 64)
