"""What a widget leaves in a notebook beside its view: a picture and words that are true where there is no widget."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import saliency_widget as sw
from saliency_widget.display.view import Seen, View
from saliency_widget.export.still import MOST_BYTES, still_of_map, still_of_picture
from saliency_widget.widget import output
from tests.export.support import HOSTILE, attribution
from tests.widget.conftest import LABELS, Small

VIEW = "application/vnd.jupyter.widget-view+json"


def bundle(widget: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return widget._repr_mimebundle_()


def opened(data: dict[str, Any]) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def test_its_output_has_the_view_a_picture_and_words(make: Any) -> None:
    widget = make(look="map", sign="signed")
    widget.wait()
    data, metadata = bundle(widget)
    assert set(data) == {VIEW, "image/png", "text/plain"}
    found = widget.attribution
    title = f"Gradient, {found.target.text} = {found.score:.4g}".replace("-", "−")
    assert title in data["text/plain"]
    assert title in metadata["image/png"]["alt"]
    assert "99th percentile" in metadata["image/png"]["alt"]
    # The map itself is in it, each of its pixels as a square of whole pixels.
    wanted = Seen(found, View("signed")).coloured.astype(int)
    shown = opened(data)
    times = max(1, int(600 / max(wanted.shape[:2])))
    large = wanted.repeat(times, 0).repeat(times, 1)
    left = 12
    tops = [
        top
        for top in range(shown.shape[0] - large.shape[0])
        if np.abs(shown[top : top + large.shape[0], left : left + large.shape[1]] - large).max() <= 8
    ]
    assert len(tops) == 1


def test_the_picture_is_of_the_looks_on_display(make: Any) -> None:
    widget = make()
    widget.wait()
    seen = set()
    for choices in (
        {},
        {"look": "map"},
        {"look": "image"},
        {"sign": "signed", "look": "map"},
        {"threshold": 5, "look": "overlay"},
        {"opacity": 0.1},
        {"photo": "colour"},
        {"colormap": "blue-white-orange"},
        {"clip": 60},
        {"reduction": "0"},
        {"scale": "locked", "level": 9.0},
    ):
        for name, value in choices.items():
            setattr(widget, name, value)
        seen.add(bundle(widget)[0]["image/png"])
    assert len(seen) == 11
    widget.threshold = 100
    widget.look = "image"
    alt = bundle(widget)[1]["image/png"]["alt"]
    assert "is there and is not shown" in alt


def test_before_there_is_a_map_it_is_the_photograph_and_says_so(make: Any, picture: Any) -> None:
    gate = threading.Event()

    class Slow(Small):
        passes = 0

        def forward(self, x: Any) -> Any:
            Slow.passes += 1
            if threading.current_thread() is not threading.main_thread():
                gate.wait(20)
            return super().forward(x)

    widget = make(Slow().eval(), picture)
    try:
        data, metadata = bundle(widget)
        assert "still being computed" in metadata["image/png"]["alt"]
        assert "logit of" not in data["text/plain"]
        assert data["text/plain"].startswith("<SaliencyWidget of Slow: ")
    finally:
        gate.set()
    widget.wait()
    again, metadata = bundle(widget)
    assert "logit of" in again["text/plain"]
    assert "still being computed" not in metadata["image/png"]["alt"]
    assert again["image/png"] != data["image/png"]


def test_a_map_that_failed_is_said_to_be_missing(make: Any, picture: Any) -> None:
    class Broken(Small):
        def forward(self, x: Any) -> Any:
            return super().forward(x).detach()

    widget = make(Broken().eval(), picture)
    with pytest.raises(sw.SaliencyError):
        widget.wait()
    assert "There is no map: " in bundle(widget)[1]["image/png"]["alt"]


def test_the_view_is_shown_whatever_happens_to_the_picture(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    widget = make()

    def broken(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(output, "_still", broken)
    data, metadata = bundle(widget)
    assert set(data) == {VIEW, "text/plain"}
    assert metadata == {}


@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (224, 224), (1000, 1400), (2000, 30), (30, 2000)])
def test_every_picture_is_small_and_readable(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    photo = random.integers(0, 256, (*shape, 3)).astype(np.uint8)  # nothing to compress: the worst there is
    made = attribution(values=random.normal(size=(3, *shape)), image=photo)
    for look in ("overlay", "map"):
        content = still_of_map(Seen(made, View("signed", threshold=50)), look, "The model says", "Gradient")
        assert len(content) <= MOST_BYTES
        with Image.open(io.BytesIO(content)) as image:
            assert image.width <= 640
            assert image.height <= 1200
    assert len(still_of_picture(photo, "The model says", "Not yet.")) <= MOST_BYTES


def test_labels_of_any_kind_do(make: Any, picture: Any) -> None:
    labels = [HOSTILE, "x" * 10_000, "قط منزلي", *LABELS[3:]]
    for index in range(3):
        widget = make(Small().eval(), picture, labels=labels, target=index)
        widget.wait()
        data, metadata = bundle(widget)
        opened(data)
        for text in (data["text/plain"], metadata["image/png"]["alt"]):
            assert len(text) < 1500
            assert "\x00" not in text
            assert "\u2028" not in text


def test_no_plotting_library_is_loaded_for_it() -> None:
    code = """
