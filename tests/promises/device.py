"""A device that is not the CPU, in Python, on which a stray CPU tensor raises.

It stands on the key that PyTorch keeps for private devices. What it computes, it computes on the CPU; but a tensor of
it is no tensor of the CPU, and an operator that gets both raises, as on a GPU: only numbers without a dimension may be
mixed in, and only copies go from one to the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

NAME = "elsewhere"
_COPIES = ("aten::_to_copy", "aten::copy_", "aten::_copy_from")
_ready = False
_here = False


class _Backend(backend_registration._DummyBackendModule):
    # Outside the context nothing may pick this device by itself, as DataParallel would.
    def is_available(self) -> bool:
        return _here

    def device_count(self) -> int:
        return int(_here)


class _Hook(backend_registration._DummyPrivateUse1Hook):
    def is_available(self) -> bool:
        return _here


class StrayCpuTensorError(RuntimeError):
    """An operator got tensors of the device and of the CPU."""


class Elsewhere(Tensor):
    """A tensor of the device; ``raw`` holds its numbers."""

    raw: Tensor

    @staticmethod
    def __new__(cls, raw: Tensor) -> Elsewhere:
        made = Tensor._make_wrapper_subclass(
            cls,
            raw.shape,
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=torch.device(NAME, 0),
            requires_grad=False,
        )
        made.raw = raw
        return made  # type: ignore[return-value]

    def __repr__(self, **_: Any) -> str:
        return f"Elsewhere({self.raw!r})"

    def tolist(self) -> Any:
        # PyTorch refuses it of any subclass; of a tensor on a GPU it is a copy to the CPU.
        return self.raw.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Factories(TorchDispatchMode):
    """Sees the operators that make a tensor of the device out of nothing, or of a tensor of the CPU."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _is_elsewhere(kwargs.get("device")) or any(isinstance(leaf, Elsewhere) for leaf in _leaves(args, kwargs)):
            return _run(func, args, kwargs)
        return func(*args, **kwargs)


def _leaves(args: Any, kwargs: Any) -> list[Any]:
    return tree_flatten((args, kwargs))[0]


def _is_elsewhere(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = func._schema.name
    leaves = _leaves(args, kwargs)
    ours = [leaf for leaf in leaves if isinstance(leaf, Elsewhere)]
    strays = [leaf for leaf in leaves if isinstance(leaf, Tensor) and not isinstance(leaf, Elsewhere) and leaf.dim()]
    if ours and strays and name not in _COPIES:
        raise StrayCpuTensorError(f"{name} got a tensor of the CPU, of shape {tuple(strays[0].shape)}")
    to = kwargs.get("device")
    if to is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    stays = bool(ours) if to is None else _is_elsewhere(to)
    if name == "aten::copy_":
        stays = isinstance(args[0], Elsewhere)
    flat, spec = tree_flatten((args, kwargs))
    raw_args, raw_kwargs = tree_unflatten([leaf.raw if isinstance(leaf, Elsewhere) else leaf for leaf in flat], spec)
    known = {id(leaf.raw): leaf for leaf in ours}
    result = func(*raw_args, **raw_kwargs)
    if name == "aten::copy_":
        return args[0]

    def back(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not stays:
            return leaf.clone() if isinstance(leaf, Tensor) and any(leaf is one.raw for one in ours) else leaf
        # What was written in place is the tensor that it was.
        return known[id(leaf)] if id(leaf) in known else Elsewhere(leaf)

    if func._schema.is_mutable and ours:
        for leaf in ours:
            _follow(leaf)
    return tree_map(back, result)


def _follow(tensor: Elsewhere) -> None:
    """In-place operators that change a shape (``squeeze_``) are none that a model uses; others leave it."""
    assert tuple(tensor.shape) == tuple(tensor.raw.shape)


@contextmanager
def device() -> Iterator[torch.device]:
    """The device, as long as the context lasts."""
    global _here, _ready
    if not _ready:
        backend_registration._setup_privateuseone_for_python_backend(NAME, _Backend(), _Hook())
        _ready = True
    # Otherwise torch.tensor(..., device=) brings its numbers to the device where no mode sees it.
    lifted = torch._C._only_lift_cpu_tensors()
    _here = True
    torch._C._set_only_lift_cpu_tensors(True)
    try:
        with _Factories():
            yield torch.device(NAME, 0)
    finally:
        _here = False
        torch._C._set_only_lift_cpu_tensors(lifted)


def moved(model: nn.Module, to: torch.device) -> nn.Module:
    """The model with its tensors on the device: ``nn.Module.to`` cannot exchange parameters for a subclass."""
    for part in model.modules():
        for name, parameter in list(part._parameters.items()):
            if parameter is not None:
                part._parameters[name] = nn.Parameter(parameter.detach().to(to), requires_grad=parameter.requires_grad)
        for name, buffer in list(part._buffers.items()):
            if buffer is not None:
                part._buffers[name] = buffer.to(to)
    return model
