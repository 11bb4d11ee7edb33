"""One HTML file that shows maps by itself: no network, no kernel, the widget's own front end.

The Content-Security-Policy allows two scripts by their hashes and nothing else: the few lines that unpack, and the
front end that they unpack. Neither sees the network, and nothing that the page was made of is ever run.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from saliency_widget._files import atomic_write, check_goal, probe
from saliency_widget._plain import inert_json
from saliency_widget._version import __version__
from saliency_widget.errors import InputError, SaliencyError
from saliency_widget.export.text import as_markup

if TYPE_CHECKING:
    import numpy.typing as npt

_LOADER = """"use strict";
(async () => {
  const text = document.getElementById("program").textContent;
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const script = document.createElement("script");
  script.textContent = await new Response(unpacked).text();
  document.body.append(script);
})().catch((error) => {
  const words = document.getElementById("trouble");
  words.textContent = `This page could not be opened here (${error}). It needs a browser of 2023 or later.`;
  words.hidden = false;
});
"""

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 896px; padding: 12px; background: #fff; color: #212121;
  font: 13px/20px system-ui, -apple-system, "Segoe UI", sans-serif; }
h1, h2 { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
figure { margin: 0; padding: 12px; }
figure, footer, #trouble { overflow-wrap: anywhere; }
figure img { display: block; max-width: 100%; min-width: 224px; image-rendering: pixelated; }
footer { padding: 0 12px; color: #5f6368; font-size: 11.5px; line-height: 16px; }
footer p { margin: 4px 0; }
summary { cursor: pointer; }
th { padding-inline-end: 12px; text-align: start; vertical-align: top; font-weight: 400; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; }
@media (prefers-color-scheme: dark) {
  body { background: #111; color: #e6e6e6; }
  footer { color: #a8adb3; }
}
"""

_PRECISION = {
    "shown": "one plane of each map, in 8 bits",
    "signs": "of each map the largest magnitude of the channels and their sum, in 8 bits",
    "channels": "every channel of each map, in 8 bits",
    "full": "every channel of each map, as 16-bit floats",
}


@dataclass(frozen=True, eq=False)
class Page:
    """What a page holds.

    Attributes
    ----------
    title
        In words, for the tab and the alternative text of the picture.
    traits
        The widget's state but for pictures and maps, plain values.
    pictures
        uint8 (H, W, 3), what the models saw, one for each subject of ``traits["_info"]``.
    maps
        The bytes of the maps, in the order of their slots.
    keep
        How exactly: see :mod:`saliency_widget.display.quantise`.
    provenance
        Where each map comes from, by its key.
    """

    title: str
    traits: Mapping[str, Any]
    pictures: Sequence[npt.NDArray[np.uint8]]
    maps: Sequence[bytes]
    keep: str
    provenance: Mapping[str, Any]


def render(page: Page) -> str:
    """The page as HTML: the same text for the same maps.

    Raises
    ------
    SaliencyError
        The front end is not built.
    """
    program = _program()
    title = as_markup(page.title)
    policy = (
        f"default-src 'none'; script-src {_hash(_LOADER)} {_hash(program)}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    state = {
        "traits": page.traits,
        "slots": [_packed(one) for one in page.maps],
        "provenance": page.provenance,
    }
    pictures = "\n".join(
        f'<img data-subject="{at}" src="data:image/png;base64,{_png(picture)}" '
        f'alt="{as_markup(_seen(page, at))}"{" hidden" if at else ""}>'
        for at, picture in enumerate(page.pictures)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="saliency_widget {__version__}">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<h2>The map</h2>
<div id="widget"><figure>
{pictures}
<figcaption>{title}. Its map is drawn over this picture by a script, which does not run here.</figcaption>
</figure></div>
<p id="trouble" role="alert" hidden></p>
</main>
<footer>
<details><summary>Where this map comes from</summary><table id="provenance"></table></details>
<p>This page holds {_PRECISION[page.keep]}. It works without a network; what needs the model rests.</p>
</footer>
<script type="application/json" id="state">{inert_json(state)}</script>
<script type="application/octet-stream" id="program">{_packed(program.encode())}</script>
<script>{_LOADER}</script>
</body>
</html>
"""


def check_page(path: str | os.PathLike[str]) -> Path:
    """Where a page is to be written, or an :class:`~saliency_widget.InputError` where it cannot be: before any work."""
    if not isinstance(path, (str, os.PathLike)):
        raise InputError("path", path, f"is a {type(path).__name__} and no path", "Give a name that ends in .html.")
    goal = check_goal(path)
    if goal.suffix.lower() != ".html":
        raise InputError("path", str(path), "does not end in .html", f"Name it {goal.stem}.html.")
    probe(goal, "path")
    return goal


def write_page(page: Page, path: str | os.PathLike[str]) -> None:
    """Write a page, atomically: a failure leaves what was there."""
    content = render(page).encode()
    with atomic_write(path) as file:
        file.write(content)


@cache
def _program() -> str:
    built = files("saliency_widget") / "static" / "page.js"
    if not built.is_file():
        raise SaliencyError("The front end of saliency_widget is not built. Run `make install` in the checkout.")
    return built.read_text("utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 9)).decode()


def _png(picture: npt.NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def _seen(page: Page, at: int) -> str:
    subjects = page.traits["_info"]["subjects"]
    name = subjects[at]["image_name"] if at < len(subjects) else ""
    return f"What the model saw: {name}" if name else "What the model saw"
