"""Models that cannot be explained as they are, and the way out of each."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from saliency_widget.errors import ModelError
from saliency_widget.models.keras_model import is_keras, name_of_model, unbuilt
from saliency_widget.models.unwrap import unwrap


def check_model(model: Any) -> nn.Module:
    """The module to explain, without its wrappers.

    Raises
    ------
    InputError
        It is not a torch module.
    ModelError
        It is one of which no shadow can be made, or which has no gradients.
    """
    inner = unwrap(model)
    for name, module in inner.named_modules():
        _check_module(name or type(module).__name__, module)
    return inner


def _check_module(name: str, module: nn.Module) -> None:
    families = {base.__name__ for base in type(module).__mro__}
    if families & {"FSDPModule", "FullyShardedDataParallel"}:
        raise ModelError(
            f"{name} is sharded over processes (FSDP), so no process holds the weights. Explain a copy with the "
            "gathered weights: torch.distributed.checkpoint.state_dict.get_model_state_dict(model, "
            "options=StateDictOptions(full_state_dict=True)), loaded into an unsharded model."
        )
    home = type(module).__module__
    if ".nn.quantized" in home or ".nn.intrinsic.quantized" in home:
        raise ModelError(
            f"{name} is a quantized module ({type(module).__name__}), which has no gradient. Explain the float model "
            "from which it was made."
        )
    if is_keras(module):
        reason = unbuilt(module)
        if reason is not None:
            raise ModelError(f"{name_of_model(module)} {reason}, then explain it.")
    if isinstance(module, torch.jit.ScriptModule):
        return
    for key, tensor in [*module._parameters.items(), *module._buffers.items()]:
        if tensor is None:
            continue
        if is_lazy(tensor):
            raise ModelError(
                f"{name}.{key} has no shape yet (a lazy module). Run the model once on a picture, then explain it."
            )
        if tensor.is_meta:
            raise ModelError(
                f"{name}.{key} is on the meta device: its numbers are not in memory. Load the weights, or, where "
                "accelerate offloads them, load the model whole (without device_map='auto' or offload_folder)."
            )
        if type(tensor).__name__ == "DTensor" or type(tensor.data).__name__ == "DTensor":
            raise ModelError(
                f"{name}.{key} is spread over processes (DTensor). Explain a copy with the gathered weights."
            )
        if tensor.is_quantized:
            raise ModelError(f"{name}.{key} is quantized, which has no gradient. Explain the float model.")
