"""Layer-wise relevance propagation: a forward pass whose derivative towards the pixels is their relevance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor

from saliency_widget.engine.lrp_audit import Audit
from saliency_widget.engine.lrp_functions import COLUMNS, Enter, Seed, Source
from saliency_widget.engine.lrp_maps import Box
from saliency_widget.engine.lrp_operators import Composite, Propagation, tag
from saliency_widget.engine.ruled import ModelInput, Rules
from saliency_widget.errors import ModelError


class RelevanceRules(Rules):
    """The rules of a composite, for one forward pass.

    Parameters
    ----------
    composite
        Which rule holds for which layer.
    matrix
        (C, C): the model's input is ``matrix @ pixels`` and something constant.
    low, high
        (C,): between which values the pixels can lie.

    Attributes
    ----------
    summary
        After a forward pass: how many layers each rule was applied to ("1 z-box, 48 gamma, 1 epsilon; 49 merged with a
        normalisation").
    notes
        What a user should know.
    ledger
        (N, K, 3), after the call: what was to be distributed, and what biases and stabilisers took of it.
    """

    def __init__(self, composite: Composite, matrix: Tensor, low: Tensor, high: Tensor) -> None:
        self._composite, self._matrix, self._ends = composite, matrix, (low, high)
        self._shape: tuple[int, ...] = ()
        self._ledger: Tensor | None = None
        self._audit = Audit()
        self.summary = ""
        self.notes: tuple[str, ...] = ()
        self.ledger: Tensor | None = None

    def enter(self, pixels: Tensor, model_input: ModelInput) -> tuple[Tensor, Tensor]:
        """Pixels and an empty ledger are one leaf; see :class:`~saliency_widget.engine.ruled.Rules`."""
        pixels = pixels.detach()
        self._shape = tuple(pixels.shape[1:])
        wide = torch.promote_types(pixels.dtype, torch.float32)
        leaf = torch.cat([pixels.flatten(1).to(wide), pixels.new_zeros(len(pixels), COLUMNS, dtype=wide)], 1)
        leaf.requires_grad_()
        given, probe, self._ledger = Enter.apply(leaf, pixels, model_input, self._matrix)
        with torch.no_grad():
            black = model_input(torch.zeros_like(pixels[:1]))
            ends = torch.stack([self._matrix * end for end in self._ends])
            low, high = (end.sum(1).view(1, -1, 1, 1).expand_as(black) for end in (ends.amin(0), ends.amax(0)))
            tag(given, Source(given.detach() - black, black, Box(low, high, torch.ones_like(black)), probe))
        return leaf, given

    def active(self) -> AbstractContextManager[Any]:
        """The rules hold for the operators of a forward pass inside this context."""
        return self._watched()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        assert self._ledger is not None
        self._audit = Audit()
        propagation = Propagation(self._composite, self._ledger, self._audit)
        with self._audit, propagation:
            yield
        counts = [*propagation.counts.items(), ("with epsilon 0", self._audit.plain)]
        self.summary = ", ".join(f"{count} {name}" for name, count in counts if count)
        if propagation.merged:
            self.summary += f"; {propagation.merged} merged with a normalisation"
        first = self._composite.first
        if first is not None and not propagation.entered:
            self.notes = (
                f"the rule for the first layer ({first.name}) was not applied: no convolution works on the model's "
                "input itself; the first layer's rule is that of any other",
            )

    def leave(self, outputs: Tensor) -> Tensor:
        """Refuse what there is no rule for; see :class:`~saliency_widget.engine.ruled.Rules`."""
        ledger, self._ledger = self._ledger, None
        if self._audit.unknown:
            listed = ", ".join(f"{count} {name}" for name, count in self._audit.unknown.most_common())
            raise ModelError(
                "LRP has no rule for some operators on the way from the picture to the score: "
                f"{listed}. It is for convolutional networks without attention. Use another method, such as 'gradient'."
            )
        if not outputs.requires_grad:
            return outputs
        seeded: Tensor = Seed.apply(outputs, ledger)
        return seeded

    def result(self, gradients: Tensor) -> tuple[Tensor, ...]:
        """Split the leaf's gradient into the map and the ledger."""
        maps = gradients[..., :-COLUMNS]
        return maps.reshape(*maps.shape[:2], *self._shape), gradients[..., -COLUMNS:]

    def settle(self, *found: Tensor) -> None:
        """Keep the ledger."""
        (self.ledger,) = found
