"""Where the widget could say something that is not so, or never answer: found by reading it as an enemy would."""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import threading
import time
import weakref
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
import traitlets

import saliency_widget as sw
from saliency_widget.engine.content import content_of
from tests.widget.conftest import FINAL, Small
from tests.widget.test_choices import answer, ask, slow, sw_parameters
from tests.widget.test_widget import Moody, Segmenting, junk, settle, unheld

# --- what the weights come to -------------------------------------------------------------------------------------


def negate(weight: torch.Tensor) -> None:
    weight.data.neg_()


def swap_rows(weight: torch.Tensor) -> None:
    weight.data = weight.data.flip(0).contiguous()


def nudge(weight: torch.Tensor) -> None:
    """What one step at a tiny rate does, too little for a norm in float32."""
    weight.data.mul_(torch.linspace(1 - 2e-7, 1 + 2e-7, weight.numel()).view_as(weight))


@pytest.mark.parametrize("change", [negate, swap_rows, nudge])
def test_a_change_that_keeps_the_norm_is_a_change(change: Any) -> None:
    model = Small().eval()
    before = content_of(model)
    assert content_of(model) == before
    change(model.head.weight)
    assert content_of(model) != before


def test_what_cannot_be_read_does_not_keep_a_model_from_being_explained() -> None:
    model = Small().eval()
    model.register_buffer("odd", torch.quantize_per_tensor(torch.rand(3), 0.1, 0, torch.quint8))
    model.register_buffer("none", torch.zeros(0))
    model.register_buffer("flags", torch.tensor([True, False]))
    model.register_buffer("broad", torch.zeros(3, dtype=torch.bfloat16))
    before = content_of(model)
    model.flags[1] = True
    assert content_of(model) != before


def test_one_pictures_other_weights_are_seen_for_all_pictures_of_the_model(make: Any, picture: Any) -> None:
    model = Small().eval()
    widget = make(model, [picture, picture.rotate(180)])
    settle(widget)
    before = [one["prediction"] for one in widget._info["subjects"]]
    with torch.no_grad():
        model.head.weight.mul_(-1)
    widget.target = unheld_of(widget)
    widget.wait(20)
    limit = time.monotonic() + 10
    while time.monotonic() < limit and widget._info["subjects"][1]["prediction"] == before[1]:
        time.sleep(0.01)
    after = [one["prediction"] for one in widget._info["subjects"]]
    assert after[0] != before[0]
    assert after[1] != before[1]


def unheld_of(widget: Any) -> int:
    return next(i for i in range(7) if f"0.0/gradient/logit/{i}" not in widget.attributions)


def test_weights_that_move_while_a_map_is_made_are_told(make: Any, picture: Any) -> None:
    model = Small(pause=0.002).eval()
    widget = make(model, picture)
    settle(widget)
    samples = 40
    ask(widget, method="smoothgrad", parameters={**sw_parameters("smoothgrad"), "samples": samples})
    widget.comm.until(lambda: any(one["kind"] in ("partial", "progress") for one in widget.comm.custom("q")))
    with torch.no_grad():
        model.head.weight.mul_(1.5)
    key = answer(widget)["key"]
    header = next(one for one in widget._maps if one["key"] == key)
    assert header["snapshot"]
    # Of the weights it began with there is nothing in it: asked for again, it is made again.
    ask(widget, "again", method="smoothgrad", parameters={**sw_parameters("smoothgrad"), "samples": samples})
    assert answer(widget, "again")["kind"] == "done"
    header = next(one for one in widget._maps if one["key"] == key)
    assert not header["snapshot"]
    assert not header["outdated"]


