"""Where a map came from: one dict, the same everywhere, of plain values, that changes with what decided the map."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import saliency_widget as sw
from saliency_widget._plain import inert_json
from saliency_widget.engine.digest import weights_digest
from saliency_widget.explainer import Explainer
from tests.export.support import HOSTILE, LABELS, PLAIN, explained, model, picture

KEYS = {
    *("format", "model", "weights_sha256", "image_sha256", "input_sha256", "input_shape", "preprocess", "target"),
    *("method", "seed", "score", "probability", "unit", "channels", "quality", "device", "dtype", "shadow"),
    *("way", "way_chosen", "classes", "notes", "progress", "seconds", "versions", "map", "prediction"),
}


def test_it_names_all_that_decides_a_map_in_plain_values() -> None:
    found = explained(target=sw.Contrast("bee", "dog"), method=sw.SmoothGrad(samples=3, seed=7))
    told = dict(found.provenance)
    assert told.keys() == KEYS
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["model"] == "tests.export.support.Small"
    assert told["target"] | {"text": ""} == {
        "kind": "contrast",
        "index": 1,
        "label": "bee",
        "other": 3,
        "other_label": "dog",
        "of": "logit",
        "activation": None,
        "text": "",
    }
    assert told["method"] == {
        "name": "smoothgrad",
        "label": "SmoothGrad",
        "parameters": {"samples": 3, "noise": 0.15, "statistic": "mean", "seed": 7},
    }
    assert told["seed"] == 7
    assert told["device"] == "cpu"
    assert told["progress"] == {"done": 3, "total": 3, "final": True}
    assert told["quality"] == dict(found.quality)
    assert (told["score"], told["probability"], told["unit"]) == (found.score, found.probability, found.unit)
    assert told["versions"]["torch"] == torch.__version__


def test_the_digests_can_be_made_by_anybody() -> None:
    net, photo = model(), picture()
    told = sw.explain(net, photo, preprocess=PLAIN).provenance
    digest = hashlib.sha256()
    for name, tensor in (*net.named_parameters(), *net.named_buffers()):
        array = tensor.detach().numpy()
        digest.update(json.dumps([name, array.dtype.name, list(array.shape)]).encode() + array.tobytes())
    assert told["weights_sha256"] == digest.hexdigest()
    assert told["image_sha256"] == hashlib.sha256(b"10 12" + photo.tobytes()).hexdigest()
    given = ((photo / 255 - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.4]).astype(np.float32).transpose(2, 0, 1)
    tensor = torch.from_numpy(np.ascontiguousarray(given))
    assert told["input_sha256"] != told["image_sha256"]
    again = sw.explain(net, tensor).provenance
    assert again["image_sha256"] == again["input_sha256"] == hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_hash_of_weights_sees_each_kind_of_change_and_nothing_else(dtype: torch.dtype) -> None:
    net = model().to(dtype)
    before = weights_digest(net)
    assert weights_digest(net) == before
    twin = model().to(dtype).to(memory_format=torch.channels_last)
    assert weights_digest(twin) == before
    seen = {before}
    for change in (
        lambda: net.conv.weight.data.mul_(-1),
        lambda: net.norm.running_mean.add_(1),
        lambda: net.head.weight.data.copy_(net.head.weight.data.flip(0)),
        lambda: net.float().half(),
    ):
        change()
        seen.add(weights_digest(net))
    assert len(seen) == 5


def test_weights_that_change_under_a_running_method_are_those_of_the_snapshot() -> None:
    net = model()
    explainer = Explainer(net, picture(), preprocess=PLAIN)
    steps = explainer.steps([explainer.resolve(1)], sw.SmoothGrad(samples=40))
    first = next(steps)
    before = weights_digest(net)
    assert first.attributions[0].provenance["weights_sha256"] == before
    with torch.no_grad():
        net.conv.weight.mul_(2)
    moved = weights_digest(net)
    *_, last = steps
    assert last.snapshot
    assert last.attributions[0].provenance["shadow"] == "snapshot"
    assert last.attributions[0].provenance["weights_sha256"] == moved != before
    again = sw.explain(net, picture(), target=1, method=sw.SmoothGrad(samples=40), preprocess=PLAIN)
    assert again.provenance["map"] == last.attributions[0].provenance["map"]


def test_weights_are_hashed_once_for_each_state_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from saliency_widget.engine import shadow

    calls = []
    monkeypatch.setattr(shadow, "weights_digest", lambda *given: calls.append(1) or weights_digest(*given))
    net = model()
    for _ in range(3):
        sw.explain(net, picture(), preprocess=PLAIN, method=sw.SmoothGrad(samples=3))
    assert len(calls) == 1
    with torch.no_grad():
        net.head.bias.data.add_(1)
    sw.explain(net, picture(), preprocess=PLAIN)
    assert len(calls) == 2


def test_labels_that_mean_something_elsewhere_mean_nothing_in_it() -> None:
    told = explained(target=1, labels=["ant", HOSTILE, "cat", "dog"]).provenance
    assert told["target"]["label"] == HOSTILE
    text = inert_json(told)
    assert text.isascii()
    assert not set("<>&'\0\x1b\n") & set(text)
    assert json.loads(text) == told


# -- reproduce ------------------------------------------------------------------------------------------------------


def again(given: Any, net: Any = None, photo: Any = None, **options: Any) -> Any:
    net, photo = model() if net is None else net, picture() if photo is None else photo
    return sw.reproduce(given, net, photo, **{"preprocess": PLAIN, **options})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"target": sw.Contrast("bee", "dog")},
        {"target": sw.Contrast("bee", "dog", of="probability")},
        {"target": sw.Probability("cat", activation="sigmoid")},
        {"target": sw.Margin("cat", k=2), "method": sw.SmoothGrad(samples=3, seed=5)},
        {"method": sw.IntegratedGradients(steps=6, baseline=(0.1, 0.2, 0.3))},
        {"method": sw.GradCAM(layer="conv")},
        {"method": sw.Occlusion(window=4, stride=2)},
    ],
)
def test_the_same_map_comes_out(options: dict[str, Any], tmp_path: Path) -> None:
    first = explained(**options)
    first.save(tmp_path / "map.npz")
    for given in (first, dict(first.provenance), json.loads(json.dumps(first.provenance)), tmp_path / "map.npz"):
        found = again(given)
        assert found.identical
        assert found.same
        assert found.difference == found.relative == 0
        assert dict(found.differs) == {}
        assert repr(found) == "<Reproduction: the same map, bit for bit; nothing else differs.>"
        assert found.attribution.values.tobytes() == first.values.tobytes()


def test_what_was_stopped_is_compared_with_the_same_estimate() -> None:
    whole = list(sw.stream(model(), picture(), method=sw.SmoothGrad(samples=30), preprocess=PLAIN))
    first = whole[0]
    assert not first.provenance["progress"]["final"]
    assert again(first).identical
    assert not again(first, photo=picture(seed=3)).same


def test_other_weights_another_picture_another_preprocessing_are_named() -> None:
    first = explained(target=1)
    other = model()
    with torch.no_grad():
        other.conv.weight.mul_(1.5)
    found = again(first, net=other)
    assert not found.same
    assert found.differs.keys() == {"weights_sha256"}
    assert found.difference == np.abs(first.values.astype(float) - found.attribution.values).max()
    assert "another map (at most" in repr(found)
    assert "the weights (sha256" in repr(found)
    found = again(first, photo=picture(seed=4))
    assert found.differs.keys() == {"image_sha256", "input_sha256"}
    found = again(first, preprocess=sw.Preprocess(size=None, crop=None, mean=(0.5,) * 3, std=(0.2, 0.3, 0.4)))
    assert found.differs.keys() == {"preprocess", "input_sha256"}
    found = again(first, net=nn.Sequential(model()))
    assert found.differs.keys() == {"model", "weights_sha256"}
    assert found.identical
    assert "bit for bit. What differs: the class of the model" in str(found)


def test_rounding_is_no_difference_and_more_is() -> None:
    first = explained(target=1)
    largest = float(np.abs(first.values).max())
    told = dict(first.provenance)
    for share, same in ((3e-5, True), (1e-3, False)):
        moved = first.values + np.float32(share * largest)
        shifted = sw.Attribution(**{**vars(first), "values": moved})
        found = again(shifted)
        assert not found.identical
        assert found.same is same
        assert found.relative == pytest.approx(share, rel=0.02)
        facts = {**told["map"], "sha256": "0" * 64, "sample": [one + share * largest for one in told["map"]["sample"]]}
        found = again({**told, "map": facts})
        assert found.same is same
        assert found.compared == 17
        assert "at the 17 places that can be compared" in repr(found)
    assert again(shifted, tolerance=0.01).same


def test_versions_that_differ_are_told_both() -> None:
    told = dict(explained(target=1).provenance)
    told["versions"] = {**told["versions"], "torch": "1.0", "extinct": "3"}
    found = again(told)
    assert found.identical
    assert found.differs["versions"] == (
        {"extinct": "3", "torch": "1.0"},
        {"extinct": None, "torch": str(torch.__version__)},
    )
    assert "extinct 3, now none" in str(found)


def test_a_map_that_is_no_number_somewhere_is_the_same_only_where_the_other_is_so() -> None:
    first = explained(target=1)
    holed = first.values.copy()
    holed[0, 3, 3] = np.nan
    found = again(sw.Attribution(**{**vars(first), "values": holed}))
    assert not found.same
    assert found.difference is None
    assert "another map: its shape, or where it is no number, is another" in repr(found)


def test_what_is_missing_is_named_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    array = np.full((3, 12, 10), 0.25)
    with_array = explained(method=sw.IntegratedGradients(steps=6, baseline=array))
    score = sw.Score(lambda out: out[:, 0] - out[:, 1], "first less second")
    of_user = explained(target=score)
    assert again(with_array, method=sw.IntegratedGradients(steps=6, baseline=array)).identical
    assert again(of_user, target=score).identical
    told, explained_before = dict(of_user.provenance), explained(target=1).provenance
    (tmp_path / "x.txt").write_text("x")
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (tmp_path / "x.svg").write_text('<svg><metadata id="saliency_widget">[1]</metadata></svg>')
    monkeypatch.setattr("saliency_widget.export.reproduce.make_ready", lambda *a, **k: pytest.fail("work was done"))
    for given, argument, words in (
        (with_array, "method", "'Integrated gradients' cannot be made"),
        (of_user, "target", "'first less second' is more than a class"),
        ({}, "provenance", "lacks 'format', 'model'"),
        ({k: v for k, v in told.items() if k != "map"}, "provenance", "lacks 'map'"),
        ({**told, "format": 99}, "provenance", "does not know"),
        ({**told, "target": 3}, "provenance", "is no target"),
        ({**told, "versions": ["1.0"]}, "provenance", "is no versions"),
        ({**told, "inputs": "mask"}, "provenance", "is no inputs"),
        ({**told, "progress": {"final": False, "done": "all"}}, "provenance", "is no progress"),
        ({**told, "inputs": {"mask": "float32 (1, 2)"}}, "inputs", "'mask'"),
        (3, "provenance", "is a int"),
        (tmp_path / "x.txt", "path", ".npz, .png, .svg"),
        (tmp_path / "none.png", "path", "does not exist"),
        (tmp_path / "x.png", "path", "carries no provenance"),
        (tmp_path / "x.svg", "path", "carries no provenance"),
    ):
        with pytest.raises(sw.InputError) as caught:
            again(given)
        assert caught.value.argument == argument
        assert words in str(caught.value)
    for lists in ({"photo": [picture()]}, {"target": [1]}):
        with pytest.raises(sw.InputError, match="is a list"):
            again(dict(explained_before), **lists)
    with pytest.raises(sw.InputError, match="tolerance"):
        again(told, tolerance=2)


def test_the_widgets_maps_carry_the_same_dict() -> None:
    widget = sw.SaliencyWidget(model(), picture(), preprocess=PLAIN, labels=LABELS, target=1)
    try:
        told = dict(widget.attribution.provenance)
        assert told.keys() == KEYS
        # Several classes in one run, or one: the last digits may differ.
        assert again(told).same
    finally:
        widget.close()
