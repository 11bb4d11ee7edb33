"""explain() and stream(): the two functions under everything, and the Explainer they share with the widget."""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from saliency_widget._version import __version__
from saliency_widget.attribution import Attribution, MethodRecord, TargetRecord
from saliency_widget.engine.problem import Problem
from saliency_widget.engine.shadow import Shadow, shadow_of
from saliency_widget.errors import InputError, SaliencyWarning
from saliency_widget.methods.base import Estimate, Method, as_method
from saliency_widget.models.labels import labels_for
from saliency_widget.models.preprocess import Prepared, prepare
from saliency_widget.models.unwrap import describe
from saliency_widget.targets import Target, as_target

if TYPE_CHECKING:
    from torch import Tensor

TOP = 5

TRAINING_MODE = (
    "the model is in training mode. The map is made in evaluation mode: dropout off, BatchNorm with its running "
    "statistics; the model itself stays in training mode. Call model.eval() first to explain without this warning."
)


@dataclass(frozen=True)
class ClassScore:
    """What a model says of one class."""

    index: int
    label: str
    score: float
    probability: float


@dataclass(frozen=True, eq=False)
class Step:
    """One estimate for every target: what a progress bar, a stream and a widget need.

    Attributes
    ----------
    attributions
        One for each target, in their order.
    done, total
        How far along the method is, in its own units.
    final
        No better estimate will follow.
    """

    attributions: tuple[Attribution, ...]
    done: int
    total: int
    final: bool


class Explainer:
    """One model and one picture, made ready: everything is validated and the prediction is known.

    Parameters
    ----------
    model, image, preprocess, labels
        As in :func:`explain`.

    Attributes
    ----------
    prepared : Prepared
        What the model sees.
    classes : int
        How many classes the model has.
    labels : tuple of str
        Their names; empty where there are none.
    prediction : tuple of ClassScore
        The most probable classes, best first.
    notes : tuple of str
        What the user should know about how this model is run.
    """

    def __init__(self, model: Any, image: Any, *, preprocess: Any = None, labels: Any = None) -> None:
        self.model_name = describe(model)
        self.prepared: Prepared = prepare(image, model, preprocess)
        self.shadow: Shadow = shadow_of(model)
        problem = Problem(self.shadow, self.prepared, ())
        # In float64: the probabilities shown are then those of the logits, not of their rounding.
        self.outputs: Tensor = problem.outputs(problem.pixels[None]).detach().to("cpu", torch.float64)
        self.classes = int(self.outputs.shape[1])
        self.labels: tuple[str, ...] = labels_for(model, labels, self.classes)
        self.probability_kind = "sigmoid" if self.classes == 1 else "softmax"
        probabilities = self.outputs.sigmoid() if self.classes == 1 else self.outputs.softmax(dim=1)
        self.probabilities = probabilities[0]
        best = torch.argsort(self.outputs[0], descending=True, stable=True)[:TOP].tolist()
        self.prediction = tuple(self.class_score(index) for index in best)
        self.notes: tuple[str, ...] = (TRAINING_MODE,) if self.shadow.was_training else ()

    def class_score(self, index: int) -> ClassScore:
        """What the model says of one class."""
        return ClassScore(index, self.label(index), float(self.outputs[0, index]), float(self.probabilities[index]))

    def label(self, index: int) -> str:
        """Name of a class; "class 17" where it has none."""
        return self.labels[index] if index < len(self.labels) else f"class {index}"

    def resolve(self, target: Any) -> Target:
        """Bring a target to its class, or raise :class:`~saliency_widget.InputError`."""
        return as_target(target).resolve(self.labels, self.classes, self.outputs)

    def steps(self, targets: Sequence[Target], method: Method) -> Iterator[Step]:
        """Run ``method`` for resolved targets and yield its estimates.

        Every estimate is whole; a caller that has enough, or wants to cancel, takes no more.
        """
        problem = Problem(self.shadow, self.prepared, tuple(targets))
        started = time.perf_counter()
        for estimate in method.estimates(problem):
            yield self._step(problem, targets, method, estimate, time.perf_counter() - started)

    def _step(
        self, problem: Problem, targets: Sequence[Target], method: Method, estimate: Estimate, seconds: float
    ) -> Step:
        # One copy off the device, in the precision of a result.
        values = estimate.values.detach().to("cpu", torch.float32).numpy()
        extras = {name: maps.detach().to("cpu", torch.float32).numpy() for name, maps in estimate.extras.items()}
        scores = estimate.scores.detach().to("cpu", torch.float64).tolist()
        provenance = {
            "model": self.model_name,
            "preprocess": self.prepared.source,
            **problem.provenance,
            "seconds": round(seconds, 4),
            "versions": _versions(),
        }
        record = MethodRecord(method.name, method.label, method.parameters())
        attributions = tuple(
            Attribution(
                values=values[k],
                image=self.prepared.picture,
                target=_record(target),
                method=record,
                score=scores[k],
                unit=method.unit.format(score=target.unit, variable=self.prepared.variable),
                probability=None if target.index is None else float(self.probabilities[target.index]),
                channels=self.prepared.channels,
                quality={**_state(values[k]), **estimate.quality[k]},
                provenance=provenance,
                extras={name: maps[k] for name, maps in extras.items()},
            )
            for k, target in enumerate(targets)
        )
        return Step(attributions, estimate.done, estimate.total, estimate.final)


