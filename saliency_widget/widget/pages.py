"""What a widget puts into a page: the maps that it holds, and those that it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from saliency_widget.display.quantise import check_keep
from saliency_widget.errors import InputError, SaliencyError
from saliency_widget.export.assemble import Entry, assemble, keep_for
from saliency_widget.export.page import Page
from saliency_widget.methods.base import Method, as_method
from saliency_widget.targets import KINDS, Target, target_of_kind
from saliency_widget.widget.looks import LOOKS
from saliency_widget.widget.state import baseline_of, facts_in, facts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from saliency_widget.explainer import Explainer, Step
    from saliency_widget.widget.session import Order
    from saliency_widget.widget.widget import SaliencyWidget

_MOST_MAPS = 500


@dataclass(frozen=True)
class Wish:
    """The maps that a page is to hold. Each is None for what is on display; all None is whatever the widget holds.

    Attributes
    ----------
    classes
        So many of the most probable classes of each image, or a list of classes.
    methods
        Names or objects.
    images
        Numbers or names of the widget's images, or "all".
    """

    classes: int | Sequence[Any] | None = None
    methods: Sequence[Any] | None = None
    images: Sequence[Any] | str | None = None

    @property
    def anything(self) -> bool:
        """Whether there is a wish at all."""
        return any(one is not None for one in (self.classes, self.methods, self.images))


def page_of(
    widget: SaliencyWidget,
    wish: Wish,
    *,
    keep: str | None = None,
    original: bool = False,
    progress: bool = True,
) -> Page:
    """Compute what is missing and put the page together.

    Parameters
    ----------
    widget
        Its looks are those of the page.
    wish
        Which maps.
    keep
        How exactly they are kept: see :mod:`saliency_widget.display.quantise`. None is "signs", or "channels" where
        another reduction than the usual is on display.
    original
        Whether the pictures before preprocessing go along; they do where they are on display.
    progress
        Show a progress bar while maps are computed.

    Raises
    ------
    InputError
        There is no such class, method, image or way to keep a map. Raised before any work.
    SaliencyError
        The widget is closed, or its map failed.
    """
    kept = check_keep(keep_for(keep, widget.reduction))
    with widget._lock:
        orders = _wished(widget, wish)
    # What is on display is always there; it may still be on its way.
    _ = widget.attribution
    with widget._lock:
        subjects, shown = widget._subjects, widget.shown
        if subjects is None:
            raise SaliencyError("The widget is closed. Make a new one.")
        if not wish.anything:
            keys = (*widget._attributions, *widget._likely, *widget._panel_keys)
        else:
            keys = (shown, *(order.key for order in orders), *widget._panel_keys)
        known = {**widget._orders, **{order.key: order for order in orders}}
        headers = {one["key"]: one for one in widget._maps}
        held = {key: one for key, one in widget._attributions.items() if key in headers}
        looks = {name: getattr(widget, name) for name in LOOKS}
        panels = list(widget.panels)
        info = subjects.info()
    entries = {key: Entry(held[key], facts_in(headers[key]), headers[key]["outdated"]) for key in keys if key in held}
    missing = [known[key] for key in dict.fromkeys(keys) if key not in held]
    for order, step in _computed(missing, progress):
        facts = facts_of(order, step, subjects.place(order.explainer), baseline_of(order))
        entries[order.key] = Entry(step.attributions[0], facts)
    return assemble(
        [entries[key] for key in dict.fromkeys(keys)],
        shown=shown,
        info=info,
        pictures={(at.model, at.image): subjects.picture(one) for one in subjects.all for at in [subjects.place(one)]},
        originals=dict(enumerate(subjects.originals())) if original or widget.frame == "original" else {},
        looks=looks,
        panels=panels,
        keep=kept,
    )


def _wished(widget: SaliencyWidget, wish: Wish) -> list[Order]:
    """The orders of a wish, all of them checked."""
    now = widget._now()
    _ = widget._explainer_at(now.model, now.image)  # raises where the widget is closed
    if not wish.anything:
        return []
    methods = [widget._method_of(now)] if wish.methods is None else _methods(wish.methods)
    images = [now.image] if wish.images is None else _images(widget, wish.images)
    orders: list[Order] = []
    for image in images:
        explainer = widget._explainer_at(now.model, image)
        targets = _targets(widget, explainer, wish.classes)
        for method in methods:
            method.check(explainer.shadow.model)
            orders.extend(widget._order(target, method, explainer) for target in targets)
    orders = list({order.key: order for order in orders}.values())
    if len(orders) > _MOST_MAPS:
        problem = f"come to {len(orders)} maps"
        raise InputError("classes, methods, images", len(orders), problem, f"Ask for {_MOST_MAPS} at most.")
    return orders


def _methods(given: Any) -> list[Method]:
    if isinstance(given, (str, Method)) or not isinstance(given, Sequence) or not given:
        raise InputError("methods", given, "is no list of methods", 'Give one such as ["gradient", "smoothgrad"].')
    return [as_method(one) for one in given]


def _images(widget: SaliencyWidget, given: Any) -> list[int]:
    names = widget._info["images"]
    given = _listed(given)
    if isinstance(given, str) and given == "all":
        return list(range(len(names)))
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise InputError("images", given, "is no list of images", f'Give numbers from 0 to {len(names) - 1}, or "all".')
    found = []
    for one in given:
        if isinstance(one, str) and one in names:
            found.append(names.index(one))
        elif _is_whole(one) and 0 <= one < len(names):
            found.append(int(one))
        else:
            remedy = f"Give a number from 0 to {len(names) - 1}, or one of the names {', '.join(map(repr, names))}."
            raise InputError("images", one, "is no image of this widget", remedy)
    return list(dict.fromkeys(found))


def _targets(widget: SaliencyWidget, explainer: Explainer, classes: Any) -> list[Target]:
    now = widget._now()
    if classes is None:
        order = widget._session.current or widget._orders.get(widget.shown)
        if order is None:
            return [explainer.resolve(None)]
        return [order.target if order.explainer is explainer else explainer.resolve(order.target)]
    kind = now.kind if now.kind in KINDS else "logit"
    classes = _listed(classes)
    if _is_whole(classes):
        if explainer.scene.kind and classes >= 1:
            # Boxes, or segments: however many there are.
            return list(explainer.likely(classes))
        if not 1 <= classes <= explainer.classes:
            remedy = f"Give 1 to {explainer.classes}, or a list of classes."
            raise InputError("classes", classes, "is out of range", remedy)
        return [explainer.resolve(target_of_kind(kind, index)) for index in explainer.most_probable(classes)]
    if isinstance(classes, str) or not isinstance(classes, Sequence) or not classes:
        raise InputError(
            "classes", classes, "is no list of classes", 'Give a number, or a list such as ["tabby", 282].'
        )
    return [explainer.resolve(one if isinstance(one, Target) else target_of_kind(kind, one)) for one in classes]


def _listed(given: Any) -> Any:
    """Arrays as lists; anything else as it is."""
    return given.tolist() if isinstance(given, np.ndarray) else given


def _is_whole(given: Any) -> bool:
    return isinstance(given, Integral) and not isinstance(given, bool)


def _computed(orders: Sequence[Order], progress: bool) -> Iterator[tuple[Order, Step]]:
    """Each order with its final step; those of one method and picture share its passes."""
    groups: dict[tuple[int, str], list[Order]] = {}
    for order in orders:
        groups.setdefault((id(order.explainer), order.key.removesuffix(order.target.key)), []).append(order)
    if not orders:
        return
    from tqdm.auto import tqdm

    with tqdm(total=len(orders), desc="Maps for the page", unit="map", leave=False, disable=not progress) as bar:
        finished = 0
        for group in groups.values():
            first = group[0]
            bar.set_postfix_str(first.method.label)
            step: Step | None = None
            for step in first.explainer.steps([one.target for one in group], first.method):
                share = step.done / step.total if step.total else 0.0
                bar.update(finished + len(group) * min(1.0, share) - bar.n)
            assert step is not None, "a method yields at least one estimate"
            finished += len(group)
            for number, order in enumerate(group):
                yield order, step.only(number)
