"""SaliencyWidget: the anywidget shell around explainers and a session."""

from __future__ import annotations

import contextlib
import difflib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import traitlets as t

from saliency_widget.attribution import Attribution
from saliency_widget.display.cells import Between
from saliency_widget.display.colours import table_names
from saliency_widget.display.encode import encode_half
from saliency_widget.errors import InputError, SaliencyError
from saliency_widget.explainer import Explainer, make_ready
from saliency_widget.methods.base import Method, as_method
from saliency_widget.methods.plain import plain_parameters
from saliency_widget.targets import Target
from saliency_widget.widget import executed, protocol, rerun
from saliency_widget.widget.choices import check_view
from saliency_widget.widget.frontend import esm
from saliency_widget.widget.looks import LOOKS, Looks, as_input_error
from saliency_widget.widget.reporter import Reporter
from saliency_widget.widget.session import NEWER, Order, Session, quietly, words_of
from saliency_widget.widget.slots import COUNT
from saliency_widget.widget.state import status_of
from saliency_widget.widget.subjects import Subjects
from saliency_widget.widget.tiles import cut_tile
from saliency_widget.widget.wants import Wanted, fill, key_for, method_of, target_of, wanted_of

_LOG = logging.getLogger("saliency_widget")
# A script that is run from top to bottom finds the first map in the saved state if it comes within this time.
_FIRST_MAP_WAIT = 1.0
_OF_ANY_WIDGET = ("layout", "tabbable", "tooltip")
_CHOICES = ("model_index", "image_index", "class_index", "versus", "score", "method", "parameters")
_VIEW = (*_CHOICES, *LOOKS, "panels")
_MOST_PANELS = 8
_MOST_ORDERS = 512
_NOTHING = Wanted(0, 0, "gradient", {}, "logit", -1, -1)


