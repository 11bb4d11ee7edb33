"""Names of the classes, and the class that a text means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from torch import nn

from saliency_widget.errors import InputError
from saliency_widget.models.keras_model import ending, is_keras
from saliency_widget.models.unwrap import unwrap
from saliency_widget.models.words import article, shown

_PLACEHOLDER = re.compile(r"^label_\d+$", re.IGNORECASE)
_MOST_NAMED = 5


def labels_for(model: nn.Module, labels: object, classes: int) -> tuple[str, ...]:
    """Return one name for each class.

    Parameters
    ----------
    model
        Asked where ``labels`` is None: timm's ``pretrained_cfg``, then a Hugging Face ``config.id2label``.
    labels
        None, or the names: a sequence, or a mapping from index to name.
    classes
        Number of the model's outputs.

    Returns
    -------
    tuple of str
        ``classes`` names, or none at all where the model says nothing.

    Raises
    ------
    InputError
        The labels given are not one string for each class.
    """
    names = read_labels(labels)
    if names is None:
        inner = unwrap(model)
        for part in _that_name(inner, classes):
            for found in (_from_timm(part, classes), _from_config(part)):
                if len(found) == classes:
                    return found
        return ()
    if len(names) != classes:
        raise InputError(
            "labels",
            shown(labels),
            f"has {len(names):,} name{'' if len(names) == 1 else 's'}, and the model has {classes:,} outputs",
            "Give one name for each output, in the order of the outputs.",
        )
    return names


def read_labels(labels: object) -> tuple[str, ...] | None:
    """Return the names that a user gave, in order; None where he gave none. No model is needed for it.

    Raises
    ------
    InputError
        They are no strings in an order.
    """
    if labels is None:
        return None
    if isinstance(labels, (str, bytes, set, frozenset)) or not isinstance(labels, Iterable):
        raise InputError(
            "labels",
            shown(labels),
            f"is {article(type(labels).__name__)}, not a list of names",
            "Give strings in the order of the model's outputs, or a dict from index to string.",
        )
    names: Sequence[Any]
    if isinstance(labels, Mapping):
        missing = [i for i in range(len(labels)) if i not in labels]
        if missing:
            remedy = f"Its keys have to be the indices 0 to {len(labels) - 1}."
            raise InputError("labels", shown(labels), f"has no name for class {missing[0]}", remedy)
        names = [labels[i] for i in range(len(labels))]
    else:
        names = list(labels)
    for i, name in enumerate(names):
        if not isinstance(name, str):
            raise InputError("labels", shown(labels), f"has {shown(name)!r} as name of class {i}", "Give strings.")
    return tuple(str(name) for name in names)


def known_classes(model: nn.Module) -> int | None:
    """Return how many classes a model has, where that is sure before it runs; None elsewhere.

    A number that timm or transformers states counts where the head still has as many outputs: users exchange heads.
    """
    inner = unwrap(model)
    get: Any = getattr(inner, "get_classifier", None)
    for stated, head in (
        (getattr(inner, "num_classes", None), get() if callable(get) else None),
        (getattr(getattr(inner, "config", None), "num_labels", None), getattr(inner, "classifier", None)),
    ):
        last = head[-1] if isinstance(head, nn.Sequential) and len(head) else head
        if isinstance(stated, int) and stated > 0 and getattr(last, "out_features", None) == stated:
            return stated
    return None


def activation_of(model: nn.Module, classes: int) -> str:
    """Return what makes probabilities of a model's outputs: "softmax", "sigmoid", or "" where nothing does.

    A Hugging Face config says whether its classes exclude each other, and whether they are classes at all; elsewhere it
    is the sigmoid of a single output, and softmax of several.
    """
    inner = unwrap(model)
    found = ending(inner) if is_keras(inner) else None
    if found is not None:
        return found[1]
    problem = getattr(getattr(inner, "config", None), "problem_type", None)
    if problem == "regression":
        return ""
    return "sigmoid" if classes == 1 or problem == "multi_label_classification" else "softmax"


def short_label(label: str) -> str:
    """Return the first of the synonyms that a label lists: ``tabby`` for ``tabby, tabby cat``."""
    return label.split(",")[0].strip() or label


def find_label(labels: Sequence[str], text: str) -> int:
    """Return the index of the class that a text names.

    A text names a class whose label, or one of the comma-separated synonyms in it, it equals; capitals, hyphens and
    underscores do not count. If there is none, it names the only class in whose label it stands as whole words.

    Raises
    ------
    InputError
        With argument ``target``: several classes fit (their indices are named), or none (the three nearest are).
    """
    wanted = _plain(text)
    if not wanted:
        raise InputError("target", text, "is empty", "Give the name of a class, or its index.")
    if not labels:
        raise InputError(
            "target", text, "is a name, and the classes of this model have none", "Give an index, or the labels=."
        )
    spelled = [_spellings(label) for label in labels]
    exact = [i for i, names in enumerate(spelled) if wanted in names]
    within = re.compile(rf"(?<!\w){re.escape(wanted)}(?!\w)")
    found = exact or [i for i, names in enumerate(spelled) if within.search(names[0])]
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(f"{i} ({labels[i]})" for i in found[:_MOST_NAMED])
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        raise InputError(
            "target", text, f"fits {len(found)} classes: {named}{more}", f"Give the index, for example {found[0]}."
        )
    near = ", ".join(f"{name!r} ({i})" for name, i in _nearest(labels, wanted))
    raise InputError("target", text, "names no class of this model", f"The nearest are {near}.")


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\s_-]+", " ", text).split()).casefold()


def _spellings(label: str) -> list[str]:
    return [_plain(label), *(_plain(part) for part in label.split(","))]


def _nearest(labels: Sequence[str], wanted: str) -> list[tuple[str, int]]:
    ranked = [
        (difflib.SequenceMatcher(None, _plain(name), wanted).ratio(), -i, name)
        for i, label in enumerate(labels)
        for name in [part.strip() for part in label.split(",") if part.strip()] or [label]
    ]
    nearest: dict[int, str] = {}
    for _, negative, name in sorted(ranked, reverse=True):
        nearest.setdefault(-negative, name)
        if len(nearest) == 3:
            break
    return [(name, i) for i, name in nearest.items()]


def _that_name(model: nn.Module, classes: int) -> Iterator[nn.Module]:
    """The model, and then its parts that end in a head with so many outputs, as a module that wraps one has."""
    yield model
    for part in model.modules():
        if part is not model and known_classes(part) == classes:
            yield part


def _from_timm(model: nn.Module, classes: int) -> tuple[str, ...]:
    config = getattr(model, "pretrained_cfg", None)
    if not isinstance(config, Mapping) or config.get("num_classes") != classes:
        return ()
    own = config.get("label_names")
    if own:
        described = config.get("label_descriptions")
        return tuple(str(described.get(n, n) if isinstance(described, Mapping) else n) for n in own)
    return _imagenet(classes)


@lru_cache(maxsize=8)
def _imagenet(classes: int) -> tuple[str, ...]:
    # Kept, because timm reads the names from a file each time.
    try:
        from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset
    except ImportError:
        return ()
    subset = infer_imagenet_subset({"num_classes": classes})
    try:
        return tuple(ImageNetInfo(subset).label_descriptions()) if subset else ()
    except (AssertionError, KeyError):  # a subset that timm knows by size alone
        return ()


def _from_config(model: nn.Module) -> tuple[str, ...]:
    names = getattr(getattr(model, "config", None), "id2label", None)
    if not isinstance(names, Mapping) or not names:
        return ()
    try:
        ordered = {int(key): str(name) for key, name in names.items()}
    except (TypeError, ValueError):
        return ()
    if sorted(ordered) != list(range(len(ordered))) or all(_PLACEHOLDER.match(n) for n in ordered.values()):
        return ()
    return tuple(ordered[i] for i in range(len(ordered)))
