"""The widget as a front end and a script see it, with a recording comm in the place of a browser."""

from __future__ import annotations

import gc
import random
import time
import weakref
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.display.encode import decode_half
from saliency_widget.explainer import explain
from tests.widget.conftest import FINAL, LABELS, Small


def held(widget: sw.SaliencyWidget, key: str) -> np.ndarray:
    """A map as the browser would decode it, from the synced state alone."""
    state = widget.get_state()
    header = next(one for one in state["_maps"] if one["key"] == key)
    return decode_half(state[f"_slot_{header['slot']}"], header["shape"], header["scale"])


def request(index: Any, req: str = "r1", kind: Any = "logit", method: Any = "gradient") -> dict[str, Any]:
    want = {"method": method, "target": {"kind": kind, "index": index}}
    return {"method": "custom", "content": {"v": 1, "kind": "request", "req": req, "seq": 1, "want": want}}


def settle(widget: sw.SaliencyWidget) -> None:
    """Wait until everything that was computed ahead is there, too."""
    with widget._changed:
        assert widget._changed.wait_for(lambda: widget._session._running is None, 30)


def test_it_is_complete_when_it_is_made(make: Any, model: Small) -> None:
    widget = make()
    widget.wait(20)
    logits = model(torch.from_numpy(widget._explainer.prepared.input.numpy())[None])[0]
    best = int(logits.argmax())
    assert widget.shown == f"gradient/logit/{best}"
    says = widget._info["subjects"][0]["prediction"]
    assert [one["index"] for one in says] == logits.argsort(descending=True)[:5].tolist()
    assert says[0]["label"] == LABELS[best]
    np.testing.assert_allclose(
        [one["probability"] for one in says], logits.softmax(0).sort().values.flip(0)[:5].detach(), rtol=1e-5
    )
    assert widget._info["subjects"][0]["picture"] == {"height": 20, "width": 24}
    assert len(widget._images[0]) == 20 * 24 * 3
    assert widget._status["state"] == "idle"
    assert widget.attribution.target.index == best
    widget.wait(1)


def test_the_state_alone_holds_the_engines_map(make: Any, model: Small, picture: Any) -> None:
    widget = make()
    truth = explain(model, picture, preprocess="none", labels=LABELS).values
    header = widget._maps[0]
    error = np.abs(held(widget, widget.shown) - truth)
    assert error.max() <= header["error"]
    assert header["unit"] == "logit per full-scale pixel"
    assert header["target"]["text"].startswith("logit of ")


def test_the_five_most_probable_classes_are_computed_ahead(make: Any) -> None:
    widget = make()
    settle(widget)
    assert {one["key"] for one in widget._maps} == {
        f"gradient/logit/{one['index']}" for one in widget._info["subjects"][0]["prediction"]
    }
    assert widget.shown == f"gradient/logit/{widget._info['subjects'][0]['prediction'][0]['index']}"


def test_a_request_is_accepted_computed_put_into_a_slot_and_only_then_done(
    make: Any, model: Small, picture: Any
) -> None:
    widget = make()
    settle(widget)
    index = unheld(widget)
    shown = widget.shown
    widget.comm.sent.clear()
    widget.comm.receive(request(index))
    widget.comm.until(lambda: any(one["kind"] in FINAL for one in widget.comm.custom("r1")))
    assert [one["kind"] for one in widget.comm.custom("r1")] == ["accepted", "done"]
    order = [
        data.get("method") if data.get("method") != "custom" else data["content"]["kind"]
        for _, data, _ in widget.comm.sent
    ]
    key = f"gradient/logit/{index}"
    with_map = [i for i, (_, data, _) in enumerate(widget.comm.sent) if "_maps" in data.get("state", {})]
    assert len(with_map) == 1
    assert with_map[0] < order.index("done")
    # One message holds the header, the bytes and the state.
    state = widget.comm.sent[with_map[0]][1]["state"]
    assert "_status" in state
    assert len(widget.comm.sent[with_map[0]][2]) == 1
    assert widget.shown == shown, "the front end decides whether the answer is still wanted"
    truth = explain(model, picture, target=index, preprocess="none").values
    assert np.abs(held(widget, key) - truth).max() <= widget._maps[-1]["error"]


