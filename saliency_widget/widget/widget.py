"""SaliencyWidget: the anywidget shell around an explainer and a session."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

import traitlets as t

from saliency_widget.attribution import Attribution
from saliency_widget.display.reduce import check_sign
from saliency_widget.errors import InputError, SaliencyError
from saliency_widget.explainer import Explainer, make_ready
from saliency_widget.methods.base import Method, as_method
from saliency_widget.targets import Target, target_of_kind
from saliency_widget.widget import protocol, rerun
from saliency_widget.widget.choices import check_view
from saliency_widget.widget.frontend import esm
from saliency_widget.widget.reporter import Reporter
from saliency_widget.widget.session import Order, Session, quietly, words_of
from saliency_widget.widget.slots import COUNT
from saliency_widget.widget.state import info_of, status_of, travelling_picture
from saliency_widget.widget.synced import Synced

_LOG = logging.getLogger("saliency_widget")
# A script that is run from top to bottom finds the first map in the saved state if it comes within this time.
_FIRST_MAP_WAIT = 1.0
_OF_ANY_WIDGET = ("layout", "tabbable", "tooltip")


class SaliencyWidget(Synced):
    """Look at what a model's score of one picture is sensitive to, live in a notebook.

    Parameters
    ----------
    model, image, preprocess, labels, inputs
        As in :func:`saliency_widget.explain`, for one image.
    target
        The class shown first; None is the predicted one. A list computes all of them and shows the first.
    method
        A name or an object with its parameters.
    sign
        "absolute" or "signed".
    threshold
        Percentage of the area that is kept, strongest first; 100 shows everything.
    opacity
        Of the map over the photograph, 0 to 1.
    clip
        Percentile of |value| at which the colours saturate, 50 to 100.

    Raises
    ------
    InputError
        An argument cannot work. Raised before any work.
    ModelError
        The model cannot be explained as it is.

    Examples
    --------
    >>> import saliency_widget as sw
    >>> sw.SaliencyWidget(sw.demo.model(), sw.demo.image("chelsea"))  # doctest: +SKIP
    """

    _from_front_end: ClassVar[frozenset[str]] = frozenset({"shown", "sign", "threshold", "opacity"})

    _info = t.Dict().tag(sync=True)
    _image = t.Bytes().tag(sync=True)
    _labels = t.List(t.Unicode()).tag(sync=True)
    _maps = t.List(t.Dict()).tag(sync=True)
    _status = t.Dict().tag(sync=True)
    shown = t.Unicode("", help="Key of the map on display.").tag(sync=True)
    sign = t.Enum(["absolute", "signed"], "absolute", help="How the map is shown.").tag(sync=True)
    threshold = t.Float(100.0, min=0, max=100, help="Percentage of the area that is kept.").tag(sync=True)
    opacity = t.Float(0.6, min=0, max=1, help="Of the map over the photograph.").tag(sync=True)
    clip = t.Float(99.0, min=50, max=100, help="Percentile of |value| at which colours saturate.").tag(sync=True)
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
        sign: str = "absolute",
        threshold: float = 100.0,
        opacity: float = 0.6,
        clip: float = 99.0,
        **kwargs: Any,
    ) -> None:
        # traitlets would only warn of a misspelt name.
        for name in kwargs:
            if name not in _OF_ANY_WIDGET:
                raise TypeError(f"SaliencyWidget() got an unexpected keyword argument {name!r}")
        view = check_view(sign=sign, threshold=threshold, opacity=opacity, clip=clip)
        ready = make_ready(
            model,
            image,
            target=target,
            method=method,
            preprocess=preprocess,
            labels=labels,
            inputs=inputs,
            stacklevel=2,
        )
        explainer = ready.explainer

        self._esm = esm()
        self._explainer: Explainer | None = explainer
        self._method: Method = ready.method
        self._attributions: dict[str, Attribution] = {}
        # What was asked for, by the key of its map; a record in a map is no target any more.
        self._targets: dict[str, Target] = {}
        self._reporter = Reporter(self)
        super().__init__(
            _info=info_of(explainer),
            _image=travelling_picture(explainer.prepared.picture).tobytes(),
            _labels=list(explainer.labels),
            _status=status_of("idle"),
            **view,
            **kwargs,
        )
        self._session = Session(explainer, self._reporter, self._changed)
        self.on_msg(self._on_custom)
        first, *others = [self._order(one) for one in ready.targets]
        likely = [self._order(explainer.resolve(one.index)) for one in explainer.prediction]
        self._likely = frozenset(order.key for order in likely)
        ahead = {order.key: order for order in (*others, *likely) if order.key != first.key}
        # Together, so that a method whose passes serve all classes computes them in one run.
        with self._lock:
            self._session.ask(first)
            self._session.ask_ahead([quietly(order) for order in ahead.values()])
        rerun.note(self)
        self._settle(_FIRST_MAP_WAIT)

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
            current = self._session.current
            # What Python asked for will be on display; what the front end asked for may not.
            if current is not None and (current.req is None or self.shown not in self._attributions):
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
            if self._explainer is None or self.shown not in self._attributions:
                return None
            return self._targets[self.shown]

    @target.setter
    def target(self, target: Any) -> None:
        with self._lock:
            if self._explainer is None:
                raise SaliencyError("The widget is closed. Make a new one.")
            order = self._order(self._explainer.resolve(target))
            if order.key in self._attributions:
                self._session.cancel(reason="something else was chosen")
                self.shown = order.key
                self._reporter.error = None
                self._forgive()
            else:
                self._session.ask(order)

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
            if self._explainer is None:
                raise SaliencyError("The widget is closed. Make a new one.")
            if self._reporter.error is not None:
                raise self._reporter.error
        return self

    def stop(self) -> None:
        """Stop all work, also what is computed ahead; the last map stays.

        Works where a button cannot: while a cell runs.
        """
        self._session.stop()

    def figure(self) -> Any:
        """A matplotlib figure of the map on display, as it is shown."""
        return self.attribution.plot(check_sign(self.sign), clip=self.clip)

    def close(self) -> None:
        """Stop all work, let the model and the maps go, and remove the widget from the page."""
        session = self.__dict__.get("_session")
        if session is not None:
            session.close()
        with self._lock:
            self._explainer = None
            self.__dict__.get("_attributions", {}).clear()
            self.__dict__.get("_targets", {}).clear()
        super().close()
        # The history of outputs may hold the widget for ever; it need not hold its maps. Nothing is sent any more.
        self._maps, self._image, self._labels = [], b"", []
        for number in range(COUNT):
            setattr(self, f"_slot_{number}", b"")

    def __repr__(self) -> str:
        info = self._info
        best = info["prediction"][0] if info.get("prediction") else None
        sure = "" if best is None or best["probability"] is None else f", {best['probability']:.2f}"
        says = "" if best is None else f": {best['label']}{sure}"
        return f"<SaliencyWidget of {info.get('model', 'a model')}{says}>"

    # --- what the front end says ------------------------------------------------------------------------------

    def _on_custom(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Validate, enqueue, return: this may run on any thread, and nothing may raise."""
        try:
            said = protocol.parse(content)
            if isinstance(said, protocol.Request):
                self._on_request(said)
            elif isinstance(said, protocol.Cancel):
                self._session.cancel(None if said.req == protocol.ANY else said.req, reason="stopped")
            elif isinstance(said, protocol.Ack):
                with self._lock:
                    self._reporter.heard(visible=said.visible)
        except Exception:
            _LOG.debug("a message from the front end was not understood", exc_info=True)

    def _on_request(self, said: protocol.Request) -> None:
        with self._lock:
            if self._explainer is None:
                self.send(protocol.cancelled(said.req, "the widget is closed"))
                return
            try:
                method = self._method if said.method in (None, self._method.name) else as_method(said.method)
                if not protocol.is_whole(said.index):
                    raise InputError("index", said.index, "is no class index", "Give a whole number from 0.")
                like = self._targets.get(self.shown)
                target = self._explainer.resolve(target_of_kind(said.kind, said.index, like))
                order = self._order(target, method, req=said.req)
            except Exception as error:
                self.send(protocol.error(said.req, words_of(error), ""))
                return
            self.send(protocol.accepted(said.req))
            if order.key in self._attributions:
                self._reporter.slots.touch(order.key)
                self.send(protocol.done(said.req, order.key))
            else:
                self._session.ask(order)

    @t.validate("shown")
    def _check_shown(self, proposal: Any) -> Any:
        value = proposal["value"]
        if value and value not in self._attributions:
            raise t.TraitError(f"shown={value!r} is no map this widget holds; it holds {sorted(self._attributions)}.")
        self._reporter.slots.touch(value)
        return value

    @t.observe("shown")
    def _on_shown(self, _change: Any) -> None:
        self._forgive()

    @t.validate("threshold", "opacity", "clip")
    def _check_number(self, proposal: Any) -> Any:
        if proposal["value"] != proposal["value"]:  # NaN passes every comparison with a bound
            raise t.TraitError(f"{proposal['trait'].name} must be a number, not NaN.")
        return proposal["value"]

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
        """Give the synced traits. Whoever asks for all of them is a new page, which knows nothing of requests."""
        with self._lock:
            session = self.__dict__.get("_session")
            current = session.current if key is None and session is not None else None
            if current is not None:
                self._reporter.adopt(current.key)
            return super().get_state(key, drop_defaults)

    # --- helpers ----------------------------------------------------------------------------------------------

    def _order(self, target: Target, method: Method | None = None, req: str | None = None) -> Order:
        chosen = method or self._method
        key = f"{chosen.name}/{target.key}"
        self._targets[key] = target
        return Order(key, target, chosen, req=req)

    def _forgive(self) -> None:
        """Let go of an error: something else was chosen since."""
        if self._status.get("state") == "error":
            self._reporter.error = None
            self._status = status_of("idle")

    def _settle(self, timeout: float | None) -> bool:
        with self._changed:
            return bool(self._changed.wait_for(lambda: self._session.current is None, timeout))
