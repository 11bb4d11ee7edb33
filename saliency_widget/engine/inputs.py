"""What a model's forward takes by keyword besides the picture."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saliency_widget.errors import InputError

_WAY_OUT = 'Give a dict from names of arguments to tensors: inputs={"pixel_mask": mask}.'
_PLAIN = (type(None), bool, int, float, complex, str, bytes)


class Inputs:
    """Constant arguments of the model, for batches of any size.

    A tensor whose first dimension is 1 is repeated for each row; any other tensor is the same for the whole batch, such
    as the tokens of several texts. Floats come in the model's type; all tensors are where the model is. What the model
    gets is its own: writing into it changes nothing outside.

    Parameters
    ----------
    given
        From :func:`check_inputs`, or None.

    Attributes
    ----------
    names
        The arguments.
    described
        Name to type and shape, in words.
    """

    def __init__(self, given: Mapping[str, Any] | None) -> None:
        self._given = dict(given or {})
        self._here: dict[str, Any] = {}
        self.names = tuple(self._given)
        self.described = {name: _words(value) for name, value in self._given.items()}

    def move(self, device: torch.device, dtype: torch.dtype) -> None:
        """Bring them to where the model is."""
        self._here = {name: _moved(value, device, dtype) for name, value in self._given.items()}

    def of(self, rows: int) -> dict[str, Any]:
        """The arguments of a forward pass of so many pictures, new at each call."""
        return {name: _expanded(value, rows) for name, value in self._here.items()}


def check_inputs(inputs: Any, model: nn.Module, images: int | None = None) -> tuple[dict[str, Any], ...]:
    """Validate a user's extra inputs, for each of several pictures.

    Parameters
    ----------
    inputs
        None, a dict for all pictures, or a list of dicts, one for each.
    model
        Whose forward they go to.
    images
        How many pictures there are; None for one that was not given as a list.

    Returns
    -------
    tuple of dict
        One for each picture. In a dict for all of n > 1 pictures, a tensor whose first dimension is n was cut into its
        rows.

    Raises
    ------
    InputError
        It is no such dict, or the model's forward has no such argument.
    """
    count = 1 if images is None else images
    if isinstance(inputs, (list, tuple)):
        if images is None or len(inputs) != count:
            wanted = "Give one dict" if images is None else f"Give one dict for each of the {count} images"
            raise InputError("inputs", _names(inputs), f"is a list of {len(inputs)}", f"{wanted}.")
        return tuple(_checked(one, model) for one in inputs)
    given = _checked(inputs, model)
    if count == 1:
        return (given,) * count
    return tuple({name: _row(value, k, count) for name, value in given.items()} for k in range(count))


def _checked(inputs: Any, model: nn.Module) -> dict[str, Any]:
    if inputs is None:
        return {}
    if not isinstance(inputs, Mapping) or not all(isinstance(name, str) for name in inputs):
        raise InputError("inputs", _names(inputs), "is no dict with names as keys", _WAY_OUT)
    picture, names, any_name = _arguments(model)
    for name, value in inputs.items():
        if name == picture:
            raise InputError("inputs", name, "is the argument that takes the picture itself", "Leave it out.")
        if not any_name and name not in names:
            known = f"Its arguments are {', '.join(names)}." if names else "It takes the picture alone."
            raise InputError("inputs", name, f"is no argument of the forward of {type(model).__name__}", known)
        if isinstance(value, Tensor) and (value.is_meta or value.layout is not torch.strided or value.is_quantized):
            raise InputError("inputs", name, f"holds no plain numbers ({_words(value)})", "Give a dense tensor.")
        if isinstance(value, np.ndarray) and value.dtype.kind not in "biuf":
            raise InputError("inputs", name, f"is an array of {value.dtype}", "Give numbers.")
    return dict(inputs)


def _arguments(model: nn.Module) -> tuple[str | None, tuple[str, ...], bool]:
    """The name of a forward's first argument, those of the others, and whether it takes any name."""
    try:
        parameters = list(inspect.signature(model.forward).parameters.values())
    except (TypeError, ValueError):  # a ScriptModule's has none
        return None, (), True
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    first = parameters[0].name if parameters and parameters[0].kind is by_name[0] else None
    names = tuple(one.name for one in parameters if one.kind in by_name and one.name != first)
    return first, names, any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)


def _row(value: Any, k: int, count: int) -> Any:
    if isinstance(value, (Tensor, np.ndarray)) and value.ndim and value.shape[0] == count:
        return value[k : k + 1]
    return value


def _moved(value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value.copy())
    if isinstance(value, Tensor):
        return value.detach().clone().to(device, dtype if value.is_floating_point() else None)
    if isinstance(value, Mapping):
        return {key: _moved(item, device, dtype) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_moved(item, device, dtype) for item in value)
    return value


def _expanded(value: Any, rows: int) -> Any:
    if isinstance(value, Tensor):
        alone = value.dim() > 0 and value.shape[0] == 1 and rows > 1
        return value.repeat(rows, *[1] * (value.dim() - 1)) if alone else value.clone()
    if isinstance(value, dict):
        return {key: _expanded(item, rows) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_expanded(item, rows) for item in value)
    return value


def _words(value: Any) -> str:
    if isinstance(value, (Tensor, np.ndarray)):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return repr(value) if isinstance(value, _PLAIN) else type(value).__name__


def _names(inputs: Any) -> Any:
    # A tensor's numbers say nothing in an error.
    if isinstance(inputs, (list, tuple)):
        return [_names(one) for one in inputs]
    return list(inputs) if isinstance(inputs, Mapping) else _words(inputs)
