"""What a page asks of content delivery networks, answered from packages: the tests use no network."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import BrowserContext, Route

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2"}


def folder_of(package: str) -> Path:
    """Where an installed package lies, without importing it."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


class Cdn:
    """Answers a context's requests beyond this machine.

    Attributes
    ----------
    served : list of str
        Addresses that were answered.
    missing : list of str
        Addresses that were not: fonts, formulas, what the widget does not need.
    """

    def __init__(self, context: BrowserContext, installed: Path) -> None:
        self.served: list[str] = []
        self.missing: list[str] = []
        require = installed / "requirejs" / "package" / "require.js"
        manager = installed / "html-manager" / "package" / "dist"
        # Where the widget's own code would come from: it is inside the state, but anywidget's is not.
        self._known: Mapping[str, Path] = {
            r"/require(?:\.js)?/[^/]+/require(?:\.min)?\.js$": require,
            r"@jupyter-widgets/html-manager@[^/]+/dist/(.+)$": manager,
            r"/anywidget@[^/]+/dist/(index)(?:\.js)?$": folder_of("anywidget") / "nbextension",
            r"@marimo-team/frontend@[^/]+/dist/(.+)$": folder_of("marimo") / "_static",
        }
        context.route(re.compile(r"^https?://(?!127\.0\.0\.1|localhost)"), self._answer)

    def _answer(self, route: Route) -> None:
        url = route.request.url.partition("?")[0]
        for pattern, place in self._known.items():
            found = re.search(pattern, url)
            path = found and (place / found.group(1) if found.groups() else place)
            if path and not path.suffix:
                path = path.with_suffix(".js")
            if path and path.is_file():
                self.served.append(url)
                headers = {"Access-Control-Allow-Origin": "*"}
                kind = _TYPES.get(path.suffix, "application/octet-stream")
                route.fulfill(body=path.read_bytes(), content_type=kind, headers=headers)
                return
        self.missing.append(url)
        route.abort()
