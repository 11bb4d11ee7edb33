"""How a method declares its parameters, so that a front end can make controls from the declaration alone.

The functions stand where a dataclass field has its default, ``samples: int = declare.whole(50, least=1, most=500)``,
and change nothing else about the field. The method still checks its parameters itself: a declaration says what is
offered.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["integer", "number", "choice", "flag", "layer", "baseline", "text"]
End = Literal["least", "most"]

_KEY = "saliency_widget.control"


@dataclass(frozen=True)
class Control:
    """What a front end must know of a parameter to offer it.

    Attributes
    ----------
    name, label, text
        As it is given in Python, as it is shown, and a sentence or two on what it is.
    kind
        "integer", "number", "choice" (one of ``options``), "flag", "layer" (its options come from the model),
        "baseline" (one of ``options``, or a colour of one number a channel from 0 to 1), or "text".
    default
        A plain value: what JSON can hold.
    least, most
        Ends of the range that is offered. The method takes both of them.
    soft
        Those of the ends that are no bound: the method takes some values beyond them, which may be typed.
    step
        Distance between the values that are offered, counted from ``least``; None: any.
    options
        The values of a choice or a baseline, in order.
    optional
        Whether None is allowed: the method then decides.
    pair
        Whether a pair of whole numbers (height, width), for which there is no control, is taken too.
    """

    name: str
    label: str
    text: str
    kind: Kind
    default: Any
    least: float | None = None
    most: float | None = None
    soft: tuple[End, ...] = ()
    step: float | None = None
    options: tuple[Any, ...] = ()
    optional: bool = False
    pair: bool = False

    def plain(self) -> dict[str, Any]:
        """As JSON; what does not apply is left out."""
        known: dict[str, Any] = {name: getattr(self, name) for name in ("name", "label", "text", "kind", "default")}
        ends: dict[str, Any] = {"least": self.least, "most": self.most, "step": self.step}
        known.update({name: value for name, value in ends.items() if value is not None})
        if self.soft:
            known["soft"] = list(self.soft)
        if self.options:
            known["options"] = list(self.options)
        if self.optional:
            known["optional"] = True
        return known


def whole(
    default: int | None,
    *,
    least: int | None = None,
    most: int | None = None,
    soft: Sequence[End] = (),
    optional: bool = False,
    pair: bool = False,
    label: str = "",
) -> Any:
    """A whole number; see :class:`Control` for the arguments. Without a default it is optional."""
    _check(default, least, most, None)
    return _field("integer", default, label, optional, least=least, most=most, soft=tuple(soft), step=1, pair=pair)


def number(
    default: float | None,
    *,
    least: float | None = None,
    most: float | None = None,
    soft: Sequence[End] = (),
    step: float | None = None,
    optional: bool = False,
    label: str = "",
) -> Any:
    """A number; see :class:`Control` for the arguments. Without a default it is optional."""
    _check(default, least, most, step)
    return _field("number", default, label, optional, least=least, most=most, soft=tuple(soft), step=step)


def choice(default: str, options: Sequence[str], *, label: str = "") -> Any:
    """One of several words."""
    if default not in options:
        raise ValueError(f"the default {default!r} is none of {', '.join(map(repr, options))}")
    return _field("choice", default, label, options=tuple(options))


def flag(default: bool, *, label: str = "") -> Any:
    """Yes or no."""
    return _field("flag", default, label)


def layer(*, label: str = "") -> Any:
    """A layer of the model; None is chosen for the model."""
    return _field("layer", None, label, optional=True)


def baseline(default: str, options: Sequence[str], *, label: str = "") -> Any:
    """A picture by one of several names, or of one colour."""
    if default not in options:
        raise ValueError(f"the default {default!r} is none of {', '.join(map(repr, options))}")
    return _field("baseline", default, label, options=tuple(options))


def seed() -> Any:
    """What chance is made from: a whole number from 0 on, 0 where nothing is said."""
    return whole(0, least=0)


def text(default: str | None, *, optional: bool = False, label: str = "") -> Any:
    """What no other kind can express. Without a default it is optional."""
    return _field("text", default, label, optional)


def declared(item: dataclasses.Field[Any]) -> Control | None:
    """What a field was declared to be, without its text; None where it was not declared."""
    found = item.metadata.get(_KEY)
    if not isinstance(found, Control):
        return None
    return dataclasses.replace(found, name=item.name, label=found.label or label_of(item.name))


def label_of(name: str) -> str:
    """A parameter's name in words: "max_dist" is "Max dist"."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _field(kind: Kind, default: Any, label: str, optional: bool = False, **more: Any) -> Any:
    control = Control("", label, "", kind, default, optional=optional or default is None, **more)
    return dataclasses.field(default=default, metadata={_KEY: control})


def _check(default: float | None, least: float | None, most: float | None, step: float | None) -> None:
    if not all(math.isfinite(one) for one in (default, least, most, step) if one is not None):
        raise ValueError("a declaration holds finite numbers alone")
    low, high = (-math.inf if least is None else least), (math.inf if most is None else most)
    if not low < high or not low <= (low if default is None else default) <= high:
        raise ValueError(f"the default {default} is not in the range from {least} to {most}")
    if step is not None and step <= 0:
        raise ValueError(f"a step of {step} leads nowhere")
