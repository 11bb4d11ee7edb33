"""Pages taken apart, and labels that nobody should trust."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import numpy as np

from saliency_widget import Attribution
from saliency_widget.attribution import MethodRecord, TargetRecord
from saliency_widget.display.quantise import read_kept

HOSTILE = (
    "</script><script>window.broken = 1</script>",
    "<!-- <script>",
    "-->",
    "]]>",
    "\"><img src=x onerror='window.broken = 1'>",
    "' onload='window.broken = 1",
    "&lt;b&gt; &amp; &#60;",
    "one\u2028two\u2029three",
    "nul \x00, bell \x07, half \ud800",
    "javascript:window.broken=1",
    "قطة \u202eevil\u202c",
    "x" * 10_000,
)


@dataclass
class Parsed(HTMLParser):
    """The elements of a page, in their order, with the text of its scripts."""

    text: str
    tags: list[str] = field(default_factory=list)
    scripts: list[tuple[dict[str, str | None], str]] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: dict[str, str | None] | None = None
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend((tag, name, value or "") for name, value in attrs)
        if tag == "script":
            self._open = dict(attrs)
            self.scripts.append((self._open, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            known, before = self.scripts[-1]
            self.scripts[-1] = (known, before + data)

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")

    def script(self, name: str | None) -> str:
        return next(text for known, text in self.scripts if known.get("id") == name)

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(self.script("state"))

    @property
    def policy(self) -> str:
        return next(value for _, name, value in self.attributes if name == "content" and "default-src" in value)

    def maps(self) -> dict[str, dict[str, np.ndarray]]:
        """What is read of each map, by its key."""
        state = self.state
        found = {}
        for header in state["traits"]["_maps"]:
            data = zlib.decompress(base64.b64decode(state["slots"][header["slot"]]))
            found[header["key"]] = read_kept(
                data,
                header["dtype"],
                header["shape"],
                header.get("planes", []),
                header["scale"],
                header.get("absolute_scale", 0.0),
            )
        return found


def hash_of(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def attribution(label: str = "cat", **more: Any) -> Attribution:
    """A map of random numbers."""
    values = np.random.default_rng(0).standard_t(3, (3, 24, 30)).astype(np.float32)
    given: dict[str, Any] = {
        "values": values,
        "image": np.random.default_rng(1).integers(0, 256, (24, 30, 3), np.uint8),
        "target": TargetRecord("logit", 3, label, f"logit of {label}"),
        "method": MethodRecord("gradient", "Gradient", {"blur": 0.0}),
        "score": 1.25,
        "unit": "logit per full-scale pixel",
        "provenance": {"model": label, "versions": {"torch": label}},
    }
    return Attribution(**{**given, **more})
