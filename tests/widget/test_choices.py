"""What is looked at and how: traits that can be set, observed, linked, kept and set again."""

from __future__ import annotations

import base64
import io
import json
import random
import time
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
import traitlets
from PIL import Image

import saliency_widget as sw
from saliency_widget.display.encode import decode_half
from tests.widget.conftest import FINAL, LABELS, RecordingComm, Small
from tests.widget.test_widget import settle

# No float is so large.
HUGE = 10**400


def ask(widget: Any, req: str = "q", **want: Any) -> None:
    content = {"v": 1, "kind": "request", "req": req, "seq": 1, "want": want}
    widget.comm.receive({"method": "custom", "content": content})


def answer(widget: Any, req: str = "q") -> dict[str, Any]:
    widget.comm.until(lambda: any(one["kind"] in (*FINAL, "tile") for one in widget.comm.custom(req)))
    return widget.comm.custom(req)[-1]


def test_the_choices_tell_what_is_shown(make: Any) -> None:
    widget = make(target="dog", method=sw.SmoothGrad(samples=3))
    widget.wait(20)
    assert widget.shown == "smoothgrad(samples=3)/logit/3"
    assert (widget.method, widget.score, widget.class_index, widget.versus) == ("smoothgrad", "logit", 3, -1)
    assert widget.parameters["samples"] == 3


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("class_index", 5, "gradient/logit/5"),
        ("versus", 6, "gradient/contrast/0/6"),
        ("score", "probability", "gradient/probability/0"),
        ("method", "input-x-gradient", "input-x-gradient/logit/0"),
        ("parameters", {"blur": 0.1}, "gradient(blur=0.1)/logit/0"),
        ("method", sw.SmoothGrad(samples=2), "smoothgrad(samples=2)/logit/0"),
    ],
)
def test_setting_a_choice_computes_and_shows_its_map(make: Any, name: str, value: Any, key: str) -> None:
    widget = make(target=0)
    seen: list[str] = []
    widget.observe(lambda change: seen.append(change["new"]), "shown")
    setattr(widget, name, value)
    widget.wait(20)
    assert widget.shown == key
    assert widget.attribution is widget.attributions[key]
    assert seen[-1] == key


def test_several_choices_at_once_are_one(make: Any) -> None:
    widget = make(target=0)
    settle(widget)
    started: list[str] = []
    widget.observe(lambda change: started.append(str(change["new"].get("want"))), "_status")
    with widget.hold_trait_notifications():
        widget.method = "smoothgrad"
        widget.parameters = {**sw_parameters("smoothgrad"), "samples": 4}
        widget.class_index = 2
    widget.wait(20)
    assert widget.shown == "smoothgrad(samples=4)/logit/2"
    assert len({text for text in started if text != "None"}) == 1


def sw_parameters(name: str) -> dict[str, Any]:
    from saliency_widget.methods.base import as_method
    from saliency_widget.methods.plain import plain_parameters

    return plain_parameters(as_method(name))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("class_index", 7),
        ("class_index", "cat"),
        ("versus", 99),
        ("score", "vibes"),
        ("method", "magic"),
        ("parameters", {"blurr": 1}),
        ("image_index", 1),
        ("model_index", -1),
        ("sign", "both"),
        ("reduction", "median"),
        ("colormap", "rainbow"),
        ("viewport", [0.5, 0, 0]),
        ("viewport", [float("nan"), 0, 0]),
        ("pins", [[1, -2]]),
        ("pins", [[0, 0]] * 10),
        ("panels", [{}] * 9),
        ("panels", [{"method": "magic"}]),
        ("level", float("inf")),
        ("threshold", float("nan")),
        ("threshold", 101),
        *((name, HUGE) for name in ("threshold", "clip", "opacity", "level", "class_index")),
        ("viewport", [HUGE, 0, 0]),
        ("viewport", [1, 0, -HUGE]),
        ("pins", [[0, HUGE]]),
    ],
)
def test_a_wrong_choice_is_refused_and_changes_nothing(make: Any, name: str, value: Any) -> None:
    widget = make()
    settle(widget)
    before = widget.view
    with pytest.raises((traitlets.TraitError, sw.InputError)):
        setattr(widget, name, value)
    assert widget.view == before
    with pytest.raises(sw.InputError, match=f"{name.split('_')[0]}|target"):
        widget.view = {"threshold": 5.0, name: value}
    assert widget.view == before
    widget.comm.receive({"method": "update", "state": {name: value}})
    assert widget.view == before
    assert any(name in data.get("state", {}) for _, data, _ in widget.comm.sent), "the front end is put right"


