"""The Explainer: one model and one picture, made ready; what explain() and the widget share."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from saliency_widget.attribution import Attribution, MethodRecord, TargetRecord
from saliency_widget.engine.content import content_of
from saliency_widget.engine.failures import ForwardError
from saliency_widget.engine.inputs import check_inputs
from saliency_widget.engine.outputs import NoScoresError
from saliency_widget.engine.problem import Problem
from saliency_widget.engine.shadow import Shadow, shadow_of
from saliency_widget.errors import InputError, ModelError
from saliency_widget.explainer.look import look
from saliency_widget.explainer.provenance import image_facts, provenance_of, run_facts
from saliency_widget.methods.base import Estimate, Method
from saliency_widget.methods.baselines import make_baseline, several
from saliency_widget.models.arrays import misfit
from saliency_widget.models.ends import ENDS, end_of
from saliency_widget.models.labels import activation_of, labels_for, read_labels
from saliency_widget.models.preprocess import Prepared, prepare
from saliency_widget.models.unwrap import describe
from saliency_widget.targets import (
    Box,
    Detection,
    Located,
    Logit,
    LogProbability,
    Pixel,
    Probability,
    Scene,
    Segment,
    Similarity,
    Target,
    as_target,
)
from saliency_widget.targets.reading import embedding_in

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

TOP = 5

TRAINING_MODE = (
    "the model is in training mode. The map is made in evaluation mode: dropout off, BatchNorm with its running "
    "statistics; the model itself stays in training mode. Call model.eval() first to explain without this warning."
)


@dataclass(frozen=True)
class ClassScore:
    """What a model says of one class; ``probability`` is None of a regression, whose outputs are none."""

    index: int
    label: str
    score: float
    probability: float | None


class LayerChoice(NamedTuple):
    """A layer that a class activation map can be made of.

    Attributes
    ----------
    name
        Dotted, as the methods take it for ``layer``.
    kind
        The name of its class.
    grid
        (height, width) in cells.
    """

    name: str
    kind: str
    grid: tuple[int, int]


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
    seconds
        Of work until now.
    weights
        What the model's weights came to when the run was asked for, where they are watched; see
        :func:`~saliency_widget.engine.content.content_of`.
    snapshot
        Whether they changed during the run, which was then done on one snapshot of them.
    """

    attributions: tuple[Attribution, ...]
    done: int
    total: int
    final: bool
    seconds: float = 0.0
    weights: Hashable = None
    snapshot: bool = False

    def only(self, number: int) -> Step:
        """The same for one of the targets."""
        return replace(self, attributions=(self.attributions[number],))