class SaliencyWidget(Looks):
    """Look at what a model's score of a picture is sensitive to, live in a notebook.

    Parameters
    ----------
    model, image, preprocess, labels, inputs
        As in :func:`saliency_widget.explain`. A list of models, of images, or of both: each model with each image can
        be looked at, and beside the others.
    target
        The class shown first; None is the predicted one. A list computes all of them and shows the first.
    method
        A name or an object with its parameters.
    look
        "overlay", "map" or "image".
    sign
        "absolute", "signed", "positive" or "negative".
    reduction
        How the channels of a pixel become one number: "default" (that of the sign), "max", "sum", "mean", "l2", or the
        number of a channel as text.
    threshold
        Percentage of the area that is kept, strongest first; 100 shows everything.
    clip
        Percentile of |value| at which the colours saturate, 50 to 100.
    colormap
        Name of a colour table; "" is that of the sign.
    opacity
        Of the map over the photograph, 0 to 1.
    view
        Any of these and the other choices of :attr:`view`, as a dict; or each of them by its name.

    Raises
    ------
    InputError
        An argument cannot work. Raised before any work.
    ModelError
        The model cannot be explained as it is.

    Notes
    -----
    Every choice is a trait, which can be set, observed and linked: what is looked at (``model_index``, ``image_index``,
    ``class_index``, ``versus``, ``score``, ``method``, ``parameters``), how (``look``, ``sign``, ``reduction``,
    ``threshold``, ``clip``, ``colormap``, ``opacity``, ``photo``, ``cells``, ``frame``, ``viewport``, ``scale``,
    ``level``, ``pins``), and beside what (``panels``). A choice whose map is not there is computed, and then shown.

    Examples
    --------
    >>> import saliency_widget as sw
    >>> sw.SaliencyWidget(sw.demo.model(), sw.demo.image("chelsea"))  # doctest: +SKIP
    """

    _from_front_end: ClassVar[frozenset[str]] = frozenset({"shown", *_VIEW})
    _together: ClassVar[frozenset[str]] = frozenset(_CHOICES)

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
    method = t.Unicode("gradient", help="Name of the method.").tag(sync=True)
    parameters = t.Dict(help="The parameters of the method, by name.").tag(sync=True)
    panels: t.List[Any] = t.List(default_value=[], help="What stands beside the map on display.").tag(sync=True)
    locals().update({f"_slot_{number}": t.Bytes().tag(sync=True) for number in range(COUNT)})

    def __init__(
        self,
        model: Any,
        image: Any,
        *,
        target: Any = None,
        method: Any = "gradient",
        preprocess: Any = None,
        labels: Any = None,
        inputs: Any = None,
        look: str = "overlay",
        sign: str = "absolute",
        reduction: str = "default",
        threshold: float = 100.0,
        clip: float = 99.0,
        colormap: str = "",
        opacity: float = 0.6,
        view: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        wished = self._check_names({} if view is None else view)
        for name in kwargs:
            # traitlets would only warn of a misspelt one.
            if name not in (*_OF_ANY_WIDGET, *_VIEW):
                raise TypeError(f"SaliencyWidget() got an unexpected keyword argument {name!r}")
        wished.update({name: kwargs.pop(name) for name in _VIEW if name in kwargs})
        looks = check_view(sign=sign, threshold=threshold, opacity=opacity, clip=clip)
        looks.update(look=look, reduction=reduction, colormap=colormap)
        looks.update({name: value for name, value in wished.items() if name in LOOKS})
        self._check_looks(looks)
        ready = make_ready(
            list(model) if isinstance(model, (list, tuple)) else [model],
            image,
            target=target,
            method=method,
            preprocess=preprocess,
            labels=labels,
            inputs=inputs,
            watch=True,
            stacklevel=2,
        )
        self._esm = esm()
        self._subjects = Subjects([[one.explainer for one in row] for row in ready])
        chosen = ready[0][0].method
        self._methods: dict[str, Method] = {chosen.name: chosen}
        self._attributions: dict[str, Attribution] = {}
        # What was asked for, by the key of its map; a record in a map is no target any more.
        self._orders: dict[str, Order] = {}
        self._reporter = Reporter(self)
        self._closed = False
        self._mirroring: Mapping[str, Any] | None = None
        self._panel_keys: frozenset[str] = frozenset()
        self._ready = False
        self._chosen: list[str] = []
        self._asked_again = False
        self._likely: frozenset[str] = frozenset()
        self._session = Session(self._reporter, self._changed)
        # Before there is a comm: all of it is in the first message, and what cannot be leaves nothing behind.
        top = ready[0][0]
        first, *others = [self._order(one, chosen, top.explainer) for one in top.targets]
        first = self._wished(wished, wanted_of(first, self._subjects)) or first
        panels = self._check_panels(wished.get("panels", []), wanted_of(first, self._subjects))
        with self._mirrored(first) as choices:
            super().__init__(
                _info=self._subjects.info(),
                _images=self._subjects.pictures(),
                _originals=[b""] * self._subjects.images,
                _labels=self._subjects.labels,
                _status=status_of("idle"),
                panels=panels,
                **choices,
                **looks,
                **kwargs,
            )
        self.on_msg(self._on_custom)
        explainer = first.explainer
        likely = [self._order(explainer.resolve(one.index), first.method, explainer) for one in explainer.prediction]
        self._likely = frozenset(order.key for order in likely)
        ahead = {order.key: order for order in (*others, *likely) if order.key != first.key}
        # Together, so that a method whose passes serve all classes computes them in one run.
        with self._lock:
            self._ready = True
            self._session.ask(first.ours())
            self._session.ask_ahead([quietly(order) for order in ahead.values()])
            self._on_panels()
            self._on_frame()
        rerun.note(self)
        executed.note(self)
        self._settle(_FIRST_MAP_WAIT)
        self._session.aside(self._look_further, explainer)

    # --- what a script reads and does -------------------------------------------------------------------------

    @property
    def attribution(self) -> Attribution:
        """The map on display; waits for it if it is still being computed.

        Raises
        ------
        SaliencyError
            There is none: the computation failed, or the widget was closed.
        """
        with self._lock:
            self._follow()
            current = self._session.current
            # What Python asked for will be on display; what the front end asked for may not.
            if current is not None and (current.own or self.shown not in self._attributions):
                self._settle(None)
            if self.shown not in self._attributions:
                raise self._reporter.error or SaliencyError(
                    "There is no map: the widget was closed, or the work was stopped."
                )
            return self._attributions[self.shown]

    @property
    def attributions(self) -> Mapping[str, Attribution]:
        """All maps the widget holds, by key, oldest use first."""
        with self._lock:
            return dict(self._attributions)

    @property
    def target(self) -> Target | None:
        """What is being computed, or else what is on display. Set it to a class, a label or a target."""
        with self._lock:
            current = self._session.current
            if current is not None:
                return current.target
            if self._closed or self.shown not in self._attributions:
                return None
            return self._orders[self.shown].target

    @target.setter
    def target(self, target: Any) -> None:
        with self._lock:
            now = self._now()
            explainer = self._explainer_at(now.model, now.image)
            order = self._order(explainer.resolve(target), self._method_of(now), explainer)
        self._choose(order)

    @property
    def view(self) -> dict[str, Any]:
        """All choices as a small dict of plain values, which can be kept and set again.

        Setting it checks all of it before anything changes; what is not in it stays.
        """
        with self._lock:
            self._follow()
            return {name: _copied(getattr(self, name)) for name in _VIEW}

    @view.setter
    def view(self, view: Any) -> None:
        given = self._check_names(view)
        looks = {name: value for name, value in given.items() if name in LOOKS}
        self._check_looks(looks)
        with self._lock:
            now = self._now()
            order = self._wished(given, now)
            base = now if order is None else wanted_of(order, self._subjects)
            panels = self._check_panels(given["panels"], base) if "panels" in given else None
            with self.hold_sync(), self.hold_trait_notifications():
                for name, value in looks.items():
                    setattr(self, name, value)
                if panels is not None:
                    self.panels = panels
        if order is not None:
            self._choose(order)

    def wait(self, timeout: float | None = None) -> SaliencyWidget:
        """Wait until what was asked for is there.

        Parameters
        ----------
        timeout
            Seconds; None waits as long as it takes.

        Raises
        ------
        SaliencyError
            The computation failed or was stopped, or the widget is closed.
        TimeoutError
            It did not end in time; it goes on.
        """
        if not self._settle(timeout):
            raise TimeoutError(f"The map was not there after {timeout:g} seconds; it is still being computed.")
        with self._lock:
            if self._closed:
                raise SaliencyError("The widget is closed. Make a new one.")
            if self._reporter.error is not None:
                raise self._reporter.error
        return self

    def stop(self) -> None:
        """Stop all work, also what is computed ahead; the last map stays, or the best estimate so far.

        Works where a button cannot: while a cell runs.
        """
        self._session.stop()

    def go_on(self) -> None:
        """Go on with the map on display where it was stopped; make it anew where the weights have changed since."""
        with self._lock:
            self._explainer_at(0, 0)
            order, turn = self._orders.get(self.shown), self._session.turn
        if order is not None:
            self._ask_again(order.ours(), turn)

    def figure(self) -> Any:
        """A matplotlib figure of the map on display, in the colours and with the reduction in which it is shown."""
        attribution = self.attribution
        # A table of the other kind, or a channel that this map does not have, is not what is shown either.
        colormap = self.colormap if self.colormap in table_names(self.sign) else None
        channel = self.reduction.isdigit() and int(self.reduction) >= len(attribution.values)
        reduce = None if self.reduction == "default" or channel else self.reduction
        between: Between = "cells" if self.cells else "smooth"
        return attribution.plot(self.sign, clip=self.clip, reduce=reduce, colormap=colormap, between=between)

    def close(self) -> None:
        """Stop all work, let the models and the maps go, and remove the widget from the page."""
        session = self.__dict__.get("_session")
        if session is not None:
            session.close()
        with self._lock:
            self.__dict__["_closed"] = True
            self.__dict__["_subjects"] = None
            for held in ("_attributions", "_orders", "_methods"):
                self.__dict__.get(held, {}).clear()
        super().close()
        # The history of outputs may hold the widget for ever; it need not hold its maps. Nothing is sent any more.
        with self.pushing():
            self._maps, self._images, self._originals, self._labels = [], [], [], []
            for number in range(COUNT):
                setattr(self, f"_slot_{number}", b"")

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "method" and isinstance(value, Method):
            with self._lock:
                before = dict(self._methods)
                # Kept, for what plain values cannot hold.
                self._methods[value.name] = value
                try:
                    with self.hold_trait_notifications():
                        # In this order, in which a link passes them on.
                        super().__setattr__("method", value.name)
                        self.parameters = plain_parameters(value)
                except Exception:
                    self._methods = before
                    raise
        else:
            super().__setattr__(name, value)

    def __repr__(self) -> str:
        subjects = self._info.get("subjects") or [{}]
        best = (subjects[0].get("prediction") or [None])[0]
        sure = "" if best is None or best["probability"] is None else f", {best['probability']:.2f}"
        says = "" if best is None else f": {best['label']}{sure}"
        return f"<SaliencyWidget of {subjects[0].get('model_name', 'a model')}{says}>"

    # --- what the front end says ------------------------------------------------------------------------------

    def _on_custom(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Validate, enqueue, return: this may run on any thread, and nothing may raise."""
        try:
            said = protocol.parse(content)
            if isinstance(said, protocol.Request):
                self._on_request(said)
            elif isinstance(said, protocol.Tile):
                self._on_tile(said)
            elif isinstance(said, protocol.Cancel):
                req = None if said.req == protocol.ANY else said.req
                self._session.cancel(req, reason="stopped", keep=said.keep)
            elif isinstance(said, protocol.Ack):
                with self._lock:
                    self._reporter.heard(said)
        except Exception:
            _LOG.debug("a message from the front end was not understood", exc_info=True)

    def _on_request(self, said: protocol.Request) -> None:
        with self._lock:
            if self._closed:
                self.send(protocol.cancelled(said.req, "the widget is closed"))
                return
            try:
                order = self._order_of(said.want, req=said.req)
            except Exception as error:
                self.send(protocol.error(said.req, words_of(error), ""))
                return
            self.send(protocol.accepted(said.req))
            held, turn = order.key in self._attributions, self._session.turn
            if not held:
                self._ask_for_page(order)
        if held:
            self._ask_again(order, turn)

    def _ask_for_page(self, order: Order) -> None:
        current = self._session.current
        if current is not None and current.own and current.key != order.key:
            # It gives way, and the choices name it no longer.
            self._mirror_shown()
        self._session.ask(order)

    def _ask_again(self, order: Order, turn: int) -> None:
        """Answer with a map that is held, or compute it where it is not whole or of earlier weights."""
        # All weights are read, for which nobody else need wait. What was asked for meanwhile is newer.
        content = order.explainer.content()
        with self._lock:
            if self._closed or self._session.turn != turn:
                if not order.own and order.req is not None:
                    self.send(protocol.cancelled(order.req, "the widget is closed" if self._closed else NEWER))
            elif not self._reporter.is_current(order.key, content):
                order = replace(order, content=content)
                if order.own:
                    self._session.ask(order)
                else:
                    self._ask_for_page(order)
            elif not order.own and order.req is not None:
                self._reporter.slots.touch(order.key)
                self.send(protocol.done(order.req, order.key))

    def _on_tile(self, said: protocol.Tile) -> None:
        with self._lock:
            try:
                attribution = self._attributions.get(said.key) if isinstance(said.key, str) else None
                values, picture = cut_tile(attribution, said)
            except Exception as error:
                self.send(protocol.error(said.req, words_of(error), ""))
                return
        packed = encode_half(values)
        header = {"shape": list(packed.shape), "scale": packed.scale}
        with self._lock:
            self.send(protocol.tile(said, header), buffers=[packed.data, picture])

    @t.validate("shown")
    def _check_shown(self, proposal: Any) -> Any:
        value = proposal["value"]
        if value and value not in self._attributions:
            raise t.TraitError(f"shown={value!r} is no map this widget holds; it holds {sorted(self._attributions)}.")
        self._reporter.slots.touch(value)
        return value

    @t.validate(*_CHOICES)
    def _check_choice(self, proposal: Any) -> Any:
        """Refuse what no model, picture or method here has; with several set at once, when all are set."""
        name, value = proposal["trait"].name, proposal["value"]
        if self._is_mirrored(name, value) or self.__dict__.get("_subjects") is None:
            return value
        with self._lock:
            if name == "method" and value not in self._methods:
                try:
                    value = as_method(value).name
                except InputError as error:
                    raise t.TraitError(str(error)) from error
            try:
                self._order_of_choices(self._choices_with(name, value))
            except InputError as error:
                raise t.TraitError(str(error)) from error
            return value

    @t.observe("shown")
    def _on_shown(self, _change: Any) -> None:
        self._forgive()
        order = self._orders.get(self.shown)
        if order is None:
            return
        current = self._session.current
        if not self._is_pushing and current is not None and current.own and current.key != order.key:
            # Somebody chose what is there: what was chosen before must not come up later.
            self._session.cancel(reason="something else was chosen")
        self._methods[order.method.name] = order.method
        self._mirror(order)

    @t.observe(*_CHOICES)
    def _on_choice(self, change: Any) -> None:
        name = change["name"]
        if self._ready and not self._closed and not self._is_mirrored(name, getattr(self, name)):
            # Several that are set at once, here or through links, are one choice.
            self._chosen.append(name)
            self._afterwards(self._follow)

    def _follow(self) -> None:
        """Look at what the choices name since some of them were set."""
        with self._lock:
            names, self._chosen = self._chosen, []
            if not names or self._closed:
                return
            name = "parameters" if "parameters" in names else names[0]
            try:
                order = self._order_of_choices(self._choices_with(name, getattr(self, name)))
            except InputError:
                # Each fitted when it was set, and all together do not.
                self._mirror_shown()
                return
            current = self._session.current
            if order.key == (self.shown if current is None else current.key):
                # What was given can be less than all of it, or another word for it.
                self._mirror(order)
                return
        self._choose(order)

    @t.validate("panels")
    def _check_panels_trait(self, proposal: Any) -> Any:
        if self.__dict__.get("_subjects") is None:
            return proposal["value"]
        try:
            with self._lock:
                return self._check_panels(proposal["value"], self._now())
        except InputError as error:
            raise t.TraitError(str(error)) from error

    @t.observe("panels")
    def _on_panels(self, _change: Any = None) -> None:
        if self._closed or not self._ready:
            return
        with self._lock:
            wanted = [self._order_of(want) for want in self.panels]
            self._panel_keys = frozenset(order.key for order in wanted)
            missing = [quietly(order) for order in wanted if order.key not in self._attributions]
            self._session.ask_ahead(missing, first=True)

    @t.observe("frame")
    def _on_frame(self, _change: Any = None) -> None:
        if self._ready and self.frame == "original" and not any(self._originals) and not self._closed:
            self._session.aside(self._fetch_originals, self._subjects.all[0])

    def _handle_msg(self, msg: Any) -> None:
        executed.heard(self)
        super()._handle_msg(msg)

    def _send(self, msg: Any, buffers: Any = None) -> None:
        if msg.get("method") == "update":
            # Bytes travel beside the state, which does not name them then.
            executed.sent(self, {*msg["state"], *(path[0] for path in msg.get("buffer_paths", ()))})
        super()._send(msg, buffers)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
        """Give the synced traits. Whoever asks for all of them is a new page, which knows nothing of requests."""
        with self._lock:
            session = self.__dict__.get("_session")
            current = session.current if key is None and session is not None else None
            if current is not None:
                self._reporter.adopt(current.key)
            return super().get_state(key, drop_defaults)

    # --- helpers ----------------------------------------------------------------------------------------------

    @property
    def _explainer(self) -> Explainer | None:
        """The first model with the first picture."""
        subjects = self.__dict__.get("_subjects")
        return None if subjects is None else subjects.all[0]

    def _explainer_at(self, model: Any, image: Any) -> Explainer:
        if self._closed:
            raise SaliencyError("The widget is closed. Make a new one.")
        return self._subjects.at(model, image)

    def _now(self) -> Wanted:
        """What is being computed for somebody, or else what is on display."""
        order = self._session.current or self._orders.get(self.shown)
        return _NOTHING if order is None else wanted_of(order, self._subjects)

    def _method_of(self, now: Wanted) -> Method:
        return method_of(now.method, now.parameters, self._methods)

    def _choices_with(self, name: str, value: Any) -> dict[str, Any]:
        """The choices as they are with one that is set; parameters of another method are left to that method."""
        choices = {**{one: getattr(self, one) for one in _CHOICES}, name: value}
        if name != "parameters" and not self._fits(choices["method"], choices["parameters"]):
            choices["parameters"] = None
        return choices

    def _fits(self, method: Any, parameters: Any) -> bool:
        """Whether these parameters, if there are any, can be meant for a method."""
        try:
            known = set(plain_parameters(method_of(method, None, self._methods)))
        except InputError:
            return False
        return set(parameters) <= known and bool(parameters or not known)

    def _wished(self, given: Mapping[str, Any], now: Wanted) -> Order | None:
        """What the choices in a view come to, where there are some."""
        wished = {name: value for name, value in given.items() if name in _CHOICES}
        if not wished:
            return None
        choices = now.choices
        method = wished.get("method", choices["method"])
        if isinstance(method, Method):
            self._methods[method.name] = method
            wished["method"] = method.name
            wished.setdefault("parameters", plain_parameters(method))
        if wished.get("method", choices["method"]) != choices["method"]:
            # Those of the method before are none of this one.
            choices["parameters"] = None
        return self._order_of_choices({**choices, **wished})

    def _order_of_choices(self, choices: Mapping[str, Any]) -> Order:
        index, other = (None if choices[name] == -1 else choices[name] for name in ("class_index", "versus"))
        target = {"kind": choices["score"], "index": index, "other": other}
        return self._order_of(
            {
                "model": choices["model_index"],
                "image": choices["image_index"],
                "method": choices["method"],
                "parameters": choices["parameters"],
                "target": target,
            }
        )

    def _order_of(self, want: Mapping[str, Any], req: str | None = None, now: Wanted | None = None) -> Order:
        filled = fill(want, now or self._now())
        explainer = self._explainer_at(filled["model"], filled["image"])
        method = method_of(filled["method"], filled["parameters"], self._methods)
        shown = [self._orders[self.shown]] if self.shown in self._orders else []
        known = [one.target for one in (*shown, *reversed(self._orders.values()))]
        target = target_of(filled["target"], known)
        place = self._subjects.place(explainer)
        earlier = self._orders.get(key_for(place.prefix, method, target))
        if earlier is not None:
            return earlier if req is None else replace(earlier, req=req)
        method.check(explainer.shadow.model)
        if target.of_classes or not any(one.explainer is explainer for one in self._of_target(target)):
            target = explainer.resolve(target)
        return self._order(target, method, explainer, req)

    def _of_target(self, target: Target) -> list[Order]:
        return [one for one in self._orders.values() if one.target is target]

    def _order(self, target: Target, method: Method, explainer: Explainer, req: str | None = None) -> Order:
        key = key_for(self._subjects.place(explainer).prefix, method, target)
        known = self._orders.setdefault(key, Order(key, target, method, explainer))
        if len(self._orders) > _MOST_ORDERS:
            needed = {*self._attributions, *self._panel_keys, *self._likely, self.shown}
            for old in list(self._orders)[: -_MOST_ORDERS // 2]:
                if old not in needed:
                    del self._orders[old]
        return known if req is None else replace(known, req=req)

    def _choose(self, order: Order) -> None:
        """Show this map: at once where it is here, else when it is computed."""
        with self._lock:
            held = order.key in self._attributions
            if held:
                # Also one of earlier weights, or one that was stopped, until there is a better one.
                self._session.cancel(reason="something else was chosen")
                self.shown = order.key
                self._reporter.error = None
                self._forgive()
            else:
                self._session.ask(order.ours())
            self._mirror(order)
            turn = self._session.turn
        if held:
            self._ask_again(order.ours(), turn)

    @contextlib.contextmanager
    def _mirrored(self, order: Order) -> Iterator[Mapping[str, Any]]:
        """Set the choices to what they are for an order, which asks for nothing."""
        before, self._mirroring = self._mirroring, wanted_of(order, self._subjects).choices
        try:
            yield self._mirroring
        finally:
            self._mirroring = before

    def _is_mirrored(self, name: str, value: Any) -> bool:
        """Whether a choice is only set to what is. One that an observer sets meanwhile is a choice like any other."""
        return self._mirroring is not None and bool(self._mirroring[name] == value)

    def _mirror(self, order: Order) -> None:
        # All of them before anybody is told of one.
        with self.hold_sync(), self._mirrored(order) as choices, self.hold_trait_notifications():
            for name, value in choices.items():
                setattr(self, name, value)

    def _mirror_shown(self) -> None:
        if self.shown in self._orders:
            self._mirror(self._orders[self.shown])

    def _check_names(self, view: Any) -> dict[str, Any]:
        if not isinstance(view, Mapping):
            raise InputError("view", view, "is no dict of choices", "Give one like w.view.")
        for name in view:
            if name not in _VIEW:
                near = difflib.get_close_matches(str(name), _VIEW, n=2)
                hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
                raise InputError("view", name, "is no choice", f"{hint}The choices are {', '.join(_VIEW)}.")
        return dict(view)

    def _check_looks(self, looks: Mapping[str, Any]) -> None:
        for name, value in looks.items():
            try:
                self.traits()[name]._validate(self, value)
            except t.TraitError as error:  # noqa: PERF203  (few)
                raise as_input_error(name, value, error) from error

    def _check_panels(self, panels: Any, now: Wanted) -> list[dict[str, Any]]:
        if not isinstance(panels, (list, tuple)) or not all(isinstance(one, Mapping) for one in panels):
            raise InputError("panels", panels, "are not wants", 'Give dicts such as {"method": "smoothgrad"}.')
        if len(panels) > _MOST_PANELS:
            raise InputError("panels", len(panels), "are too many", f"Give at most {_MOST_PANELS}.")
        wanted = []
        for one in panels:
            try:
                wanted.append(wanted_of(self._order_of(one, now=now), self._subjects).plain)
            except InputError as error:  # noqa: PERF203  (few)
                raise InputError("panels", one, "cannot be shown", str(error)) from error
        return wanted

    def _look_further(self) -> None:
        """Find what can be chosen but takes its time, on the worker's thread."""
        subjects: Subjects | None = self.__dict__.get("_subjects")
        if subjects is None:
            return
        for explainer in subjects.all:
            with contextlib.suppress(Exception):  # what cannot be found cannot be chosen, and that is all
                subjects.look_further(explainer)
        with self._lock:
            if not self._closed:
                self._info = subjects.info()

    def _predict_again(self) -> None:
        """Ask for the predictions of the weights there are."""
        if not self._closed and not self._asked_again:
            self._asked_again = True
            self._session.aside(self._refresh, self._subjects.all[0])

    def _refresh(self) -> None:
        self._asked_again = False
        subjects: Subjects | None = self.__dict__.get("_subjects")
        if subjects is None:
            return
        changed = False
        for row in subjects.rows:
            content = row[0].content()
            for explainer in row:
                changed |= explainer.refresh(content)
        if changed:
            with self._lock:
                if not self._closed:
                    with self.pushing():
                        self._info = subjects.info()

    def _fetch_originals(self) -> None:
        subjects: Subjects | None = self.__dict__.get("_subjects")
        if subjects is not None:
            originals = subjects.originals()
            with self._lock:
                if not self._closed:
                    self._originals = originals

    def _forgive(self) -> None:
        """Let go of an error: something else was chosen since."""
        if self._status.get("state") == "error":
            self._reporter.error = None
            self._status = status_of("idle")

    def _settle(self, timeout: float | None) -> bool:
        with self._changed:
            self._follow()
            return bool(self._changed.wait_for(lambda: self._session.current is None, timeout))


def _copied(value: Any) -> Any:
    """Lists and dicts of plain values, not those of the trait itself."""
    if isinstance(value, Mapping):
        return {name: _copied(one) for name, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, (list, tuple)) else value