def test_what_is_held_is_done_at_once(make: Any) -> None:
    widget = make()
    settle(widget)
    widget.comm.sent.clear()
    index = widget._info["subjects"][0]["prediction"][1]["index"]
    widget.comm.receive(request(index, "r9"))
    assert [one["kind"] for one in widget.comm.custom("r9")] == ["accepted", "done"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (request(7), "out of range"),
        (request(-1), "index=-1"),
        (request(1.5), "index=1.5"),
        (request(True), "index=True"),
        (request("cat"), "index='cat'"),
        (request(2**70), "index="),
        (request(1, kind="vibes"), "kind='vibes'"),
        (request(1, kind=["logit"]), "kind="),
        (request(1, method="magic"), "magic"),
        (request(1, method={"a": 1}), "method"),
    ],
)
def test_a_request_that_cannot_work_is_answered_by_one_sentence(make: Any, message: Any, words: str) -> None:
    widget = make()
    settle(widget)
    widget.comm.sent.clear()
    widget.comm.receive(message)
    (answer,) = widget.comm.custom("r1")
    assert answer["kind"] == "error"
    assert words in answer["message"]
    assert widget.attribution is not None, "the last map stays"


def junk(random_: random.Random, depth: int = 0) -> Any:
    choices: list[Any] = [None, True, -1, 0, 5, 2**80, 1.5, float("nan"), "", "r1", "logit", "x" * 300, b"raw"]
    if depth < 3:
        choices += [[junk(random_, depth + 1) for _ in range(random_.randrange(3))]]
        keys = ("v", "kind", "req", "seq", "want", "target", "index", "method", "state", "visible", "content", "id")
        choices += [{random_.choice(keys): junk(random_, depth + 1) for _ in range(random_.randrange(5))}] * 4
    return random_.choice(choices)


