"""Open JupyterLab on the quickstart notebook."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8888)
    parser.add_argument("--browser", choices=("0", "1"), default="1", help="0 prints the URL and opens no browser")
    options = parser.parse_args()
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        # The printed address leads to the notebook, also where no browser is opened.
        "--ServerApp.root_dir=notebooks",
        "--LabApp.default_url=/lab/tree/quickstart.ipynb",
        f"--ServerApp.port={options.port}",
        f"--ServerApp.open_browser={options.browser == '1'}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # In a container there is often only root, and Jupyter refuses to start without being told so.
        command.append("--ServerApp.allow_root=True")
    os.chdir(ROOT)
    # The kernel of this environment first, whatever else the user has installed.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
