"""The primitives under every method: scores of a batch of pictures, and their gradients towards the pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointError

from saliency_widget.engine.activations import Activations
from saliency_widget.engine.batching import ChunkSize, cpu_rows, is_out_of_memory, spans
from saliency_widget.engine.classes import ClassPlan
from saliency_widget.engine.detecting import Detecting
from saliency_widget.engine.devices import CPU, neutral
from saliency_widget.engine.failures import NO_PATH, ONE_TENSOR, OVERWRITES, RECOMPUTES, ForwardError, differentiating
from saliency_widget.engine.inputs import Inputs
from saliency_widget.engine.layered import Layered
from saliency_widget.engine.layers import Layer
from saliency_widget.engine.outputs import has_logits, logits_of, read_by, scores_of
from saliency_widget.engine.placed import placed
from saliency_widget.engine.replica import Replica
from saliency_widget.engine.ruled import Rules, check_same
from saliency_widget.engine.run import Run
from saliency_widget.engine.shadow import Shadow
from saliency_widget.engine.ways import LEAST_SIDE, PLAIN, WAYS, WORTH_IT, Way
from saliency_widget.errors import Cancelled, InputError, ModelError, SaliencyError
from saliency_widget.models.detectors import Hearing
from saliency_widget.targets import Target

# What few runs need is imported when it is needed: so it is with the reading of attention, and with measuring.
if TYPE_CHECKING:
    from saliency_widget.engine.attention import Fold, Folded
    from saliency_widget.engine.deciding import Decision
    from saliency_widget.models.preprocess import Prepared

_HEAD_ROWS = 32
# Of a forward and a backward pass, the share of the first.
_FORWARD = 0.4

R = TypeVar("R")


def check_fast(fast: Any) -> bool | str | None:
    """Check what a user says of the way to compute."""
    if fast is None or isinstance(fast, bool):
        return fast
    if fast not in WAYS:
        ways = ", ".join(map(repr, WAYS))
        raise InputError("fast", fast, "is no way to compute", f"Give one of {ways}, True, False or None.")
    return str(fast)


class Problem:
    """A model, a picture and the scores to differentiate.

    Everything is a function of ``pixels``: what the model sees before normalisation, black at 0 and full scale at 1.
    The model gets ``input + matrix @ (p - pixels)``, which for ``p == pixels`` is the transform's own output, bit for
    bit.

    Parameters
    ----------
    shadow
        From :func:`~saliency_widget.engine.shadow.shadow_of`.
    prepared
        The picture as the model sees it.
    targets
        What to differentiate, in order. A target that is not bound to a class yet is bound at the first forward pass of
        the picture itself. May be empty if only :meth:`outputs` is wanted.
    labels
        Names of the classes, for targets that are labels.
    chunk
        How many rows go through the model at once. None is a fixed number on the CPU, see
        :func:`~saliency_widget.engine.batching.cpu_rows`, and elsewhere measures what is quick.
    classes
        "loop" or "vmap": how several scores are differentiated; None takes what is known to be quick on the device.
    fast
        Which way the shadow computes, see :mod:`saliency_widget.engine.ways`. None measures which is quick as soon as
        the model is explained often enough, True measures at once, False is the plain one; or the name of a way, which
        is then taken whatever it costs, and without a comparison with float64.
    inputs
        What the model's forward takes by keyword besides the picture; from
        :func:`~saliency_widget.engine.inputs.check_inputs`.
    stop
        Asked before each chunk: whether nobody wants the result any more.

    Attributes
    ----------
    pixels : Tensor
        (C, H, W), the picture, in the model's type on the model's device.
    zero : Tensor
        (C, 1, 1), the colour for which the model's input is zero.
    device, dtype
        Where and in what type the model computes.
    """

    def __init__(
        self,
        shadow: Shadow,
        prepared: Prepared,
        targets: Sequence[Target],
        *,
        labels: Sequence[str] = (),
        chunk: int | None = None,
        classes: str | None = None,
        fast: bool | str | None = None,
        inputs: Mapping[str, Any] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        if classes not in (None, "loop", "vmap"):
            raise InputError("classes", classes, "is no way to differentiate", 'Give "loop", "vmap" or None.')
        self._fast = check_fast(fast)
        self._way: Way | None = None
        self._way_at = -1
        self._way_chosen = "usual"
        self.shadow = shadow
        self._prepared = prepared
        self._targets = tuple(targets)
        self._labels = tuple(labels)
        self._inputs = Inputs(inputs)
        self._stop = stop
        self._detecting = Detecting(shadow.model, self._targets)
        self._targets = self._detecting.targets
        plan = None if classes is None else ClassPlan("loop" if classes == "loop" else "unchecked")
        self._run = Run(shadow, plan)
        self._logits: Tensor | None = None
        self._turn = 0
        self._noted = (-1, "")
        self._settle_down()
        fixed = self.device == CPU
        self._chunk = ChunkSize(cpu_rows(self.pixels.numel()) if chunk is None and fixed else chunk)
        # Each chunk costs a pass of the trunk, at one row where that will do.
        head = _HEAD_ROWS if chunk is None and fixed else chunk
        self._head_chunk = ChunkSize(head, first=_HEAD_ROWS)

    def _settle_down(self) -> None:
        """Bring the picture to where the model is, in its type."""
        self.device, self.dtype = self.shadow.home
        here = placed(self._prepared, self.device, self.dtype)
        self.pixels, self._input, self._matrix = here.pixels, here.input, here.matrix
        self.zero, self._scale = here.zero, here.scale
        with neutral(self.device):
            self._inputs.move(self.device, self.dtype)

    # -- what is known ------------------------------------------------------------------------------------------

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, each bound to a class; runs the model once if one is not bound yet."""
        if self._unbound:
            self._settled()
        return self._targets

    @property
    def logits(self) -> Tensor:
        """(classes,), the model's output for the picture itself."""
        return self._settled()

    @property
    def seen(self) -> Tensor | None:
        """The same, of the weights of the run that is open; None where no pass of it was one of the picture itself."""
        return self._logits if self._turn == self._run.turn else None

    @property
    def variable(self) -> str:
        """Unit of the pixels: "full-scale pixel", or "input unit" where they are the model's own input."""
        return self._prepared.variable

    @property
    def batch(self) -> int:
        """How many rows are worth handing over at once, as far as it is known. Results do not depend on it."""
        return self._chunk.rows

    @property
    def snapshot(self) -> bool:
        """Whether the weights changed during the last run, which was then done on a snapshot of them."""
        return self._run.kind == "snapshot"

    def note_weights(self) -> str:
        """The hash of the weights that the open run computes with.

        Asked for before the first pass it is that of the result: weights that move later lead to a snapshot, of which
        it is made anew.
        """
        replica = self._run.replica
        assert replica is not None, "a run is open"
        if self._noted[0] != self._run.turn:
            self._noted = (self._run.turn, self.shadow.digest(replica))
        return self._noted[1]

    @property
    def provenance(self) -> dict[str, Any]:
        """How the numbers were computed; plain values."""
        known: dict[str, Any] = {
            "shadow": self._run.kind,
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "way": PLAIN if self._way is None else self._way.name,
            "way_chosen": self._way_chosen,
            "classes": "one" if len(self._targets) == 1 else self._run.plan.name if self._run.plan else "none",
        }
        if self.device.type == "cuda":
            known["tf32"] = bool(torch.backends.cudnn.allow_tf32) and self.dtype == torch.float32
        notes = [*self._run.notes]
        if self._inputs.names:
            known["inputs"] = self._inputs.described
        if self._run.plan is not None and self._run.plan.why:
            notes.append(f"several classes are differentiated one after another, because {self._run.plan.why}")
        known["notes"] = notes
        return known

    def _settled(self) -> Tensor:
        if self.seen is None:
            self.outputs(self.pixels[None])
        assert self._logits is not None
        return self._logits

    @property
    def matrix(self) -> Tensor:
        """(C, C): the model's input is ``matrix @ pixels`` and something constant."""
        return self._matrix

    # -- the primitives -----------------------------------------------------------------------------------------

    def outputs(self, batch: Tensor) -> Tensor:
        """The model's scores for all classes, without a graph.

        Parameters
        ----------
        batch
            (N, C, H, W) pixels.

        Returns
        -------
        Tensor
            (N, classes), in the model's type.

        Raises
        ------
        ModelError
            The model raises, or does not return scores (N, classes).
        """
        batch = self._checked(batch)

        def rows(replica: Replica, part: Tensor) -> tuple[Tensor, ...]:
            self.shadow.note(len(part) * _FORWARD)
            with replica.computing(), torch.no_grad():
                return (logits_of(self._forward(replica, part), len(part)).detach().clone(),)

        return self._over(batch, rows)[0]

    def read(self, see: Callable[[Any, Hearing | None], R]) -> R:
        """What a function makes of the model's own output for the picture itself, without a graph.

        Parameters
        ----------
        see
            Gets the output, and of a detector of torchvision what went through it; see
            :func:`~saliency_widget.models.detectors.hearing`.
        """

        def work(replica: Replica) -> R:
            with replica.computing(), torch.no_grad():
                return self._detecting.whole(
                    partial(self._run_model, None), replica, self._model_input(self.pixels[None]), see
                )

        with self.running():
            return self._run.do(work)

    def given_to(self, name: str) -> Tensor | None:
        """The first tensor that a part of the model is called with for the picture itself; None if it is not called."""

        def work(replica: Replica) -> Tensor | None:
            given: list[Tensor] = []

            def note(_part: nn.Module, values: tuple[Any, ...], named: dict[str, Any]) -> None:
                given.extend(value for value in (*values, *named.values()) if isinstance(value, Tensor))

            with replica.computing(), torch.no_grad():
                handle = replica.module.get_submodule(name).register_forward_pre_hook(note, with_kwargs=True)
                try:
                    self._run_model(None, replica, self._model_input(self.pixels[None]))
                finally:
                    handle.remove()
            return given[0].detach().clone() if given else None

        with self.running():
            return self._run.do(work)

    def scores(self, batch: Tensor, *, start: Any = None) -> Tensor:
        """The scores of the targets, without a graph.

        Parameters
        ----------
        batch
            (N, C, H, W) pixels; with ``start``, (N, c, h, w) activations of that layer.
        start
            A layer, as in :meth:`activations`: what comes after it is run on the activations. All else that it uses
            comes from the picture itself.

        Returns
        -------
        Tensor
            (N, K), in float32 or better.
        """

        def rows(replica: Replica, part: Tensor) -> tuple[Tensor, ...]:
            self.shadow.note(len(part) * _FORWARD)
            with replica.computing(), torch.no_grad():
                return (self._scores(self._forward(replica, part), len(part)).clone(),)

        if start is not None:
            outputs = Layered(self).outputs(batch, start)
            with neutral(self.device), torch.no_grad():
                return self._scores(outputs, len(batch))
        batch = self._checked(batch)
        self._settle(batch)
        return self._over(batch, rows)[0]

    def gradients(self, batch: Tensor, rules: Rules | None = None, *, only: int | None = None) -> tuple[Tensor, Tensor]:
        """The scores of the targets and their derivatives with respect to the pixels.

        Parameters
        ----------
        batch
            (N, C, H, W) pixels.
        rules
            Changed backward rules, made for this one call. They cost another forward pass, which proves that the scores
            are not changed.
        only
            Differentiate this one of the targets, counted from 0, in place of all K; without rules.

        Returns
        -------
        scores : Tensor
            (N, K), in float32 or better.
        gradients : Tensor
            (N, K, C, H, W), in the model's type: score per full-scale pixel.

        Raises
        ------
        ModelError
            No gradient leads from the scores to the pixels, the model raises, or the rules do not fit it.
        """
        batch = self._checked(batch)
        if not self._targets:
            raise InputError("targets", (), "is empty, so there is nothing to differentiate", "Give a target.")
        self._settle(batch)
        rows = partial(self._gradients, only) if rules is None else partial(self._ruled, rules)
        scores, gradients, *found = self._over(batch, rows)
        if rules is not None:
            rules.settle(*found)
        return scores, gradients

    def activations(self, batch: Tensor, layer: Any = None) -> Activations:
        """What a layer returned, on its grid, and the derivatives of the targets' scores with respect to it.

        Parameters
        ----------
        batch
            (N, C, H, W) pixels.
        layer
            A dotted name or a module of the user's model; None is the last executed layer with a spatial grid whose
            gradient on the grid is not zero. Of a layer that is called several times, the last call counts.

        Raises
        ------
        InputError
            The layer is unknown, never called, without a grid, or nothing on which the score depends.
        ModelError
            No layer has a grid on which the score depends, or the model raises.
        """
        return Layered(self).activations(self._checked(batch), layer)

    def layers(self) -> tuple[Layer, ...]:
        """All layers that return activations on a spatial grid, in the order in which they return."""
        return Layered(self).layers()

    @property
    def _unbound(self) -> bool:
        return not all(target.bound for target in self._targets)

    def _settle(self, batch: Tensor) -> None:
        """Bind the targets, where the batch does not start with the picture, by which they are bound anyway."""
        if self._unbound and not torch.equal(batch[0].to(self.pixels), self.pixels):
            self._settled()

    @contextmanager
    def running(self) -> Iterator[None]:
        """One run: all primitives inside see the same weights, or :class:`WeightsMoved` says that they could not."""
        if self._run.idle and self.shadow.home != (self.device, self.dtype):
            self._settle_down()
        with self._run.opened():
            yield

    def _over(
        self, batch: Tensor, rows: Callable[[Replica, Tensor], tuple[Tensor, ...]], chunk: ChunkSize | None = None
    ) -> tuple[Tensor, ...]:
        """Run a primitive over a batch in chunks, with weights that stand still."""

        def work(replica: Replica) -> tuple[Tensor, ...]:
            here = batch.to(self.device, self.dtype)
            parts: list[tuple[Tensor, ...]] = []
            size = ChunkSize(1) if replica.batch_statistics else chunk or self._chunk

            def run(start: int, stop: int) -> None:
                if self._stop is not None and self._stop():
                    raise Cancelled("nobody wants the result any more")
                found: list[tuple[Tensor, ...]] = []
                if not replica.probed:
                    # One row alone, because the first forward may find out that rows depend on each other.
                    found.append(rows(replica, here[start : start + 1]))
                    start += 1
                step = 1 if replica.batch_statistics else max(1, stop - start)
                found += [rows(replica, here[k : min(k + step, stop)]) for k in range(start, stop, step)]
                parts.extend(found)

            spans(len(batch), size, run, device=self.device)
            return parts[0] if len(parts) == 1 else tuple(torch.cat(columns) for columns in zip(*parts, strict=True))

        with self.running():
            return self._run.do(work)

    def attentions(self, batch: Tensor, fold: Fold | None = None, *, gradients: bool = False) -> Folded:
        """What a fold makes of the self-attentions of the model, and of the derivatives of each target.

        Costs two forward passes, one of them with the attention written out (f); with gradients also K backward passes
        as far as the first attention. Memory: without gradients the weights of one block and the fold's state; with
        gradients a graph that holds (N, heads, T, T) for each block, and the gradient of one.

        Parameters
        ----------
        batch
            (N, C, H, W) pixels.
        fold
            From its state (None at first) and a :class:`~saliency_widget.engine.attention.Block` to its next state
            (N, ...): from the first block to the last, with gradients from the last to the first. None keeps all.
        gradients
            Whether blocks come with their gradients; the fold then starts anew for each target.

        Raises
        ------
        ModelError
            The model has no self-attention over one set of tokens (CNN, Swin, pyramids), or it cannot be recovered.
        """
        from saliency_widget.engine.attention import AttentionReader, keep

        batch = self._checked(batch)
        if not self._targets:
            raise InputError("targets", (), "is empty, so there is no score to explain", "Give a target.")
        if self._unbound:
            self._settled()
        height, width = self.pixels.shape[1:]
        reader = AttentionReader(
            fold or keep,
            gradients=gradients,
            forward=partial(self._tensor, ruled=True),
            scores=self._scores,
            picture=(height, width),
        )
        return reader.folded(self._over(batch, reader.rows))

    # -- one chunk ----------------------------------------------------------------------------------------------

    def _model_input(self, pixels: Tensor) -> Tensor:
        change = pixels - self.pixels
        if self._scale is not None:
            return self._input + self._scale * change
        return self._input + torch.einsum("dc,nchw->ndhw", self._matrix, change)

    def _forward(
        self,
        replica: Replica,
        pixels: Tensor,
        given: Tensor | None = None,
        rows: int | None = None,
        *,
        exchanged: bool = False,
        ruled: bool = False,
        layer: str | None = None,
    ) -> Any:
        """What :meth:`_scores` reads: scores (N, classes), or the model's output where a target wants that.

        Changed backward rules (``ruled``) know the operators of the model as it is, and a ``layer`` that is looked at
        has to return what it returns there.
        """
        # What a layer returns may be exchanged; the logits are then not those of the picture.
        rows = len(pixels) if rows is None else rows
        try:
            seen = self._model_input(pixels) if given is None else given
            way = None if ruled else self._way_for(replica, layer)
            output = self._detecting.output(partial(self._run_model, way), replica, seen)
        except SaliencyError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise ForwardError(error, tuple(pixels.shape)) from error
        if all(target.of_classes for target in self._targets):
            output = logits_of(output, rows)
        else:
            output = read_by(self._targets, output)
        if not exchanged and self.seen is None and torch.equal(pixels[0].detach(), self.pixels):
            self._bind(output, rows)
        return output

    def _tensor(self, replica: Replica, pixels: Tensor, given: Tensor | None = None, **options: Any) -> Tensor:
        """The same, for what has to look at the output as a whole."""
        output = self._forward(replica, pixels, given, **options)
        if not isinstance(output, Tensor):
            raise ModelError(ONE_TENSOR)
        return output

    def _run_model(self, way: Way | str | None, replica: Replica, seen: Tensor) -> Any:
        return self.shadow.forward(replica, seen, self._inputs.of(len(seen)), way)

    # -- the way ------------------------------------------------------------------------------------------------

    def _way_for(self, replica: Replica, layer: str | None) -> Way | str:
        """How this run computes."""
        if not replica.probed:
            return PLAIN
        if self._way_at != self._run.turn or self._way is None:
            self._way, self._way_at = self._make_way(replica, self._name_of_way(replica)), self._run.turn
        if layer is not None and layer in self._way.folded:
            return self._make_way(replica, PLAIN)
        return self._way

    def _make_way(self, replica: Replica, name: str) -> Way:
        def run() -> None:
            with torch.no_grad():
                self.shadow.forward(replica, self._model_input(self.pixels[None]), self._inputs.of(1))

        return replica.way(name, run)

    def _name_of_way(self, replica: Replica) -> str:
        asked = isinstance(self._fast, str) and replica.kind != "snapshot"
        self._way_chosen = "asked" if asked or self._fast is False else "usual"
        if asked:
            return str(self._fast)
        if self._fast is False or replica.kind == "snapshot":
            return PLAIN
        size = tuple(self.pixels.shape)
        if size not in replica.decisions:
            small = min(self.pixels.shape[-2:]) < LEAST_SIDE
            if self._fast is None and (small or self.shadow.passes < WORTH_IT):
                return PLAIN
            replica.decisions[size] = self._decided(replica)
            replica.keep_ways({one.way for one in replica.decisions.values()})
        decision: Decision = replica.decisions[size]
        self._way_chosen = "measured"
        return decision.way

    def _decided(self, replica: Replica) -> Decision:
        from saliency_widget.engine.deciding import Decision, decide

        if self._inputs.names:
            return Decision(PLAIN, "nothing is measured of a model that takes further inputs")
        return decide(self.shadow, replica, self._model_input(self.pixels[None]), partial(self._make_way, replica))

    def _bind(self, output: Any, rows: int) -> None:
        if not has_logits(output, rows):
            return
        logits = logits_of(output, rows)[:1].detach()
        self._logits, self._turn = logits[0].clone(), self._run.turn
        self._targets = tuple(
            target if target.bound else target.resolve(self._labels, logits.shape[1], logits)
            for target in self._targets
        )

    def _scores(self, output: Any, rows: int | None = None) -> Tensor:
        return scores_of(self._targets, output, rows)

    def _gradients(self, only: int | None, replica: Replica, rows: Tensor) -> tuple[Tensor, ...]:
        # No function mode sees into a ScriptModule, where PyTorch's CPU BatchNorm is wrong for a single row.
        doubled = replica.scripted and len(rows) == 1 and self.device == CPU
        self.shadow.note(len(rows))
        with replica.computing():
            pixels = (torch.cat([rows, rows]) if doubled else rows).detach().requires_grad_()
            scores = self._scores(self._forward(replica, pixels), len(pixels))
            scores = scores if only is None else scores[:, only : only + 1]
            if not scores.requires_grad:
                raise ModelError(NO_PATH)
            assert self._run.plan is not None
            with differentiating():
                gradients = self._run.plan.gradients(scores, pixels)
            if gradients is None:
                raise ModelError(NO_PATH)
            return scores.detach()[: len(rows)].clone(), gradients.detach()[: len(rows)].contiguous()

    def _ruled(self, rules: Rules, replica: Replica, rows: Tensor) -> tuple[Tensor, ...]:
        doubled = replica.scripted and len(rows) == 1 and self.device == CPU
        pixels = torch.cat([rows, rows]) if doubled else rows
        with replica.computing(), torch.no_grad():
            plain = self._tensor(replica, pixels, ruled=True)
        with replica.computing():
            leaf, given = rules.enter(pixels, self._model_input)
            with rules.active():
                outputs = self._tensor(replica, pixels, given, ruled=True)
            outputs = rules.leave(outputs)
            check_same(outputs, plain)
            if not outputs.requires_grad:
                raise ModelError(NO_PATH)
            scores = self._scores(outputs)
            assert self._run.plan is not None
            try:
                with differentiating():
                    gradients = self._run.plan.gradients(scores, leaf)
            except CheckpointError as error:
                raise ModelError(RECOMPUTES) from error
            except RuntimeError as error:
                if "modified by an inplace operation" in str(error):
                    raise ModelError(OVERWRITES) from error
                raise
            if gradients is None:
                raise ModelError(NO_PATH)
            found = rules.result(gradients.detach()[: len(rows)])
            return scores.detach()[: len(rows)].clone(), *found

    def _checked(self, batch: Tensor) -> Tensor:
        wanted = tuple(self.pixels.shape)
        if not isinstance(batch, Tensor) or batch.dim() != 4 or tuple(batch.shape[1:]) != wanted or not len(batch):
            shape = tuple(batch.shape) if isinstance(batch, Tensor) else type(batch).__name__
            raise InputError(
                "batch",
                shape,
                "is not a batch of this picture",
                f"Give shape (N, {', '.join(map(str, wanted))}).",
            )
        if batch.is_inference():
            with neutral(self.device):
                batch = batch.clone()
        return batch.detach()