@pytest.mark.parametrize("number", [HUGE, 10**5000, float("nan"), -1], ids=["huge", "unprintable", "nan", "below"])
@pytest.mark.parametrize("name", ["threshold", "clip", "opacity", "level", "viewport", "pins"])
def test_a_number_that_cannot_be_is_refused_when_it_is_made(make: Any, name: str, number: Any) -> None:
    value = {"viewport": [number, 0, 0], "pins": [[0, number]]}.get(name, number)
    with pytest.raises(sw.InputError, match=f"^{name}="):
        make(**{name: value})


def test_the_view_is_a_small_dict_that_brings_everything_back(make: Any) -> None:
    widget = make()
    settle(widget)
    first = widget.view
    assert json.loads(json.dumps(first)) == first
    assert len(json.dumps(first)) < 2000
    widget.view = {
        "class_index": 4,
        "method": "smoothgrad",
        "sign": "negative",
        "reduction": "1",
        "threshold": 12.5,
        "viewport": [3, 0.25, 0.75],
        "pins": [[1, 2]],
        "panels": [{"target": {"index": 1}}],
    }
    widget.wait(20)
    second = widget.view
    assert (second["method"], second["class_index"], second["sign"]) == ("smoothgrad", 4, "negative")
    widget.view = first
    widget.wait(20)
    assert widget.view == first
    widget.view = second
    widget.wait(20)
    assert widget.view == second
    with pytest.raises(sw.InputError, match="threshold"):
        widget.view = {"treshold": 5}


def test_a_view_can_be_given_when_it_is_made(make: Any) -> None:
    widget = make(view={"class_index": 2, "sign": "signed"}, opacity=0.5)
    widget.wait(20)
    assert (widget.shown, widget.sign, widget.opacity) == ("gradient/logit/2", "signed", 0.5)


def test_linked_widgets_look_at_the_same_class(make: Any, picture: Any) -> None:
    one, two = make(), make(Small().eval(), picture.rotate(90, expand=True))
    ipywidgets.link((one, "class_index"), (two, "class_index"))
    one.class_index = 5
    assert (one.wait(20).attribution.target.index, two.wait(20).attribution.target.index) == (5, 5)
    two.class_index = 1
    assert (one.wait(20).attribution.target.index, two.wait(20).attribution.target.index) == (1, 1)
    assert one.class_index == two.class_index == 1


def test_a_front_end_that_sets_the_choices_gets_their_map_shown(make: Any) -> None:
    """What jslink does to a widget: its traits are set in the page."""
    widget = make(target=0)
    settle(widget)
    widget.comm.receive(
        {
            "method": "update",
            "state": {
                "method": "smoothgrad",
                "parameters": {**sw_parameters("smoothgrad"), "samples": 2},
                "class_index": 3,
            },
        }
    )
    widget.wait(20)
    assert widget.shown == "smoothgrad(samples=2)/logit/3"