def test_a_training_loop_beside_the_widget_harms_neither(make: Any, picture: Any, caplog: Any) -> None:
    model = Small()
    with pytest.warns(sw.SaliencyWarning):
        widget = make(model, picture)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    over = threading.Event()
    failed: list[BaseException] = []

    def train() -> None:
        try:
            while not over.is_set():
                optimizer.zero_grad()
                model(torch.rand(2, 3, 8, 8)).square().sum().backward()
                optimizer.step()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=train)
    thread.start()
    try:
        for number in range(60):
            ask(widget, f"t{number}", method="gradient", target={"kind": "logit", "index": number % 7, "other": None})
            if number % 3 == 0:
                answer(widget, f"t{number}")
        for number in range(60):
            answer(widget, f"t{number}")
    finally:
        over.set()
        thread.join()
    settle(widget)
    assert failed == []
    assert caplog.records == []
    for number in range(60):
        finals = [one for one in widget.comm.custom(f"t{number}") if one["kind"] in FINAL]
        assert len(finals) == 1, finals
        assert finals[0]["kind"] in ("done", "cancelled"), finals
    ask(widget, "last", method="gradient", target={"kind": "logit", "index": 1, "other": None})
    assert answer(widget, "last")["kind"] == "done"
    header = next(one for one in widget._maps if one["key"] == "gradient/logit/1")
    assert not header["outdated"], "the model stands still, and this map is of it"


# --- choices -------------------------------------------------------------------------------------------------------


def test_some_of_the_parameters_are_enough(make: Any) -> None:
    widget = make(target=0, method="smoothgrad")
    widget.wait(20)
    widget.parameters = {"samples": 3}
    widget.wait(20)
    assert widget.shown == "smoothgrad(samples=3)/logit/0"
    assert widget.parameters == {**sw_parameters("smoothgrad"), "samples": 3}
    widget.parameters = {}
    widget.wait(20)
    assert widget.shown == "smoothgrad/logit/0"
    widget.parameters = {"samples": 4}
    widget.method = "gradient"
    widget.wait(20)
    assert widget.shown == "gradient/logit/0"
    widget.method = "smoothgrad"
    widget.wait(20)
    assert widget.shown == "smoothgrad/logit/0", "as it was last shown"


def test_the_choices_fit_together_while_their_map_is_made(make: Any, picture: Any) -> None:
    widget = make(Small(pause=0.01).eval(), picture, target=0)
    settle(widget)
    widget.method = "smoothgrad"
    assert widget.view["parameters"] == sw_parameters("smoothgrad")
    widget.stop()


def test_a_choice_that_fails_goes_back_to_what_is_shown_and_can_be_made_again(make: Any, picture: Any) -> None:
    widget = make(Moody().eval(), picture, target=0)
    settle(widget)
    before, index = widget.view, unheld(widget)
    Moody.angry = True
    try:
        widget.class_index = index
        with pytest.raises(sw.SaliencyError, match="not today"):
            widget.wait(20)
    finally:
        Moody.angry = False
    assert widget.view == before, "the choices mirror what is shown"
    widget.class_index = index
    widget.wait(20)
    assert widget.class_index == index
    assert widget.attribution.target.index == index


def test_a_choice_that_is_stopped_goes_back_to_what_is_shown(make: Any, picture: Any) -> None:
    model = Small().eval()
    widget = make(model, picture, target=0)
    settle(widget)
    before = widget.view
    model.pause = 0.2
    widget.class_index = unheld(widget)
    widget.stop()
    assert widget.view == before


def test_a_log_probability_against_another_class_is_the_difference_of_logits_and_says_so(make: Any) -> None:
    widget = make(target=0)
    widget.versus = 3
    widget.wait(20)
    widget.score = "log-probability"
    widget.wait(20)
    assert (widget.shown, widget.score) == ("gradient/contrast/0/3", "logit")
    with pytest.raises(traitlets.TraitError, match="logit"):
        widget.score = "margin"
    assert widget.score == "logit"


