"""A matplotlib figure that shows itself in a notebook.

A module of its own, because only it needs matplotlib to be imported.
"""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure that no pyplot knows, and that a notebook shows all the same.

    IPython draws figures only after pyplot chose the inline backend; choosing it would change the caller's settings.
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        FigureCanvasAgg(self)
        self.savefig(buffer, format="png")
        return buffer.getvalue()
