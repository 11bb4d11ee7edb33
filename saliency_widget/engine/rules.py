"""Rebuild containers, callables, references and plain objects: all through which a module can be reached."""

from __future__ import annotations

import copy
import functools
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any, Protocol

import torch

from saliency_widget.engine.kinds import (
    ATOMS,
    Kind,
    belongs_to,
    has_state,
    inner_callable,
    kind_of_type,
    shared_globals,
    slots_of,
)

_BARE = (dict, OrderedDict)
_ALWAYS = ("__builtins__", "__name__", "__package__", "__spec__", "__file__")


class Build(Protocol):
    """What the rules need of a :class:`~saliency_widget.engine.rebuild.Rebuilder`."""

    held: list[Any]
    mutable: list[Any]
    worlds: dict[int, dict[str, Any]]

    def any(self, value: Any) -> Any:
        """Rebuild anything."""

    def remember(self, value: Any, result: Any) -> None:
        """Say what became of a value, before what it holds is rebuilt and may lead back to it."""


def _dict(build: Build, value: dict[Any, Any]) -> dict[Any, Any]:
    cls = type(value)
    new = cls.__new__(cls)
    build.remember(value, new)
    if cls is dict and ATOMS.issuperset(map(type, value)) and ATOMS.issuperset(map(type, value.values())):
        new.update(value)
        build.mutable.append(new)
        return new
    put = OrderedDict.__setitem__ if isinstance(value, OrderedDict) else dict.__setitem__
    for key, item in list(dict.items(value)):
        if key.__class__ not in ATOMS:
            key = build.any(key)
        put(new, key, item if item.__class__ in ATOMS else build.any(item))
    if cls not in _BARE:
        if isinstance(value, defaultdict):
            new.default_factory = build.any(value.default_factory)  # type: ignore[attr-defined]
        _own_state(build, value, new)
    build.mutable.append(new)
    return new


def _list(build: Build, value: list[Any]) -> list[Any]:
    new = type(value).__new__(type(value))
    build.remember(value, new)
    list.extend(new, [build.any(item) for item in list.__iter__(value)])
    _own_state(build, value, new)
    build.mutable.append(new)
    return new


def _tuple(build: Build, value: tuple[Any, ...]) -> tuple[Any, ...]:
    items = [build.any(item) for item in tuple.__iter__(value)]
    if all(new is old for new, old in zip(items, value, strict=True)):
        return value
    new = tuple.__new__(type(value), items)
    _own_state(build, value, new)
    return new


def _set(build: Build, value: Any) -> Any:
    items = [build.any(item) for item in value]
    if isinstance(value, frozenset):
        return frozenset.__new__(type(value), items)
    cls: Any = type(value)
    new = cls.__new__(cls)
    new.update(items)
    _own_state(build, value, new)
    build.mutable.append(new)
    return new


def _deque(build: Build, value: deque[Any]) -> deque[Any]:
    new: deque[Any] = deque(maxlen=value.maxlen)
    build.remember(value, new)
    new.extend(build.any(item) for item in list(value))
    build.mutable.append(new)
    return new


def _own_state(build: Build, value: Any, new: Any) -> None:
    for name, item in list(getattr(value, "__dict__", {}).items()):
        new.__dict__[name] = build.any(item)


def _method(build: Build, value: types.MethodType) -> Any:
    function, owner = build.any(value.__func__), build.any(value.__self__)
    if function is value.__func__ and owner is value.__self__:
        return value
    return types.MethodType(function, owner)


def _builtin(build: Build, value: Any) -> Any:
    owner = value.__self__
    if isinstance(owner, (type(None), types.ModuleType, type)):
        return value
    new = build.any(owner)
    return value if new is owner else getattr(new, value.__name__)


def _partial(build: Build, value: functools.partial[Any]) -> Any:
    new = type(value).__new__(
        type(value),
        build.any(value.func),
        *[build.any(item) for item in value.args],
        **{key: build.any(item) for key, item in value.keywords.items()},
    )
    build.remember(value, new)
    _own_state(build, value, new)
    return new


def _cached(build: Build, value: Any) -> Any:
    return functools.lru_cache(**value.cache_parameters())(build.any(value.__wrapped__))


