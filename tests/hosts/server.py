"""A Jupyter server whose kernels have several versions of ipykernel, and JupyterLab's and Notebook's page on it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import Error, Page

from tests.hosts.install import KERNELS
from tests.lab import Lab, Server

REPOSITORY = Path(__file__).parents[2]


def write_kernelspecs(folder: Path, installed: Path) -> None:
    """Describe a kernel of each version, for a server that is started with JUPYTER_PATH=folder."""
    for version in KERNELS:
        spec = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": f"ipykernel {version}",
            "language": "python",
            # What stands here precedes the environment, whose own ipykernel is some other version.
            "env": {"PYTHONPATH": f"{(installed / f'ipykernel-{version}').resolve()}:{REPOSITORY}"},
        }
        target = folder / "kernels" / kernel_name(version)
        target.mkdir(parents=True)
        (target / "kernel.json").write_text(json.dumps(spec), "utf-8")


def write_configuration(folder: Path) -> None:
    """Let Notebook's pages reach their own application, for a server with JUPYTER_CONFIG_PATH=folder."""
    folder.mkdir()
    configuration = {"JupyterNotebookApp": {"expose_app_in_browser": True}}
    (folder / "jupyter_notebook_config.json").write_text(json.dumps(configuration), "utf-8")


def kernel_name(version: str) -> str:
    return f"ipykernel-{version}"


class Notebook7(Lab):
    """One notebook, open in Notebook 7."""

    def __init__(self, page: Page, server: Server, notebook: str) -> None:
        self.own: set[str] = set()
        super().__init__(page, server, notebook)
        self.errors[:] = [error for error in self.errors if error not in self.own]

    def open(self) -> None:
        # Notebook raises one of its own where it meets settings of JupyterLab's. A widget's code comes from a blob.
        def note(error: Error) -> None:
            if "blob:" not in (error.stack or ""):
                self.own.add(str(error))

        self.page.on("pageerror", note)
        self.page.goto(f"{self.server.url}/notebooks/{self.notebook}?token={self.server.token}")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self.wait_until_idle()

    def set_subshells(self, choice: str) -> None:
        """Say how comm messages travel.

        Notebook 7.6 has the setting in its list and does not load the plugin that obeys it.
        """
        code = "choice => { window.jupyterapp.serviceManager.kernels.commsOverSubshells = choice; }"
        self.page.evaluate(code, choice)


HOSTS = {"lab": Lab, "notebook": Notebook7}
