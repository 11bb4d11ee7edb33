"""The registry in words: for the command line and the documentation."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saliency_widget.errors import InputError
from saliency_widget.methods.base import Method, as_method, menu

_HEADING = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)
_SEE = re.compile(r"(See|As in) `[^`]+`\.?\s*")
_ROLE = re.compile(r":\w+:`~?([^`]+)`")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a method.

    Attributes
    ----------
    name
        As it is given.
    default
        As it is written; "" where there is none.
    text
        What it is.
    """

    name: str
    default: str
    text: str


@dataclass(frozen=True)
class Described:
    """A method, as its class and its docstring say.

    Attributes
    ----------
    name, label, summary
        What it is asked for by, shown by, and one sentence.
    cls
        The name of its class.
    text
        The paragraphs of the docstring: formula, cost, failings.
    parameters
        In order.
    sections
        The docstring's other sections, such as "Notes" and "References", by heading.
    """

    name: str
    label: str
    summary: str
    cls: str
    text: str
    parameters: tuple[Parameter, ...]
    sections: Mapping[str, str]


def describe_method(method: type[Method]) -> Described:
    """Describe one method; see :class:`Described`."""
    text, sections = _split(inspect.getdoc(method) or "")
    told = parameter_texts(method)
    sections.pop("Parameters", None)
    sections.pop("Attributes", None)
    parameters = tuple(
        Parameter(item.name, _default(item), told.get(item.name, "")) for item in dataclasses.fields(method)
    )
    return Described(method.name, method.label, method.summary, method.__name__, text, parameters, sections)


def parameter_texts(method: type[Method]) -> dict[str, str]:
    """What the docstring says of each parameter that it names."""
    told = _entries(_split(inspect.getdoc(method) or "")[1].get("Parameters", ""))
    # What a family of methods has in common is told once, by the class that they inherit from.
    for base in method.__mro__[1:]:
        if base is not Method and issubclass(base, Method) and base.__doc__:
            common = _entries(_split(inspect.cleandoc(base.__doc__))[1].get("Parameters", ""))
            told = {**common, **{name: _joined(text, common.get(name, "")) for name, text in told.items()}}
    return told


def described_menu() -> tuple[Described, ...]:
    """All methods that there are, in the order of a menu."""
    return tuple(describe_method(method) for method in menu())


def method_from_text(name: str, settings: Sequence[str]) -> Method:
    """Make a method of what stands on a command line.

    Parameters
    ----------
    name
        Of the method.
    settings
        "name=value" each. A value is read as Python writes it (64, 0.1, None, [0, 0, 1]); what cannot be read so is
        text.

    Raises
    ------
    InputError
        There is no such method or parameter, or the method refuses a value.
    """
    method = type(as_method(name))
    known = [item.name for item in dataclasses.fields(method)]
    given: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise InputError("--set", setting, "sets nothing", "Write NAME=VALUE, such as steps=64.")
        if key not in known:
            raise unknown_parameter("--set", key, method.name, known, shown=setting)
        if key in given:
            raise InputError("--set", setting, "sets one parameter twice", "Leave one of them out.")
        given[key] = _read(value.strip())
    return method(**given)


def unknown_parameter(argument: str, name: str, method: str, known: Sequence[str], shown: Any = None) -> InputError:
    """The error for a name that no parameter of a method has; the nearest is given.

    Parameters
    ----------
    argument
        What the error calls the place where it was given.
    name
        What was given.
    method
        Name of the method.
    known
        The names of its parameters.
    shown
        What the error shows instead of the name.
    """
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    has = f"Its parameters are {', '.join(known)}." if known else "It has none."
    given = name if shown is None else shown
    return InputError(argument, given, f"names no parameter of {method}", f"{hint}{has}")


def _read(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def plain(text: str) -> str:
    """Docstring text without the marks of reStructuredText: ``x`` becomes `x`."""
    return _ROLE.sub(lambda found: f"`{found[1].rpartition('.')[2]}`", text).replace("``", "`")


def _split(doc: str) -> tuple[str, dict[str, str]]:
    """The text of a docstring and its sections by heading."""
    parts = _HEADING.split(doc)
    sections = {name: body.strip("\n") for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    return plain(parts[0].strip()), {name: plain(body) for name, body in sections.items()}


def _entries(section: str) -> dict[str, str]:
    """The entries of a section of parameters: a name, or several with commas, and the indented lines below."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if line and not line.startswith(" "):
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
            found.update(dict.fromkeys(names, ""))
        elif line.strip():
            for name in names:
                found[name] = f"{found[name]} {line.strip()}".strip()
    return found


def _joined(text: str, common: str) -> str:
    """A text whose reference to another class stands for what is told there."""
    refers = _SEE.match(text)
    return f"{common} {text[refers.end() :]}".strip() if refers and common else text


def _default(item: dataclasses.Field[Any]) -> str:
    if item.default is not dataclasses.MISSING:
        return repr(item.default)
    if item.default_factory is not dataclasses.MISSING:
        return repr(item.default_factory())
    return ""