def _function(build: Build, value: types.FunctionType) -> Any:
    inner = inner_callable(value)
    if inner is not None:
        return build.any(inner)
    names = shared_globals(value)
    world = value.__globals__ if names is None else _world_of(build, value)
    if world is value.__globals__ and not (value.__closure__ or value.__defaults__ or value.__kwdefaults__):
        return value
    cells = tuple(types.CellType() for _ in value.__closure__ or ())
    new = types.FunctionType(value.__code__, world, value.__name__, None, cells or None)
    build.remember(value, new)
    _fill(build, value, world, names or {})
    for cell, old in zip(cells, value.__closure__ or (), strict=True):
        try:
            cell.cell_contents = build.any(old.cell_contents)
        except ValueError:  # a variable that is not assigned yet
            continue
        build.mutable.append(cell)
    new.__defaults__ = None if value.__defaults__ is None else build.any(value.__defaults__)
    new.__kwdefaults__ = None if value.__kwdefaults__ is None else build.any(value.__kwdefaults__)
    new.__qualname__, new.__module__, new.__doc__ = value.__qualname__, value.__module__, value.__doc__
    _own_state(build, value, new)
    return new


def _world_of(build: Build, function: types.FunctionType) -> dict[str, Any]:
    """What a user's function sees as its globals: a hook that fills a notebook's dictionary fills a copy of it."""
    world = function.__globals__
    own = build.worlds.get(id(world))
    if own is None:
        # Not a copy of all: a notebook's variables would keep the model itself alive.
        own = build.worlds[id(world)] = {name: world[name] for name in _ALWAYS if name in world}
        build.mutable.append(own)
    return own


def _fill(build: Build, function: types.FunctionType, own: dict[str, Any], names: dict[str, Any]) -> None:
    """Give a function the globals it names, which may lead back to the function itself."""
    for name, value in names.items():
        foreign = kind_of_type(type(value)) is Kind.OBJECT and not belongs_to(value, function)
        own[name] = value if foreign else build.any(value)


def _weakref(build: Build, value: Any) -> Any:
    target = value()
    if target is None:
        return value
    new = build.any(target)
    build.held.append(new)
    if type(value) is weakref.ref:
        return weakref.ref(new)
    return weakref.WeakMethod(new) if type(value) is weakref.WeakMethod else value


def _proxy(build: Build, value: Any) -> Any:
    try:
        target = value.__repr__.__self__
    except ReferenceError:
        return value
    new = build.any(target)
    build.held.append(new)
    return weakref.proxy(new)


def _weakset(build: Build, value: Any) -> Any:
    items = [build.any(item) for item in list(value)]
    build.held.extend(items)
    return weakref.WeakSet(items)


def _weakdict(build: Build, value: Any) -> Any:
    items = {build.any(key): build.any(item) for key, item in list(value.items())}
    build.held.append(items)
    return type(value)(items)


def _mapping_proxy(build: Build, value: Any) -> Any:
    return types.MappingProxyType({build.any(key): build.any(item) for key, item in value.items()})


def _array(build: Build, value: Any) -> Any:
    if value.dtype == object:
        return value
    new = value.copy()
    build.mutable.append(new)
    return new


def _generator(build: Build, value: Any) -> Any:
    try:
        if not isinstance(value, torch.Generator):
            return copy.deepcopy(value)
        new = torch.Generator(value.device)
        new.set_state(value.get_state())
    except (NotImplementedError, RuntimeError, TypeError):  # one that has no state of its own
        return value
    return new


def _object(build: Build, value: Any) -> Any:
    if not has_state(value):
        return value
    cls = type(value)
    new = cls() if cls is types.SimpleNamespace else object.__new__(cls)
    build.remember(value, new)
    for name, item in slots_of(value):
        object.__setattr__(new, name, build.any(item))
    if hasattr(value, "__dict__"):
        _own_state(build, value, new)
        build.mutable.append(new.__dict__)
    return new


def _dropped(build: Build, value: Any) -> None:
    return None


RULES: dict[Kind, Callable[[Build, Any], Any]] = {
    Kind.DICT: _dict,
    Kind.LIST: _list,
    Kind.TUPLE: _tuple,
    Kind.SET: _set,
    Kind.DEQUE: _deque,
    Kind.ARRAY: _array,
    Kind.METHOD: _method,
    Kind.BUILTIN: _builtin,
    Kind.PARTIAL: _partial,
    Kind.CACHED: _cached,
    Kind.FUNCTION: _function,
    Kind.WEAKREF: _weakref,
    Kind.PROXY: _proxy,
    Kind.WEAKSET: _weakset,
    Kind.WEAKDICT: _weakdict,
    Kind.MAPPING_PROXY: _mapping_proxy,
    Kind.GENERATOR: _generator,
    Kind.OBJECT: _object,
    Kind.DROPPED: _dropped,
}
"""How each kind is rebuilt, but for modules and tensors."""