import sys
from tests.export.support import attribution
from saliency_widget.display.view import Seen, View
from saliency_widget.export.still import still_of_map
still_of_map(Seen(attribution(), View()), "overlay", "a", "b")
print("matplotlib" in sys.modules)
"""
    root = Path(sw.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "False"


def test_its_figure_is_in_the_looks_on_display(make: Any) -> None:
    widget = make(sign="signed", threshold=10, opacity=0.3, photo="colour")
    widget.wait()
    found = widget.attribution
    figure = widget.figure()
    wanted = Seen(found, View("signed", threshold=10, opacity=0.3, photo="colour"))
    assert (figure.axes[1].images[0].get_array() == wanted.over).all()
    widget.scale, widget.level = "locked", 7.0
    assert widget.figure().axes[3]._colorbar.vmax == 7.0
    assert len(widget.figure(look="overlay", colorbar=False).axes) == 1
    with pytest.raises(sw.InputError, match="look"):
        widget.figure(look="nothing")


def test_a_shared_scale_is_that_of_all_panels(make: Any) -> None:
    widget = make()
    widget.panels = [{"target": {"index": (widget.class_index + k) % 7}} for k in (1, 2)]
    widget.wait()
    widget.scale = "shared"
    deadline = threading.Event()
    for _ in range(200):
        if len(widget._panel_keys & set(widget.attributions)) == 2:
            break
        deadline.wait(0.1)
    everyone = [widget.attribution, *(widget.attributions[key] for key in widget._panel_keys)]
    level = max(Seen(one, View()).level for one in everyone)
    assert widget.figure().axes[3]._colorbar.vmax == level


CELLS = [
    "from tests.widget.conftest import LABELS, Small\nimport numpy as np\nimport saliency_widget as sw\n"
    "picture = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)\n"
    "plain = sw.Preprocess(size=None, crop=None, mean=(0.5,) * 3, std=(0.5,) * 3)",
    "quick = sw.SaliencyWidget(Small().eval(), picture, preprocess=plain, labels=LABELS)\nquick.wait()\nquick",
    "slow = sw.SaliencyWidget(Small(pause=0.5).eval(), picture, preprocess=plain, labels=LABELS, "
    "method=sw.SmoothGrad(samples=400))\nslow",
    "slow.stop()",
]


def test_a_notebook_that_was_run_from_top_to_bottom_shows_it_without_the_widget(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter, MarkdownExporter

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    root = str(Path(sw.__file__).parents[1])
    NotebookClient(notebook, timeout=300, store_widget_state=False, resources={"metadata": {"path": root}}).execute()
    nbformat.validate(notebook)
    quick, slow = (notebook.cells[k].outputs[-1] for k in (1, 2))
    assert set(quick.data) == {VIEW, "image/png", "text/plain"}
    assert opened(quick.data).size
    assert "logit of" in quick.metadata["image/png"]["alt"]
    assert "still being computed" in slow.metadata["image/png"]["alt"]
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert quick.data["image/png"].strip()[:200] in page
    _, resources = MarkdownExporter().from_notebook_node(notebook)
    pictures = [content for name, content in resources["outputs"].items() if name.endswith(".png")]
    assert base64.b64decode(quick.data["image/png"]) in pictures
