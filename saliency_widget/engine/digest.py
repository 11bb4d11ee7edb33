"""The hash of a model's weights, by which two states of a model are told apart, also by somebody else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from saliency_widget.engine.devices import CPU, neutral


def weights_digest(model: nn.Module, held: Mapping[int, Tensor] | None = None) -> str:
    """SHA-256 of all parameters and buffers, in the order in which the model names them.

    For each, the JSON ``[name, dtype, shape]`` goes in, then its numbers in C order, as the machine holds them. It does
    not depend on the device, nor on how the numbers lie in memory. About 1 GB a second.

    Parameters
    ----------
    model
        The user's, unwrapped.
    held
        Other tensors that stand for the model's own, by the ``id`` of these: those of a snapshot.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    instead = held or {}
    digest = hashlib.sha256()
    with neutral(CPU), torch.no_grad():
        for name, own in (*model.named_parameters(), *model.named_buffers()):
            tensor = instead.get(id(own), own).detach()
            kind = str(tensor.dtype).removeprefix("torch.")
            digest.update(json.dumps([name, kind, list(tensor.shape)]).encode())
            # What of exotic types cannot be read is told by its name and shape alone.
            try:
                flat = tensor.cpu().contiguous().reshape(-1)
                content = flat.view(torch.uint8).numpy() if flat.numel() else None
            except (RuntimeError, NotImplementedError, TypeError):
                continue
            if content is not None:
                digest.update(content.data)
    return digest.hexdigest()
