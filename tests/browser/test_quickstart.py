"""A person runs the quickstart in a real JupyterLab and looks: what they see is compared with the engine's numbers."""

from __future__ import annotations

import json

from playwright.sync_api import BrowserContext

from tests.browser.page import EVERYWHERE, Widget
from tests.lab import NOTEBOOKS, Lab, Server


def test_the_quickstart_runs_from_top_to_bottom(context: BrowserContext, server: Server) -> None:
    notebook = json.loads((NOTEBOOKS / "quickstart.ipynb").read_text("utf-8"))
    (server.folder / "quickstart.ipynb").write_text(json.dumps(notebook), "utf-8")
    lab = Lab(context.new_page(), server, "quickstart.ipynb")
    try:
        for number, cell in enumerate(notebook["cells"]):
            if cell["cell_type"] == "code":
                assert "Traceback" not in lab.run(number)
        assert lab.page.get_by_role("slider", name="Threshold").count() == 2
        assert lab.page.locator(".jp-OutputArea-output img").count() == 2
        assert lab.errors == []
    finally:
        server.shutdown_kernels()


@EVERYWHERE
def test_the_prediction_is_said_and_is_a_cat(quick: tuple[Lab, Widget]) -> None:
    lab, widget = quick
    best = lab.ask(1, 'import json; print("JSON" + json.dumps(w._info["subjects"][0]["prediction"][:3]))')
    # Everything lies in a shadow root, which inner_text does not enter.
    text = widget.root.locator(".stage").evaluate("stage => stage.getRootNode().textContent")
    for one in best:
        assert one["label"].split(",")[0] in text
        assert "cat" in one["label"] or one["label"] == "lynx, catamount"
    assert "not what caused it" in text
    assert "logit per full-scale pixel" in text
    assert "99th percentile" in text


@EVERYWHERE
def test_the_colour_bar_keeps_its_scale_and_dims_what_is_hidden(quick: tuple[Lab, Widget]) -> None:
    _, widget = quick
    bar, marks = widget.root.locator("canvas.bar"), widget.root.locator(".cut:visible")
    whole = widget.pixels_of(bar)[0]
    assert (whole[:, 3] == 255).all()
    assert marks.count() == 0
    widget.threshold.focus()
    widget.page.keyboard.press("End")
    widget.root.locator("[data-field='area']:not([data-value='1'])").wait_for()
    cut = widget.pixels_of(bar)[0]
    dimmed = cut[:, 3] < 255
    assert dimmed[: len(dimmed) // 2].all(), "a thousandth of the area is left, and the bar says which colours"
    assert not dimmed[-1]
    # A canvas keeps dimmed colours with fewer bits.
    assert abs(cut[..., :3].astype(int) - whole[..., :3]).max() <= 4, "the scale can still be read"
    assert marks.count() == 1
    widget.sign("signed")
    marks.nth(1).wait_for()
