"""Whether a rectangle of the original is what the model's picture shows, by looking at both."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from torch import Tensor

from saliency_widget.display.geometry import Geometry
from saliency_widget.models.codes import Floats, Refused, samples

_CELLS = 96
_FLAT = 1e-3
_LEAST_LIKE = 0.25
_MOST_OFF = 1.0
_ELSEWHERE = "shows another part of this picture than of others, so that where it is seen cannot be measured"


def check_view(found: Geometry, picture: Image.Image, output: Tensor) -> None:
    """Refuse a geometry in which the picture itself does not lie where others do.

    Parameters
    ----------
    found
        Measured with other pictures.
    picture
        The original, RGB.
    output
        (C, H, W), what the transform made of it.

    Raises
    ------
    Refused
        The two do not look alike, or only after a shift or a change of scale.

    Notes
    -----
    Both are brought to the same coarse grid; the colours of the original are mixed so that they come closest to the
    output, and the rest is explained by a small shift and change of scale (one step of Gauss and Newton). A picture in
    which nothing is to be seen agrees with every geometry.
    """
    top, left, bottom, right = found.visible
    ends = [*found.to_model(top, left), *found.to_model(bottom, right)]
    cells = [max(2, min(_CELLS, math.floor(ends[axis + 2] - ends[axis]))) for axis in (0, 1)]
    if min(ends[2] - ends[0], ends[3] - ends[1]) < 2:
        return
    grid = (cells[1], cells[0])
    thinned = output[:, samples(output.shape[1])][:, :, samples(output.shape[2])].double().flatten(1)
    channel = output[int(thinned.std(dim=1).argmax())]
    plane = Image.fromarray(channel.float().numpy())
    seen = _brought(plane, (ends[0], ends[1], ends[2], ends[3]), grid)
    colours = _brought(picture, (top, left, bottom, right), grid).reshape(seen.size, 3)
    parts = np.concatenate([colours, np.ones((seen.size, 1))], axis=1)
    target = seen.ravel()
    spread = float(target.std())
    if spread <= _FLAT * max(float(thinned.abs().max()), 1e-12) or min(cells) < 6:
        return
    mixed = parts @ np.linalg.lstsq(parts, target, rcond=None)[0]
    rest = target - mixed
    if 1 - float(rest.var()) / spread**2 < _LEAST_LIKE:
        raise Refused(_ELSEWHERE)
    down, across = np.gradient(mixed.reshape(seen.shape))
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, count) for count in cells), indexing="ij")
    moves = np.stack([down.ravel(), (down * rows).ravel(), across.ravel(), (across * columns).ravel()], axis=1)
    # a little ridge, so that an even picture moves nothing
    ridge = 1e-3 * float((moves**2).sum()) * np.eye(4)
    step = np.linalg.solve(moves.T @ moves + ridge, moves.T @ rest)
    pixels = [(ends[axis + 2] - ends[axis]) / cells[axis] for axis in (0, 1)]
    off = [(abs(step[0]) + abs(step[1])) * pixels[0], (abs(step[2]) + abs(step[3])) * pixels[1]]
    if max(off) > _MOST_OFF + 1 / min(found.scale):
        raise Refused(_ELSEWHERE)


def _brought(picture: Image.Image, box: tuple[float, float, float, float], size: tuple[int, int]) -> Floats:
    """Values of a grid of cells over (top, left, bottom, right): (rows, columns), or that with three colours."""
    top, left, bottom, right = box
    edges = (max(left, 0.0), max(top, 0.0), min(right, float(picture.width)), min(bottom, float(picture.height)))
    resized = picture.resize(size, Image.Resampling.BILINEAR, box=edges, reducing_gap=3.0)
    return np.asarray(resized, dtype=np.float64)
