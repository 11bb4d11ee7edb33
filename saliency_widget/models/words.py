"""How this package names what it was given, in errors and in provenance."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

_LONGEST = 120


class Shown:
    """Stands for a value in an error, so that neither its full text nor its memory is kept.

    Parameters
    ----------
    text
        What ``repr`` gives.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def shown(value: object) -> object:
    """Return ``value`` itself where its ``repr`` is short, otherwise a :class:`Shown` with one line of words."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, torch.Tensor):
        where = "" if value.device.type == "cpu" else f" on {value.device}"
        return Shown(f"<{str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}{where}>")
    if isinstance(value, np.ndarray):
        return Shown(f"<{value.dtype} array of shape {value.shape}>")
    if isinstance(value, Image.Image):
        return Shown(f"<PIL image, mode {value.mode}, {value.width} x {value.height} pixels>")
    if isinstance(value, torch.nn.Module):
        return Shown(f"<{type(value).__name__}>")
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a broken __repr__ of the user's must not hide the real error
        text = f"<{type(value).__name__}>"
    return Shown(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def article(noun: str) -> str:
    """Return ``noun`` with "a" or "an" before it."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def numbers(values: object) -> str:
    """Return a short text of one or more numbers: ``0.485, 0.456, 0.406``, or ``0.5`` where all are the same."""
    texts = [f"{float(v) + 0.0:.4g}" for v in np.asarray(values, dtype=np.float64).ravel()]  # -0 + 0 is 0
    return texts[0] if len(set(texts)) == 1 else ", ".join(texts)
