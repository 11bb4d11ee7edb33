"""What `make demo` starts, opened at the address that it prints."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

ROOT = Path(__file__).parent.parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    port = free_port()
    environment = {**os.environ, "HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    for name in ("RUNTIME", "DATA"):
        environment[f"JUPYTER_{name}_DIR"] = str(tmp_path / name.lower())
    command = [sys.executable, str(ROOT / "tools" / "demo.py"), "--port", str(port), "--browser", "0"]
    said = tmp_path / "said"
    # Into a file: a pipe that nobody reads on fills, and the server would wait for it for ever, also when told to end.
    with said.open("wb") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
        try:
            yield port, said
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()


def wait_for_port(port: int) -> None:
    limit = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("localhost", port), timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < limit, "nothing listens at the printed address"
            time.sleep(0.1)


def wait_for_kernel(page: Page, port: int) -> None:
    limit = time.monotonic() + 60
    while [one["execution_state"] for one in page.request.get(f"http://localhost:{port}/api/kernels").json()] != [
        "idle"
    ]:
        assert time.monotonic() < limit, "the notebook's kernel does not come to rest"
        time.sleep(0.1)


def printed_address(port: int, said: Path) -> str:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        found = re.search(rf"http://(?:localhost|127\.0\.0\.1):{port}/\S*token=\w+", said.read_text(errors="replace"))
        if found:
            return found.group()
        time.sleep(0.1)
    raise AssertionError(said.read_text(errors="replace"))


def test_the_printed_address_opens_the_quickstart(context: BrowserContext, demo: tuple[int, Path]) -> None:
    page = context.new_page()
    address = printed_address(*demo)
    # The address is printed a moment before the server listens.
    wait_for_port(demo[0])
    page.goto(address)
    page.get_by_role("heading", name="What does a classifier look at?").first.wait_for(timeout=60_000)
    # The page says idle a moment before there is a kernel, and a server that is told to end in that moment does not.
    wait_for_kernel(page, demo[0])
