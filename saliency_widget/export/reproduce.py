"""A map computed again from its provenance, and whether it is the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from saliency_widget._plain import plain
from saliency_widget.attribution import Attribution
from saliency_widget.engine.ways import PLAIN, WAYS
from saliency_widget.errors import InputError
from saliency_widget.explainer.provenance import FORMAT
from saliency_widget.explainer.ready import make_ready
from saliency_widget.export.embedded import read_provenance
from saliency_widget.methods.base import Method, as_method
from saliency_widget.methods.controls import method_from_plain
from saliency_widget.targets.plain import target_from_plain

TOLERANCE = 1e-4
"""Of the largest magnitude of the map: what another device or another number of threads may change by rounding."""

_NEEDED = ("format", "model", "weights_sha256", "image_sha256", "target", "method", "progress", "map")
_COMPARED = (
    "model",
    "weights_sha256",
    "image_sha256",
    "preprocess",
    "input_sha256",
    "device",
    "dtype",
    "shadow",
    "way",
)
_WORDS = {
    "model": "the class of the model",
    "weights_sha256": "the weights",
    "image_sha256": "the image",
    "preprocess": "the preprocessing",
    "input_sha256": "the model's input",
    "device": "the device",
    "dtype": "the floating type",
    "shadow": "what it was computed with",
    "way": "the way it was computed",
    "method": "the method",
    "target": "the target",
    "inputs": "the further inputs",
    "versions": "the versions",
}
_WAY = "Give Attribution.provenance, an Attribution, or a file that Attribution.save wrote."


@dataclass(frozen=True, eq=False)
class Reproduction:
    """What :func:`reproduce` found.

    Attributes
    ----------
    attribution
        The map computed now.
    same
        Whether it is the map of then, but for rounding: no value differs by more than the tolerance.
    identical
        Whether it is so bit for bit.
    difference
        The largest difference of two values, in the unit of the map; None where the shapes differ, or no value can be
        compared.
    relative
        The same as a fraction of the largest magnitude of then; None likewise, and where that is 0 but not the other.
    compared
        How many values were compared: all of them where those of then are at hand, else those of the provenance's
        sample and the largest magnitude.
    differs
        What else is not as it was: (then, now) by the keys of the provenance.
    """

    attribution: Attribution
    same: bool
    identical: bool
    difference: float | None
    relative: float | None
    compared: int
    differs: Mapping[str, tuple[Any, Any]]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Reproduction: {self.text}>"

    @property
    def text(self) -> str:
        """All of it in words."""
        size = self.attribution.values.size
        where = "" if self.compared == size else f" at the {self.compared} places that can be compared"
        if self.identical:
            said = "the same map, bit for bit"
        elif self.difference is None:
            said = "another map: its shape, or where it is no number, is another"
        else:
            much = f"{self.difference:.3g} {self.attribution.unit}"
            if self.relative is not None:
                much += f", {self.relative:.2g} of the largest magnitude"
            said = f"{'the same map but for rounding' if self.same else 'another map'}{where} (at most {much})"
        if not self.differs:
            return f"{said}; nothing else differs." if self.identical else f"{said}; nothing that is known differs."
        others = "; ".join(_told(name, *both) for name, both in self.differs.items())
        return f"{said}. What differs: {others}."


def reproduce(
    provenance: Any,
    model: Any,
    image: Any,
    *,
    target: Any = None,
    method: Any = None,
    preprocess: Any = None,
    labels: Any = None,
    inputs: Any = None,
    tolerance: float = TOLERANCE,
) -> Reproduction:
    """Compute a map again, and say whether it is the same.

    Parameters
    ----------
    provenance
        :attr:`Attribution.provenance`; or an Attribution; or the path of a .npz, .png or .svg that carries one. From an
        Attribution and a .npz all values are compared, from the others the provenance's sample of them.
    model, image, preprocess, labels, inputs
        As in :func:`~saliency_widget.explain`. They are not in the provenance, only their hashes and descriptions are.
    target
        Needed only where the target was more than a class and a kind of score, such as a function of yours.
    method
        Needed only where a parameter was an object, such as a baseline given as an array.
    tolerance
        How much two values may differ and still be the same, as a fraction of the largest magnitude.

    Returns
    -------
    Reproduction
        In words when it is printed.

    Raises
    ------
    InputError
        Something is missing, which is named, or an argument cannot work. Raised before any work.

    Examples
    --------
    >>> import saliency_widget as sw
    >>> sw.reproduce("cat.npz", model, "cat.jpg")  # doctest: +SKIP
    <Reproduction: the same map, bit for bit; nothing else differs.>
    """
    told, before = _read(provenance)
    if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or not 0 <= tolerance < 1:
        raise InputError("tolerance", tolerance, "is no fraction", "Give a number from 0 to 1, such as 1e-4.")
    wanted_inputs = told.get("inputs") or {}
    if wanted_inputs and inputs is None:
        names = ", ".join(map(repr, wanted_inputs))
        raise InputError("inputs", None, f"are needed: the map was made with {names}", "Give inputs={...} with these.")
    chosen = _method(told["method"], method)
    spec = target_from_plain(told["target"]) if target is None else target
    for name, given in (("target", target), ("image", image)):
        if isinstance(given, (list, tuple)):
            raise InputError(name, given, "is a list", f"Give the one {name} of the map.")
    ((ready,),) = make_ready(
        [model],
        image,
        target=spec,
        method=chosen,
        preprocess=preprocess,
        labels=labels,
        inputs=inputs,
        # Of a map from before there was more than one.
        fast=way if (way := told.get("way", PLAIN)) in WAYS else None,
        stacklevel=2,
    )
    stopped = None if told["progress"].get("final", True) else told["progress"].get("done")
    for step in ready.steps():
        now = step.attributions[0]
        if stopped is not None and step.done >= stopped:
            break
    return _compared(told, before, now, float(tolerance))


def _read(given: Any) -> tuple[Mapping[str, Any], Attribution | None]:
    before: Attribution | None = None
    if isinstance(given, Attribution):
        before = given
    elif isinstance(given, (str, os.PathLike)):
        if os.fspath(given).lower().endswith(".npz"):
            before = Attribution.load(given)
        else:
            given = read_provenance(given)
    told: Any = given if before is None else before.provenance
    if not isinstance(told, Mapping):
        raise InputError("provenance", told, f"is a {type(told).__name__} and no provenance", _WAY)
    missing = [name for name in _NEEDED if name not in told]
    if missing:
        raise InputError("provenance", sorted(map(str, told)), f"lacks {', '.join(map(repr, missing))}", _WAY)
    if told["format"] != FORMAT:
        raise InputError("provenance", told["format"], "is a format that this version does not know", "Update it.")
    nested = ("target", "method", "progress", "map", *(name for name in ("versions", "inputs") if told.get(name)))
    wrong = [name for name in nested if not isinstance(told[name], Mapping)]
    if not wrong and not isinstance(told["progress"].get("done", 0), (int, float)):
        wrong = ["progress"]
    if wrong:
        raise InputError("provenance", told[wrong[0]], f"is no {wrong[0]} of a provenance", _WAY)
    return told, before


def _method(told: Mapping[str, Any], given: Any) -> Method:
    if given is not None:
        return as_method(given)
    name: Any = told.get("name")
    parameters: Any = told.get("parameters")
    try:
        return method_from_plain(name, parameters)
    except InputError as error:
        raise InputError(
            "method",
            None,
            f"is needed: {told.get('label')!r} cannot be made of what the provenance says of it ({error})",
            "Give the method itself: method=...",
        ) from error


def _compared(told: Mapping[str, Any], before: Attribution | None, now: Attribution, tolerance: float) -> Reproduction:
    fresh = now.provenance
    differs = {name: (told.get(name), fresh.get(name)) for name in _COMPARED if told.get(name) != fresh.get(name)}
    for name in ("method", "target", "inputs"):
        then, again = told.get(name), fresh.get(name)
        if isinstance(then, Mapping) and isinstance(again, Mapping):
            # The names of classes may be given anew, and are no part of what was computed.
            then, again = ({k: v for k, v in one.items() if "label" not in k and k != "text"} for one in (then, again))
        if then != again:
            differs[name] = (told.get(name), fresh.get(name))
    olds, news = told.get("versions") or {}, fresh["versions"]
    moved = {name for name in {*olds, *news} if olds.get(name) != news.get(name)}
    if moved:
        differs["versions"] = tuple({name: one.get(name) for name in sorted(moved)} for one in (olds, news))  # type: ignore[assignment]
    facts, again = told["map"], fresh["map"]
    identical = facts.get("sha256") == again["sha256"]
    if before is not None:
        identical = before.values.shape == now.values.shape and before.values.tobytes() == now.values.tobytes()
    old, new = _values(facts, before), _values(again, now if before is not None else None)
    difference = _largest_difference(old, new) if facts.get("shape") == again["shape"] or before is not None else None
    if identical:
        difference = 0.0
    largest = facts.get("largest")
    scale = float(largest) if isinstance(largest, (int, float)) else 0.0
    relative = None if difference is None else 0.0 if difference == 0 else difference / scale if scale > 0 else None
    same = identical or (relative is not None and relative <= tolerance)
    compared = now.values.size if before is not None or identical else len(old)
    return Reproduction(now, same, identical, difference, relative, compared, differs)


def _values(facts: Mapping[str, Any], whole: Attribution | None) -> np.ndarray[Any, np.dtype[np.float64]]:
    if whole is not None:
        return whole.values.astype(np.float64).reshape(-1)
    sample = facts.get("sample")
    listed = [*sample, facts.get("largest")] if isinstance(sample, list) else []
    try:
        return np.array(listed, np.float64)
    except (TypeError, ValueError):
        return np.zeros(0)


def _largest_difference(old: np.ndarray[Any, Any], new: np.ndarray[Any, Any]) -> float | None:
    """None where they cannot be compared: another shape, or numbers in other places."""
    if old.shape != new.shape or old.size == 0:
        return None
    finite = np.isfinite(old)
    if not np.array_equal(finite, np.isfinite(new)) or not np.array_equal(old[~finite], new[~finite], equal_nan=True):
        return None
    return float(np.abs(old[finite] - new[finite]).max()) if finite.any() else 0.0


def _told(name: str, then: Any, now: Any) -> str:
    words = _WORDS.get(name, name)
    if name.endswith("_sha256"):
        return f"{words} (sha256 {str(then)[:12]}…, now {str(now)[:12]}…)"
    if name == "versions":
        changes = ", ".join(f"{one} {then[one] or 'none'}, now {now[one] or 'none'}" for one in then)
        return f"{words} ({changes})"
    return f"{words} ({_brief(then)}, now {_brief(now)})"


def _brief(value: Any) -> str:
    text = str(plain(value))
    return text if len(text) <= 120 else f"{text[:119]}…"
