"""Choices that are set, by whomever: checked, followed, and kept true to what is on display."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import traitlets as t

from saliency_widget.errors import InputError
from saliency_widget.methods.base import as_method
from saliency_widget.widget import protocol
from saliency_widget.widget.orders import Orders
from saliency_widget.widget.session import NEWER, quietly
from saliency_widget.widget.state import status_of
from saliency_widget.widget.traits import CHOICES
from saliency_widget.widget.wants import wanted_of

if TYPE_CHECKING:
    from saliency_widget.widget.session import Order


class Chosen(Orders):
    """Shows what the choices name, and has them name what is shown."""

    @t.validate("shown")
    def _check_shown(self, proposal: Any) -> Any:
        value = proposal["value"]
        # With none there is nothing to go back to: that a widget shows no map is how it begins.
        if value not in self._attributions and (value or self.shown):
            raise t.TraitError(f"shown={value!r} is no map this widget holds; it holds {sorted(self._attributions)}.")
        self._reporter.slots.touch(value)
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
        if self._followed:
            self._afterwards(self._follow_with_panels)

    def _follow_with_panels(self) -> None:
        """Ask the other models, which stand beside it, about what is on display now; not if the panels were changed."""
        with self._lock:
            if self._closed or not self._ready or self.panels not in self._followed or self.shown not in self._orders:
                return
            now = wanted_of(self._orders[self.shown], self._subjects)
            kept = {one["model"]: one["target"] for one in self.panels if one["image"] == now.image}
            try:
                panels = self._check_panels(self._others(now, kept), now)
            except InputError:
                # Not all models can be asked it by this method: they stay.
                return
            if panels not in self._followed:
                self._followed.append(panels)
            if panels != self.panels:
                self.panels = panels

    @t.validate(*CHOICES)
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
                self._order_of_choices(self._choices_with(name, value), (name,))
            except InputError as error:
                raise t.TraitError(str(error)) from error
            return value

    @t.observe(*CHOICES)
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
                order = self._order_of_choices(self._choices_with(name, getattr(self, name)), names)
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

    def _ask_for_page(self, order: Order) -> None:
        current = self._session.current
        if not order.aside and current is not None and current.own and current.key != order.key:
            # It gives way, and the choices name it no longer.
            self._mirror_shown()
        self._session.ask(order)

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

    def _forgive(self) -> None:
        """Let go of an error: something else was chosen since."""
        if self._status.get("state") == "error":
            self._reporter.error = None
            self._status = status_of("idle")
