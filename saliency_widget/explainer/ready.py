"""Arguments, validated: what explain(), stream() and the widget begin with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from saliency_widget.attribution import Attribution
from saliency_widget.engine.inputs import check_inputs
from saliency_widget.engine.problem import check_fast
from saliency_widget.engine.shadow import shadow_of
from saliency_widget.errors import InputError, SaliencyWarning
from saliency_widget.explainer.early import check_early
from saliency_widget.explainer.explainer import TRAINING_MODE, Explainer, Step
from saliency_widget.methods.base import Method, as_method
from saliency_widget.models.labels import read_labels
from saliency_widget.models.unwrap import unwrap
from saliency_widget.targets import Target, as_target

_NO_CLASSES = (
    "model: it says that it has no classes (num_classes=0), so that the score is one number of a vector of features. "
    "Give target=Similarity(another image), or the model with its head."
)


@dataclass(frozen=True, eq=False)
class Ready:
    """Validated arguments of one picture: all that is left to do is to take :meth:`steps`.

    Attributes
    ----------
    explainer
        The model and the picture.
    targets
        Resolved, in the order in which they were given.
    method
        The method.
    many
        Whether the targets were given as a list.
    """

    explainer: Explainer
    targets: tuple[Target, ...]
    method: Method
    many: bool

    def steps(self) -> Iterator[Step]:
        """Run the method and yield its estimates."""
        return self.explainer.steps(self.targets, self.method)

    def result(self, step: Step) -> Attribution | list[Attribution]:
        """What the user gets of a step: a list where a list was given."""
        return list(step.attributions) if self.many else step.attributions[0]


def make_ready(
    models: Sequence[Any],
    image: Any,
    *,
    target: Any,
    method: Any,
    preprocess: Any,
    labels: Any,
    inputs: Any = None,
    fast: bool | str | None = None,
    watch: bool = False,
    stacklevel: int,
) -> tuple[tuple[Ready, ...], ...]:
    """Validate everything for each model with each picture, cheap things first, and predict.

    Parameters
    ----------
    models
        Each as in :func:`~saliency_widget.explain`.
    image, target, method, preprocess, labels, inputs, fast
        As in :func:`~saliency_widget.explain`; ``image`` is one or a list.
    watch
        As in :class:`~saliency_widget.explainer.explainer.Explainer`.
    stacklevel
        How many calls lie between this one and the user's line, to which warnings point.

    Returns
    -------
    tuple of tuple of Ready
        The pictures of each model.
    """
    if not models:
        raise InputError("model", models, "is an empty list", "Give at least one model.")
    listed = isinstance(image, (list, tuple))
    if listed and not image:
        raise InputError("image", image, "is an empty list", "Give at least one image.")
    images = list(image) if listed else [image]
    level = stacklevel + 1
    check_fast(fast)
    # What can be known to be wrong with the last model is said before the first one runs.
    checked = [_check(one, images, target, method, labels, inputs, listed=listed) for one in models]
    rows: list[tuple[Ready, ...]] = []
    for one, facts in zip(models, checked, strict=True):
        # No comprehension, which would be one more call between a warning and the user's line.
        rows.append(_build(one, images, preprocess, facts, fast=fast, watch=watch, stacklevel=level))
    return tuple(rows)


@dataclass(frozen=True, eq=False)
class _Checked:
    """What is known of the arguments before a model runs."""

    specs: list[Target]
    method: Method
    many: bool
    names: tuple[str, ...] | None
    extra: Sequence[Any]


def _check(
    model: Any, images: Sequence[Any], target: Any, method: Any, labels: Any, inputs: Any, *, listed: bool
) -> _Checked:
    chosen = as_method(method)
    many = isinstance(target, (list, tuple))
    wanted = list(target) if many else [target]
    if not wanted:
        raise InputError("target", target, "is an empty list", "Give at least one class, or None for the prediction.")
    specs = [as_target(one) for one in wanted]
    names = read_labels(labels)
    extra = check_inputs(inputs, unwrap(model), len(images) if listed else None)
    chosen.check(unwrap(model))
    check_early(model, names, specs)
    return _Checked(specs, chosen, many, names, extra)


def _build(
    model: Any,
    images: Sequence[Any],
    preprocess: Any,
    checked: _Checked,
    *,
    fast: bool | str | None,
    watch: bool,
    stacklevel: int,
) -> tuple[Ready, ...]:
    if shadow_of(model).was_training:
        warnings.warn(f"model: {TRAINING_MODE}", SaliencyWarning, stacklevel=stacklevel + 1)
    explainers = [
        Explainer(model, image, preprocess=preprocess, labels=checked.names, inputs=given, fast=fast, watch=watch)
        for image, given in zip(images, checked.extra, strict=True)
    ]
    for doubt in dict.fromkeys(doubt for explainer in explainers for doubt in explainer.prepared.doubts):
        warnings.warn(doubt, SaliencyWarning, stacklevel=stacklevel + 1)
    if getattr(unwrap(model), "num_classes", None) == 0 and any(spec.of_classes for spec in checked.specs):
        warnings.warn(_NO_CLASSES, SaliencyWarning, stacklevel=stacklevel + 1)
    return tuple(
        Ready(explainer, tuple(explainer.resolve(spec) for spec in checked.specs), checked.method, checked.many)
        for explainer in explainers
    )