def test_nothing_a_front_end_sends_raises_or_prints_and_the_widget_works_afterwards(
    make: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    widget = make()
    settle(widget)
    random_ = random.Random(11)
    names = [
        "shown",
        "sign",
        "threshold",
        "opacity",
        "clip",
        "_maps",
        "_slot_0",
        "_esm",
        "layout",
        "comm",
        "keys",
        "_lock",
    ]
    before = {name: widget.get_state()[name] for name in ("_maps", "_slot_0", "_esm", "clip")}
    for number in range(3000):
        if number % 3 == 0:
            widget.comm.receive({"method": "custom", "content": junk(random_)})
        elif number % 3 == 1:
            state = {random_.choice(names): junk(random_) for _ in range(random_.randrange(1, 4))}
            widget.comm.receive({"method": "update", "state": state})
        else:
            widget._handle_msg(junk(random_))
            widget.comm.receive(junk(random_))
    settle(widget)
    out = capsys.readouterr()
    assert "Traceback" not in out.out + out.err
    assert widget.sign in ("absolute", "signed")
    assert 0 <= widget.threshold <= 100
    assert 0 <= widget.opacity <= 1
    for name in ("_slot_0", "_esm", "clip"):
        assert widget.get_state()[name] == before[name], f"{name} is not the front end's to write"
    assert {one["key"] for one in before["_maps"]} <= {one["key"] for one in widget._maps}
    widget.comm.sent.clear()
    widget.comm.receive(request(6, "after"))
    widget.comm.until(lambda: [one["kind"] for one in widget.comm.custom("after")] == ["accepted", "done"])


def test_each_of_many_requests_gets_exactly_one_final_answer(make: Any, picture: Any) -> None:
    widget = make(Small(classes=40, pause=0.002).eval(), picture, labels=None)
    random_ = random.Random(4)
    names = []
    for number in range(120):
        req = f"q{number}"
        if random_.random() < 0.2 and names:
            widget.comm.receive(
                {"method": "custom", "content": {"v": 1, "kind": "cancel", "req": random_.choice(names)}}
            )
        names.append(req)
        widget.comm.receive(request(random_.randrange(45), req))
    settle(widget)
    for req in names:
        finals = [one["kind"] for one in widget.comm.custom(req) if one["kind"] in FINAL]
        assert len(finals) == 1, (req, widget.comm.custom(req))


def test_a_good_update_is_taken_and_a_bad_one_is_put_right(make: Any) -> None:
    widget = make()
    widget.comm.receive({"method": "update", "state": {"sign": "signed", "threshold": 5, "opacity": 2}})
    assert widget.sign == "signed"
    assert widget.threshold == 5
    assert widget.opacity == 0.6
    corrections = [data["state"] for _, data, _ in widget.comm.sent if data.get("method") == "update"]
    assert {"opacity": 0.6} in corrections


def test_python_chooses_a_class_and_it_is_shown(make: Any) -> None:
    widget = make()
    widget.target = "gnu"
    widget.wait(20)
    assert widget.attribution.target.label == "gnu"
    assert widget.target.index == 6
    widget.target = 0
    assert widget.attribution.target.label == "ant"
    widget.target = sw.Probability("bee")
    assert widget.attribution.unit == "probability per full-scale pixel"
    with pytest.raises(sw.InputError, match="gnat"):
        widget.target = "gnat"
    assert widget.attribution.target.kind == "probability"


def test_a_list_of_targets_shows_the_first_and_computes_all(make: Any) -> None:
    widget = make(target=["fox", "ant"])
    settle(widget)
    assert widget.shown == "gradient/logit/5"
    assert "gradient/logit/0" in widget.attributions


def unheld(widget: sw.SaliencyWidget) -> int:
    """A class whose map the widget does not hold."""
    return next(
        i for i in range(widget._info["subjects"][0]["classes"]) if f"gradient/logit/{i}" not in widget.attributions
    )


class Moody(Small):
    """Raises while ``angry``."""

    angry = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.angry:
            raise RuntimeError("not today")
        return super().forward(x)


def test_an_error_is_a_sentence_with_its_traceback_and_the_last_map_stays(make: Any, picture: Any) -> None:
    model = Moody(classes=30).eval()
    widget = make(model, picture, labels=None)
    settle(widget)
    good, shown = widget.attribution, widget.shown
    Moody.angry = True
    try:
        widget.comm.receive(request(unheld(widget)))
        widget.comm.until(lambda: any(one["kind"] == "error" for one in widget.comm.custom("r1")))
    finally:
        Moody.angry = False
    answer = widget.comm.custom("r1")[-1]
    assert "not today" in answer["message"]
    assert "Traceback" in answer["traceback"]
    assert widget._status["state"] == "error"
    assert widget.shown == shown
    assert widget.attribution is good
    with pytest.raises(sw.SaliencyError, match="not today"):
        widget.wait(5)
    widget.target = unheld(widget)
    widget.wait(20)
    assert widget._status["state"] == "idle"


def test_bad_arguments_are_named_before_any_work(model: Small, picture: Any) -> None:
    for kwargs, words in (
        ({"target": "gnat", "labels": LABELS}, "gnat"),
        ({"target": 7}, "out of range"),
        ({"target": []}, "empty list"),
        ({"method": "magic"}, "magic"),
    ):
        with pytest.raises(sw.InputError, match=words):
            sw.SaliencyWidget(model, picture, preprocess="none", **kwargs)
    passes: list[Any] = []
    hook = model.register_forward_pre_hook(lambda *given: passes.append(given))
    wrong: tuple[dict[str, Any], ...] = (
        {"sign": "both"},
        {"threshold": 101},
        {"threshold": float("nan")},
        {"threshold": True},
        {"opacity": -1},
        {"opacity": "half"},
        {"clip": 5},
    )
    for kwargs in wrong:
        (name,) = kwargs
        with pytest.raises(sw.InputError, match=f"^{name}="):
            sw.SaliencyWidget(model, picture, preprocess="none", **kwargs)
    assert passes == []
    hook.remove()
    assert sw.SaliencyWidget(model, picture, preprocess="none", threshold=np.int64(20)).threshold == 20
    with pytest.raises(TypeError):
        sw.SaliencyWidget(model, picture, preprocess="none", oppacity=0.5)


def test_a_model_in_training_mode_is_warned_about_and_left_in_it(make: Any, model: Small) -> None:
    model.train()
    with pytest.warns(sw.SaliencyWarning, match="training mode") as caught:
        widget = make()
    assert caught[0].filename.endswith("conftest.py"), "it points at the line that made the widget"
    assert all(module.training for module in model.modules())
    assert "training mode" in widget._info["subjects"][0]["notes"][0]


def test_a_closed_widget_lets_its_model_and_maps_go(monkeypatch: pytest.MonkeyPatch, make: Any, picture: Any) -> None:
    model = Small().eval()
    widget = make(model, picture)
    settle(widget)
    gone = weakref.ref(model)
    maps = [weakref.ref(one) for one in widget.attributions.values()]
    storage = weakref.ref(widget._explainer)
    widget.close()
    with pytest.raises(sw.SaliencyError):
        _ = widget.attribution
    with pytest.raises(sw.SaliencyError, match="closed"):
        widget.target = 1
    del model
    # The worker may still be leaving the job whose end was told.
    limit = time.monotonic() + 20
    while gone() is not None and time.monotonic() < limit:
        gc.collect()
        time.sleep(0.01)
    assert gone() is None
    assert storage() is None
    assert all(one() is None for one in maps)


def test_a_widget_that_was_closed_is_freed(make: Any, model: Small, picture: Any) -> None:
    widget = sw.SaliencyWidget(model, picture, preprocess="none")
    settle(widget)
    gone = weakref.ref(widget)
    widget.close()
    del widget
    gc.collect()
    assert gone() is None


def test_a_closed_widget_closes_the_layout_that_was_made_for_it_and_no_other(model: Small, picture: Any) -> None:
    given = ipywidgets.Layout(width="400px")
    first, second, third = (
        sw.SaliencyWidget(model, picture, preprocess="none", **more) for more in ({}, {"layout": given}, {})
    )
    own, shared = first.layout, third.layout
    box = ipywidgets.HBox(layout=shared)
    for widget in (first, second, third):
        widget.close()
    assert own.comm is None
    assert given.comm is not None
    assert shared.comm is not None, "another widget has it too"
    for one in (box, given, shared):
        one.close()


def test_the_slots_hold_at_most_their_number_and_the_displayed_map_never_leaves(make: Any, picture: Any) -> None:
    widget = make(Small(classes=60).eval(), picture, labels=None)
    settle(widget)
    shown = widget.shown
    for index in range(60):
        widget.comm.receive(request(index, f"s{index}"))
        widget.comm.until(lambda index=index: any(one["kind"] == "done" for one in widget.comm.custom(f"s{index}")))
    assert len(widget._maps) == 24
    assert len({one["slot"] for one in widget._maps}) == 24
    assert shown in {one["key"] for one in widget._maps}
    assert set(widget.attributions) == {one["key"] for one in widget._maps}
    for key, attribution in widget.attributions.items():
        header = next(one for one in widget._maps if one["key"] == key)
        assert np.abs(held(widget, key) - attribution.values).max() <= header["error"]


def test_two_widgets_of_one_model_do_not_disturb_each_other(make: Any, model: Small, picture: Any) -> None:
    one, two = make(), make(sign="signed")
    one.target, two.target = "gnu", "ant"
    assert one.attribution.target.label == "gnu"
    assert two.attribution.target.label == "ant"
    assert (one.attribution.values == explain(model, picture, target=6, preprocess="none").values).all()


def test_partial_maps_travel_with_credit_and_the_final_one_always_arrives(
    make: Any, picture: Any, monkeypatch: Any
) -> None:
    from saliency_widget.methods.base import Estimate
    from saliency_widget.methods.gradient import Gradient
    from saliency_widget.widget import reporter
    from saliency_widget.widget.credit import MOST_IN_FLIGHT

    def steps(self: Gradient, problem: Any) -> Any:
        scores, gradients = problem.gradients(problem.pixels[None])
        for number in range(1, 31):
            yield Estimate(gradients[0] * number, scores[0], number, 30, number == 30, ({},) * len(scores[0]))

    widget = make(Small(classes=30).eval(), picture, labels=None)
    settle(widget)
    monkeypatch.setattr(Gradient, "estimates", steps)
    monkeypatch.setattr(reporter, "_PROGRESS_EVERY", 0)
    widget.comm.receive(request(unheld(widget)))
    widget.comm.until(lambda: any(one["kind"] == "done" for one in widget.comm.custom("r1")))
    partials = [one for one in widget.comm.custom("r1") if one["kind"] == "partial"]
    assert 1 <= len(partials) <= MOST_IN_FLIGHT + 1, "without an acknowledgement; one more if it took a second"
    assert [one["seq"] for one in partials] == sorted({one["seq"] for one in partials})
    assert partials[0]["total"] == 30
    assert "slot" not in partials[0]["header"]
    # Where a map is held back, how far the work is goes out without it.
    told = [one["done"] for one in widget.comm.custom("r1") if one["kind"] in ("partial", "progress")]
    assert told == list(range(1, 30))


def test_its_repr_says_what_the_model_says(make: Any) -> None:
    widget = make()
    assert widget._info["subjects"][0]["prediction"][0]["label"] in repr(widget)


def test_its_figure_shows_the_sign_and_clip_on_display(make: Any) -> None:
    widget = make(sign="signed", clip=90)
    texts = " ".join(text.get_text() for text in widget.figure().findobj(lambda artist: hasattr(artist, "get_text")))
    assert "90th percentile" in texts
    assert "raises" in texts


def test_an_error_is_over_when_something_else_is_chosen(make: Any, picture: Any) -> None:
    widget = make(Moody().eval(), picture)
    settle(widget)
    held = [one["index"] for one in widget._info["subjects"][0]["prediction"]]
    Moody.angry = True
    try:
        widget.comm.receive(request(unheld(widget)))
        widget.comm.until(lambda: any(one["kind"] == "error" for one in widget.comm.custom("r1")))
    finally:
        Moody.angry = False
    assert widget._status["state"] == "error"
    widget.target = held[1]
    assert widget._status["state"] == "idle"
    widget.wait()


def test_a_page_that_is_opened_while_a_map_is_computed_gets_it_shown(make: Any, picture: Any) -> None:
    model = Small().eval()
    widget = make(model, picture)
    settle(widget)
    model.pause = 0.3
    index = unheld(widget)
    widget.comm.receive(request(index))
    widget.comm.until(lambda: any(one["kind"] == "accepted" for one in widget.comm.custom("r1")))
    widget.comm.receive({"method": "request_state"})
    widget.comm.until(lambda: any(one["kind"] == "done" for one in widget.comm.custom("r1")))
    assert widget.shown == f"gradient/logit/{index}"


def test_a_page_that_knows_no_request_can_stop_what_is_computed(make: Any, picture: Any) -> None:
    model = Small().eval()
    widget = make(model, picture)
    settle(widget)
    model.pause = 0.3
    widget.comm.receive(request(unheld(widget)))
    widget.comm.receive({"method": "custom", "content": {"v": 1, "kind": "cancel", "req": "*"}})
    widget.comm.until(lambda: any(one["kind"] == "cancelled" for one in widget.comm.custom("r1")))


def test_a_closed_widget_holds_no_maps(make: Any) -> None:
    widget = make()
    settle(widget)
    widget.close()
    assert not any(getattr(widget, f"_slot_{number}") for number in range(24))
    assert widget.attributions == {}


class Shell:
    """As much of a notebook's shell as tells which cell runs."""

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {}
        self.events = self
        self.after: list[Any] = []
        self.run = 0

    def register(self, _event: str, callback: Any) -> None:
        self.after.append(callback)

    def get_parent(self) -> Any:
        return {"metadata": {"cellId": "c1"}, "header": {"msg_id": f"run {self.run}"}}

    def cell(self, make: Any) -> Any:
        self.run += 1
        result = make()
        self.user_ns[f"_{self.run}"] = result
        for callback in self.after:
            callback(None)
        return result


def test_a_cell_that_is_run_again_leaves_one_widget_and_what_the_user_holds(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from saliency_widget.widget import rerun

    shell = Shell()
    monkeypatch.setattr(rerun, "find_shell", lambda: shell)
    monkeypatch.setattr(rerun, "_cells", {})
    first = shell.cell(lambda: [make(), make()])
    assert all(one.comm is not None for one in first), "one cell may make several"
    shell.user_ns["mine"] = {"kept": [first[0]]}
    second = shell.cell(make)
    assert [one.comm is None for one in first] == [False, True]
    del shell.user_ns["mine"]
    third = shell.cell(make)
    assert first[0].comm is None, "nobody holds it any more"
    assert second.comm is None
    assert third.comm is not None


def test_a_contrast_keeps_its_other_class_when_the_class_is_switched(make: Any) -> None:
    widget = make(target=sw.Contrast("ant", "fox"))
    settle(widget)
    assert widget.shown == "gradient/contrast/0/5"
    assert widget.target == sw.Contrast(0, 5, label="ant", other_label="fox")
    widget.comm.receive(request(2, kind="contrast"))
    widget.comm.until(lambda: any(one["kind"] == "done" for one in widget.comm.custom("r1")))
    (done,) = [one for one in widget.comm.custom("r1") if one["kind"] == "done"]
    assert done["key"] == "gradient/contrast/2/5"
    assert widget.attributions["gradient/contrast/2/5"].target.text == "logit of cat minus logit of fox"
    widget.comm.receive(request(5, req="r2", kind="contrast"))
    (error,) = [one for one in widget.comm.custom("r2") if one["kind"] in FINAL]
    assert "twice" in error["message"]
    # Of another kind than what is shown, it is the plain target of that kind.
    widget.comm.receive(request(5, req="r3", kind="margin"))
    widget.comm.until(lambda: any(one["kind"] == "done" for one in widget.comm.custom("r3")))
    assert "gradient/margin/5" in widget.attributions


def test_two_targets_of_one_class_are_two_maps(make: Any) -> None:
    widget = make(target=[sw.Margin(1), sw.Margin(1, k=2), sw.Probability(1), sw.Probability(1, activation="sigmoid")])
    settle(widget)
    assert {
        "gradient/margin/1",
        "gradient/margin/1/2",
        "gradient/probability/1",
        "gradient/probability/1/sigmoid",
    } <= set(widget.attributions)


class Segmenting(Small):
    """Returns a grid of scores, scaled by a second argument."""

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return self.head(self.norm(self.conv(x)).relu().movedim(1, -1)).movedim(-1, 1) * scale[:, None, None, None]


def test_a_score_of_a_model_that_has_no_classes(make: Any, picture: Any) -> None:
    model = Segmenting().eval()
    score = sw.Score(lambda grid: grid[:, 2].mean((1, 2)), "mean of cat")
    widget = make(model, picture, target=score, labels=None, inputs={"scale": torch.tensor([2.0])})
    assert widget.attribution.target.text == "mean of cat"
    assert widget.attribution.probability is None
    assert widget._info["subjects"][0]["prediction"] == []
    # Of its pixels, which a click and a search may choose.
    assert widget._info["subjects"][0]["classes"] == 7
    assert widget.target is score
    plain = sw.explain(model, picture, target=score, preprocess="none", inputs={"scale": torch.tensor([1.0])})
    np.testing.assert_allclose(widget.attribution.values, 2 * plain.values, rtol=1e-5, atol=1e-9)
    settle(widget)
    widget.target = sw.Score(lambda grid: grid[:, 3].mean((1, 2)), "mean of dog")
    widget.wait(20)
    assert widget.attribution.target.text == "mean of dog"
    with pytest.raises(sw.InputError, match="inputs"):
        make(model, picture, target=score, inputs={"scales": torch.tensor([2.0])})


def test_stopping_stops_what_is_computed_ahead_too_and_waiting_says_so(make: Any, picture: Any) -> None:
    model = Small().eval()
    widget = make(model, picture)
    settle(widget)
    model.pause = 0.2
    widget.target = unheld(widget)
    widget.stop()
    with pytest.raises(sw.SaliencyError, match="was stopped"):
        widget.wait(5)
    assert widget._session.current is None
    assert not widget._session._ahead
    widget.target = widget._info["subjects"][0]["prediction"][1]["index"]
    assert widget.wait(5).attribution.target.index == widget._info["subjects"][0]["prediction"][1]["index"]
    widget.close()
    with pytest.raises(sw.SaliencyError, match="closed"):
        widget.wait(5)


def test_a_model_that_gives_no_number_has_a_repr(make: Any, picture: Any) -> None:
    class Nothing(Small):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * float("nan")

    widget = make(Nothing().eval(), picture, target=1)
    assert repr(widget).startswith("<SaliencyWidget of Nothing: ")


def test_a_method_with_a_name_of_ten_million_letters_is_answered(make: Any) -> None:
    widget = make()
    settle(widget)
    widget.comm.receive(request(1, method="m" * 10_000_000))
    (answer,) = widget.comm.custom("r1")
    assert answer["kind"] == "error"
    assert len(answer["message"]) < 2000


def test_another_method_streams_its_estimates_to_the_widget(make: Any, picture: Any) -> None:
    widget = make(Small().eval(), picture, method=sw.SmoothGrad(samples=6))
    settle(widget)
    assert widget.attribution.method.name == "smoothgrad"
    assert widget.attribution.extras.keys() >= {"standard_error"}
    coarse = make(Small().eval(), picture, method=sw.GradCAM(layer="norm"))
    settle(coarse)
    assert coarse._maps[0]["shape"][0] == 1
    assert coarse._maps[0]["unit"] == coarse.attribution.unit


def test_the_menu_of_methods_is_the_registry_and_each_is_answered(make: Any) -> None:
    from saliency_widget.methods.base import menu

    widget = make()
    settle(widget)
    assert [one["name"] for one in widget._info["methods"]] == [method.name for method in menu()]
    widget.comm.receive(request(2, method="smoothgrad"))
    widget.comm.until(lambda: any(one["kind"] == "done" for one in widget.comm.custom("r1")))
    assert widget.attributions["smoothgrad/logit/2"].method.name == "smoothgrad"
    widget.comm.receive(request(2, "r2", method="attention-rollout"))
    widget.comm.until(lambda: any(one["kind"] == "error" for one in widget.comm.custom("r2")))