def test_a_probability_against_another_class_is_their_difference(make: Any, model: Small, picture: Any) -> None:
    widget = make(target=0)
    widget.versus = 3
    widget.wait(20)
    widget.score = "probability"
    widget.wait(20)
    assert (widget.shown, widget.score, widget.versus) == ("gradient/contrast/0/3/probability", "probability", 3)
    one, other = (sw.explain(model, picture, target=sw.Probability(k), preprocess="none") for k in (0, 3))
    np.testing.assert_allclose(widget.attribution.values, one.values - other.values, atol=1e-7)
    assert widget.attribution.score == pytest.approx(one.score - other.score)
    header = next(head for head in widget._maps if head["key"] == widget.shown)
    assert (header["target"]["kind"], header["target"]["other"]) == ("probability", 3)
    assert header["unit"] == "probability per full-scale pixel"
    widget.class_index = 5
    widget.wait(20)
    assert widget.shown == "gradient/contrast/5/3/probability"
    widget.versus = -1
    widget.wait(20)
    assert widget.shown == "gradient/probability/5"
    view = widget.view
    widget.target = sw.Contrast(1, 2, of="log-probability", activation="sigmoid")
    widget.wait(20)
    assert (widget.shown, widget.score) == ("gradient/contrast/1/2/log-probability/sigmoid", "log-probability")
    widget.versus = 4
    widget.wait(20)
    assert widget.shown == "gradient/contrast/1/4/log-probability/sigmoid", "as it was last looked at"
    widget.view = view
    widget.wait(20)
    assert widget.view == view


def test_an_observer_may_choose_something_else(make: Any) -> None:
    widget = make(target=0)
    widget.wait(20)
    widget.observe(lambda change: setattr(widget, "versus", (change["new"] + 1) % 7), "class_index")
    widget.class_index = 4
    widget.wait(20)
    assert widget.shown == "gradient/contrast/4/5"
    assert (widget.class_index, widget.versus) == (4, 5)


def test_a_layer_that_is_not_there_is_refused_at_once(make: Any) -> None:
    widget = make()
    settle(widget)
    before = widget.view
    with pytest.raises((sw.InputError, traitlets.TraitError), match="nowhere"):
        widget.method = sw.GradCAM(layer="nowhere")
    assert widget.view == before
    widget.method = "grad-cam"
    widget.wait(20)
    assert widget.attribution.method.name == "grad-cam"


def test_every_choice_can_be_given_by_its_name(make: Any) -> None:
    widget = make(
        target=0, cells=True, photo="colour", frame="original", pins=[[1, 2]], scale="locked", level=2.0, versus=3
    )
    widget.wait(20)
    assert (widget.cells, widget.photo, widget.frame, widget.pins) == (True, "colour", "original", [[1, 2]])
    assert (widget.scale, widget.level, widget.versus) == ("locked", 2.0, 3)
    with pytest.raises(TypeError, match="pinz"):
        make(pinz=[])


def test_a_view_that_cannot_be_leaves_no_widget_behind(make: Any, model: Small, picture: Any) -> None:
    with pytest.raises(sw.InputError, match=r"target|class"):
        make(view={"class_index": 99})
    with pytest.raises(sw.InputError, match="panels"):
        make(view={"panels": [{"method": "magic"}]})
    passes: list[int] = []
    hook = model.register_forward_pre_hook(lambda *_: passes.append(1))
    widget = make(
        view={"class_index": 2, "panels": [{"method": "input-x-gradient"}], "method": sw.SmoothGrad(samples=2)}
    )
    hook.remove()
    settle(widget)
    assert widget.shown == "smoothgrad(samples=2)/logit/2"
    assert widget.panels[0]["target"]["index"] == 2, "what a panel does not say is as in the map chosen with it"
    assert "input-x-gradient/logit/2" in widget.attributions


def test_a_second_model_that_does_not_fit_is_refused_before_the_first_runs(picture: Any) -> None:
    first = Small().eval()
    passes: list[int] = []
    first.register_forward_pre_hook(lambda *_: passes.append(1))
    for kwargs in ({"labels": ["a"] * 7}, {"method": sw.GradCAM(layer="norm2")}):
        with pytest.raises(sw.InputError):
            sw.SaliencyWidget([first, "resnet"], picture, preprocess="none", **kwargs)
    assert passes == []


