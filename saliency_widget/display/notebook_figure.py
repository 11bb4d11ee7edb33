"""A matplotlib figure that shows itself in a notebook.

A module of its own, because only it needs matplotlib to be imported.
"""

from __future__ import annotations

import io
import os
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_VECTOR = ("svg", "svgz", "pdf", "ps", "eps")
# Text stays text, which an editor can search and a journal can set; the same figure is the same file.
_TEXT: Any = {"svg.fonttype": "none", "svg.hashsalt": "saliency_widget", "pdf.fonttype": 42, "ps.fonttype": 42}
_NO_DATE: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


class NotebookFigure(Figure):
    """A figure that no pyplot knows, and that a notebook shows all the same.

    IPython draws figures only after pyplot chose the inline backend; choosing it would change the caller's settings.
    Vector files keep text as text and pictures in their own pixels, and carry no date.
    """

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save the figure; see :meth:`matplotlib.figure.Figure.savefig`."""
        given = options.get("format")
        if given is None and isinstance(fname, (str, os.PathLike)):
            given = os.path.splitext(os.fspath(fname))[1].lstrip(".")
        kind = str(given or "").lower()
        if kind in _NO_DATE:
            options["metadata"] = {**_NO_DATE[kind], **(options.get("metadata") or {})}
        images = [image for axes in self.axes for image in axes.images]
        before = [image.get_interpolation() for image in images]
        try:
            for image in images:
                image.set_interpolation("none" if kind in _VECTOR else "antialiased")
            with rc_context(_TEXT):
                super().savefig(fname, **options)
        finally:
            for image, interpolation in zip(images, before, strict=True):
                image.set_interpolation(interpolation)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        FigureCanvasAgg(self)
        self.savefig(buffer, format="png")
        return buffer.getvalue()