def test_each_model_with_each_image_is_a_subject(make: Any, picture: Any) -> None:
    other = Image.fromarray(np.random.default_rng(9).integers(0, 256, (16, 30, 3)).astype(np.uint8))
    models = [Small().eval(), Small(classes=4).eval()]
    widget = make(models, [picture, other], labels=None)
    settle(widget)
    info = widget._info
    assert [(one["model"], one["image"]) for one in info["subjects"]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [one["picture"] for one in info["subjects"][:2]] == [
        {"height": 20, "width": 24},
        {"height": 16, "width": 30},
    ]
    assert [len(one) for one in widget._images] == [3 * 20 * 24, 3 * 16 * 30] * 2
    assert widget.shown.startswith("0.0/gradient/")
    widget.image_index = 1
    widget.model_index = 1
    widget.class_index = 3
    widget.wait(20)
    truth = sw.explain(models[1], other, target=3, preprocess="none")
    assert widget.shown == "1.1/gradient/logit/3"
    np.testing.assert_array_equal(widget.attribution.values, truth.values)
    with pytest.raises(traitlets.TraitError, match=r"class_index|target"):
        widget.class_index = 6


def test_panels_are_computed_without_a_front_end_and_stay(make: Any) -> None:
    widget = make(target=0)
    widget.panels = [{"method": "smoothgrad", "parameters": {"samples": 2}}, {"target": {"index": 6}}]
    settle(widget)
    assert widget.shown == "gradient/logit/0"
    assert {"smoothgrad(samples=2)/logit/0", "gradient/logit/6"} <= set(widget.attributions)
    assert widget.panels[1] == {
        "model": 0,
        "image": 0,
        "method": "gradient",
        "parameters": {"blur": 0.0},
        "target": {"kind": "logit", "index": 6, "other": None},
    }
    for count in range(40):
        widget.parameters = {"blur": 0.001 * (count + 1)}
        widget.wait(20)
    assert {"smoothgrad(samples=2)/logit/0", "gradient/logit/6"} <= set(widget.attributions)


def test_several_models_are_shown_beside_each_other_on_one_scale(make: Any, picture: Any) -> None:
    torch.manual_seed(3)
    widget = make([Small().eval(), Small().eval(), Small(classes=4).eval()], picture, target=2, labels=None)
    settle(widget)
    assert [(one["model"], one["target"]["index"]) for one in widget.panels] == [(1, 2), (2, 2)]
    assert widget.scale == "shared"
    assert {"0.0/gradient/logit/2", "1.0/gradient/logit/2", "2.0/gradient/logit/2"} <= set(widget.attributions)


def test_the_other_models_follow_until_the_panels_are_changed(make: Any, picture: Any) -> None:
    models = [Small().eval(), Small().eval(), Small(classes=4).eval()]
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    widget = make(models, [picture, mirrored], target=2, labels=None)
    settle(widget)

    def beside() -> list[tuple[int, int, str, int]]:
        settle(widget)
        keys = ("model", "image", "method")
        return [(*(one[key] for key in keys), one["target"]["index"]) for one in widget.panels]

    assert beside() == [(1, 0, "gradient", 2), (2, 0, "gradient", 2)]
    widget.class_index = 3
    # One of other classes stays with its own.
    assert beside() == [(1, 0, "gradient", 3), (2, 0, "gradient", 2)]
    widget.method = "input-x-gradient"
    assert beside() == [(1, 0, "input-x-gradient", 3), (2, 0, "input-x-gradient", 2)]
    before = widget.view
    widget.image_index = 1
    predicted = sw.explain(models[2], mirrored, preprocess="none").target.index
    assert beside() == [(1, 1, "input-x-gradient", 3), (2, 1, "input-x-gradient", predicted)]
    # Undone, and gone on from there.
    widget.view = before
    assert beside() == [(1, 0, "input-x-gradient", 3), (2, 0, "input-x-gradient", 2)]
    widget.class_index = 1
    assert beside() == [(1, 0, "input-x-gradient", 1), (2, 0, "input-x-gradient", 2)]
    own = widget.panels[:1]
    widget.panels = own
    widget.class_index = 4
    settle(widget)
    assert widget.panels == own


def test_other_classes_are_not_compared_and_what_the_user_says_of_panels_and_scale_stays(
    make: Any, picture: Any
) -> None:
    models = [Small().eval(), Small(classes=4).eval()]
    widget = make(models, picture, labels=None)
    settle(widget)
    assert widget.panels[0]["target"]["index"] == sw.explain(models[1], picture, preprocess="none").target.index
    alone = make(models, picture, labels=None, panels=[], scale="own")
    assert (alone.panels, alone.scale) == ([], "own")
    assert make(models, picture, labels=None, scale="own").scale == "own"
    one = make(models[0], [picture, picture], labels=None)
    assert (one.panels, one.scale) == ([], "own")


def slow(make: Any, picture: Any, samples: int = 200) -> Any:
    widget = make(Small(pause=0.005).eval(), picture)
    settle(widget)
    ask(widget, method="smoothgrad", parameters={**sw_parameters("smoothgrad"), "samples": samples})
    widget.comm.until(lambda: any(one["kind"] in ("partial", "progress") for one in widget.comm.custom("q")))
    return widget


def test_stop_keeps_what_there_is_and_going_on_ends_with_the_same_map(make: Any, picture: Any) -> None:
    widget = slow(make, picture, samples=60)
    widget.comm.receive({"method": "custom", "content": {"v": 1, "kind": "cancel", "req": "q", "keep": True}})
    said = answer(widget)
    assert said["kind"] == "cancelled"
    key = said["key"]
    header = next(one for one in widget._maps if one["key"] == key)
    assert not header["final"]
    assert 0 <= header["done"] < 60
    state = widget.get_state()
    kept = decode_half(state[f"_slot_{header['slot']}"], header["shape"], header["scale"])
    assert np.abs(kept).max() > 0
    ask(widget, "go", method="smoothgrad", parameters=widget._maps[-1]["method"]["parameters"])
    assert answer(widget, "go") == {"v": 1, "kind": "done", "req": "go", "key": key}
    first = next(one for one in widget.comm.custom("go") if one["kind"] in ("partial", "progress"))
    assert first["done"] > header["done"], "it goes on, and does not begin again"
    truth = sw.explain(
        Small().eval(), picture, preprocess="none", method=sw.SmoothGrad(samples=60), target=header["target"]["index"]
    )
    np.testing.assert_array_equal(widget.attributions[key].values, truth.values)


def test_a_script_stops_and_goes_on(make: Any, picture: Any) -> None:
    widget = make(Small(pause=0.005).eval(), picture, target=0)
    settle(widget)
    widget.method = sw.SmoothGrad(samples=80)
    for _ in range(1000):
        run = widget._session._run
        if run is not None and run.last is not None:
            break
        time.sleep(0.01)
    widget.stop()
    assert widget.shown == "smoothgrad(samples=80)/logit/0"
    assert not widget._maps[-1]["final"]
    widget.go_on()
    widget.wait(30)
    assert widget._maps[-1]["final"]


def test_a_partial_says_how_good_it_is(make: Any, picture: Any) -> None:
    widget = slow(make, picture, 30)
    answer(widget)
    partials = [one for one in widget.comm.custom("q") if one["kind"] == "partial"]
    assert partials
    late = partials[-1]
    assert late["seconds"] > 0
    assert late["header"]["quality"].keys() >= {"standard_error"} or late["done"] < 4
    assert json.dumps(late)


@pytest.mark.parametrize("fused", [False, True])
def test_maps_of_earlier_weights_say_so_and_are_made_anew(make: Any, picture: Any, fused: bool) -> None:
    model = Small().eval()
    widget = make(model, picture, target=0)
    settle(widget)
    before = widget.attribution.values.copy()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05, fused=fused)
    model(torch.rand(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    widget.method = "input-x-gradient"
    widget.wait(20)
    settle(widget)
    marks = {one["key"]: one["outdated"] for one in widget._maps}
    assert not marks["input-x-gradient/logit/0"]
    assert marks["gradient/logit/0"]
    says = widget._info["subjects"][0]["prediction"]
    logits = model(torch.from_numpy(widget._explainer.prepared.input.numpy())[None])[0]
    assert [one["index"] for one in says] == logits.argsort(descending=True)[:5].tolist()
    ask(widget, method="gradient", target={"kind": "logit", "index": 0, "other": None})
    answer(widget)
    marks = {one["key"]: one["outdated"] for one in widget._maps}
    assert not marks["gradient/logit/0"]
    assert not np.array_equal(widget.attributions["gradient/logit/0"].values, before)


def test_a_part_of_a_large_map_at_its_full_resolution(make: Any) -> None:
    large = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 1200, 3)).astype(np.uint8))
    widget = make(Small().eval(), large)
    widget.wait(30)
    place = {"key": widget.shown, "top": 3, "left": 700, "height": 20, "width": 50}
    content = {"v": 1, "kind": "tile", "req": "t", "seq": 1, **place}
    widget.comm.receive({"method": "custom", "content": content})
    said = answer(widget, "t")
    assert said["kind"] == "tile"
    buffers = next(b for _, data, b in widget.comm.sent if data.get("content", {}).get("kind") == "tile")
    values = decode_half(buffers[0], said["header"]["shape"], said["header"]["scale"])
    truth = widget.attribution.values[:, 3:23, 700:750]
    np.testing.assert_allclose(values, truth, atol=np.abs(truth).max() * 2.0**-11)
    assert buffers[1] == widget.attribution.image[3:23, 700:750].tobytes()
    for number, wrong in enumerate(
        ({"top": -1}, {"top": 30}, {"width": 0}, {"width": 2000}, {"left": None}, {"key": "x"}, {"key": 5})
    ):
        content = {"v": 1, "kind": "tile", "req": f"w{number}", "seq": 1, **place, **wrong}
        widget.comm.receive({"method": "custom", "content": content})
        assert answer(widget, f"w{number}")["kind"] == "error"


