"""The first pass of a replica: a sentinel watches it, and further passes have to agree with it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from saliency_widget.engine.replica import Replica
from saliency_widget.engine.sentinel import Sentinel, Trip
from saliency_widget.engine.steady import Steady

Forward: TypeAlias = Callable[[Replica, Tensor, Mapping[str, Any]], Any]


def first_pass(model: nn.Module, replica: Replica, input: Tensor, given: Mapping[str, Any], forward: Forward) -> Any:
    """The output of a replica's first pass, after one under the sentinel that nobody sees.

    Parameters
    ----------
    model
        The user's, of which nothing may reach an operator.
    replica
        Not probed yet; afterwards it is, and what its forward needs is noted in it.
    input
        (N, C, H, W), the pictures.
    given
        Further arguments, by keyword.
    forward
        How a replica that is probed computes.

    Raises
    ------
    Trip
        The sentinel saw something that must not happen, or two passes of one picture differ. Nothing was written.
    """
    leaf = input.detach().requires_grad_()
    steady = Steady()
    try:
        sentinel = _sentinel(model, replica, grads=True)
        output = _run_under(sentinel, replica, leaf, copy.deepcopy(given))
    except Exception:
        # A forward may only work with gradients off where it says so; then they stay off there.
        replica.reset()
        sentinel = _sentinel(model, replica, grads=False)
        output = _run_under(sentinel, replica, leaf, copy.deepcopy(given))
    steady.expect(output)
    # Gone, with its graph, before the pass that counts.
    del output
    replica.norms, replica.loose = sentinel.norms, sentinel.loose
    replica.batch_statistics |= sentinel.batch_statistics
    if sentinel.crossed:
        replica.grads = True
        replica.notes.append(
            "the model's forward switches gradients off (torch.no_grad) on the way from the picture to the score; "
            "the map differentiates through it"
        )
    replica.probed = True
    try:
        for _ in range(steady.more):
            replica.reset()
            steady.compare(forward(replica, input.detach().clone(), copy.deepcopy(given)))
        replica.reset()
        output = forward(replica, input, given)
        steady.compare(output)
    except BaseException:
        replica.probed = False
        raise
    return output


def _sentinel(model: nn.Module, replica: Replica, *, grads: bool) -> Sentinel:
    originals = [*model.parameters(), *model.buffers()]
    views, means = [own for _, own in replica.weights.views], replica.means()
    return Sentinel(originals, views, replica.owned(), means=means, grads=grads)


def _run_under(sentinel: Sentinel, replica: Replica, leaf: Tensor, given: Mapping[str, Any]) -> Any:
    with torch.enable_grad():
        # A model may work in place on what it is given: it gets a tensor of its own, and no leaf.
        input = leaf.clone()
        if not replica.scripted:
            with sentinel:
                return replica.module(input, **given)
        # No function mode sees into a ScriptModule; that it draws random numbers shows afterwards only.
        devices = [input.device] if input.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            before = _random_states(devices)
            with sentinel:
                output = replica.module(input, **given)
            if _random_states(devices) != before:
                raise Trip("random", "inside a ScriptModule")
            return output


def _random_states(devices: list[torch.device]) -> list[bytes]:
    states = [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in devices)]
    return [state.numpy().tobytes() for state in states]
