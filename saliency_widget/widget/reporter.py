"""What the session reports, put into the widget's traits and messages."""

from __future__ import annotations

import time
import weakref
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from saliency_widget.display.encode import Packed, encode_half
from saliency_widget.errors import SaliencyError
from saliency_widget.widget import protocol
from saliency_widget.widget.credit import Credit
from saliency_widget.widget.session import NEWER
from saliency_widget.widget.slots import Slots
from saliency_widget.widget.state import baseline_of, header_of, status_of
from saliency_widget.widget.wants import wanted_of

if TYPE_CHECKING:
    from saliency_widget.explainer import Explainer, Step
    from saliency_widget.widget.session import Order
    from saliency_widget.widget.widget import SaliencyWidget

# Seconds between two messages that only say how far the work is.
_PROGRESS_EVERY = 0.2


class Reporter:
    """The widget's :class:`~saliency_widget.widget.session.Sink`. Every method is called with the widget's lock held.

    Attributes
    ----------
    slots : Slots
        Which map lies where.
    error : SaliencyError or None
        Why the last order that somebody waited for has no map.
    """

    def __init__(self, widget: SaliencyWidget) -> None:
        # Weak: work that is still queued must not keep a widget alive that was let go.
        self._widget = weakref.ref(widget)
        self._credit = Credit()
        self._sent = 0
        self._told = float("-inf")
        self._adopted = ""
        # The map that a page got last, which it is about to show.
        self._answered = ""
        # What the weights came to, by the key of the map that was made of them.
        self._weights: dict[str, Hashable] = {}
        # What those of each model came to when it was last looked at.
        self._known: dict[int, Hashable] = {}
        # The small picture of what the method at work compares with, by the key of its map.
        self._baseline: tuple[str, str | None] = ("", None)
        self.slots = Slots()
        self.error: SaliencyError | None = None

    def heard(self, said: protocol.Ack) -> None:
        """A partial map was acknowledged."""
        widget = self._widget()
        current = None if widget is None else widget._session.current
        if current is not None and current.req == said.req:
            self._credit.heard(time.monotonic(), said.seq, said.page, visible=said.visible)

    def adopt(self, key: str) -> None:
        """Show this map when it is there: the page that asked for it is gone, and its successor cannot ask."""
        self._adopted = key
        # It sees what comes, whatever the others said of themselves.
        self._credit = Credit()

    def started(self, order: Order) -> None:
        """Say that work began."""
        widget = self._widget()
        if widget is None or order.quiet:
            return
        self.error = None
        self._credit = Credit()
        with widget.pushing():
            # What Python asks for is announced to all pages, those that are opened later too; a request has its page.
            want = {**wanted_of(order, widget._subjects).plain, "req": order.req} if order.own else {}
            widget._status = status_of("computing", order, want=want)

    def estimate(self, order: Order, step: Step) -> None:
        """Send a partial map, if somebody looks and the line is free; otherwise say how far the work is."""
        widget = self._widget()
        now = time.monotonic()
        if widget is None or order.req is None:
            return
        if order.aside or not self._credit.may_send(now):
            if now - self._told >= _PROGRESS_EVERY:
                self._told = now
                widget.send(protocol.progress(order.req, step.done, step.total, round(step.seconds, 3)))
            return
        self._told = now
        attribution = step.attributions[0]
        packed = encode_half(attribution.values)
        header = self._header(widget, order, packed, step)
        self._sent += 1
        self._credit.sent(now, self._sent)
        seconds = round(step.seconds, 3)
        message = protocol.partial(order.req, self._sent, step.done, step.total, seconds, header)
        widget.send(message, buffers=[packed.data])

    def done(self, order: Order, step: Step) -> None:
        """Put the final map into its slot, then answer."""
        widget = self._widget()
        if widget is None:
            return
        with widget.pushing():
            self._place(widget, order, step)
            # Where the front end asked, it decides itself whether the answer is still wanted.
            # What stands beside is never taken for it.
            first = not widget.shown and order.key not in widget._panel_keys and not order.aside
            if first or order.own or order.key == self._adopted:
                widget.shown = order.key
                self._adopted = ""
            if not order.quiet:
                widget._status = status_of("idle")
        if order.req is not None:
            if not order.own and not order.aside:
                self._answered = order.key
            widget.send(protocol.done(order.req, order.key))

    def cancelled(self, order: Order, reason: str, kept: Step | None = None) -> None:
        """Answer; the last map stays, or the best estimate so far takes its place."""
        widget = self._widget()
        if widget is None:
            return
        if order.aside and order.req is not None:
            widget.send(protocol.cancelled(order.req, reason))
            return
        with widget.pushing():
            widget._status = status_of("idle")
            if kept is not None:
                self._place(widget, order, kept)
                if order.own:
                    widget.shown = order.key
            elif order.own and reason != NEWER:
                widget._mirror_shown()
        if order.own and reason == "stopped" and kept is None:
            self.error = SaliencyError(f"The map of the {order.target.text} was not computed: it was stopped.")
        if order.req is not None:
            widget.send(protocol.cancelled(order.req, reason, "" if kept is None else order.key))

    def refreshed(self, explainer: Explainer) -> None:
        """Say what the model predicts now, and which maps are of weights that are gone."""
        widget = self._widget()
        if widget is None:
            return
        self.know(explainer, explainer.weights)
        with widget.pushing():
            widget._info = widget._subjects.info()
        if widget._subjects.images > 1:
            widget._predict_again()

    def is_current(self, key: str, content: Hashable) -> bool:
        """Whether a map that is held is whole, and of the weights that its model has now.

        Parameters
        ----------
        key
            Of the map.
        content
            What the model's weights come to, read a moment ago: they are all read, and not under the lock.
        """
        widget = self._widget()
        if widget is None or key not in widget._attributions:
            return False
        explainer = widget._orders[key].explainer
        self.know(explainer, content)
        header = next((one for one in widget._maps if one["key"] == key), None)
        current = header is not None and bool(header["final"]) and self._weights.get(key) == content
        if current and explainer.weights != content:
            # They are those of before again, and nothing is computed that would look at the prediction.
            widget._predict_again()
        return current

    def looked_at(self, key: str) -> None:
        """A page shows a map that was there: find out whether its weights are still those of the model."""
        widget = self._widget()
        answered, self._answered = self._answered, ""
        if widget is None or key == answered:
            return
        if any(one["key"] == key and not one["outdated"] for one in widget._maps):
            widget._predict_again()

    def know(self, explainer: Explainer, content: Hashable) -> None:
        """Note what the weights of a model come to now."""
        widget = self._widget()
        if widget is None:
            return
        self._known[widget._subjects.place(explainer).model] = content
        with widget.pushing():
            self._mark(widget)

    def _header(self, widget: SaliencyWidget, order: Order, packed: Packed, step: Step) -> dict[str, Any]:
        if self._baseline[0] != order.key:
            self._baseline = (order.key, baseline_of(order))
        place = widget._subjects.place(order.explainer)
        return header_of(order, step.attributions[0], packed, step, place, self._baseline[1])

    def _place(self, widget: SaliencyWidget, order: Order, step: Step) -> None:
        """Put a map into its slot; in one message, so that no front end ever sees a header without its map."""
        attribution = step.attributions[0]
        packed = encode_half(attribution.values)
        kept = widget._likely | widget._panel_keys
        placed = self.slots.place(order.key, len(packed.data), displayed=widget.shown, kept=kept)
        header = {"slot": placed.slot, **self._header(widget, order, packed, step)}
        for old in widget._maps:
            if old["key"] in placed.evicted and old["slot"] != placed.slot:
                setattr(widget, f"_slot_{old['slot']}", b"")
        setattr(widget, f"_slot_{placed.slot}", packed.data)
        for key in placed.evicted:
            widget._attributions.pop(key, None)
            self._weights.pop(key, None)
        widget._attributions[order.key] = attribution
        self._weights[order.key] = step.weights
        self._known[widget._subjects.place(order.explainer).model] = step.weights
        widget._orders.setdefault(order.key, order.stripped())
        gone = {order.key, *placed.evicted}
        widget._maps = [*(old for old in widget._maps if old["key"] not in gone), header]
        self._mark(widget)

    def _mark(self, widget: SaliencyWidget) -> None:
        """Tell maps of the weights there are from maps of earlier ones, as far as is known."""
        marked: list[dict[str, Any]] = []
        for header in widget._maps:
            outdated = self._weights.get(header["key"]) != self._known.get(header["model"])
            marked.append(header if header["outdated"] == outdated else {**header, "outdated": outdated})
        if marked != widget._maps:
            widget._maps = marked

    def failed(self, order: Order, message: str, trace: str) -> None:
        """Answer with a sentence and the traceback; the last map stays."""
        widget = self._widget()
        if widget is None:
            return
        if order.quiet:
            if order.req is not None:
                widget.send(protocol.error(order.req, message, trace))
            return
        self.error = SaliencyError(message)
        with widget.pushing():
            widget._status = status_of("error", order, message, trace)
            if order.own:
                widget._mirror_shown()
        if order.req is not None:
            widget.send(protocol.error(order.req, message, trace))
