"""Whatever a front end says is either understood or ignored."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliency_widget.widget import protocol
from saliency_widget.widget.protocol import Ack, Cancel, Request, Tile, parse

GOOD = {
    "v": 1,
    "kind": "request",
    "req": "a1",
    "seq": 3,
    "want": {"method": "gradient", "target": {"kind": "logit", "index": 282}},
}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
like_ours = st.fixed_dictionaries(
    {},
    optional={
        "v": st.just(1) | anything,
        "kind": st.sampled_from(["request", "cancel", "ack", "tile"]) | anything,
        "req": st.text(max_size=4) | anything,
        "seq": st.integers(0, 9) | anything,
        "want": st.fixed_dictionaries({}, optional={"method": anything, "target": anything}) | anything,
        "visible": anything,
        "aside": anything,
    },
)


def test_what_is_well_formed_is_read() -> None:
    assert parse(GOOD) == Request("a1", 3, GOOD["want"])
    assert parse({**GOOD, "aside": True}) == Request("a1", 3, GOOD["want"], aside=True)
    assert parse({**GOOD, "aside": "yes"}) == parse(GOOD)
    assert parse({"v": 1, "kind": "cancel", "req": "a1"}) == Cancel("a1")
    assert parse({"v": 1, "kind": "cancel", "req": "a1", "keep": True}) == Cancel("a1", keep=True)
    place = {"key": "k", "top": 1, "left": 2, "height": 3, "width": 4}
    assert parse({"v": 1, "kind": "tile", "req": "a1", "seq": 0, **place}) == Tile("a1", "k", 1, 2, 3, 4)
    assert parse({"v": 1, "kind": "ack", "req": "a1", "seq": 0, "visible": False}) == Ack("a1", 0, False)
    assert parse({"v": 1, "kind": "ack", "req": "a1", "seq": 0}) == Ack("a1", 0, True)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "request",
        [GOOD],
        {},
        {**GOOD, "v": 2},
        {**GOOD, "kind": "explode"},
        {**GOOD, "kind": None},
        {**GOOD, "req": ""},
        {**GOOD, "req": 7},
        {**GOOD, "req": "x" * 201},
        {**GOOD, "seq": -1},
        {**GOOD, "seq": True},
        {**GOOD, "seq": 2**60},
        {**GOOD, "seq": "3"},
    ],
)
def test_what_is_not_ours_is_ignored(wrong: object) -> None:
    assert parse(wrong) is None


def test_a_request_with_a_malformed_wish_still_has_a_name_to_refuse_it_by() -> None:
    for want in (None, [], "tabby", {"target": 3}, {"target": {"index": "x"}}):
        said = parse({**GOOD, "want": want})
        assert isinstance(said, Request)
        assert said.req == "a1"


@given(anything | like_ours)
@settings(max_examples=600, deadline=None)
def test_nothing_raises(content: object) -> None:
    assert parse(content) is None or isinstance(parse(content), (Request, Cancel, Ack, Tile))


def test_no_message_has_a_field_named_id() -> None:
    for message in (
        protocol.accepted("a"),
        protocol.progress("a", 1, 2, 0.1),
        protocol.partial("a", 1, 1, 2, 0.1, {}),
        protocol.done("a", "k"),
        protocol.cancelled("a", "why"),
        protocol.error("a", "what", "trace"),
        protocol.tile(Tile("a", "k", 0, 0, 1, 1), {}),
    ):
        assert "id" not in message
        assert message["req"] == "a"
        assert message["v"] == 1
