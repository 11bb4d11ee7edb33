"""Print the path of a Chromium for the browser tests, installing one if there is none.

In this order: $SALIENCY_BROWSER; a Chromium or Chrome on the PATH; Debian's, by apt-get, where that works; playwright's
own. Progress goes to standard error, the path alone to standard output.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def on_path() -> str | None:
    # Ubuntu's "chromium-browser" may be a script that only says to install a snap; then --version fails.
    for name in NAMES:
        path = shutil.which(name)
        if path and run([path, "--version"]):
            return path
    return None


def run(command: list[str]) -> bool:
    try:
        subprocess.run(command, check=True, stdout=sys.stderr, stderr=sys.stderr, timeout=900)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def by_apt() -> str | None:
    if not shutil.which("apt-get"):
        return None
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"] if shutil.which("sudo") else None
    if sudo is None:
        return None
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run([*sudo, "apt-get", "update", "-q"])
    if not run([*sudo, "apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"]):
        return None
    return on_path()


def by_playwright() -> str | None:
    if not run([sys.executable, "-m", "playwright", "install", "chromium"]):
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def main() -> int:
    given = os.environ.get("SALIENCY_BROWSER")
    if given and not Path(given).exists():
        print(f"SALIENCY_BROWSER={given!r} does not exist. Give the path of a Chromium.", file=sys.stderr)
        return 1
    path = given or on_path() or by_apt() or by_playwright()
    if path is None:
        print(
            "No Chromium was found, and none could be installed by apt-get or playwright. "
            "Install one and put it on the PATH, or give its path as SALIENCY_BROWSER.",
            file=sys.stderr,
        )
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
