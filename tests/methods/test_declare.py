"""Controls made from declarations, and methods made from what controls send."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from torch import nn

import saliency_widget as sw
from saliency_widget.errors import InputError
from saliency_widget.methods import MENU, base, declare
from saliency_widget.methods.base import Estimate, Method
from saliency_widget.methods.controls import controls_of, method_from_plain
from saliency_widget.methods.declare import Control, declared
from saliency_widget.methods.lrp import COMPOSITES
from saliency_widget.methods.plain import key_of, plain_parameters

CASES = [(method, control) for method in MENU for control in controls_of(method)]
each = pytest.mark.parametrize(
    ("method", "control"), CASES, ids=[f"{method.name}-{control.name}" for method, control in CASES]
)
# What a value needs beside it.
BESIDE: dict[tuple[str, Any], dict[str, Any]] = {("steps", None): {"tolerance": 0.05}}


def by_name(method: type[Method]) -> dict[str, Control]:
    return {control.name: control for control in controls_of(method)}


def travelled(value: Any) -> Any:
    """As it comes back from JavaScript: through JSON, and with no difference between 50.0 and 50."""
    return json.loads(json.dumps(value, allow_nan=False), parse_float=lambda text: _number(float(text)))


def _number(number: float) -> float:
    return int(number) if number.is_integer() else number


@pytest.mark.parametrize("method", MENU, ids=lambda method: method.name)
def test_every_parameter_is_declared(method: type[Method]) -> None:
    fields = dataclasses.fields(method)
    assert [control.name for control in controls_of(method)] == [item.name for item in fields]
    for item in fields:
        assert declared(item) is not None, item.name


@each
def test_a_control_is_complete(method: type[Method], control: Control) -> None:
    plain = control.plain()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert control.label[0].isupper()
    assert control.text.endswith(".")
    assert len(control.text) < 320
    for mark in ("`", "None", "See ", "see ", "==="):
        assert mark not in control.text, control.text
    assert (control.default is None) <= control.optional
    assert bool(control.options) == (control.kind in ("choice", "baseline"))
    if control.options:
        assert control.default in control.options
    else:
        assert "options" not in plain


@each
def test_a_method_takes_all_that_its_declaration_offers(method: type[Method], control: Control) -> None:
    offered = [control.default, *control.options]
    offered += [end for end in (control.least, control.most) if end is not None]
    offered += [None] * control.optional
    offered += {"flag": [False, True], "baseline": [[0, 0.5, 1]], "layer": ["layer4.1"]}.get(control.kind, [])
    for value in offered:
        beside = BESIDE.get((control.name, value if not isinstance(value, list) else ""), {})
        made = method_from_plain(method.name, {**beside, control.name: travelled(value)})
        assert type(made) is method
        if value is not None:
            # The class itself takes it, without the help of this module.
            if value != control.default:
                method(**{**beside, control.name: value})
            assert plain_parameters(made)[control.name] == value


@each
def test_bounds_are_those_of_the_method(method: type[Method], control: Control) -> None:
    tiny = 1 if control.kind == "integer" else 1e-6
    for end, value, way in (("least", control.least, -tiny), ("most", control.most, tiny)):
        if value is None:
            continue
        if end in control.soft:
            method(**{control.name: value + way})
            assert plain_parameters(method_from_plain(method.name, {control.name: value + way}))[control.name] == (
                pytest.approx(value + way, abs=1e-12)
            )
        else:
            with pytest.raises(InputError, match=control.name):
                method(**{control.name: value + way})
            with pytest.raises(InputError, match=control.name):
                method_from_plain(method.name, {control.name: value + way})


@each
def test_the_default_is_a_step_that_is_offered(method: type[Method], control: Control) -> None:
    if control.default is None or control.kind not in ("integer", "number"):
        return
    assert (control.least or 0) <= control.default <= (control.most or math.inf)
    if control.step is not None:
        for value in (control.default, control.most):
            steps = 0.0 if value is None else (value - (control.least or 0)) / control.step
            assert steps == pytest.approx(round(steps), abs=1e-6)


@pytest.mark.parametrize(
    ("method", "name"),
    [(sw.BlurIG, "max_sigma"), (sw.GuidedIG, "fraction"), (sw.RISE, "keep")],
)
def test_the_soft_end_next_to_an_open_bound_is_refused_at_the_bound(method: type[Method], name: str) -> None:
    with pytest.raises(InputError, match=name):
        method_from_plain(method.name, {name: 0})


def test_the_composites_offered_are_those_that_there_are() -> None:
    assert by_name(sw.LRP)["composite"].options == tuple(COMPOSITES)


def test_a_declaration_as_json() -> None:
    assert by_name(sw.SmoothGrad)["samples"].plain() == {
        "name": "samples",
        "label": "Samples",
        "text": "How many noisy copies; at least 2 for the variance.",
        "kind": "integer",
        "default": 50,
        "least": 1,
        "most": 500,
        "step": 1,
        "soft": ["most"],
    }
    assert by_name(sw.GradCAM)["layer"].plain() == {
        "name": "layer",
        "label": "Layer",
        "text": "The layer whose cells make the map, a dotted name or a module of the model; empty is the last "
        "executed layer with a spatial grid whose gradient on the grid is not zero.",
        "kind": "layer",
        "default": None,
        "optional": True,
    }
    assert by_name(sw.RISE)["fill"].plain()["options"] == ["mean", "grey", "black", "white", "blur"]
    assert by_name(sw.EigenCAM)["centred"].plain()["kind"] == "flag"
    assert controls_of(sw.InputXGradient) == ()


def test_a_declared_field_is_a_dataclass_field_like_any_other() -> None:
    one = sw.SmoothGrad(20, 0.1)
    assert repr(one) == "SmoothGrad(samples=20, noise=0.1, statistic='mean', seed=0)"
    assert sw.SmoothGrad.samples == 50
    assert one == sw.SmoothGrad(samples=20, noise=0.1)
    assert one != sw.SmoothGrad()
    assert hash(one) == hash(sw.SmoothGrad(20, 0.1))
    assert pickle.loads(pickle.dumps(one)) == one == copy.deepcopy(one)
    assert repr(sw.Occlusion()) == "Occlusion(window=None, stride=None, fill='mean')"
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.samples = 3  # type: ignore[misc]


ARRAY = np.linspace(0, 1, 48).reshape(3, 4, 4)
# A method, its parameters as they travel, and its key.
TRAVELLERS: list[tuple[Method, dict[str, Any], str]] = [
    (sw.Gradient(), {"blur": 0}, "gradient"),
    (sw.Gradient(2), {"blur": 2}, "gradient(blur=2)"),
    (sw.SmoothGrad(20, 0.1), {"samples": 20, "noise": 0.1, "statistic": "mean", "seed": 0}, ""),
    (sw.EigenCAM("layer3.0", True), {"layer": "layer3.0", "centred": True}, "eigen-cam(layer=layer3.0,centred=true)"),
    (sw.GradCAM("4"), {"layer": "4"}, "grad-cam(layer='4')"),
    (sw.Occlusion(16), {"window": 16, "stride": None, "fill": "mean"}, "occlusion(window=16)"),
    (sw.Occlusion((8, 16)), {"window": [8, 16], "stride": None, "fill": "mean"}, "occlusion(window=[8,16])"),
    (sw.LRP(epsilon=1), {"composite": "epsilon-gamma-box", "epsilon": 1, "gamma": 0.25, "biases": "absorb"}, ""),
    (
        sw.IntegratedGradients(None, ["black", (0, 0.5, 1)], tolerance=0.1),
        {"steps": None, "baseline": ["black", [0, 0.5, 1]], "tolerance": 0.1, "seed": 0},
        "integrated-gradients(steps=none,baseline=[black,[0,0.5,1]],tolerance=0.1)",
    ),
    (
        sw.XRAI(dilation=2),
        {"base": "integrated-gradients(baseline=[black,white])", "dilation": 2, "smallest": 50},
        "xrai(dilation=2)",
    ),
    (sw.XRAI("gradient"), {"base": "gradient", "dilation": 5, "smallest": 50}, "xrai(base=gradient)"),
]


@pytest.mark.parametrize(("method", "plain", "key"), TRAVELLERS, ids=lambda case: getattr(case, "name", ""))
def test_what_is_plain_comes_back_without_the_original(method: Method, plain: dict[str, Any], key: str) -> None:
    sent = travelled(plain_parameters(method))
    assert sent == plain
    back = method_from_plain(method.name, sent)
    assert back == method
    assert back.parameters() == method.parameters()
    assert key_of(back) == key_of(method)
    if key:
        assert key_of(method) == key


@pytest.mark.parametrize(
    ("method", "name", "pattern"),
    [
        (sw.IntegratedGradients(baseline=ARRAY), "baseline", r"array \(3, 4, 4\), sha256 \w{16}"),
        (sw.RISE(fill=ARRAY, masks=10), "fill", r"array \(3, 4, 4\), sha256 \w{16}"),
        (sw.GradCAM(nn.Conv2d(1, 1, 1)), "layer", "Conv2d"),
        (sw.XRAI(sw.SmoothGrad(3), dilation=1), "base", r"smoothgrad\(samples=3\)"),
    ],
    ids=lambda case: getattr(case, "name", ""),
)
def test_what_no_json_holds_is_kept_from_the_method_shown(method: Method, name: str, pattern: str) -> None:
    sent = travelled(plain_parameters(method))
    assert re.fullmatch(pattern, sent[name])
    assert re.fullmatch(rf"{method.name}\([\w.=,~'()-]+\)", key_of(method)), key_of(method)
    other = next(control for control in controls_of(type(method)) if control.name != name) if len(sent) > 1 else None
    back = method_from_plain(method.name, sent, like=method)
    assert back == method
    assert getattr(back, name) is getattr(method, name)
    if other is not None and other.kind == "integer":
        changed = method_from_plain(method.name, {**sent, other.name: 7}, like=method)
        assert getattr(changed, name) is getattr(method, name)
        assert getattr(changed, other.name) == 7
    # One of another method says nothing.
    if name != "layer":
        with pytest.raises(InputError):
            method_from_plain(method.name, sent, like=sw.Gradient())


def test_what_is_missing_is_as_by_default_whatever_is_shown() -> None:
    assert method_from_plain("smoothgrad", {"noise": 0.2}, like=sw.SmoothGrad(7)) == sw.SmoothGrad(noise=0.2)
    assert method_from_plain("gradient", {}) == sw.Gradient()


def test_a_number_that_is_whole_may_come_as_a_float() -> None:
    made = method_from_plain("smoothgrad", {"samples": 20.0, "noise": 1})
    assert made == sw.SmoothGrad(20, 1.0)
    assert type(made.parameters()["samples"]) is int
    assert type(made.parameters()["noise"]) is float


DEEP: list[Any] = []
for _ in range(500):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("smoothgrud", {}, "Did you mean 'smoothgrad'"),
        (3, {}, "is no name of a method"),
        ("smoothgrad", [1], "are no parameters"),
        ("smoothgrad", {"sampels": 3}, "names no parameter of smoothgrad. Did you mean 'samples'"),
        ("input-x-gradient", {"samples": 3}, "It has none"),
        ("smoothgrad", {"samples": "20"}, "samples='20' is no whole number. Give one from 1 on."),
        ("smoothgrad", {"samples": 2.5}, "is no whole number"),
        ("smoothgrad", {"samples": True}, "is no whole number"),
        ("smoothgrad", {"samples": math.nan}, "is no whole number"),
        ("smoothgrad", {"samples": math.inf}, "is no whole number"),
        ("smoothgrad", {"samples": 10**400}, "too large"),
        ("smoothgrad", {"samples": 1e300}, "too large"),
        ("smoothgrad", {"samples": [2, 3]}, "is no whole number"),
        ("smoothgrad", {"samples": None}, "samples=None is empty"),
        ("smoothgrad", {"samples": 0}, "is too few samples"),
        ("smoothgrad", {"noise": math.nan}, "Give one from 0 to 1."),
        ("smoothgrad", {"noise": "0.1"}, "is no finite number"),
        ("smoothgrad", {"noise": False}, "is no finite number"),
        ("smoothgrad", {"noise": 10**400}, "is no finite number"),
        ("smoothgrad", {"noise": {}}, "is no finite number"),
        ("smoothgrad", {"noise": 1.5}, "is no fraction"),
        ("smoothgrad", {"statistic": "maen"}, "Did you mean 'mean'"),
        ("smoothgrad", {"statistic": 1}, "is none of the options"),
        ("smoothgrad", {"statistic": ["mean"]}, "is none of the options"),
        ("smoothgrad", {"statistic": "variance", "samples": 1}, "have no variance"),
        ("eigen-cam", {"centred": 1}, "is neither true nor false"),
        ("grad-cam", {"layer": 4}, "is no name of a layer"),
        ("grad-cam", {"layer": ""}, "is no layer"),
        ("guided-ig", {"baseline": "blakc"}, "names no baseline"),
        ("guided-ig", {"baseline": 3}, "is no baseline"),
        ("guided-ig", {"baseline": [0, 0, 7]}, "is no colour"),
        ("guided-ig", {"baseline": DEEP}, "nested too deeply"),
        ("occlusion", {"window": [1, 2, 3]}, "is no size"),
        ("occlusion", {"window": [1.5, 2]}, "is no whole number"),
        ("occlusion", {"window": DEEP}, "is no whole number"),
        ("xrai", {"base": "smoothgrad(samples=3)"}, "names no method"),
        ("xrai", {"base": {"name": "gradient"}}, "is not a method"),
    ],
)
def test_what_is_wrong_is_refused_with_the_way_out(name: Any, parameters: Any, words: str) -> None:
    with pytest.raises(InputError) as raised:
        method_from_plain(name, parameters)
    assert words in str(raised.value)


def test_the_key_tells_apart_what_makes_another_map() -> None:
    assert key_of(sw.SmoothGrad(samples=20, noise=0.1)) == "smoothgrad(samples=20,noise=0.1)"
    assert key_of(sw.LRP(epsilon=1)) == key_of(sw.LRP(epsilon=1.0)) == "lrp(epsilon=1)"
    one, other = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
    apart = [
        sw.Gradient(),
        sw.GradCAM(),
        sw.GradCAM("none"),
        sw.GradCAM("a/b"),
        sw.GradCAM("a,b"),
        sw.GradCAM("é" * 10_000),
        sw.GradCAM("é" * 10_001),
        sw.GradCAM(one),
        sw.GradCAM(other),
        sw.RISE(fill=ARRAY),
        sw.RISE(fill=ARRAY / 2),
        sw.ExpectedGradients(baseline=[ARRAY, "black"]),
        sw.ExpectedGradients(baseline=[ARRAY / 2, "black"]),
        sw.ExpectedGradients(baseline=["black"] * 20),
        sw.ExpectedGradients(baseline=["black"] * 21),
        sw.XRAI(sw.SmoothGrad(3)),
        sw.XRAI(sw.SmoothGrad(4)),
    ]
    keys = [key_of(method) for method in apart]
    assert len(set(keys)) == len(keys)
    assert keys == [key_of(method) for method in apart]
    for key in keys:
        assert "/" not in key
        assert len(key) < 120


@dataclass(frozen=True)
class _Users(Method):
    """What a user may write.

    Parameters
    ----------
    count
        How many. Of what, is not said.
    """

    count: int = 3
    size: float = 2
    wide: int | float = 1
    deep: bool = False
    word: str = "x"
    perhaps: float | None = None
    way: Literal["up", "down"] = "up"
    thing: Any = None
    pair: tuple[int, int] = (1, 2)
    much: float = math.inf
    table: Any = dataclasses.field(default_factory=lambda: np.zeros((2, 2)), compare=False)
    hidden: int = dataclasses.field(default=0, init=False)
    strict: int = declare.whole(5, least=1, most=9)

    name: ClassVar[str] = "users"

    def compute(self, problem: object) -> Iterator[Estimate]:  # type: ignore[override]
        raise NotImplementedError


def test_what_is_not_declared_gets_the_control_that_its_type_suggests() -> None:
    found = {control.name: control.plain() for control in controls_of(_Users)}
    json.dumps(found, allow_nan=False)
    assert found.pop("count") == {
        "name": "count",
        "label": "Count",
        "text": "How many. Of what, is not said.",
        "kind": "integer",
        "default": 3,
        "step": 1,
    }
    assert {name: (one["kind"], one["default"], one.get("optional", False)) for name, one in found.items()} == {
        "size": ("number", 2, False),
        "wide": ("number", 1, False),
        "deep": ("flag", False, False),
        "word": ("text", "x", False),
        "perhaps": ("number", None, True),
        "way": ("choice", "up", False),
        "thing": ("text", None, True),
        "pair": ("text", [1, 2], False),
        "much": ("number", "inf", False),
        "table": ("text", found["table"]["default"], False),
        "strict": ("integer", 5, False),
    }
    assert found["way"]["options"] == ["up", "down"]
    assert found["table"]["default"].startswith("array (2, 2)")


def test_what_a_user_registered_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(base._METHODS, "users", _Users)
    monkeypatch.setattr(_Users, "label", "Users", raising=False)
    sent = travelled(plain_parameters(_Users()))
    assert method_from_plain("users", sent) == _Users()
    assert method_from_plain("users", {**sent, "pair": [3, 4]}).parameters()["pair"] == (3, 4)
    assert key_of(_Users(count=4, much=1.0)) == "users(count=4,much=1)"
    # It does not check, so its declaration is held against what is sent.
    with pytest.raises(InputError, match=r"strict=10 is out of range\. Give a number from 1 to 9"):
        method_from_plain("users", {"strict": 10})


class _Stubborn:
    def __str__(self) -> str:
        raise RuntimeError("no words")


@dataclass(frozen=True)
class _Odd(Method):
    needed: Unknown  # type: ignore[name-defined]  # noqa: F821
    count: int = 3
    thing: Any = dataclasses.field(default_factory=_Stubborn)

    name: ClassVar[str] = "odd"
    label: ClassVar[str] = "Odd"

    def __post_init__(self) -> None:
        if self.count > 5:
            raise RuntimeError("too much for me")

    def compute(self, problem: object) -> Iterator[Estimate]:  # type: ignore[override]
        raise NotImplementedError


def test_an_odd_class_has_controls_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [(one.name, one.kind, one.default, one.optional) for one in controls_of(_Odd)] == [
        ("needed", "text", None, False),
        ("count", "integer", 3, False),
        ("thing", "text", "<_Stubborn>", False),
    ]
    monkeypatch.setitem(base._METHODS, "odd", _Odd)
    made = method_from_plain("odd", {"needed": "a"})
    assert key_of(made).startswith("odd(needed=a,count=3,")
    with pytest.raises(InputError, match="lack 'needed'"):
        method_from_plain("odd", {"count": 4})
    with pytest.raises(InputError, match=r"are refused by odd \(too much for me\)"):
        method_from_plain("odd", {"needed": "a", "count": 6})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: declare.whole(0, least=1), "not in the range"),
        (lambda: declare.whole(3, least=5, most=1), "not in the range"),
        (lambda: declare.number(math.inf), "finite"),
        (lambda: declare.number(0.5, most=math.inf), "finite"),
        (lambda: declare.number(0.5, step=0), "leads nowhere"),
        (lambda: declare.choice("c", ["a", "b"]), "is none of 'a', 'b'"),
        (lambda: declare.baseline("c", ["a", "b"]), "is none of 'a', 'b'"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
