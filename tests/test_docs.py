"""The documentation is what the registry says."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import saliency_widget as sw
from saliency_widget.errors import InputError
from saliency_widget.methods.base import Method, menu
from saliency_widget.methods.describe import describe_method, method_from_text

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "tools" / "make_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_and_the_list_of_methods_are_up_to_date(tool: ModuleType) -> None:
    assert tool.PAGE.read_text("utf-8") == tool.page(), "run: make docs"
    assert tool.MENU.read_text("utf-8") == tool.listing(), "run: make docs"


@pytest.mark.parametrize("method", menu(), ids=lambda method: method.name)
def test_every_method_says_what_it_owes(method: type[Method]) -> None:
    one = describe_method(method)
    assert one.summary.endswith(".")
    assert "https://" in one.sections.get("References", ""), "a reference: paper, year, address"
    said = (one.text + one.sections.get("Notes", "")).lower()
    assert "cost" in said, "the cost, in forward and backward passes"
    assert "fail" in said, "the known failings"
    for item in one.parameters:
        assert item.text, f"what {item.name} is"
        assert item.default, f"a default of {item.name}"
    assert getattr(sw, one.cls) is method, "a public name"
    assert "`" not in one.text.replace("`", "", one.text.count("`") // 2 * 2), "marks in pairs"


@dataclasses.dataclass(frozen=True)
class _Example(Method):
    """First line.

    Formula ``x``, see :class:`saliency_widget.targets.Logit`.

    Parameters
    ----------
    steps
        How many,
        at most.
    low, high : float
        The ends.

    References
    ----------
    Somebody (2020), https://example.org
    """

    steps: int = 3
    low: float = 0.0
    high: float | None = None

    name = "example"
    label = "Example"
    summary = "Shows nothing."

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int):
            raise InputError("steps", self.steps, "is no number", "Give one.")

    def compute(self, problem: object) -> object:  # type: ignore[override]
        raise NotImplementedError


def test_a_docstring_is_taken_apart() -> None:
    one = describe_method(_Example)
    assert one.text == "First line.\n\nFormula `x`, see `Logit`."
    assert [(item.name, item.default, item.text) for item in one.parameters] == [
        ("steps", "3", "How many, at most."),
        ("low", "0.0", "The ends."),
        ("high", "None", "The ends."),
    ]
    assert one.sections == {"References": "Somebody (2020), https://example.org"}


@dataclasses.dataclass(frozen=True)
class _Special(_Example):
    """Another.

    Parameters
    ----------
    steps
        See :class:`_Example`. Here few are enough.
    high
        The upper end.
    """

    name = "special"


def test_what_a_family_has_in_common_is_told_once() -> None:
    assert [(item.name, item.text) for item in describe_method(_Special).parameters] == [
        ("steps", "How many, at most. Here few are enough."),
        ("low", "The ends."),
        ("high", "The upper end."),
    ]


def test_a_method_from_a_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saliency_widget.methods.describe.as_method", lambda name: _Example())
    assert method_from_text("example", []) == _Example()
    assert method_from_text("example", ["steps=64", " low = -1.5", "high=None"]) == _Example(64, -1.5, None)
    assert method_from_text("example", ["high=blur"]).parameters()["high"] == "blur"
    for wrong, words in (
        ("steps", "NAME=VALUE"),
        ("=3", "NAME=VALUE"),
        ("stepz=3", "Did you mean 'steps'"),
        ("steps=many", "is no number"),
    ):
        with pytest.raises(InputError, match=words):
            method_from_text("example", [wrong])
    with pytest.raises(InputError, match="twice"):
        method_from_text("example", ["steps=3", "steps=4"])
