"""Which way to compute is taken for a model: decided once for a device and a size of picture, by measuring.

A way is only considered if it is as exact as the plain one: what it returns for four pictures is compared with what the
model returns in float64, and its error must not be larger. By what may be larger is what four pictures leave to chance.
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
from saliency_widget.engine.replica import Replica
from saliency_widget.engine.steady import floats_in
from saliency_widget.engine.ways import BOTH, CHANNELS_LAST, FOLDED, PLAIN, Way

if TYPE_CHECKING:
    from saliency_widget.engine.shadow import Shadow

# The mean over four pictures of the relative error of a thousand scores was within 6 % of itself for the same way.
_CHANCE = 1.1
_GAIN = 0.95
# A gradient that is farther from the plain one than corners of rectifiers explain is another function's.
_ALIKE = 0.1
_ROUNDS = 3


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
    if sum(isinstance(part, nn.Conv2d) for part in replica.module.modules()) < 2:
        return Decision(PLAIN, "the model has no convolutions that would gain by another")
    try:
        return _measured(shadow, replica, row.detach(), make, rounds)
    except Exception as error:
        if is_out_of_memory(error):
            return Decision(PLAIN, "there is no memory to compare others with it")
        return Decision(PLAIN, f"others cannot be compared with it ({type(error).__name__})")


def _measured(shadow: Shadow, replica: Replica, row: Tensor, make: Callable[[str], Way], rounds: int) -> Decision:
    rows = torch.cat([row, row.flip(-1), row.flip(-2), row.flip((-1, -2))])
    wanted = _in_float64(shadow, replica, rows)
    ways = {PLAIN: make(PLAIN), CHANNELS_LAST: make(CHANNELS_LAST)}
    for name in (FOLDED, BOTH):
        way = make(name)
        if way.folded:
            ways[name] = way
    errors = {name: _error(_outputs(shadow, replica, rows, way), wanted) for name, way in ways.items()}
    exact = {name: way for name, way in ways.items() if errors[name] <= _CHANCE * errors[PLAIN]}
    usual = _gradient(shadow, replica, row, ways[PLAIN])
    for name in [name for name in exact if name != PLAIN]:
        if not _apart(_gradient(shadow, replica, row, ways[name]), usual) <= _ALIKE:
            del exact[name]
    if len(exact) < 2:
        return Decision(PLAIN, "no other is as exact", errors=errors)
    seconds = dict.fromkeys(exact, float("inf"))
    for turn in range(rounds):
        names = [*exact][turn % len(exact) :] + [*exact][: turn % len(exact)]
        for name in names:
            began = _now(row)
            _gradient(shadow, replica, row, exact[name])
            seconds[name] = min(seconds[name], _now(row) - began)
    best = min(seconds, key=lambda name: seconds[name])
    if seconds[best] > _GAIN * seconds[PLAIN]:
        return Decision(PLAIN, "no other as exact is quicker", seconds, errors)
    share = seconds[best] / seconds[PLAIN]
    return Decision(best, f"it is as exact and takes {share:.2f} of the time", seconds, errors)


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
