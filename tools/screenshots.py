"""Take the pictures of docs/images: the widget in a real JupyterLab, in its light and in its dark theme.

Needs what `make test-browser` needs; SALIENCY_BROWSER names the browser.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402

from tests.lab import CHROMIUM_ARGUMENTS, Lab, find_chromium, start_server  # noqa: E402

SOURCE = """import saliency_widget as sw
w = sw.SaliencyWidget(sw.demo.model(), sw.demo.image("chelsea"))
w"""
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        process, server = start_server(Path(folder))
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
        try:
            for name, theme in THEMES.items():
                server.write_notebook(f"{name}.ipynb", [SOURCE])
                server.write_setting("apputils-extension", "themes", {"theme": theme})
                context = browser.new_context(viewport={"width": 1280, "height": 1300}, device_scale_factor=2)
                lab = Lab(context.new_page(), server, f"{name}.ipynb")
                lab.run(0)
                stage = lab.page.locator(".stage")
                stage.wait_for()
                lab.page.wait_for_selector("canvas[data-layer='map'][width='224']")
                box = stage.bounding_box()
                assert box is not None
                # On the cat's left eye.
                lab.page.mouse.move(box["x"] + 0.47 * box["width"], box["y"] + 0.33 * box["height"])
                lab.page.wait_for_timeout(500)
                lab.page.locator(".widget").screenshot(path=str(ROOT / "docs" / "images" / f"widget-{name}.png"))
                context.close()
        finally:
            browser.close()
            server.shutdown_kernels()
            process.terminate()
            process.wait(20)


if __name__ == "__main__":
    main()