def test_the_original_picture_travels_when_it_is_looked_at(make: Any) -> None:
    widget = make()
    settle(widget)
    assert widget._originals == [b""]
    widget.frame = "original"
    widget.comm.until(lambda: len(widget._originals) == 1)


def test_a_method_shows_the_picture_it_compares_with(make: Any) -> None:
    widget = make(method=sw.IntegratedGradients(steps=8, baseline="white"))
    widget.wait(30)
    picture = Image.open(io.BytesIO(base64.b64decode(widget._maps[0]["baseline"])))
    assert max(picture.size) <= 48
    assert np.asarray(picture).min() == 255


KINDS = ("request", "cancel", "ack", "tile", "explode", None, 7)
STATES = ("idle", "computing", "closed", "suspended")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_message_in_each_state_has_its_answer(make: Any, picture: Any, kind: Any, state: str) -> None:
    widget = slow(make, picture, 3000) if state in ("computing", "suspended") else make()
    if state == "suspended":
        widget.comm.receive({"method": "custom", "content": {"v": 1, "kind": "cancel", "req": "q", "keep": True}})
    if state != "computing":
        settle(widget)
    talk: RecordingComm = widget.comm
    if state == "closed":
        widget.close()
    index = next(i for i in range(7) if f"gradient/logit/{i}" not in widget.attributions)
    want = {"method": "gradient", "target": {"kind": "logit", "index": index, "other": None}}
    place = {"key": widget.shown, "top": 0, "left": 0, "height": 5, "width": 5}
    content = {"v": 1, "kind": kind, "req": "x", "seq": 5, "want": want, "visible": True, **place}
    widget._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
    if state != "closed" and kind in ("request", "tile"):
        talk.until(lambda: any(one["kind"] in (*FINAL, "tile") for one in talk.custom("x")))
    finals = [one["kind"] for one in talk.custom("x") if one["kind"] in (*FINAL, "tile")]
    expected = {"request": 1, "tile": 1}.get(kind, 0) if state != "closed" else 0
    assert len(finals) == expected
    if state == "computing" and kind == "request":
        assert [one["kind"] for one in talk.custom("q") if one["kind"] in FINAL] == ["cancelled"]


