"""What sort of thing an object reachable from a model is: shared by the rebuilding and by the fingerprint."""

from __future__ import annotations

import contextlib
import dis
import enum
import functools
import os
import random
import sys
import sysconfig
import types
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Kind(enum.Enum):
    """How an object is rebuilt."""

    ATOM = enum.auto()  # kept: immutable, or not ours to copy
    TENSOR = enum.auto()
    MODULE = enum.auto()
    DICT = enum.auto()
    LIST = enum.auto()
    TUPLE = enum.auto()
    SET = enum.auto()
    DEQUE = enum.auto()
    ARRAY = enum.auto()
    METHOD = enum.auto()
    BUILTIN = enum.auto()
    PARTIAL = enum.auto()
    FUNCTION = enum.auto()
    CACHED = enum.auto()
    WEAKREF = enum.auto()
    PROXY = enum.auto()
    WEAKSET = enum.auto()
    WEAKDICT = enum.auto()
    MAPPING_PROXY = enum.auto()
    GENERATOR = enum.auto()  # of random numbers
    OBJECT = enum.auto()
    __hash__ = object.__hash__  # an Enum's own is written in Python, and this one is asked for at every attribute

    DROPPED = enum.auto()  # becomes None: it would keep the user's model alive and plays no part in a forward


ATOMS = frozenset(
    {
        type(None), bool, int, float, complex, str, bytes, type, type(Ellipsis), type(NotImplemented), object,
        range, slice, torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format, types.ModuleType,
        types.CodeType, property, staticmethod, classmethod,
    }
)  # fmt: skip

# What every module has; in most modules most of it is empty.
STANDARD = frozenset(nn.Module().__dict__)

# Packages whose objects are services rather than parts of a model.
_SERVICES = frozenset(
    [
        "IPython",
        "comet_ml",
        "datasets",
        "ipykernel",
        "ipywidgets",
        "logging",
        "matplotlib",
        "mlflow",
        "multiprocessing",
        "neptune",
        "numpy",
        "pandas",
        "PIL",
        "pyarrow",
        "rich",
        "sympy",
        "tensorboard",
        "tensorboardX",
        "threading",
        "tokenizers",
        "tqdm",
        "traitlets",
        "wandb",
        "zmq",
    ]
)
_TORCH_SERVICES = (
    "torch._C", "torch._dynamo", "torch._inductor", "torch.cuda", "torch.distributed", "torch.fx", "torch.jit",
    "torch.optim", "torch.utils.data", "torch.utils.tensorboard", "torch.profiler",
)  # fmt: skip
_TRAINERS = frozenset({"lightning", "pytorch_lightning", "lightning_fabric"})
_PLAIN_STDLIB = frozenset({"SimpleNamespace", "Namespace", "UserDict", "UserList"})
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made by a class statement
_LRU = type(functools.lru_cache(lambda: None))
_WEAK_DICTS = (weakref.WeakKeyDictionary, weakref.WeakValueDictionary)


def _library_roots() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    roots = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    roots.add(os.path.dirname(os.path.dirname(torch.__file__)))
    return tuple(root + os.sep for root in roots)


_LIBRARIES = _library_roots()


def kind_of_type(cls: type[Any]) -> Kind:
    """The kind of the instances of a class."""
    known: Any = _known_kind
    kind: Kind = known(cls)
    return kind


@functools.lru_cache(maxsize=1024)
def _known_kind(cls: Any) -> Kind:
    if cls in ATOMS or issubclass(cls, (type, types.ModuleType, enum.Enum, np.generic)):
        return Kind.ATOM
    for base, kind in _BY_BASE:
        if issubclass(cls, base):
            return kind
    if _is_of_numpys_random(cls):
        return Kind.GENERATOR
    return _kind_of_object(cls)


_BY_BASE: tuple[tuple[Any, Kind], ...] = (
    (Tensor, Kind.TENSOR),
    (nn.Module, Kind.MODULE),
    (np.ndarray, Kind.ARRAY),
    (dict, Kind.DICT),
    (list, Kind.LIST),
    (tuple, Kind.TUPLE),
    ((set, frozenset), Kind.SET),
    (deque, Kind.DEQUE),
    (types.MethodType, Kind.METHOD),
    (types.BuiltinMethodType, Kind.BUILTIN),
    (functools.partial, Kind.PARTIAL),
    (types.FunctionType, Kind.FUNCTION),
    (_LRU, Kind.CACHED),
    (weakref.ref, Kind.WEAKREF),
    (weakref.ProxyTypes, Kind.PROXY),
    (weakref.WeakSet, Kind.WEAKSET),
    (_WEAK_DICTS, Kind.WEAKDICT),
    (types.MappingProxyType, Kind.MAPPING_PROXY),
    ((random.Random, torch.Generator), Kind.GENERATOR),
)


