"""The model inside its wrappers."""

from __future__ import annotations

from typing import cast

from torch import nn
from torch.optim.swa_utils import AveragedModel

from saliency_widget.errors import InputError
from saliency_widget.models.keras_model import is_keras, name_of_model
from saliency_widget.models.words import article, shown

_ARGUMENT = "model"


def unwrap(model: object) -> nn.Module:
    """Return the model inside ``torch.compile``, ``DataParallel``, ``DistributedDataParallel`` and ``AveragedModel``.

    Raises
    ------
    InputError
        ``model`` is no ``torch.nn.Module``; says what to pass instead.
    """
    if not isinstance(model, nn.Module):
        raise InputError(
            _ARGUMENT, shown(model), f"is {article(type(model).__name__)}, not a torch.nn.Module", _remedy(model)
        )
    inner = _inside(model)
    while inner is not None:
        model = inner
        inner = _inside(model)
    return model


def describe(model: nn.Module) -> str:
    """Return the name of the model's class, such as ``EfficientNet``."""
    inner = unwrap(model)
    if is_keras(inner):
        return name_of_model(inner)
    # a ScriptModule knows the class it was made from
    original = getattr(inner, "original_name", None)
    return original if isinstance(original, str) else type(inner).__name__


def _inside(model: nn.Module) -> nn.Module | None:
    # by name, because importing torch._dynamo takes seconds
    if type(model).__name__ == "OptimizedModule" and isinstance(getattr(model, "_orig_mod", None), nn.Module):
        return cast(nn.Module, model._orig_mod)
    if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)):
        return cast(nn.Module, model.module)
    return None


def _remedy(model: object) -> str:
    if isinstance(model, str):
        return f"Make it first, for example timm.create_model({model!r}, pretrained=True)."
    if isinstance(model, type) and issubclass(model, nn.Module):
        return f"That is the class; give an object of it: {model.__name__}(...)."
    if isinstance(model, dict):
        return "If that is a state dict, load it into its model: model.load_state_dict(...), and give the model."
    if isinstance(model, (list, tuple)):
        return "Give one model."
    if hasattr(model, "graph_module"):
        return "Give its module: model.module()."
    if callable(model):
        return "Wrap it in a torch.nn.Module whose forward calls it."
    return "Give a torch vision model that takes (N, channels, height, width) and returns (N, classes)."
