"""A PNG of one attribution."""

from __future__ import annotations

import io
import os

from saliency_widget._files import atomic_write
from saliency_widget.attribution import Attribution
from saliency_widget.display.figure import draw_figure
from saliency_widget.display.reduce import DEFAULT_CLIP, Reduction, Sign


def png_bytes(
    attribution: Attribution,
    sign: Sign = "absolute",
    *,
    clip: float = DEFAULT_CLIP,
    dpi: int = 150,
    reduce: Reduction | None = None,
    colormap: str | None = None,
) -> bytes:
    """Render picture, overlay and map with their colour bar as a PNG file's bytes; see :meth:`Attribution.plot`."""
    figure = draw_figure(attribution, sign, clip=clip, reduce=reduce, colormap=colormap)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Title": str(attribution.target), "Software": None})
    return buffer.getvalue()


def write_png(
    attribution: Attribution,
    path: str | os.PathLike[str],
    sign: Sign = "absolute",
    *,
    clip: float = DEFAULT_CLIP,
    dpi: int = 150,
    reduce: Reduction | None = None,
    colormap: str | None = None,
) -> None:
    """Write :func:`png_bytes` to a file, atomically: a failure leaves what was there."""
    content = png_bytes(attribution, sign, clip=clip, dpi=dpi, reduce=reduce, colormap=colormap)
    with atomic_write(path) as file:
        file.write(content)