@dataclass(frozen=True, eq=False)
class Ready:
    """Validated arguments: all that is left to do is to take :meth:`steps`.

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
    model: Any, image: Any, *, target: Any, method: Any, preprocess: Any, labels: Any, stacklevel: int
) -> Ready:
    """Validate everything, cheap things first, and predict.

    Parameters
    ----------
    model, image, target, method, preprocess, labels
        As in :func:`explain`.
    stacklevel
        How many calls lie between this one and the user's line, to which warnings point.
    """
    chosen = as_method(method)
    many = isinstance(target, (list, tuple))
    wanted = list(target) if many else [target]
    if not wanted:
        raise InputError("target", target, "is an empty list", "Give at least one class, or None for the prediction.")
    specs = [as_target(one) for one in wanted]
    explainer = Explainer(model, image, preprocess=preprocess, labels=labels)
    targets = tuple(explainer.resolve(spec) for spec in specs)
    for note in explainer.notes:
        warnings.warn(f"model: {note}", SaliencyWarning, stacklevel=stacklevel + 1)
    return Ready(explainer, targets, chosen, many)


def stream(
    model: Any,
    image: Any,
    *,
    target: Any = None,
    method: Any = "gradient",
    preprocess: Any = None,
    labels: Any = None,
) -> Iterator[Attribution | list[Attribution]]:
    """Like :func:`explain`, yielding every estimate as it comes; the last is the result.

    Everything is validated when this is called, not when the first estimate is taken. To stop, take no more.

    Yields
    ------
    Attribution or list of Attribution
        A list if ``target`` is one.
    """
    ready = make_ready(model, image, target=target, method=method, preprocess=preprocess, labels=labels, stacklevel=2)
    return (ready.result(step) for step in ready.steps())


def explain(
    model: Any,
    image: Any,
    *,
    target: Any = None,
    method: Any = "gradient",
    preprocess: Any = None,
    labels: Any = None,
    progress: bool = False,
) -> Attribution | list[Attribution]:
    """What the model's score of this picture is sensitive to.

    Parameters
    ----------
    model
        A torch vision model that maps pictures (N, C, H, W) to scores (N, classes). It is never changed.
    image
        A path, a PIL image, an array (H, W, 3), or a float tensor (C, H, W) that is already preprocessed.
    target
        None (the predicted class), a class index, a label, a :class:`Target` such as ``Probability("tabby")``, or a
        list of these, which share one forward pass.
    method
        A name ("gradient") or an object with its parameters.
    preprocess
        A transform, a preset name ("imagenet", "tf", "none") or a :class:`Preprocess`. None is what the model itself
        says.
    labels
        Names of the classes, in order. None is what the model itself says.
    progress
        Show a progress bar.

    Returns
    -------
    Attribution or list of Attribution
        A list if ``target`` is one. ``values`` is the derivative of the score with respect to the pixels after resize
        and crop and before normalisation, black at 0 and full scale at 1.

    Raises
    ------
    InputError
        An argument cannot work. Raised before any work.
    ModelError
        The model cannot be explained as it is.
    """
    ready = make_ready(model, image, target=target, method=method, preprocess=preprocess, labels=labels, stacklevel=2)
    last: Step | None = None
    if progress:
        from tqdm.auto import tqdm

        with tqdm(desc=ready.method.label, leave=False) as bar:
            for step in ready.steps():
                bar.total = step.total
                bar.update(step.done - bar.n)
                last = step
    else:
        for step in ready.steps():
            last = step
    assert last is not None, "a method yields at least one estimate"
    return ready.result(last)


def _record(target: Target) -> TargetRecord:
    return TargetRecord(kind=target.kind, index=target.index, label=target.label, text=target.text)


def _state(values: np.ndarray[Any, np.dtype[np.float32]]) -> dict[str, Any]:
    """Name a state of the map that no picture should hide."""
    finite = np.isfinite(values)
    return {
        "zero": bool(finite.all() and not values.any()),
        "nonfinite": int((~finite.all(axis=0)).sum()),
    }


def _versions() -> dict[str, str]:
    return {
        "saliency_widget": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
