"""A real JupyterLab server, a real Chromium, and a page that knows how to run a notebook."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--enable-unsafe-swiftshader",
]
NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def find_chromium() -> str:
    path = os.environ.get("SALIENCY_BROWSER") or next(
        (found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None
    )
    if path is None:
        pytest.fail("No Chromium. Run `make test-browser`, which finds or installs one, or set SALIENCY_BROWSER.")
    return path


@dataclass(frozen=True)
class Server:
    """A running JupyterLab."""

    url: str
    token: str
    folder: Path

    def write_notebook(self, name: str, sources: list[str], kernel: str = "python3") -> None:
        cells = [
            {
                "cell_type": "code",
                "id": f"c{number}",
                "execution_count": None,
                "metadata": {},
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(sources)
        ]
        # Without a kernelspec JupyterLab asks for a kernel in a dialog.
        metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        (self.folder / name).write_text(json.dumps(notebook), "utf-8")

    def write_setting(self, extension: str, plugin: str, settings: dict[str, Any]) -> None:
        """Set what a person would choose in JupyterLab's settings, for pages that are opened from now on."""
        request = urllib.request.Request(
            f"{self.url}/lab/api/settings/@jupyterlab/{extension}:{plugin}?token={self.token}",
            data=json.dumps({"raw": json.dumps(settings)}).encode(),
            method="PUT",
        )
        urllib.request.urlopen(request, timeout=30).close()

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Speak to the server's own interface."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}?token={self.token}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def attach(self, notebook: str, kernel: str) -> None:
        """Let a notebook use a kernel that runs already: importing torch once for all pages saves most of the time."""
        body = {"path": notebook, "name": notebook, "type": "notebook", "kernel": {"id": kernel}}
        self.call("POST", "sessions", body)

    def kernels(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "kernels"))

    def shutdown_kernels(self) -> None:
        for kernel in self.kernels():
            self.call("DELETE", f"kernels/{kernel['id']}")


def start_server(
    folder: Path, extra_environment: dict[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    home = folder / "home"
    home.mkdir()
    work = folder / "work"
    work.mkdir()
    environment = {
        **os.environ,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        **(extra_environment or {}),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"),
        # So that a test can count what the page holds.
        *("--LabApp.expose_app_in_browser=True", f"--ServerApp.root_dir={work}"),
    ]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    server = Server(f"http://127.0.0.1:{port}", token, work)
    limit = time.monotonic() + 90
    while time.monotonic() < limit:
        try:
            server.kernels()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return process, server
    process.kill()
    raise RuntimeError(f"JupyterLab did not start:\n{(folder / 'server.log').read_text()}")


class Lab:
    """One notebook, open in JupyterLab."""

    def __init__(self, page: Page, server: Server, notebook: str) -> None:
        self.page = page
        self.server = server
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console", lambda message: self.errors.append(message.text) if "saliency" in message.text.lower() else None
        )
        self.notebook = notebook
        self.open()

    def open(self) -> None:
        # A workspace of its own, so that no test finds the tabs of another.
        workspace = secrets.token_hex(4)
        self.page.goto(f"{self.server.url}/lab/workspaces/{workspace}/tree/{self.notebook}?token={self.server.token}")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self.wait_until_idle()

    def wait_until_idle(self, timeout: float = 40_000) -> None:
        self.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']", timeout=timeout)

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def start(self, number: int) -> None:
        """Run a cell and do not wait for it."""
        for dialog in self.page.locator("dialog.jp-Dialog").all():
            # On a busy machine the notebook may be open before the kernels are known that its metadata names.
            if "Select Kernel" in dialog.inner_text():
                dialog.get_by_role("button", name="Select Kernel").click()
                continue
            raise AssertionError(f"JupyterLab asks: {dialog.inner_text()}")
        self.cell(number).locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Control+Enter")

    def run(self, number: int, timeout: float = 60_000) -> str:
        """Run a cell, wait for it, and give what it printed."""
        cell = self.cell(number)
        before = cell.locator(".jp-InputArea-prompt").inner_text()
        self.start(number)
        asked = time.monotonic()
        # Asked of the locator each time: JupyterLab may exchange a cell's elements while it runs.
        limit = time.monotonic() + timeout / 1000
        while time.monotonic() < limit:
            prompt = cell.locator(".jp-InputArea-prompt").inner_text()
            if prompt != before and re.search(r"\[\d+\]", prompt):
                return self.text(number)
            # A notebook looks idle for a moment before its kernel is connected, and then runs nothing.
            if prompt.strip() == "[ ]:" and time.monotonic() - asked > 2:
                self.start(number)
                asked = time.monotonic()
            self.page.wait_for_timeout(50)
        self.page.screenshot(path=str(self.server.folder / "late.png"))
        raise AssertionError(f"cell {number} did not end: {prompt!r}; see {self.server.folder}/late.png")

    def text(self, number: int) -> str:
        outputs = self.cell(number).locator(".jp-OutputArea-output pre")
        return "\n".join(outputs.all_inner_texts())

    def ask(self, number: int, source: str) -> Any:
        """Replace the source of a cell, run it, and read what it printed as JSON."""
        self.cell(number).locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)
        text = self.run(number)
        assert "Traceback" not in text, text
        found = re.search(r"^JSON(.*)$", text, re.MULTILINE)
        return json.loads(found.group(1)) if found else None

    @property
    def count(self) -> int:
        return self.page.locator(".jp-Notebook .jp-Cell").count()
