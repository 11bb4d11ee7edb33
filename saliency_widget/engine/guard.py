"""ModelGuard: proves that a model, and the state of the process that it depends on, was left as it was."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from saliency_widget.errors import InputError, ModelChangedError

_SHOWN = 8
_DEPTH = 4
_OWN = frozenset({"_parameters", "_buffers", "_modules", "training"})
_SIMPLE = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device)


class ModelGuard:
    """A context in which a model must not change.

    On leaving it, also through an exception, everything is compared by content: parameters, buffers and their
    identities, ``requires_grad`` and ``.grad``, the training flag of each module, its hooks and its plain attributes,
    the random states of Python, numpy and torch, grad mode, inference mode, autocast, default type and default device.

    Parameters
    ----------
    model
        A torch module.

    Raises
    ------
    ModelChangedError
        On leaving, if anything changed; it names what.

    Examples
    --------
    >>> with ModelGuard(model):
    ...     explain(model, "cat.jpg")
    """

    def __init__(self, model: nn.Module) -> None:
        if not isinstance(model, nn.Module):
            raise InputError("model", model, "is not a torch.nn.Module", "Give the model that must not change.")
        self.model = model
        self._before: dict[str, Any] | None = None

    def __enter__(self) -> ModelGuard:
        self._before = self._state()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        changes = self.changes()
        self._before = None
        if changes:
            more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
            raise ModelChangedError(
                f"{type(self.model).__name__} was changed: {'; '.join(changes[:_SHOWN])}{more}."
            ) from error

    def changes(self) -> list[str]:
        """What changed since the context was entered; empty if nothing did."""
        if self._before is None:
            raise RuntimeError("a ModelGuard compares inside its context only: with ModelGuard(model) as guard: ...")
        before, after = self._before, self._state()
        found = []
        for name in [*before, *(name for name in after if name not in before)]:
            if name not in after:
                found.append(f"{name} is gone")
            elif name not in before:
                found.append(f"{name} is new")
            elif not _equal(before[name], after[name]):
                found.append(f"{name} changed")
        return found

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {}
        with torch.inference_mode(False), torch.no_grad():
            for name, module in self.model.named_modules(remove_duplicate=False):
                _module_state(f"{type(module).__name__} {name!r}" if name else type(module).__name__, module, state)
            for name, parameter in self.model.named_parameters(remove_duplicate=False):
                _parameter_state(f"parameter {name!r}", parameter, state)
            for name, buffer in self.model.named_buffers(remove_duplicate=False):
                state[f"the identity of buffer {name!r}"] = _Same(buffer)
                state[f"buffer {name!r}"] = _digest(buffer)
        for name, read in _AROUND.items():
            state[name] = read()
        return state


class _Same:
    """Compares by identity and keeps the object, so that its id cannot serve another."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    __hash__ = None  # type: ignore[assignment]


def _parameter_state(name: str, parameter: Tensor, state: dict[str, Any]) -> None:
    state[f"the identity of {name}"] = _Same(parameter)
    state[name] = _digest(parameter)
    state[f"requires_grad of {name}"] = parameter.requires_grad
    if parameter.is_leaf:
        state[f"the identity of .grad of {name}"] = _Same(parameter.grad)
        state[f".grad of {name}"] = None if parameter.grad is None else _digest(parameter.grad)


def _module_state(name: str, module: nn.Module, state: dict[str, Any]) -> None:
    state[f"the identity of {name}"] = _Same(module)
    state[f"the training flag of {name}"] = module.training
    if isinstance(module, torch.jit.ScriptModule):
        return
    for key, value in list(module.__dict__.items()):
        if key not in _OWN:
            state[f"attribute {key!r} of {name}"] = _content(value, _DEPTH)


def _content(value: Any, depth: int) -> Any:
    """What is compared of an attribute: identity, and content as far as containers and tensors go."""
    if isinstance(value, _SIMPLE):
        return value
    if isinstance(value, Tensor):
        return (_Same(value), _digest(value))
    if isinstance(value, np.ndarray):
        return (_Same(value), value.tobytes())
    if depth == 0 or isinstance(value, nn.Module):
        return _Same(value)
    if isinstance(value, dict):
        items: Any = [(_content(key, 0), _content(item, depth - 1)) for key, item in list(value.items())]
    elif isinstance(value, (list, tuple)):
        items = [_content(item, depth - 1) for item in list(value)]
    elif isinstance(value, (set, frozenset)):
        items = sorted(map(id, value))
    elif type(value).__module__ != "builtins" and isinstance(getattr(value, "__dict__", None), dict):
        items = [(key, _content(item, depth - 1)) for key, item in list(value.__dict__.items())]
    else:
        items = None
    return (_Same(value), items)


def _digest(tensor: Tensor) -> Any:
    if is_lazy(tensor):
        return "uninitialised"
    about = (tuple(tensor.shape), tensor.dtype, tensor.device, tensor.layout)
    try:
        data: Any = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    except (RuntimeError, TypeError, NotImplementedError):  # meta, sparse, quantized, uninitialised
        return (*about, getattr(tensor, "_version", None) if not tensor.is_inference() else None)
    return (*about, hashlib.blake2b(data).digest())


def _equal(before: Any, after: Any) -> bool:
    if type(before) is not type(after):
        return False
    if isinstance(before, (tuple, list)):
        return len(before) == len(after) and all(map(_equal, before, after))
    return bool(before == after) or (isinstance(before, float) and before != before and after != after)


def _accelerators() -> Any:
    states = []
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states += [state.numpy().tobytes() for state in torch.cuda.get_rng_state_all()]
    if torch.backends.mps.is_available():
        states.append(torch.mps.get_rng_state().numpy().tobytes())
    return states


def _numpy_state() -> Any:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002  (the legacy state is the one a model can disturb)
    return (name, np.asarray(keys).tobytes(), *rest)


_AROUND: dict[str, Callable[[], Any]] = {
    "Python's random state": random.getstate,
    "numpy's random state": _numpy_state,
    "torch's random state": lambda: torch.get_rng_state().numpy().tobytes(),
    "the accelerator's random state": _accelerators,
    "grad mode": torch.is_grad_enabled,
    "inference mode": torch.is_inference_mode_enabled,
    "autocast": lambda: (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")),
    "the default type": torch.get_default_dtype,
    "the default device": torch.get_default_device,
    "the number of threads": torch.get_num_threads,
    "deterministic algorithms": torch.are_deterministic_algorithms_enabled,
    "the cuDNN flags": lambda: (
        torch.backends.cudnn.enabled,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.allow_tf32,
    ),
}
