"""What the values of a method are in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import saliency_widget as sw


@pytest.mark.parametrize(
    "method",
    [sw.IntegratedGradients(steps=5), sw.BlurIG(steps=2), sw.GuidedIG(steps=2), sw.ExpectedGradients(samples=2)],
)
def test_attributions_along_a_path_are_in_the_unit_of_the_score(method: object) -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 3)).eval()
    image = np.zeros((4, 4, 3), np.uint8)
    arguments = {"preprocess": "none", "target": 1}
    found = sw.explain(model, image, method=method, **arguments)
    assert isinstance(found, sw.Attribution)
    assert found.unit == "logit"
    assert sw.explain(model, image, method="gradient", **arguments).unit == "logit per full-scale pixel"
    own = sw.explain(model, image, method=method, preprocess="none", target=sw.Probability(1))
    assert own.unit == "probability"


def test_a_baseline_given_as_an_array_is_written_down_by_its_digest(tmp_path: object) -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 3)).eval()
    method = sw.IntegratedGradients(steps=5, baseline=[np.zeros((4, 4, 3), np.uint8), "white"])
    found = sw.explain(model, np.zeros((4, 4, 3), np.uint8), method=method, preprocess="none", target=1)
    file = f"{tmp_path}/map.npz"
    found.save(file)
    kept = sw.Attribution.load(file).method.parameters["baseline"]
    assert kept[0].startswith("array (4, 4, 3), sha256 ")
    assert kept[1] == "white"
