"""Fetch what the tests of the hosts need beside the environment: `python tests/hosts/install.py FOLDER`.

Kernels of several versions, each in a folder that precedes the environment on its path, so that all share one torch;
and what a static page would load from a CDN, which the tests answer from here.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

# ipykernel 6.31 has no subshells, 7.3 has, 7.4 routes comm messages anew. Only the 6 series needs nest_asyncio.
KERNELS = {
    "6.31.0": ["ipykernel==6.31.0", "nest_asyncio==1.6.0"],
    "7.3.0": ["ipykernel==7.3.0"],
    "7.4.0": ["ipykernel==7.4.0"],
}
# The last that builds without a network: later ones fetch their theme when they run.
BOOK = "jupyter-book<2"
CDN = {"html-manager": "@jupyter-widgets/html-manager@1.0.15", "requirejs": "requirejs@2.3.8"}


def install(folder: Path) -> None:
    for version, packages in KERNELS.items():
        target = folder / f"ipykernel-{version}"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", str(target)]
        subprocess.run([*pip, *packages], check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(folder / "jupyter-book")]
    subprocess.run([*pip, BOOK], check=True)
    for name, package in CDN.items():
        # Not npm install: their bundles hold what they depend on, which is 130 packages otherwise.
        command = ["npm", "pack", "--silent", package, "--pack-destination", str(folder)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        packed = folder / done.stdout.split()[-1]
        with tarfile.open(packed) as archive:
            archive.extractall(folder / name, filter="data")
        packed.unlink()


if __name__ == "__main__":
    install(Path(sys.argv[1]))
