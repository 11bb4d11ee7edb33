"""Which way to compute is taken for a model: decided once for a device and a size of picture, by measuring.

The quickest is taken that is as exact as the plain one: what it returns for eight pictures is compared with what the
model returns in float64, and its error must be that of the plain way but for the order of additions. How much that
makes is known: the same way with one thread and with two differed by a fifth.

The outputs are compared, and not the gradients, whose error says little: where a rectifier is close to its corner, it
jumps by a thousand times with any rounding.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from saliency_widget.engine.batching import is_out_of_memory
from saliency_widget.engine.packed import can_be_packed, is_available
from saliency_widget.engine.replica import Replica
from saliency_widget.engine.steady import floats_in
from saliency_widget.engine.ways import BOTH, CHANNELS_LAST, FOLDED, FOLDED_PACKED, PACKED, PLAIN, Way

if TYPE_CHECKING:
    from saliency_widget.engine.shadow import Shadow

# EfficientNet-lite0, channels last: 1.00 times the error of the plain way with one thread, 1.19 with two; what eight
# pictures leave to chance is 0.08.
_CHANCE = 1.3
_GAIN = 0.95
# A gradient that is farther from the plain one than corners of rectifiers explain is another function's.
_ALIKE = 0.1
_ROUNDS = 4
# Bytes of weights of convolutions. All ways together hold six times as many while they are compared.
_LARGE = 2**28


@dataclass(frozen=True)
class Decision:
    """The way that is taken.

    Attributes
    ----------
    way
        One of :data:`~saliency_widget.engine.ways.WAYS`.
    why
        In words.
    seconds
        Of a forward and a backward pass of one picture, by way; of those that were measured.
    errors
        The relative error of the outputs against float64, by way.
    """

    way: str
    why: str
    seconds: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)


def decide(
    shadow: Shadow, replica: Replica, row: Tensor, make: Callable[[str], Way], *, rounds: int = _ROUNDS
) -> Decision:
    """Measure, and decide.

    Parameters
    ----------
    shadow, replica
        The model; the replica is open and probed.
    row
        (1, C, H, W), the model's input for a picture.
    make
        Gives the ways; see :meth:`~saliency_widget.engine.replica.Replica.way`.
    rounds
        How often each is timed.
    """
    if row.dtype is not torch.float32:
        return Decision(PLAIN, f"nothing is measured in {str(row.dtype).removeprefix('torch.')}")
    if row.device.type not in ("cpu", "cuda"):
        return Decision(PLAIN, f"nothing is measured on {row.device.type}")
    weights = [part._parameters.get("weight") for part in replica.module.modules() if isinstance(part, nn.Conv2d)]
    if len(weights) < 2:
        return Decision(PLAIN, "the model has no convolutions that would gain by another")
    try:
        large = sum(weight.nbytes for weight in weights if weight is not None) > _LARGE
        return _measured(shadow, replica, row.detach(), _ways(row, make, large=large), rounds)
    except Exception as error:
        if is_out_of_memory(error):
            return Decision(PLAIN, "there is no memory to compare others with it")
        return Decision(PLAIN, f"others cannot be compared with it ({type(error).__name__})")


def _measured(shadow: Shadow, replica: Replica, row: Tensor, ways: dict[str, Way], rounds: int) -> Decision:
    seconds = dict.fromkeys(ways, float("inf"))
    # The first time things are made that stay.
    maps = {name: _gradient(shadow, replica, row, way) for name, way in ways.items()}
    for turn in range(rounds):
        names = [*ways][turn % len(ways) :] + [*ways][: turn % len(ways)]
        for name in names:
            began = _now(row)
            _gradient(shadow, replica, row, ways[name])
            seconds[name] = min(seconds[name], _now(row) - began)
    quick = [name for name in sorted(ways, key=seconds.__getitem__) if seconds[name] <= _GAIN * seconds[PLAIN]]
    if not quick:
        return Decision(PLAIN, "no other is quicker", seconds)
    rows = _eight(row)
    wanted = _in_float64(shadow, replica, rows)
    errors = {PLAIN: _error(_outputs(shadow, replica, rows, ways[PLAIN]), wanted)}
    for name in quick:
        errors[name] = _error(_outputs(shadow, replica, rows, ways[name]), wanted)
        if errors[name] <= _CHANCE * errors[PLAIN] and _apart(maps[name], maps[PLAIN]) <= _ALIKE:
            share = seconds[name] / seconds[PLAIN]
            return Decision(name, f"it is as exact and takes {share:.2f} of the time", seconds, errors)
    return Decision(PLAIN, "no other that is quicker is as exact", seconds, errors)


def _ways(row: Tensor, make: Callable[[str], Way], *, large: bool) -> dict[str, Way]:
    """Those that may be the quickest on a device; of a large model, with the one that most often is."""
    packs = can_be_packed(row) and is_available()
    laid, both = (PACKED, FOLDED_PACKED) if packs else (CHANNELS_LAST, BOTH)
    found = {PLAIN: make(PLAIN)}
    way = make(both)
    if way.folded:
        found[both] = way
    if not way.folded or not large:
        found[laid] = make(laid)
    if way.folded and not large:
        found[FOLDED] = make(FOLDED)
    return found


def _eight(row: Tensor) -> Tensor:
    """(8, C, H, W), a picture and seven others made of it."""
    moved = row.roll((row.shape[-2] // 2, row.shape[-1] // 2), (-2, -1))
    return torch.cat([one.flip(axes) for one in (row, moved) for axes in ((), (-1,), (-2,), (-1, -2))])


@torch.no_grad()
def _outputs(shadow: Shadow, replica: Replica, rows: Tensor, way: Way) -> list[Tensor]:
    found = []
    for row in _each(rows):
        with replica.computing():
            found.append(_flat(shadow.forward(replica, row, None, way)))
    return found


@torch.no_grad()
def _in_float64(shadow: Shadow, replica: Replica, rows: Tensor) -> list[Tensor]:
    exact = shadow.snapshot(replica)
    exact.module.double()
    return [_flat(shadow.forward(exact, row.double())) for row in _each(rows)]


def _gradient(shadow: Shadow, replica: Replica, row: Tensor, way: Way) -> Tensor:
    with replica.computing(), torch.enable_grad():
        leaf = row.clone().requires_grad_()
        (found,) = torch.autograd.grad(_flat(shadow.forward(replica, leaf, None, way)).max(), leaf)
        return found


def _flat(output: Any) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in floats_in(output)])


def _error(found: list[Tensor], wanted: list[Tensor]) -> float:
    errors = [float((a.double() - b).norm() / b.norm()) for a, b in zip(found, wanted, strict=True)]
    return sum(errors) / len(errors)


def _apart(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().sum() / wanted.abs().sum())


def _each(rows: Tensor) -> list[Tensor]:
    return [rows[k : k + 1] for k in range(len(rows))]


def _now(row: Tensor) -> float:
    if row.device.type == "cuda":
        torch.cuda.synchronize(row.device)
    return time.perf_counter()