def test_a_score_of_the_users_own_is_not_computed_to_look_at_a_choice(make: Any, picture: Any) -> None:
    calls: list[int] = []

    def mean(grid: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return grid[:, 2].mean((1, 2))

    widget = make(
        Segmenting().eval(), picture, target=sw.Score(mean, "m"), labels=None, inputs={"scale": torch.tensor([2.0])}
    )
    settle(widget)
    before = len(calls)
    widget.view = widget.view
    ask(widget)
    assert answer(widget)["kind"] == "done"
    assert len(calls) == before


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["_maps", "shown", "_status", "class_index"])
def test_an_observer_that_raises_costs_no_answer(make: Any, picture: Any, name: str) -> None:
    widget = make(Small(pause=0.002).eval(), picture, target=0)
    settle(widget)

    def broken(_: Any) -> None:
        raise ValueError("an observer's own")

    widget.observe(broken, name)
    missing = unheld(widget)
    ask(widget, "a", method="gradient", target={"kind": "logit", "index": missing, "other": None})
    assert answer(widget, "a")["kind"] == "done"
    ask(widget, "b", method="smoothgrad", target={"kind": "logit", "index": 1, "other": None})
    ask(widget, "c", method="input-x-gradient", target={"kind": "logit", "index": 1, "other": None})
    assert answer(widget, "b")["kind"] in ("cancelled", "done")
    assert answer(widget, "c")["kind"] == "done"
    assert widget._status["state"] == "idle"
    assert f"gradient/logit/{missing}" in {one["key"] for one in widget._maps}


def test_many_parameters_leave_no_trail(make: Any) -> None:
    widget = make(target=0)
    settle(widget)
    for count in range(900):
        ask(widget, f"p{count}", parameters={"blur": 0.0001 * (count + 1)})
    settle(widget)
    assert len(widget._orders) < 600
    assert widget.shown in widget._orders


def test_stop_and_another_choice_does_not_wait_for_the_run_that_was_kept(make: Any, picture: Any) -> None:
    widget = slow(make, picture, 3000)
    widget.comm.receive({"method": "custom", "content": {"v": 1, "kind": "cancel", "req": "q", "keep": True}})
    kept = answer(widget)["key"]
    ask(widget, "other", method="gradient", target={"kind": "margin", "index": 2, "other": None})
    assert answer(widget, "other")["kind"] == "done"
    ask(widget, "go", method="smoothgrad", parameters={**sw_parameters("smoothgrad"), "samples": 3000})
    widget.comm.until(lambda: any(one["kind"] in ("partial", "progress") for one in widget.comm.custom("go")))
    assert kept in widget.attributions
    widget.comm.receive({"method": "custom", "content": {"v": 1, "kind": "cancel", "req": "go", "keep": True}})
    assert answer(widget, "go")["key"] == kept
    assert np.isfinite(widget.attributions[kept].values).all()


def test_a_closed_widget_lets_go_of_the_run_it_kept(make: Any, picture: Any) -> None:
    widget = slow(make, picture, 3000)
    widget.comm.receive({"method": "custom", "content": {"v": 1, "kind": "cancel", "req": "q", "keep": True}})
    answer(widget)
    assert widget._session.suspended is not None
    model = weakref.ref(widget._explainer.shadow.model)
    widget.close()
    limit = time.monotonic() + 20
    while model() is not None and time.monotonic() < limit:
        gc.collect()
        time.sleep(0.01)
    assert model() is None


# --- two widgets, one choice ----------------------------------------------------------------------------------------

CHOICES = ("class_index", "versus", "score", "place", "method", "parameters")


def test_widgets_linked_in_all_choices_come_to_rest_on_the_same(make: Any, picture: Any) -> None:
    one, two = make(target=0), make(Small().eval(), picture.rotate(90, expand=True), target=0)
    settle(one)
    settle(two)
    for name in CHOICES:
        ipywidgets.link((one, name), (two, name))
    one.method = sw.SmoothGrad(samples=2)
    one.wait(20)
    two.wait(20)
    two.versus = 3
    for widget in (two, one):
        widget.wait(20)
    one.class_index = 5
    for widget in (one, two):
        widget.wait(20)
    assert one.shown == two.shown == "smoothgrad(samples=2)/contrast/5/3"
    sent = [len(one.comm.sent), len(two.comm.sent)]
    time.sleep(0.3)
    assert [len(one.comm.sent), len(two.comm.sent)] == sent, "they are at rest"


