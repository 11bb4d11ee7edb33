"""What importing costs: which packages are loaded, and not how long that takes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "torch torchvision timm transformers anywidget ipywidgets traitlets IPython matplotlib skimage scipy numpy "
    "numpy.random PIL saliency_widget.engine.problem saliency_widget.explainer.explainer"
)
# What the names of the functions and of Grad-CAM do not need, and the first map does.
FIRST_MAP = {"PIL", "numpy.random", "saliency_widget.engine.problem", "saliency_widget.explainer.explainer"}


def loaded(code: str) -> set[str]:
    """Which of them are loaded once the code has run, in an interpreter of its own."""
    code = f"{code}\nimport sys, json\nprint(json.dumps([name for name in {HEAVY.split()} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


ENGINE = (
    "import torch, saliency_widget as sw\nmodel = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten())"
)


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("import saliency_widget", set()),
        ("import saliency_widget.display", set()),
        ("import saliency_widget.attribution", {"numpy"}),
        ("from saliency_widget.display import encode, quantise, reduce, threshold, view", {"numpy"}),
        ("from saliency_widget import *", None),
        (
            "import saliency_widget as sw\nsw.explain, sw.stream, sw.layers, sw.boxes, sw.GradCAM",
            {"torch", "numpy"},
        ),
        ("import saliency_widget as sw\nsw.LRP, sw.XRAI", {"torch", "numpy", "PIL", "saliency_widget.engine.problem"}),
        (f"{ENGINE}\nsw.explain(model.eval(), torch.rand(3, 8, 8))", {"torch", "numpy", *FIRST_MAP}),
        (f"{ENGINE}\nsw.explain(model.eval(), torch.rand(3, 8, 8)).heatmap()", {"torch", "numpy", *FIRST_MAP}),
    ],
)
def test_nothing_is_imported_before_it_is_used(code: str, wanted: set[str] | None) -> None:
    if wanted is None:
        # All names at once, the widget's among them: this shows that the others are seen when they come.
        assert {"torch", "anywidget", "ipywidgets", "traitlets"} <= loaded(code)
    else:
        assert loaded(code) == wanted
