"""The hosts that can be run here. What they need beside the environment lies in a folder that make fills."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.server import REPOSITORY, write_configuration, write_kernelspecs
from tests.lab import Server, start_server


@pytest.fixture(scope="session")
def installed() -> Path:
    folder = Path(os.environ.get("SALIENCY_HOSTS", REPOSITORY / ".make" / "hosts"))
    if not folder.is_dir():
        pytest.fail(f"{folder} is missing. Run `make test-hosts`, which fills it, or set SALIENCY_HOSTS.")
    return folder


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hosts")
    write_kernelspecs(folder / "jupyter", installed)
    write_configuration(folder / "configuration")
    places = {"JUPYTER_PATH": str(folder / "jupyter"), "JUPYTER_CONFIG_PATH": str(folder / "configuration")}
    process, server = start_server(folder, places)
    yield server
    server.shutdown_kernels()
    process.terminate()
    process.wait(20)
