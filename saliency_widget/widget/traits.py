"""The traits of what is looked at, and of what is known of it. Nothing here computes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets as t

from saliency_widget.widget.looks import LOOKS, Looks
from saliency_widget.widget.slots import COUNT

if TYPE_CHECKING:
    from saliency_widget.attribution import Attribution
    from saliency_widget.methods.base import Method
    from saliency_widget.widget.reporter import Reporter
    from saliency_widget.widget.session import Order, Session
    from saliency_widget.widget.subjects import Subjects

CHOICES = ("model_index", "image_index", "class_index", "versus", "score", "place", "method", "parameters")
VIEW = (*CHOICES, *LOOKS, "panels")


class Traits(Looks):
    """What is looked at: every choice is a trait that can be set, observed and linked."""

    _lock: threading.RLock
    _changed: threading.Condition
    _subjects: Subjects
    _methods: dict[str, Method]
    _attributions: dict[str, Attribution]
    _orders: dict[str, Order]
    _reporter: Reporter
    _session: Session
    _closed: bool
    _ready: bool
    _mirroring: Mapping[str, Any] | None
    _panel_keys: frozenset[str]
    _likely: frozenset[str]
    _chosen: list[str]
    _asked_again: bool

    _from_front_end: ClassVar[frozenset[str]] = frozenset({"shown", *VIEW})
    _together: ClassVar[frozenset[str]] = frozenset(CHOICES)

    _info = t.Dict().tag(sync=True)
    _images = t.List(t.Bytes()).tag(sync=True)
    _originals = t.List(t.Bytes()).tag(sync=True)
    _labels = t.List(t.List(t.Unicode())).tag(sync=True)
    _maps = t.List(t.Dict()).tag(sync=True)
    _status = t.Dict().tag(sync=True)
    shown = t.Unicode("", help="Key of the map on display.").tag(sync=True)
    model_index = t.Int(0, help="Which of the models.").tag(sync=True)
    image_index = t.Int(0, help="Which of the images.").tag(sync=True)
    class_index = t.Int(-1, help="Which class; -1 where the target is not one class.").tag(sync=True)
    versus = t.Int(-1, help="The class whose score is taken off; -1 is none.").tag(sync=True)
    score = t.Unicode("logit", help="Which kind of score.").tag(sync=True)
    place: t.List[Any] = t.List(default_value=[], help="Where the score is of, in pixels of the picture.").tag(
        sync=True
    )
    method = t.Unicode("gradient", help="Name of the method.").tag(sync=True)
    parameters = t.Dict(help="The parameters of the method, by name.").tag(sync=True)
    panels: t.List[Any] = t.List(default_value=[], help="What stands beside the map on display.").tag(sync=True)
    locals().update({f"_slot_{number}": t.Bytes().tag(sync=True) for number in range(COUNT)})