def _is_of_numpys_random(cls: type[Any]) -> bool:
    # It takes long to import, and before somebody did there is no such class.
    home = sys.modules.get("numpy.random")
    return issubclass(cls, tuple(getattr(home, name) for name in ("Generator", "RandomState") if hasattr(home, name)))


def _kind_of_object(cls: type[Any]) -> Kind:
    if cls is types.SimpleNamespace:
        return Kind.OBJECT
    if not cls.__flags__ & _HEAP_TYPE:
        return Kind.ATOM
    home = cls.__module__ or ""
    top = home.partition(".")[0]
    if top in _TRAINERS:
        return Kind.DROPPED
    if top in _SERVICES or any(home == name or home.startswith(name + ".") for name in _TORCH_SERVICES):
        return Kind.ATOM
    if top in sys.stdlib_module_names and top != "__main__" and cls.__name__ not in _PLAIN_STDLIB:
        return Kind.ATOM
    if hasattr(cls, "__del__"):
        # The end of a copy must not close what belongs to the user.
        return Kind.ATOM
    try:
        object.__new__(cls)
    except TypeError:  # part of it lives in C, or it is abstract
        return Kind.ATOM
    return Kind.OBJECT


def slots_of(value: Any) -> Iterator[tuple[str, Any]]:
    """The filled ``__slots__`` of an object, names as the class mangles them."""
    cls: Any = type(value)
    for name in _slot_names(cls):
        with contextlib.suppress(AttributeError):
            yield name, object.__getattribute__(value, name)


@functools.lru_cache(maxsize=1024)
def _slot_names(cls: type[Any]) -> tuple[str, ...]:
    found = []
    for base in cls.__mro__:
        names = base.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else tuple(names):
            if name in ("__dict__", "__weakref__"):
                continue
            private = name.startswith("__") and not name.endswith("__")
            found.append(f"_{base.__name__.lstrip('_')}{name}" if private else name)
    return tuple(found)


def has_state(value: Any) -> bool:
    """Whether an object holds anything; one that does not is a token, compared by identity."""
    return bool(getattr(value, "__dict__", None)) or next(slots_of(value), None) is not None


def is_users(function: types.FunctionType) -> bool:
    """Whether a function was written by the user, in a notebook or a file, rather than by an installed library."""
    return not function.__code__.co_filename.startswith((*_LIBRARIES, "<frozen", "<eval_with_key>"))


def shared_globals(function: types.FunctionType) -> dict[str, Any] | None:
    """The globals of a user's function through which it could reach, or change, what is the user's.

    Returns
    -------
    dict or None
        The globals that it names, by name; None if it writes none and none of them is more than a plain value, a
        module, a class or a library's function.
    """
    if not is_users(function):
        return None
    names, writes = _global_names(function.__code__)
    world = function.__globals__
    found = {name: world[name] for name in names if name in world}
    if writes or any(kind_of_type(type(value)) not in (Kind.ATOM, Kind.FUNCTION) for value in found.values()):
        return found
    helpers = (value for value in found.values() if isinstance(value, types.FunctionType))
    return found if any(is_users(helper) and helper is not function for helper in helpers) else None


@functools.lru_cache(maxsize=1024)
def _global_names(code: types.CodeType) -> tuple[tuple[str, ...], bool]:
    names = dict.fromkeys(code.co_names)
    writes = any(step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") for step in dis.get_instructions(code))
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            inner, inner_writes = _global_names(const)
            names.update(dict.fromkeys(inner))
            writes |= inner_writes
    return tuple(names), writes


def belongs_to(value: Any, function: types.FunctionType) -> bool:
    """Whether an object met among a function's globals is of a class from the same file or notebook."""
    return bool(type(value).__module__ == function.__module__)


def inner_callable(function: Any) -> Any:
    """What a function made by ``torch.compile`` stands for; None for any other."""
    return getattr(function, "__dict__", {}).get("_torchdynamo_orig_callable")


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is ordinary memory, which a shadow's parameter can be pointed at."""
    return tensor.__class__ in (nn.Parameter, Tensor) or type(tensor.data) is Tensor


def is_followed(tensor: Tensor) -> bool:
    """Whether a shadow keeps up with all that may happen to a tensor: ``.data =``, ``.half()``, ``.to()``."""
    if isinstance(tensor, nn.Parameter):
        return is_plain(tensor)
    return tensor.__class__ is Tensor and not tensor.requires_grad
