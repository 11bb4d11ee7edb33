"""The figure of an attribution as a file, with its provenance in it."""

from __future__ import annotations

import io
import os
from typing import Any

from saliency_widget._files import atomic_write
from saliency_widget._plain import inert_json
from saliency_widget.attribution import Attribution
from saliency_widget.display.words import CAVEAT, one_line, title_words
from saliency_widget.errors import InputError
from saliency_widget.export.embedded import KEYWORD, with_texts
from saliency_widget.export.text import as_markup

DPI = 200
_MOST_DPI = 1200
# Of the picture alone; what says where and by whom a file was made is the provenance.
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


def png_bytes(attribution: Attribution, *, dpi: float = DPI, **options: Any) -> bytes:
    """The figure as a PNG file's bytes.

    Title, description and provenance stand in text chunks: ``Title``, ``Description`` and ``saliency_widget``.

    Parameters
    ----------
    attribution
        What is drawn.
    dpi
        Dots per inch.
    **options
        Of :meth:`Attribution.plot`.
    """
    if isinstance(dpi, bool) or not isinstance(dpi, (int, float)) or not 10 <= dpi <= _MOST_DPI:
        raise InputError("dpi", dpi, "is no resolution of a picture", f"Give dots per inch from 10 to {_MOST_DPI}.")
    texts = {
        "Title": title_words(attribution),
        "Description": _description(attribution),
        KEYWORD: inert_json(attribution.provenance),
    }
    return with_texts(_saved(attribution, options, format="png", dpi=dpi, metadata={"Software": None}), texts)


def svg_bytes(attribution: Attribution, **options: Any) -> bytes:
    """The figure as an SVG file's bytes: text as text, pictures as PNGs in their own pixels, nothing from elsewhere.

    Parameters
    ----------
    attribution, **options
        As in :func:`png_bytes`.
    """
    drawn = _saved(attribution, options, format="svg", metadata=_NO_METADATA).decode("utf-8")
    begin, tag, rest = drawn.partition("<svg ")
    attributes, close, content = rest.partition(">")
    said = (
        f"\n <title>{as_markup(title_words(attribution))}</title>"
        f"\n <desc>{as_markup(_description(attribution))}</desc>"
        f'\n <metadata id="{KEYWORD}">{inert_json(attribution.provenance)}</metadata>'
    )
    return f'{begin}{tag}role="img" {attributes}{close}{said}{content}'.encode()


def write_png(attribution: Attribution, path: str | os.PathLike[str], **options: Any) -> None:
    """Write :func:`png_bytes` to a file, atomically."""
    _write(path, png_bytes(attribution, **options))


def write_svg(attribution: Attribution, path: str | os.PathLike[str], **options: Any) -> None:
    """Write :func:`svg_bytes` to a file, atomically."""
    _write(path, svg_bytes(attribution, **options))


def _write(path: str | os.PathLike[str], content: bytes) -> None:
    # Made before the file is opened: what cannot be drawn touches nothing.
    with atomic_write(path) as file:
        file.write(content)


def _saved(attribution: Attribution, options: dict[str, Any], **how: Any) -> bytes:
    if options.get("ax") is not None:
        raise InputError("ax", options["ax"], "belongs to a figure of yours", "Save that figure, or leave ax out.")
    figure = attribution.plot(**options)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, **how)
    return buffer.getvalue()


def _description(attribution: Attribution) -> str:
    channels, height, width = attribution.values.shape
    return f"A map of {channels} x {height} x {width} values in {one_line(attribution.unit, 120)}. {CAVEAT}"