def test_ten_thousand_random_messages_raise_nothing_and_answer_each_request_once(
    make: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    widget = make()
    settle(widget)
    draw = random.Random(23)
    names: list[str] = []
    methods = ["gradient", "input-x-gradient", "magic", None, 3]
    with caplog.at_level("WARNING"):
        for number in range(10_000):
            kind = draw.choice(["request", "cancel", "ack", "tile", "request", "junk"])
            req = f"n{number}" if kind in ("request", "tile") else draw.choice(names or ["none"])
            target = {"kind": draw.choice(["logit", "probability", "margin", 3]), "index": draw.randrange(-1, 9)}
            if draw.random() < 0.3:
                target["other"] = draw.choice([None, 0, 3, 9, "x"])
            content = {
                "v": 1,
                "kind": kind,
                "req": req,
                "seq": draw.choice([number, 0, -1, 1.5]),
                "want": draw.choice([{"method": draw.choice(methods), "target": target}, None, [], {"target": target}]),
                "keep": draw.choice([True, False, 3]),
                "key": draw.choice([widget.shown, "x", None]),
                **{side: draw.choice([0, 3, 5, -1, None]) for side in ("top", "left", "height", "width")},
            }
            if kind in ("request", "tile") and content["seq"] in (number, 0):
                names.append(req)
            widget.comm.receive({"method": "custom", "content": content})
        settle(widget)
    assert caplog.records == []
    assert "Traceback" not in "".join(capsys.readouterr())
    finals: dict[str, int] = {}
    for one in widget.comm.custom():
        if one["kind"] in (*FINAL, "tile"):
            finals[one["req"]] = finals.get(one["req"], 0) + 1
    assert {name: finals.get(name, 0) for name in names} == dict.fromkeys(names, 1)


def test_the_labels_of_the_models_are_theirs(make: Any, picture: Any) -> None:
    widget = make([Small().eval(), Small().eval()], picture)
    assert widget._labels == [LABELS]
    assert {one["labels"] for one in widget._info["subjects"]} == {0}


def test_its_figure_is_what_is_shown(make: Any) -> None:
    widget = make(sign="positive", reduction="1", colormap="jet", clip=95)
    texts = " ".join(text.get_text() for text in widget.figure().findobj(lambda artist: hasattr(artist, "get_text")))
    assert "95th percentile" in texts
    assert "not uniform" in texts
    widget.view = {"reduction": "7", "colormap": "blue-orange"}
    assert widget.figure() is not None


def test_layers_and_the_place_in_the_original_are_told_when_they_are_found(make: Any, picture: Any) -> None:
    widget = make(Small().eval(), picture)
    widget.comm.until(lambda: bool(widget._info["subjects"][0]["layers"]))
    (subject,) = widget._info["subjects"]
    assert {one["name"]: one["grid"] for one in subject["layers"]}["conv"] == [20, 24]
    assert subject["original"] == {"height": 20, "width": 24, "box": [0, 0, 20, 24]}
    assert json.dumps(widget._info)


def test_nothing_is_no_map_to_go_back_to(make: Any) -> None:
    widget = make()
    settle(widget)
    shown = widget.shown
    with pytest.raises(traitlets.TraitError, match=r"shown='' is no map .*gradient/logit"):
        widget.shown = ""
    widget.comm.receive({"method": "update", "state": {"shown": ""}})
    assert widget.shown == shown
    assert widget.attribution.method.name == "gradient"


def test_the_notes_on_a_model_are_sentences(make: Any) -> None:
    note = "the picture is turned"
    widget = make()
    settle(widget)
    widget._explainer.notes = (note, "BatchNorm is frozen")
    notes = widget._subjects.info()["subjects"][0]["notes"]
    assert notes == ["The picture is turned", "BatchNorm is frozen"]