def test_widgets_that_set_each_other_on_two_threads_do_not_wait_for_ever(make: Any, picture: Any) -> None:
    """What the worker's thread and the user's do to linked widgets: two locks would be taken in both orders."""
    pair = [make(target=0), make(Small().eval(), picture, target=0)]
    for widget in pair:
        settle(widget)
    both = threading.Barrier(2)

    def meddle(other: Any) -> Any:
        def observer(change: Any) -> None:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(0.5)
            other.clip = 100 * change["new"]

        return observer

    for one, other in (pair, pair[::-1]):
        one.observe(meddle(other), "opacity")
    threads = [threading.Thread(target=setattr, args=(one, "opacity", 0.75), daemon=True) for one in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert [one.clip for one in pair] == [75, 75]


def test_a_page_that_links_two_widgets_comes_to_rest(make: Any, picture: Any) -> None:
    """What jslink does: a trait that changes in one widget's page is written into the other, and back."""
    pair = [make(target=0), make(Small().eval(), picture, target=0)]
    for widget in pair:
        settle(widget)
    seen = [len(widget.comm.sent) for widget in pair]
    pair[0].comm.receive({"method": "update", "state": {"class_index": 6}})
    pair[1].comm.receive({"method": "update", "state": {"class_index": 6}})
    carried = 0
    quiet = 0
    while quiet < 30:
        quiet += 1
        for number, widget in enumerate(pair):
            with widget.comm.arrived:
                news, seen[number] = widget.comm.sent[seen[number] :], len(widget.comm.sent)
            for _, data, _ in news:
                # An echo of what a page wrote is no change to it.
                if data.get("method") != "update":
                    continue
                state = {name: data["state"][name] for name in CHOICES if name in data.get("state", {})}
                if state:
                    carried, quiet = carried + 1, 0
                    pair[1 - number].comm.receive({"method": "update", "state": state})
        time.sleep(0.01)
        assert carried < 50
    assert pair[0].shown == pair[1].shown == "gradient/logit/6"


def test_threads_that_choose_at_once_leave_it_consistent(make: Any, picture: Any, caplog: Any) -> None:
    widget = make(target=0)
    settle(widget)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    failed: list[BaseException] = []

    def choose(seed: int) -> None:
        draw = random.Random(seed)
        try:
            for number in range(60):
                choice = draw.randrange(5)
                if choice == 0:
                    widget.class_index = draw.randrange(7)
                elif choice == 1:
                    widget.method = draw.choice(["gradient", "input-x-gradient"])
                elif choice == 2:
                    name = f"h{seed}.{number}"
                    ask(widget, name, target={"kind": "logit", "index": draw.randrange(7), "other": None})
                    names.append(name)
                elif choice == 3:
                    widget.view = {"threshold": draw.random() * 100, "class_index": draw.randrange(7)}
                else:
                    widget.comm.receive({"method": "update", "state": {"class_index": draw.randrange(9), "opacity": 1}})
        except BaseException as error:
            failed.append(error)

    names: list[str] = []
    threads = [threading.Thread(target=choose, args=(seed,)) for seed in range(4)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(before)
    settle(widget)
    assert failed == []
    assert caplog.records == []
    for name in names:
        assert len([one for one in widget.comm.custom(name) if one["kind"] in FINAL]) == 1
    header = next(one for one in widget._maps if one["key"] == widget.shown)
    assert (widget.class_index, widget.method) == (header["target"]["index"], header["method"]["name"])


def test_junk_in_every_trait_changes_nothing_and_prints_nothing(make: Any, capsys: Any, caplog: Any) -> None:
    widget = make(target=0)
    settle(widget)
    draw = random.Random(7)
    names = [*widget.view, "shown", "_info", "_originals", "_images", "_slot_3", "nothing", "comm"]
    for _ in range(1500):
        state = {draw.choice(names): junk(draw) for _ in range(draw.randrange(1, 4))}
        widget.comm.receive({"method": "update", "state": state})
    settle(widget)
    assert caplog.records == []
    assert "Traceback" not in "".join(capsys.readouterr())
    widget.wait(20)
    view = widget.view
    widget.view = view
    assert widget.view == view
    assert len(widget._images) == 1


# --- how often the weights are read --------------------------------------------------------------------------------


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each time that all weights were read, whether that was under the lock, for which every widget waits."""
    from saliency_widget.explainer import explainer
    from saliency_widget.widget import synced

    found: list[bool] = []

    def read(model: Any) -> Any:
        found.append(synced._LOCK._is_owned())  # type: ignore[attr-defined]
        return content_of(model)

    monkeypatch.setattr(explainer, "content_of", read)
    return found


def shift(model: Small) -> None:
    with torch.no_grad():
        model.head.weight.mul_(1.5)


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("who", ["page", "trait", "target", "view"])
def test_the_weights_are_read_once_for_a_map_and_not_under_the_lock(
    make: Any, model: Small, readings: list[bool], who: str, held: bool, moved: bool
) -> None:
    widget = make(target=0)
    settle(widget)
    index = next(i for i in range(7) if (f"gradient/logit/{i}" in widget.attributions) is held and i)
    if moved:
        shift(model)
    readings.clear()
    if who == "page":
        ask(widget, target={"kind": "logit", "index": index, "other": None}, method="gradient")
        assert answer(widget)["kind"] == "done"
    elif who == "trait":
        widget.class_index = index
    elif who == "target":
        widget.target = index
    else:
        widget.view = {"class_index": index}
    widget.wait(20)
    settle(widget)
    assert readings == [False]
    header = next(one for one in widget._maps if one["key"] == f"gradient/logit/{index}")
    assert not header["outdated"]
    truth = sw.explain(model, widget._explainer.prepared.picture, target=index, preprocess="none").values
    np.testing.assert_allclose(widget.attributions[header["key"]].values, truth, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("moved", [False, True])
def test_a_map_that_a_page_held_says_whether_it_is_of_earlier_weights(
    make: Any, model: Small, readings: list[bool], moved: bool
) -> None:
    widget = make(target=0)
    settle(widget)
    held = next(key for key in widget.attributions if key != widget.shown)
    if moved:
        shift(model)
    readings.clear()
    widget.comm.receive({"method": "update", "state": {"shown": held}})
    assert widget.shown == held
    assert widget._session.rest(20)
    assert [one["outdated"] for one in widget._maps] == [moved] * len(widget._maps)
    assert readings == [False]
    # What was made for the page just now is of the weights there are.
    readings.clear()
    ask(widget, method="input-x-gradient")
    made = answer(widget)["key"]
    widget.comm.receive({"method": "update", "state": {"shown": made}})
    assert widget._session.rest(20)
    assert readings == [False]


def test_going_on_reads_them_once_too(make: Any, model: Small, readings: list[bool]) -> None:
    widget = make(target=0)
    settle(widget)
    shift(model)
    readings.clear()
    widget.go_on()
    widget.wait(20)
    assert readings == [False]
    assert not next(one for one in widget._maps if one["key"] == widget.shown)["outdated"]


def test_what_is_asked_for_while_they_are_read_is_newer(make: Any, model: Small, monkeypatch: Any) -> None:
    from saliency_widget.explainer import explainer

    widget = make(target=0)
    settle(widget)
    held = next(i for i in range(1, 7) if f"gradient/logit/{i}" in widget.attributions)
    shift(model)
    reading, go = threading.Event(), threading.Event()

    def read(model: Any) -> Any:
        if threading.current_thread() is page:
            reading.set()
            assert go.wait(20)
        return content_of(model)

    monkeypatch.setattr(explainer, "content_of", read)
    said = {"target": {"kind": "logit", "index": held, "other": None}, "method": "gradient"}
    page = threading.Thread(target=lambda: ask(widget, "slow", **said))
    page.start()
    assert reading.wait(20)
    widget.score = "margin"
    go.set()
    page.join(20)
    assert answer(widget, "slow")["kind"] == "cancelled"
    widget.wait(20)
    assert widget.shown == "gradient/margin/0"
