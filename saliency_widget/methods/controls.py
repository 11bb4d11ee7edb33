"""The controls of a method, and a method from what controls send."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from saliency_widget.errors import InputError, SaliencyError
from saliency_widget.methods.base import Method, class_of
from saliency_widget.methods.declare import Control, Kind, declared, label_of
from saliency_widget.methods.describe import parameter_texts, unknown_parameter
from saliency_widget.methods.plain import EXACT, default_of, plain_parameters, plain_value, same

_KINDS: dict[Any, Kind] = {bool: "flag", int: "integer", float: "number", str: "text"}
# A sentence ends before one that begins with a capital, a sign of quotation or of code, or a digit.
_SENTENCE = re.compile(r'(?<=\.)\s+(?=["`A-Z0-9])')
_REFERENCE = re.compile(r"[;,]? see `[^`]+`")
_EMPTY = re.compile(r"\bNone(?=:| is\b)")
_LONG = 200
_DEEPEST = 4


def controls_of(method: type[Method]) -> tuple[Control, ...]:
    """What a front end needs to offer the parameters of a method.

    A parameter that was not declared (see :mod:`saliency_widget.methods.declare`) gets the control that its type, or
    else its default, suggests; what suggests none is a text.

    Parameters
    ----------
    method
        The class.

    Returns
    -------
    tuple of Control
        In the order of the fields.
    """
    usual = default_of(method)
    known = {} if usual is None else plain_parameters(usual)
    texts = parameter_texts(method)
    hints = _hints(method)
    found = []
    for item in dataclasses.fields(method):
        if item.init:
            default = _default(item)
            control = declared(item) or _inferred(item, hints.get(item.name), default)
            default = known.get(item.name, plain_value(default))
            found.append(dataclasses.replace(control, text=_brief(texts.get(item.name, "")), default=default))
    return tuple(found)


def method_from_plain(name: str, parameters: Mapping[str, Any], like: Method | None = None) -> Method:
    """Make a method of what a front end sends.

    Parameters
    ----------
    name
        Of the method.
    parameters
        Plain values by name, as :func:`~saliency_widget.methods.plain.plain_parameters` gives them. One that is missing
        is as by default.
    like
        A method whose parameters are kept where what was sent describes them, such as a baseline that was given as an
        array; one of another name says nothing.

    Raises
    ------
    InputError
        There is no such method or parameter (the nearest are named), or the method cannot have such a value.
    """
    if not isinstance(name, str):
        raise InputError("method", name, "is no name of a method", "Give one as text.")
    if not isinstance(parameters, Mapping):
        raise InputError("parameters", parameters, "are no parameters", "Give a dict of values by name.")
    method = class_of(name)
    controls = {control.name: control for control in controls_of(method)}
    for key in parameters:
        if key not in controls:
            raise unknown_parameter("parameters", key, method.name, list(controls))
    # What the default stands for may be no plain value either.
    models = [one for one in (like if type(like) is method else None, default_of(method)) if one is not None]
    kept = [(one, plain_parameters(one)) for one in models]
    given: dict[str, Any] = {}
    for key, sent in parameters.items():
        owners = [one for one, known in kept if same(known[key], sent)]
        given[key] = getattr(owners[0], key) if owners else _value(controls[key], sent)
    missing = [item.name for item in dataclasses.fields(method) if _required(item) and item.name not in given]
    if missing:
        raise InputError("parameters", dict(parameters), f"lack {missing[0]!r}", "It has no default: give a value.")
    try:
        made = method(**given)
    except SaliencyError:
        raise
    except Exception as error:  # any: it is the user's class
        way = "Give other values."
        raise InputError("parameters", dict(parameters), f"are refused by {method.name} ({error})", way) from error
    for control in controls.values():
        _check_bounds(control, getattr(made, control.name))
    return made


def _value(control: Control, sent: Any) -> Any:
    """What a control sends, as the method takes it. What only the method can judge is left to it."""
    if sent is None:
        if control.optional:
            return None
        raise InputError(control.name, None, "is empty", f"Give a value, such as {control.default!r}.")
    if control.kind == "integer":
        if control.pair and isinstance(sent, (list, tuple)):
            return tuple(_whole(control, one) for one in sent)
        return _whole(control, sent)
    if control.kind == "number":
        return _number(control, sent)
    if control.kind == "flag" and not isinstance(sent, bool):
        raise InputError(control.name, sent, "is neither true nor false", "Give one of them.")
    if control.kind == "choice":
        return _chosen(control, sent)
    if control.kind == "layer" and not isinstance(sent, str):
        raise InputError(control.name, sent, "is no name of a layer", "Give a dotted name, or null.")
    return _frozen(control, sent)


def _whole(control: Control, sent: Any) -> int:
    if isinstance(sent, bool) or not (isinstance(sent, int) or (isinstance(sent, float) and sent.is_integer())):
        raise InputError(control.name, sent, "is no whole number", f"Give one{_range(control)}.")
    if abs(sent) > EXACT:
        raise InputError(control.name, sent, "is too large to travel exactly", f"Give one up to {EXACT}.")
    return int(sent)


def _number(control: Control, sent: Any) -> float:
    try:
        found = math.nan if isinstance(sent, (bool, str)) else float(sent)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise InputError(control.name, sent, "is no finite number", f"Give one{_range(control)}.")
    return found


def _chosen(control: Control, sent: Any) -> Any:
    for option in control.options:
        if same(option, sent):
            return option
    near = difflib.get_close_matches(sent, [str(one) for one in control.options], n=2) if isinstance(sent, str) else []
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    options = ", ".join(map(repr, control.options))
    raise InputError(control.name, sent, "is none of the options", f"{hint}Give one of {options}.")


def _frozen(control: Control, sent: Any, deep: int = 0) -> Any:
    """Lists as tuples: a method is frozen, and hashed."""
    if not isinstance(sent, (list, tuple)):
        return sent
    if deep == _DEEPEST:
        raise InputError(control.name, sent, "is nested too deeply", "Give a list of values, or of such lists.")
    return tuple(_frozen(control, one, deep + 1) for one in sent)


def _check_bounds(control: Control, value: Any) -> None:
    """Hold a value, which the method itself let pass, against the ends that were declared as bounds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    low = -math.inf if control.least is None or "least" in control.soft else control.least
    high = math.inf if control.most is None or "most" in control.soft else control.most
    if not low <= value <= high:
        raise InputError(control.name, value, "is out of range", f"Give a number{_range(control)}.")


