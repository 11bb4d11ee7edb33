"""The provenance that a file carries: written by all exports, read by :func:`read_provenance`."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from saliency_widget.attribution import Attribution
from saliency_widget.errors import InputError

KEYWORD = "saliency_widget"
"""Keyword of the text chunk of a PNG, and ``id`` of the metadata of an SVG."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST = 64 * 2**20
_COMPRESSED_FROM = 1024


def with_texts(png: bytes, texts: Mapping[str, str]) -> bytes:
    """A PNG file's bytes with these international text chunks (iTXt, UTF-8), by keyword, before its picture.

    Texts are of one line, or JSON in ASCII: neither holds a NUL, which would end them.
    """
    # The signature and IHDR, which comes first.
    start = len(PNG_SIGNATURE) + 25
    chunks = b"".join(_text_chunk(keyword, text) for keyword, text in texts.items())
    return png[:start] + chunks + png[start:]


def _text_chunk(keyword: str, text: str) -> bytes:
    content = text.encode("utf-8")
    long = len(content) > _COMPRESSED_FROM
    head = keyword.encode("latin-1") + (b"\0\1\0" if long else b"\0\0\0") + b"\0\0"
    data = b"iTXt" + head + (zlib.compress(content, 9) if long else content)
    return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


def read_provenance(path: Any) -> dict[str, Any]:
    """The provenance of a map, from a file that :meth:`Attribution.save` wrote.

    Parameters
    ----------
    path
        A .npz, .png, .svg or .html file; of a page with several maps, that of the one it opens with.

    Raises
    ------
    InputError
        The file is missing, or carries no provenance.

    Examples
    --------
    >>> import saliency_widget as sw
    >>> sw.read_provenance("cat.png")["method"]  # doctest: +SKIP
    {'name': 'gradient', 'label': 'Gradient', 'parameters': {'blur': 0.0}}
    """
    if not isinstance(path, (str, os.PathLike)):
        remedy = "Give the path of a .npz, .png, .svg or .html file."
        raise InputError("path", path, f"is a {type(path).__name__} and no path", remedy)
    file = Path(path).expanduser()
    read = _READERS.get(file.suffix.lower())
    if read is None:
        known = ", ".join(_READERS)
        raise InputError("path", str(path), "is no file that carries a provenance", f"Give one that ends in {known}.")
    if not file.is_file():
        raise InputError("path", str(path), "does not exist", "Give a file that Attribution.save wrote.")
    try:
        found = read(file)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, struct.error, zlib.error, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError("path", str(path), "carries no provenance", "Give a file that Attribution.save wrote.")
    return found


def _of_npz(path: Path) -> Any:
    return dict(Attribution.load(path).provenance)


def _of_png(path: Path) -> Any:
    with path.open("rb") as file:
        if file.read(8) != PNG_SIGNATURE:
            return None
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind != b"iTXt" or length > _LARGEST:
                file.seek(length + 4, os.SEEK_CUR)
                continue
            keyword, _, rest = file.read(length).partition(b"\0")
            file.seek(4, os.SEEK_CUR)
            if keyword == KEYWORD.encode("ascii"):
                compressed, text = rest[0], rest[2:].split(b"\0", 2)[2]
                return json.loads(zlib.decompress(text) if compressed else text)
    return None


def _of_svg(path: Path) -> Any:
    # Found and not parsed: what is written holds no sign of XML, and a parser would follow entities.
    content = path.read_bytes()[:_LARGEST].decode("utf-8", "replace")
    begin = f'<metadata id="{KEYWORD}">'
    _, found, rest = content.partition(begin)
    return json.loads(rest.partition("</metadata>")[0]) if found else None


def _of_html(path: Path) -> Any:
    # The state holds no "<", so that the first end of a script is its own.
    content = path.read_text("utf-8", "replace")
    _, found, rest = content.partition('<script type="application/json" id="state">')
    if not found:
        return None
    state = json.loads(rest.partition("</script>")[0])
    return state["provenance"][state["traits"]["shown"]]


_READERS: dict[str, Callable[[Path], Any]] = {".npz": _of_npz, ".png": _of_png, ".svg": _of_svg, ".html": _of_html}
"""What reads the provenance of a file, by its suffix."""
