"""A page inside of another one: interactive where frames are allowed, a picture with its words where they are not."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from saliency_widget.errors import InputError
from saliency_widget.export.page import Page, render
from saliency_widget.export.text import as_markup

# What stands below the picture and beside it where the page has two columns, and how wide a column is.
_BELOW = 608
_BESIDE = 864
_COLUMN = 448
_WIDEST = 920


@dataclass(frozen=True, eq=False)
class Static:
    """What shows in any notebook renderer without the widget machinery.

    In a frame of its own, which can run the page's scripts and nothing else: it reads nothing of the page around it,
    and asks no network. Where frames are stripped the picture below it remains.

    Attributes
    ----------
    html
        The page.
    png
        The picture.
    words
        What it shows.
    height
        Of the frame, in CSS pixels.
    """

    html: str
    png: bytes
    words: str
    height: int

    def __repr__(self) -> str:
        return self.words

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            "text/html": self.markup,
            "image/png": base64.b64encode(self.png).decode(),
            "text/plain": self.words,
        }

    @property
    def markup(self) -> str:
        """The frame over the picture, as HTML."""
        words = as_markup(self.words)
        picture = base64.b64encode(self.png).decode()
        return (
            f'<div style="position: relative; max-width: {_WIDEST}px; height: {self.height}px; overflow: hidden">'
            f'<img alt="{words}" src="data:image/png;base64,{picture}" style="max-width: 100%; max-height: 100%">'
            f'<iframe title="{words}" sandbox="allow-scripts allow-downloads" allow="clipboard-write" loading="lazy" '
            'style="position: absolute; inset: 0; width: 100%; height: 100%; border: 0" '
            f'srcdoc="{as_markup(self.html)}"></iframe></div>'
        )


def static_of(page: Page, png: bytes, words: str, height: int | None = None) -> Static:
    """Put a page into a frame.

    Parameters
    ----------
    page
        The page.
    png
        The picture that is seen where frames are stripped.
    words
        What it shows; its alternative text, and the frame's title.
    height
        Of the frame, in CSS pixels; None has room for the picture and what stands below it.

    Raises
    ------
    InputError
        ``height`` is no height.
    """
    if height is None:
        tall, wide = page.pictures[0].shape[:2]
        # As the front end draws it: as wide as its column, and no taller than that.
        height = max(_BESIDE, round(min(_COLUMN, _COLUMN * tall / wide)) + _BELOW)
    return Static(render(page), png, words, check_height(height))


def check_height(height: object) -> int:
    """A height in CSS pixels, or an :class:`~saliency_widget.InputError`."""
    if isinstance(height, bool) or not isinstance(height, int) or not 100 <= height <= 10_000:
        raise InputError("height", height, "is no height", "Give CSS pixels, from 100 to 10000.")
    return height