def _range(control: Control) -> str:
    least = None if "least" in control.soft else control.least
    most = None if "most" in control.soft else control.most
    if least is None:
        return "" if most is None else f" up to {most:g}"
    return f" from {least:g} on" if most is None else f" from {least:g} to {most:g}"


def _brief(text: str) -> str:
    """The first sentences of a text, without marks of code, references and tables."""
    text = text.partition(" ===")[0]
    kept: list[str] = []
    for sentence in _SENTENCE.split(text):
        if kept and (len(" ".join(kept)) + len(sentence) > _LONG or sentence.startswith("See `")):
            break
        words = _EMPTY.sub(lambda found: "empty" if found.start() else "Empty", _REFERENCE.sub("", sentence))
        kept.append(words.replace("`", ""))
    brief = " ".join(kept).strip().removesuffix(":")
    return brief if not brief or brief.endswith(".") else f"{brief}."


def _required(item: dataclasses.Field[Any]) -> bool:
    return item.init and item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _default(item: dataclasses.Field[Any]) -> Any:
    if item.default is not dataclasses.MISSING:
        return item.default
    if item.default_factory is dataclasses.MISSING:
        return None
    try:
        return item.default_factory()
    except Exception:  # any: it is the user's function
        return None


def _hints(method: type[Method]) -> dict[str, Any]:
    try:
        return get_type_hints(method)
    except Exception:  # any: a name that is not defined here, or something that is no type
        return {}


def _inferred(item: dataclasses.Field[Any], hint: Any, default: Any) -> Control:
    """A control for a parameter that was not declared."""
    optional = (default is None and not _required(item)) or hint is type(None)
    if get_origin(hint) in (Union, types.UnionType):
        optional = optional or type(None) in get_args(hint)
        wide = [one for one in get_args(hint) if one is not type(None)]
        # An integer or a number is a number.
        hint = float if set(wide) == {int, float} else wide[0] if len(wide) == 1 else None
    label = label_of(item.name)
    if get_origin(hint) is Literal and all(isinstance(one, (str, int, bool)) or one is None for one in get_args(hint)):
        options = tuple(one for one in get_args(hint) if one is not None)
        optional = optional or None in get_args(hint)
        return Control(item.name, label, "", "choice", None, options=options, optional=optional)
    typed = _KINDS.get(hint) if isinstance(hint, type) else None
    kind = typed or _KINDS.get(type(plain_value(default)), "text")
    return Control(item.name, label, "", kind, None, step=1 if kind == "integer" else None, optional=optional)
