"""Maps that depend on what the model has learnt lose their structure when it is taken away (Adebayo et al., 2018)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.methods.base import menu

ROOT = Path(__file__).parent.parent
# The methods that pass it in the paper, by the letters of their names.
PASS = ("gradient", "smoothgrad", "integratedgradients", "gradcam")


def letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("randomisation", ROOT / "benchmarks" / "randomisation.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up by name.
    sys.modules["randomisation"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "method", [method for method in menu() if letters(method.name) in PASS], ids=lambda method: method.name
)
def test_the_map_does_not_survive_new_weights(method: type[sw.Gradient], bench: ModuleType) -> None:
    # A grid of 7 x 7 agrees by chance more often than 224 x 224 pixels do.
    seeds = range(4) if letters(method.name) == "gradcam" else [0]
    row = bench.examine(bench.quick(method), ["chelsea"], seeds, ["classifier", "everything"])
    assert abs(row.stages["everything"]) < 0.35
    assert abs(row.signed) < 0.2
    assert row.stages["classifier"] < 0.9


def test_the_measure(bench: ModuleType) -> None:
    generator = np.random.default_rng(0)
    one, other = generator.standard_normal((2, 40, 40))
    assert bench.rank_correlation(one, one**3) == pytest.approx(1)
    assert bench.rank_correlation(one, -one) == pytest.approx(-1)
    assert abs(bench.rank_correlation(one, other)) < 0.1
    assert bench.rank_correlation(one, np.zeros((40, 40))) == 0
    assert bench.rank_correlation(np.array([1.0, 1, 2]), np.array([3.0, 3, 5])) == pytest.approx(1)
    # A map that is the picture itself is what the test is there to find.
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, 4:] = 255
    found = bench.edges(picture, (8, 8))
    assert found[:, 3:5].all()
    assert not found[:, :3].any()
    kept = bench.randomised(["classifier"], 0).state_dict()
    trained = sw.demo.model().state_dict()
    changed = {name for name in trained if not (kept[name] == trained[name]).all()}
    assert changed
    assert all(name.startswith("classifier") for name in changed)
