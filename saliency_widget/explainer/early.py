"""What can be known to be wrong before a model runs."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from saliency_widget.errors import InputError
from saliency_widget.models.labels import known_classes, labels_for
from saliency_widget.targets import Target
from saliency_widget.targets.base import find_class


def check_early(model: nn.Module, labels: tuple[str, ...] | None, targets: Iterable[Target]) -> None:
    """Refuse labels and targets that cannot fit, as far as the number of classes is known before a forward pass.

    Parameters
    ----------
    model
        The user's.
    labels
        From :func:`~saliency_widget.models.labels.read_labels`.
    targets
        Not resolved.

    Raises
    ------
    InputError
        There is no such class, or there are not as many names as classes.
    """
    classes = known_classes(model)
    if classes is None:
        if labels is not None:
            for target in targets:
                _check_names(target, labels)
        return
    names = labels_for(model, labels, classes)
    for target in targets:
        if target.of_classes:
            for which in target.named:
                find_class(which, names, classes, None)
            target.check(classes)


def _check_names(target: Target, labels: tuple[str, ...]) -> None:
    for which in target.named:
        if isinstance(which, str):
            find_class(which, labels, len(labels), None)
        elif not 0 <= which < len(labels):
            raise InputError(
                "target",
                which,
                f"is out of range: the labels given name {len(labels)} classes",
                f"Give an index from 0 to {len(labels) - 1}, or a name for each output of the model.",
            )
