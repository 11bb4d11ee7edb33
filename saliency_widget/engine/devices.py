"""Where a model lives, and a neutral place to compute in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

CPU = torch.device("cpu")


def home_of(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Device and floating type of a model: those of its first floating parameter, else of its first such buffer.

    A model without either runs on the CPU in float32. A model spread over several devices takes its input on the
    first; whatever moves the activations on travels with the model.
    """
    for tensor in _tensors(model):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    for tensor in _tensors(model):
        return tensor.device, torch.float32
    return CPU, torch.float32


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()


def default_device() -> torch.device:
    """The device on which this thread makes tensors when none is named."""
    # It is set by a function mode, and asking torch itself takes longer than most operators.
    return torch.get_default_device() if torch._C._len_torch_function_stack() else CPU


@contextmanager
def neutral(device: torch.device, ambient: torch.device = CPU) -> Iterator[None]:
    """Compute as if no caller had switched anything, in this thread only.

    Gradients on, inference mode and autocast off. What was on before is on again afterwards, whatever happens.

    Parameters
    ----------
    device
        Where the computing happens.
    ambient
        The default device of the caller. A model may rely on one; its own device is what it then needs. Where the
        caller set none, nothing is set, because a default device costs time at every operator.
    """
    kinds = [kind for kind in {"cpu", device.type} if _is_autocast(kind)]
    placed = ambient != CPU or default_device() != CPU
    if not (kinds or placed or torch.is_inference_mode_enabled()):
        # So it is mostly, a dozen times a run.
        before = torch.is_grad_enabled()
        torch._C._set_grad_enabled(True)
        try:
            yield
        finally:
            torch._C._set_grad_enabled(before)
        return
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in kinds:
            stack.enter_context(torch.autocast(kind, enabled=False))
        if placed:
            stack.enter_context(device)
        yield


def _is_autocast(kind: str) -> bool:
    return (kind == "cpu" or torch.amp.is_autocast_available(kind)) and torch.is_autocast_enabled(kind)
