"""From what is chosen, in plain values, to orders of a session; refusals come before anything changes."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import traitlets as t

from saliency_widget.errors import InputError, SaliencyError
from saliency_widget.methods.base import Method
from saliency_widget.methods.plain import plain_parameters
from saliency_widget.targets import PLACED, Segment
from saliency_widget.widget.looks import as_input_error
from saliency_widget.widget.session import Order
from saliency_widget.widget.traits import CHOICES, VIEW, Traits
from saliency_widget.widget.wants import Wanted, fill, key_for, method_of, target_of, wanted_of

if TYPE_CHECKING:
    from saliency_widget.explainer import Explainer
    from saliency_widget.targets import Target

_MOST_PANELS = 8
_MOST_ORDERS = 512
_NOTHING = Wanted(0, 0, "gradient", {}, "logit", -1, -1)


class Orders(Traits):
    """What a widget can compute, by what was chosen."""

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
        choices = {**{one: getattr(self, one) for one in CHOICES}, name: value}
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
        wished = {name: value for name, value in given.items() if name in CHOICES}
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
        return self._order_of_choices({**choices, **wished}, wished)

    def _order_of_choices(self, choices: Mapping[str, Any], changed: Collection[str]) -> Order:
        """What choices come to of which some were made now; the others give way where they do not belong to them."""
        index, other = (None if choices[name] == -1 else choices[name] for name in ("class_index", "versus"))
        said = {"class_index": ("index", index), "versus": ("other", other), "score": ("kind", choices["score"])}
        said["place"] = ("place", choices["place"])
        left: Collection[str] = ()
        if {"model_index", "image_index"}.intersection(changed):
            there = self._explainer_at(choices["model_index"], choices["image_index"])
            if there.scene.kind or choices["score"] in PLACED:
                left = said
        elif "place" in changed:
            left = ("class_index", "score")
        elif "score" in changed and choices["score"] == Segment.kind:
            said["place"] = ("place", [])
        target = dict(one for name, one in said.items() if name in changed or name not in left)
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
        now = now or self._now()
        explainer = self._explainer_at(want.get("model", now.model), want.get("image", now.image))
        filled = fill(want, now, explainer.scene.kind)
        method = method_of(filled["method"], filled["parameters"], self._methods)
        shown = [self._orders[self.shown]] if self.shown in self._orders else []
        known = [one.target for one in (*shown, *reversed(self._orders.values()))]
        target = target_of(filled["target"], known, explainer.scene)
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

    def _check_names(self, view: Any) -> dict[str, Any]:
        if not isinstance(view, Mapping):
            raise InputError("view", view, "is no dict of choices", "Give one like w.view.")
        for name in view:
            if name not in VIEW:
                near = difflib.get_close_matches(str(name), VIEW, n=2)
                hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
                raise InputError("view", name, "is no choice", f"{hint}The choices are {', '.join(VIEW)}.")
        return dict(view)

    def _check_looks(self, looks: Mapping[str, Any]) -> None:
        for name, value in looks.items():
            try:
                self.traits()[name]._validate(self, value)
            except t.TraitError as error:  # noqa: PERF203  (few)
                raise as_input_error(name, value, error) from error

    def _others(self, now: Wanted, targets: Mapping[int, Any]) -> list[dict[str, Any]]:
        """The panels of the other models: the same class where they have the same ones, else what each has for it.

        Parameters
        ----------
        now
            What is on display.
        targets
            By model, what one of other classes is asked about, in plain values; what it predicts where nothing is said.
        """
        first = self._subjects.at(now.model, now.image)
        wants = []
        for model in range(self._subjects.models):
            if model == now.model:
                continue
            alike = _same(first, self._subjects.at(model, now.image))
            own = {} if alike else {"target": targets.get(model, {"index": None})}
            wants.append({**now.plain, "model": model, **own})
        return wants[:_MOST_PANELS]

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


def _same(a: Explainer, b: Explainer) -> bool:
    """Whether both give a score of the whole picture to the same classes."""
    return not a.scene.kind and not b.scene.kind and (a.classes, a.labels) == (b.classes, b.labels)
