"""The primitives that need a layer: its activations and their gradients, the head alone, which layers there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor

from saliency_widget.engine.activations import Activations, Reader
from saliency_widget.engine.candidates import Survey
from saliency_widget.engine.layers import Layer, name_of, patch_of
from saliency_widget.engine.replica import Replica
from saliency_widget.engine.taps import Tap
from saliency_widget.errors import InputError
from saliency_widget.models.detectors import is_of_regions

if TYPE_CHECKING:
    from saliency_widget.engine.problem import Problem

R = TypeVar("R")


class Layered:
    """A problem seen from its layers; :class:`~saliency_widget.engine.problem.Problem` documents what it does."""

    def __init__(self, problem: Problem) -> None:
        # The picture itself comes first, because it binds the targets.
        _ = problem.targets
        if problem._run.plan is None:
            with problem.running():
                pass
        assert problem._run.plan is not None
        self._problem = problem
        self._row = problem.pixels[None]
        # The one that is looked at; None while it is to be found.
        self._layer: str | None = None
        self._alone = False
        size = (int(problem.pixels.shape[1]), int(problem.pixels.shape[2]))
        replica, model = problem._run.replica, problem.shadow.model
        patch = patch_of(model) if replica is None else replica.fact("patch", lambda: patch_of(model))
        self._reader = Reader(self._forward, self._follow, problem._scores, problem._run.plan, size, patch)

    def activations(self, batch: Tensor, layer: Any) -> Activations:
        """What a layer returned for pixels (N, C, H, W), and the derivatives of the scores towards it."""
        problem = self._problem
        with problem.running():
            name = self._layer = self._name(layer)
            self._alone = len(batch) == 1
            scores, values, *factors = problem._over(batch, lambda replica, part: self._read(replica, name, part))
            replica = problem._run.replica
            assert replica is not None, "a run is open"
            # Reading it left this behind.
            grid = replica.taps[name, self._reader.picture].grid
        return Activations(name, grid, values, scores, tuple(factors))

    def outputs(self, batch: Tensor, start: Any) -> Tensor:
        """The logits (N, classes) that follow from activations (N, c, h, w) of a layer."""
        problem = self._problem
        with problem.running():
            name = self._layer = self._name(start)
            grid = problem._run.do(lambda replica: self._tap(replica, name)).grid
            wanted = (grid.channels, grid.height, grid.width)
            if not isinstance(batch, Tensor) or batch.dim() != 4 or tuple(batch.shape[1:]) != wanted or not len(batch):
                raise InputError(
                    "batch",
                    tuple(batch.shape) if isinstance(batch, Tensor) else type(batch).__name__,
                    f"is no batch of activations of {name!r}",
                    f"Give shape (N, {', '.join(map(str, wanted))}).",
                )

            def rows(replica: Replica, part: Tensor) -> tuple[Tensor, ...]:
                return (self._reader.head(replica, self._tap(replica, name), self._row, part),)

            return problem._over(batch.detach(), rows, problem._head_chunk)[0]

    def layers(self) -> tuple[Layer, ...]:
        """All layers with a grid."""
        with self._problem.running():
            return self._problem._run.do(lambda replica: self._surveyed(replica, Survey.layers))

    def _name(self, layer: Any) -> str:
        """The dotted name of a layer; None is the one picked for this model and this size of picture."""
        if layer is not None:
            model, replica = self._problem.shadow.model, self._problem._run.replica
            assert replica is not None, "a run is open"
            name = name_of(model, layer)
            if replica.fact(("of regions", name), lambda: is_of_regions(model, name)):
                raise InputError(
                    "layer",
                    name,
                    "sees regions that were cut out of the picture, so that its cells are not the picture's",
                    "Give a layer of the backbone.",
                )
            return name
        size = self._reader.picture

        def work(replica: Replica) -> str:
            if size in replica.picks:
                return replica.picks[size]
            name, settled = self._surveyed(replica, Survey.pick)
            if settled:
                replica.picks[size] = name
            return name

        return self._problem._run.do(work)

    def _surveyed(self, replica: Replica, ask: Callable[[Survey], R]) -> R:
        self._probed(replica)
        with replica.computing():
            return ask(Survey(replica, self._forward, self._problem._scores, self._row, self._reader.patch))

    def _read(self, replica: Replica, name: str, rows: Tensor) -> tuple[Tensor, ...]:
        self._probed(replica)
        return self._reader.read(replica, name, rows, alone=self._alone)

    def _tap(self, replica: Replica, name: str) -> Tap:
        self._probed(replica)
        return self._reader.tap(replica, name, self._row)

    def _probed(self, replica: Replica) -> None:
        """See to it that the first pass, which is watched and may be repeated, is none in which calls are counted."""
        if not replica.probed:
            with replica.computing():
                self._problem._forward(replica, self._row)
        # Now, because what decides about it runs the model, in which a hook may listen later.
        self._problem._way_for(replica, self._layer)

    def _forward(self, replica: Replica, pixels: Tensor, rows: int) -> Any:
        return self._problem._forward(replica, pixels, rows=rows, ruled=self._layer is None, layer=self._layer)

    def _follow(self, replica: Replica, pixels: Tensor, rows: int) -> Any:
        return self._problem._tensor(replica, pixels, rows=rows, exchanged=True, layer=self._layer)
