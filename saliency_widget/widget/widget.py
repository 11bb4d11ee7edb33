"""SaliencyWidget: the anywidget shell around explainers and a session."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from ipywidgets import Layout
from ipywidgets.widgets.widget import _instances

from saliency_widget.attribution import Attribution
from saliency_widget.errors import SaliencyError
from saliency_widget.explainer import make_ready
from saliency_widget.export.frame import Static, check_height, static_of
from saliency_widget.export.page import check_page, write_page
from saliency_widget.methods.base import Method
from saliency_widget.methods.plain import plain_parameters
from saliency_widget.targets import Target
from saliency_widget.widget import executed, rerun
from saliency_widget.widget.answering import Answering
from saliency_widget.widget.choices import check_view
from saliency_widget.widget.frontend import esm
from saliency_widget.widget.looks import LOOKS
from saliency_widget.widget.output import add_still, figure_of, still_of, words_of
from saliency_widget.widget.pages import Wish, page_of
from saliency_widget.widget.reporter import Reporter
from saliency_widget.widget.session import Order, Session, quietly
from saliency_widget.widget.showing import shown_as
from saliency_widget.widget.slots import COUNT
from saliency_widget.widget.state import status_of
from saliency_widget.widget.subjects import Subjects
from saliency_widget.widget.traits import VIEW
from saliency_widget.widget.wants import wanted_of

# A script that is run from top to bottom finds the first map in the saved state if it comes within this time.
_FIRST_MAP_WAIT = 1.0
# And so much longer where it is about to be shown.
_PICTURE_WAIT = 1.0
# So many steps can be undone after which the panels of other models still follow.
_FOLLOWED = 64
_OF_ANY_WIDGET = ("layout", "tabbable", "tooltip")


class SaliencyWidget(Answering):
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
    ``class_index``, ``versus``, ``score``, ``place``, ``method``, ``parameters``), how (``look``, ``sign``,
    ``reduction``, ``threshold``, ``clip``, ``colormap``, ``opacity``, ``photo``, ``cells``, ``frame``, ``viewport``,
    ``scale``, ``level``, ``pins``, ``box_threshold``), and beside what (``panels``). A choice whose map is not there is
    computed, and then shown.

    Examples
    --------
    >>> import saliency_widget as sw
    >>> sw.SaliencyWidget(sw.demo.model(), sw.demo.image("chelsea"))  # doctest: +SKIP
    """

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
            if name not in (*_OF_ANY_WIDGET, *VIEW):
                raise TypeError(f"SaliencyWidget() got an unexpected keyword argument {name!r}")
        wished.update({name: kwargs.pop(name) for name in VIEW if name in kwargs})
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
        # What the panels were that follow what is on display, the last ones last.
        self._followed: deque[list[dict[str, Any]]] = deque(maxlen=_FOLLOWED)
        self._ready = False
        self._own_layout: Layout | None = None
        self._chosen: list[str] = []
        self._asked_again = False
        self._picture_wait = _PICTURE_WAIT
        self._likely: frozenset[str] = frozenset()
        self._session = Session(self._reporter, self._changed)
        # Before there is a comm: all of it is in the first message, and what cannot be leaves nothing behind.
        top = ready[0][0]
        first, *others = [self._order(one, chosen, top.explainer) for one in top.targets]
        first = self._wished(wished, wanted_of(first, self._subjects)) or first
        now = wanted_of(first, self._subjects)
        follows = False
        if "panels" not in wished and len(ready) > 1:
            # Several models are given to be seen beside each other, by one measure.
            given = [row[now.image] for row in ready]
            targets = [self._order(one.targets[0], one.method, one.explainer) for one in given]
            wished["panels"] = self._others(
                now, {model: wanted_of(order, self._subjects).plain["target"] for model, order in enumerate(targets)}
            )
            follows = True
            if "scale" not in looks and "level" not in looks:
                looks["scale"] = "shared"
        panels = self._check_panels(wished.get("panels", []), now)
        if follows:
            self._followed.append(panels)
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
        if not isinstance(kwargs.get("layout"), Layout):
            self._own_layout = self.layout
        explainer = first.explainer
        likely = [self._order(target, first.method, explainer) for target in explainer.likely()]
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
            return {name: _copied(getattr(self, name)) for name in VIEW}

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

    def figure(self, **options: Any) -> Any:
        """A matplotlib figure of the map on display, as it is shown: sign, channels, clip, colours, threshold, opacity.

        Parameters
        ----------
        **options
            Of :meth:`Attribution.plot`, instead of what is shown: ``look="overlay"``, ``ax=``, ``width=``.
        """
        return figure_of(self, self.attribution, options)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The view, and beside it a picture and words for wherever there is no widget."""
        if shown_as() == "static" and not self._closed:
            return self.static(progress=False)._repr_mimebundle_(**kwargs)
        made = super()._repr_mimebundle_(**kwargs)
        if made is None or self._closed:
            return made
        data, metadata = made
        if not self._attributions:
            # Once: what is saved cannot be mended when the map comes, and a view that comes late can be looked at.
            wait, self._picture_wait = self._picture_wait, 0.0
            self._settle(wait)
        add_still(self, data, metadata)
        return data, metadata

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        classes: int | Sequence[Any] | None = None,
        methods: Sequence[Any] | None = None,
        images: Sequence[Any] | str | None = None,
        keep: str | None = None,
        original: bool = False,
        progress: bool = True,
    ) -> None:
        """Write one HTML file that needs no kernel and no network, and shows the maps as this widget does.

        What needs the model rests there, and says so.

        Parameters
        ----------
        path
            Where to; an old file stays as it is if anything fails.
        classes
            So many of the most probable classes of each image, or a list of classes.
        methods
            Names or objects.
        images
            Numbers or names of this widget's images, or "all".
        keep
            How exactly: "shown" (one plane, that of the sign on display, in 8 bits), "signs" (the largest magnitude
            and the sum of the channels, in 8 bits), "channels" (every channel, in 8 bits) or "full" (float16). None is
            "signs", or "channels" where another reduction than the usual is on display.
        original
            Whether the pictures before preprocessing go along; they do where they are on display.
        progress
            Show a progress bar while missing maps are computed.

        Raises
        ------
        InputError
            An argument cannot work. Raised before any work.
        SaliencyError
            The widget is closed, or its map failed.

        Notes
        -----
        The maps are those of all ``classes`` by all ``methods`` in all ``images``, what is not given being what is on
        display; beside these the map on display and the panels. With none of the three given it is all that the widget
        holds and the most probable classes.
        """
        goal = check_page(path)
        write_page(page_of(self, Wish(classes, methods, images), keep=keep, original=original, progress=progress), goal)

    def static(
        self,
        *,
        classes: int | Sequence[Any] | None = None,
        methods: Sequence[Any] | None = None,
        images: Sequence[Any] | str | None = None,
        keep: str | None = None,
        original: bool = False,
        height: int | None = None,
        progress: bool = True,
    ) -> Static:
        """The same as an object that shows in any notebook renderer, without the widget machinery.

        It is interactive, in a frame of its own, where frames are allowed, and a picture with its words elsewhere.

        Parameters
        ----------
        classes, methods, images, keep, original, progress
            As for :meth:`to_html`.
        height
            Of the frame, in CSS pixels; None has room for the picture and what stands below it.

        Raises
        ------
        InputError
            An argument cannot work. Raised before any work.
        SaliencyError
            The widget is closed, or its map failed.
        """
        if height is not None:
            check_height(height)
        wish = Wish(classes, methods, images)
        page = page_of(self, wish, keep=keep, original=original, progress=progress)
        return static_of(page, *still_of(self), height)

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
        # Of ipywidgets' own, and never closed by it: in the page it would hold the widget, its maps and its code.
        layout = self.__dict__.get("_own_layout")
        if layout is not None and not any(getattr(one, "layout", None) is layout for one in list(_instances.values())):
            layout.close()
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
        return f"<SaliencyWidget of {words_of(self)}>"

    def _settle(self, timeout: float | None) -> bool:
        with self._changed:
            self._follow()
            return bool(self._changed.wait_for(lambda: self._session.current is None, timeout))


def _copied(value: Any) -> Any:
    """Lists and dicts of plain values, not those of the trait itself."""
    if isinstance(value, Mapping):
        return {name: _copied(one) for name, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, (list, tuple)) else value