class Explainer:
    """One model and one picture, made ready: everything is validated and the prediction is known.

    Parameters
    ----------
    model, image, preprocess, labels, inputs, fast
        As in :func:`~saliency_widget.explain`, for one image.
    watch
        Note what the model's weights come to, so that it is seen when they change. It reads them all.

    Attributes
    ----------
    prepared : Prepared
        What the model sees.
    classes : int
        How many classes the model has; 0 where it does not return scores (N, classes), so that it can be asked for a
        :class:`~saliency_widget.Score` or for a score of a place.
    scene : Scene
        What it says of the places of the picture, where it gives no scores (N, classes): see
        :attr:`~saliency_widget.targets.Scene.kind`.
    labels : tuple of str
        Names of the classes; empty where there are none.
    probability_kind : str
        What makes probabilities of the outputs: "softmax", "sigmoid", or "" where nothing does, as of a regression.
    prediction : tuple of ClassScore
        The most probable classes, best first; of a regression those of the largest outputs.
    weights : hashable
        What the weights came to when that was predicted; None where they are not watched.
    notes : tuple of str
        What the user should know about how this model is run.
    """

    def __init__(
        self,
        model: Any,
        image: Any,
        *,
        preprocess: Any = None,
        labels: Any = None,
        inputs: Mapping[str, Any] | None = None,
        fast: bool | str | None = None,
        watch: bool = False,
    ) -> None:
        self.model_name = describe(model)
        self._fast = fast
        self._watch = watch
        self.weights: Hashable = None
        self.shadow: Shadow = shadow_of(model)
        names = read_labels(labels)
        (self.inputs,) = check_inputs(inputs, self.shadow.model)
        self._preprocess = preprocess
        self.prepared: Prepared = prepare(image, model, preprocess)
        self.outputs: Tensor = torch.zeros(1, 0, dtype=torch.float64)
        self._no_classes: ModelError | None = None
        self._names = names
        self.scene = Scene(*self.prepared.picture.shape[:2])
        self._predict(self.content(), image)
        if self.prepared.inside:
            self._check_inside()
        self.classes = int(self.outputs.shape[1])
        self.labels: tuple[str, ...] = self._labels_of(self.classes) if self.classes else self.scene.labels
        self.probability_kind = activation_of(self.shadow.model, self.classes)
        self._check_probabilities()
        self._rank()
        training = (TRAINING_MODE,) if self.shadow.was_training else ()
        self.notes: tuple[str, ...] = (*training, *self.prepared.doubts)
        self._layers: tuple[LayerChoice, ...] | None = None
        self._listing = Lock()

    def _predict(self, weights: Hashable, image: Any = None) -> None:
        problem = Problem(self.shadow, self.prepared, (), inputs=self.inputs)
        try:
            # In float64: the probabilities shown are then those of the logits, not of their rounding.
            self.outputs = problem.outputs(problem.pixels[None]).detach().to("cpu", torch.float64)
        except NoScoresError as error:
            self._no_classes = error
            self.scene = look(problem, self._labels_of)
        except ForwardError as error:
            if isinstance(image, torch.Tensor) and image.is_floating_point() and error.of_shape:
                raise misfit(image, error.said) from error
            raise
        # Not before it worked: until then the prediction is of the earlier ones.
        self.weights = weights

    def _check_inside(self) -> None:
        """Doubt what a part of the model states if that part does not get the picture as it is."""
        problem = Problem(self.shadow, self.prepared, (), inputs=self.inputs)
        given = problem.given_to(self.prepared.inside)
        wanted = self.prepared.input[None]
        if given is not None and given.shape == wanted.shape and torch.equal(given.cpu(), wanted.to(given.dtype)):
            return
        doubt = (
            f"preprocess: it was taken from a part of the model ({self.prepared.inside}), which gets something else "
            "than the picture from the model around it. Give preprocess= as the whole model wants it."
        )
        self.prepared = replace(self.prepared, doubts=(*self.prepared.doubts, doubt))

    def _check_probabilities(self) -> None:
        """Doubt outputs that a softmax or a sigmoid inside the model made, of which a second makes something else."""
        end = self.scene.end or (end_of(self.outputs[0]) if self.classes > 1 else "")
        if not end:
            return
        if end != "log-softmax":
            self.probability_kind = ""
        doubt = f"model: {ENDS[end]}. Give the model without it to explain logits."
        self.prepared = replace(self.prepared, doubts=(*self.prepared.doubts, doubt))

    def _labels_of(self, classes: int) -> tuple[str, ...]:
        """The names of so many classes, that the user gave, that the model says, or that came with its weights."""
        found = labels_for(self.shadow.model, self._names, classes)
        known = self.prepared.categories
        return known if not found and len(known) == classes else found

    def _rank(self) -> None:
        made = {"softmax": lambda: self.outputs.softmax(dim=1), "sigmoid": self.outputs.sigmoid}
        probabilities = made[self.probability_kind]()[0] if self.probability_kind else None
        self.probabilities: Tensor | None = probabilities
        self.prediction = tuple(self.class_score(index) for index in self.most_probable(TOP))

    def most_probable(self, count: int) -> tuple[int, ...]:
        """So many classes, best first."""
        return tuple(torch.argsort(self.outputs[0], descending=True, stable=True)[:count].tolist())

    def likely(self, count: int = TOP) -> tuple[Target, ...]:
        """So many targets that are probably wanted, resolved.

        They are the most probable classes, the largest segments, or the most probable boxes.
        """
        if self.scene.kind == "detection":
            return tuple(box.target for box in self.scene.boxes[:count])
        if self.scene.kind == "segmentation":
            return tuple(Segment(index).locate(self.scene) for index in self.areas[:count])
        return tuple(self.resolve(index) for index in self.most_probable(count))

    @property
    def areas(self) -> tuple[int, ...]:
        """The classes that a segmentation sees, the largest first; none where its output is not a number."""
        try:
            return tuple(self.scene.areas) if self.scene.kind == "segmentation" else ()
        except InputError:
            return ()

    @cached_property
    def _image_facts(self) -> dict[str, Any]:
        # Once: a large picture takes as long to hash as a small model to run.
        return image_facts(self.prepared)

    def content(self) -> Hashable:
        """What the model's weights come to now; always the same where they are not watched."""
        return content_of(self.shadow.model) if self._watch else None

    def refresh(self, content: Hashable = None) -> bool:
        """Predict again where the weights changed since; whether they did.

        Parameters
        ----------
        content
            What they come to, where that is known from a moment ago; None reads them.
        """
        content = self.content() if content is None else content
        if content == self.weights:
            return False
        self._predict(content)
        self._rank()
        return True

    def compared_with(self, method: Method) -> npt.NDArray[np.uint8] | None:
        """The picture a method starts from, uint8 (H, W, 3); None where it has no baseline, or none for the eye."""
        given = getattr(method, "baseline", None)
        if given is None or len(self.prepared.channels) not in (1, 3):
            return None
        try:
            made = make_baseline(several(given)[0], self.prepared.pixels, seed=getattr(method, "seed", 0))
        except Exception:  # what does not fit is refused where it is used
            return None
        values = made.detach().to("cpu", torch.float32).clamp(0, 1).numpy()
        picture: npt.NDArray[np.uint8] = np.floor(values * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)
        return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture

    def class_score(self, index: int) -> ClassScore:
        """What the model says of one class."""
        probability = None if self.probabilities is None else float(self.probabilities[index])
        return ClassScore(index, self.label(index), float(self.outputs[0, index]), probability)

    def label(self, index: int) -> str:
        """Name of a class; "class 17" where it has none."""
        return self.labels[index] if index < len(self.labels) else f"class {index}"

    def resolve(self, target: Any) -> Target:
        """Bring a target to its class.

        Raises
        ------
        InputError
            There is no such class.
        ModelError
            The model returns no scores of classes, or a user's function of its output fails.
        """
        wanted = as_target(target)
        if wanted.of_classes and self._no_classes is not None:
            wanted = self._of_place(wanted, self._no_classes)
        if wanted.of_classes:
            if getattr(wanted, "activation", "") is None and self.probability_kind == "sigmoid":
                stated: Any = {"activation": "sigmoid"}
                wanted = replace(wanted, **stated)
            if not self.probability_kind and wanted.of_probabilities:
                raise InputError(
                    "target",
                    wanted.text,
                    "cannot be had of a regression, whose outputs are no scores of classes, nor of a model whose "
                    "outputs are probabilities already",
                    f"Give the output itself: {wanted.index or 0}, or Logit({wanted.index or 0}).",
                )
            return wanted.resolve(self.labels, self.classes, self.outputs)
        if isinstance(wanted, Located):
            return wanted if wanted.bound else wanted.locate(self.scene)
        if isinstance(wanted, Similarity):
            wanted = wanted.locate(replace(self.scene, embed=self._embed))
        # Only the output itself shows whether a user's function can read it.
        problem = Problem(self.shadow, self.prepared, (wanted,), inputs=self.inputs)
        problem.scores(problem.pixels[None])
        return wanted

    def _of_place(self, target: Target, error: ModelError) -> Target:
        """What a class alone means where the model gives no score of the whole picture."""
        if not self.scene.kind:
            raise error
        if isinstance(target, (Logit, Probability, LogProbability)):
            place = Segment if self.scene.kind == "segmentation" else Detection
            return place(target.which, of=target.kind, activation=getattr(target, "activation", None))
        each = "pixel" if self.scene.kind == "segmentation" else self.scene.place
        raise InputError(
            "target",
            target.text,
            f"is a score of the whole picture, and this model gives one for each {each}",
            "Give a Pixel, a Region or a Segment." if each == "pixel" else "Give a Detection.",
        )

    def _embed(self, image: Any) -> Tensor:
        """The vector (D,) that the model gives for another image."""
        prepared = prepare(image, self.shadow.model, self._preprocess)
        problem = Problem(self.shadow, prepared, (), inputs=self.inputs)
        found = problem.read(lambda output, _: _first(embedding_in(output, 1)))
        if found is None:
            raise ModelError("the model returned no vector for each picture, which a similarity needs.")
        return found

    def boxes(self, least: float = 0.05) -> tuple[Box, ...]:
        """The boxes that a detector sees, most probable first; see :func:`~saliency_widget.boxes`."""
        if self.scene.kind != "detection":
            raise InputError("model", self.model_name, "draws no boxes", "Give a detector: Faster R-CNN, DETR, …")
        return tuple(box for box in self.scene.boxes if box.probability >= least)

    def target_at(self, row: float, column: float, which: int | str | None = None) -> Target:
        """The target at a place, as by a click: that pixel's class, or the most probable box that holds it.

        Parameters
        ----------
        row, column
            In the picture that the model sees; the pixel in row 3 reaches from 3 to 4.
        which
            A class index, a label, or None for the class that the model predicts there.

        Returns
        -------
        Target
            A :class:`~saliency_widget.Pixel` or a :class:`~saliency_widget.Detection`, bound.

        Raises
        ------
        InputError
            There is nothing at that place, or the model scores the picture as a whole.
        """
        if self.scene.kind == "segmentation":
            return Pixel(int(np.floor(row)), int(np.floor(column)), which).locate(self.scene)
        return Detection(which, at=(row, column)).locate(self.scene)

    def layers(self, target: Any = None) -> tuple[LayerChoice, ...]:
        """The layers that a class activation map can be made of, from the input to the output.

        Each returns activations on a spatial grid, on which the score depends. Costs one forward and one backward pass
        when it is first asked for; the answer for the prediction is kept.

        Parameters
        ----------
        target
            The score, as for :func:`~saliency_widget.explain`; None is the prediction.

        Returns
        -------
        tuple of LayerChoice
            Empty where there is none, where the model's layers cannot be heard, as in a ScriptModule, and where there
            are no classes and no target is given.

        Raises
        ------
        InputError
            There is no such target.
        """
        if target is not None:
            return self._listed(self.resolve(target))
        if not self.classes and not self.scene.kind:
            return ()
        with self._listing:
            if self._layers is None:
                try:
                    self._layers = self._listed(self.resolve(None))
                except InputError:  # a detector, or a segmentation, that sees nothing in this picture
                    self._layers = ()
            return self._layers

    def _listed(self, target: Target) -> tuple[LayerChoice, ...]:
        problem = Problem(self.shadow, self.prepared, (target,), inputs=self.inputs)
        try:
            found = problem.layers()
        except ModelError:  # no gradient leads from the score to the picture, so none to a layer either
            return ()
        return tuple(LayerChoice(one.name, one.kind, (one.grid.height, one.grid.width)) for one in found if one.used)

    def steps(
        self, targets: Sequence[Target], method: Method, *, stop: Callable[[], bool] | None = None
    ) -> Iterator[Step]:
        """Run ``method`` for resolved targets and yield its estimates.

        Every estimate is whole; a caller that has enough, or wants to cancel, takes no more.

        Parameters
        ----------
        targets
            From :meth:`resolve`.
        method
            The method.
        stop
            Asked before each chunk, so that cancelling need not wait for the next estimate.

        Raises
        ------
        Cancelled
            ``stop`` said so.
        """
        problem = Problem(self.shadow, self.prepared, tuple(targets), fast=self._fast, inputs=self.inputs, stop=stop)
        # As they were when it was last predicted. If they have moved since, the map is of later ones than it says, and
        # is made again when it is asked for: that is the safe side, and all of them are read once less.
        weights = self.weights
        seconds = 0.0
        with problem.running():
            # Before the first pass: weights that move after it lead to a snapshot, which is hashed anew.
            problem.note_weights()
            estimates = method.estimates(problem)
            try:
                while True:
                    # What the consumer does between two estimates is no work of the method.
                    started = time.perf_counter()
                    estimate = next(estimates, None)
                    seconds += time.perf_counter() - started
                    if estimate is None:
                        return
                    yield self._step(problem, targets, method, estimate, seconds, weights)
            finally:
                if isinstance(estimates, Generator):
                    estimates.close()

    def _step(
        self,
        problem: Problem,
        targets: Sequence[Target],
        method: Method,
        estimate: Estimate,
        seconds: float,
        weights: Hashable,
    ) -> Step:
        # One copy off the device, in the precision of a result.
        values = estimate.values.detach().to("cpu", torch.float32).numpy()
        extras = {name: maps.detach().to("cpu", torch.float32).numpy() for name, maps in estimate.extras.items()}
        scores = estimate.scores.detach().to("cpu", torch.float64).tolist()
        # Of the weights that made the map: the prediction may be of earlier ones.
        seen = None if problem.seen is None else problem.seen[None].to("cpu", torch.float64)
        record = MethodRecord(method.name, method.label, method.parameters())
        common = run_facts(self.shadow.model, self._image_facts, self.prepared.source, problem, method)
        common["prediction"] = [
            {"index": one.index, "label": one.label, "probability": one.probability} for one in self.prediction
        ]
        attributions = []
        for k, target in enumerate(targets):
            facts: dict[str, Any] = {
                "score": scores[k],
                "probability": self._probability(target, self.outputs if seen is None else seen),
                "unit": method.unit.format(score=target.unit, variable=self.prepared.variable),
                "channels": self.prepared.channels if len(values[k]) == len(self.prepared.channels) else ("map",),
                "quality": {**_state(values[k], scores[k]), **estimate.quality[k]},
            }
            attributions.append(
                Attribution(
                    values=values[k],
                    image=self.prepared.picture,
                    target=_record(target),
                    method=record,
                    provenance=provenance_of(common, problem, target, estimate, seconds, values[k], facts),
                    extras={name: maps[k] for name, maps in extras.items()},
                    origin=self.prepared.place,
                    **facts,
                )
            )
        snapshot = problem.snapshot
        return Step(tuple(attributions), estimate.done, estimate.total, estimate.final, seconds, weights, snapshot)

    def _probability(self, target: Target, outputs: Tensor) -> float | None:
        """The probability of the target's class, made as the model means its outputs."""
        if target.of_classes and not self.probability_kind:
            return None
        own = getattr(target, "activation", None)
        if target.of_classes and target.index is not None and own is None and self.probability_kind == "sigmoid":
            return float(outputs[0, target.index].sigmoid())
        return target.probability(outputs)


def _first(found: Tensor | None) -> Tensor | None:
    return None if found is None else found[0].detach().to("cpu", torch.float64).clone()


def _record(target: Target) -> TargetRecord:
    return TargetRecord(kind=target.kind, index=target.index, label=target.label, text=target.text)


def _state(values: np.ndarray[Any, np.dtype[np.float32]], score: float) -> dict[str, Any]:
    """Name a state of the map, or of its score, that no picture should hide; pixels are counted."""
    finite = np.isfinite(values)
    return {
        "zero": bool(finite.all() and not values.any()),
        "nonfinite": int((~finite.all(axis=0)).sum()),
        "nan": int(np.isnan(values).any(axis=0).sum()),
        "infinite": int(np.isinf(values).any(axis=0).sum()),
        "score_state": "finite" if np.isfinite(score) else "nan" if np.isnan(score) else "infinite",
    }
