"""What an object of a model's tree consists of, as a list that can be compared."""

from __future__ import annotations

import contextlib
import types
import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from saliency_widget.engine.kinds import (
    Kind,
    belongs_to,
    has_state,
    is_followed,
    kind_of_type,
    shared_globals,
    slots_of,
)

EMPTY = -1


class Tokens:
    """Describes one object; what it refers to is described only as far as it has no description of its own.

    Attributes
    ----------
    tokens
        The description: values, and the ids of what is compared by identity.
    nodes
        The modules and plain objects it refers to, each of which is described by itself.
    alive
        Weak references to what is compared by identity: an id proves it only while the first object that had it lives.
    """

    def __init__(self) -> None:
        self.tokens: list[Any] = []
        self.nodes: list[Any] = []
        self.alive: list[weakref.ref[Any]] = []
        # Holding what was seen, because some of it is made on the way and its id must not serve twice.
        self._seen: dict[int, Any] = {}

    def visit(self, value: Any) -> None:
        """Add a value that an object refers to."""
        kind = kind_of_type(type(value))
        if kind is Kind.ATOM:
            self.tokens.append(value if type(value) in BY_VALUE else id(value))
            return
        if kind in BY_CONTENT and kind is not Kind.ARRAY and not value:
            self.tokens.append(EMPTY)
            return
        if kind not in BY_CONTENT:
            self.tokens.append(id(value))
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if kind not in BY_CONTENT:
            with contextlib.suppress(TypeError):
                self.alive.append(weakref.ref(value))
                if kind is Kind.MODULE or kind is Kind.OBJECT:
                    self.nodes.append(value)
                    return
        self._inside(kind, value)

    def _inside(self, kind: Kind, value: Any) -> None:
        if kind is Kind.TENSOR:
            self._tensor(value)
        elif kind in (Kind.DICT, Kind.LIST) and _is_flat(value):
            # A configuration or a vocabulary, say: compared in C.
            self.tokens.append((*value, *value.values()) if kind is Kind.DICT else (*value,))
        elif kind is Kind.DICT:
            self.tokens.append(len(value))
            for key, item in list(dict.items(value)):
                self.visit(key)
                self.visit(item)
        elif kind is Kind.ARRAY:
            self.tokens.append((value.shape, value.dtype, value.tobytes() if value.nbytes < 1 << 20 else id(value)))
        elif kind is Kind.OBJECT:
            if has_state(value):
                self.slots(value)
        else:
            for item in _parts(kind, value):
                self.visit(item)

    def slots(self, value: Any) -> None:
        """Add what an object keeps in ``__slots__``."""
        for name, item in slots_of(value):
            self.tokens.append(name)
            self.visit(item)

    def tensors(self, held: dict[str, Tensor | None]) -> None:
        """Add a module's parameters or buffers."""
        for name, tensor in held.copy().items():
            self.tokens.append(name)
            # A shadow follows the storage of these, and with it their shape and type, by itself.
            if tensor is None or (tensor.__class__ is not nn.Parameter and not is_followed(tensor)):
                self.visit(tensor)
                continue
            self.tokens.append(id(tensor))
            self.alive.append(weakref.ref(tensor))

    def _tensor(self, tensor: Tensor) -> None:
        if is_followed(tensor):
            return
        self.tokens.append((tensor.shape, tensor.dtype, tensor.device))
        if tensor.requires_grad:
            try:
                self.tokens.append((tensor.data_ptr(), tensor.stride()))
            except RuntimeError:
                self.tokens.append(0)


BY_VALUE = frozenset({type(None), bool, int, float, complex, str, bytes, range, torch.dtype, torch.device, torch.Size})
# Compared by what they hold: they cannot all be referred to weakly, and equal ones serve equally well.
BY_CONTENT = frozenset({Kind.DICT, Kind.LIST, Kind.TUPLE, Kind.SET, Kind.DEQUE, Kind.ARRAY, Kind.MAPPING_PROXY})


def _is_flat(value: Any) -> bool:
    items = (*value, *value.values()) if isinstance(value, dict) else value
    kinds = {*map(type, items)} - BY_VALUE
    return not kinds or (kinds == {tuple} and all(type(item) in BY_VALUE or is_constant(item) for item in items))


def is_constant(value: Any) -> bool:
    """Whether it is a tuple of values that never change."""
    return type(value) is tuple and all(type(item) in BY_VALUE for item in value)


def _parts(kind: Kind, value: Any) -> Iterator[Any]:
    if kind in (Kind.LIST, Kind.TUPLE, Kind.DEQUE):
        yield len(value)
        yield from list(value)
    elif kind is Kind.SET:
        yield len(value)
        yield from sorted(value, key=hash)
    elif kind is Kind.MAPPING_PROXY:
        yield dict(value)
    elif kind is Kind.METHOD:
        yield value.__func__
        yield value.__self__
    elif kind is Kind.BUILTIN:
        yield value.__name__
        yield value.__self__
    elif kind is Kind.PARTIAL:
        yield from (value.func, value.args, value.keywords)
    elif kind is Kind.CACHED:
        yield value.__wrapped__
    elif kind in (Kind.WEAKREF, Kind.PROXY):
        yield _referent(value)
    elif kind is Kind.WEAKSET:
        yield set(value)
    elif kind is Kind.WEAKDICT:
        yield dict(value.items())
    elif kind is Kind.FUNCTION:
        yield from _function_parts(value)


def _function_parts(function: types.FunctionType) -> Iterator[Any]:
    yield from (function.__defaults__, function.__kwdefaults__, function.__dict__)
    for cell in function.__closure__ or ():
        # A variable that is not assigned yet has no contents.
        with contextlib.suppress(ValueError):
            yield cell.cell_contents
    for name, value in (shared_globals(function) or {}).items():
        yield name
        if kind_of_type(type(value)) is not Kind.OBJECT or belongs_to(value, function):
            yield value
        else:
            yield id(value)


def _referent(value: Any) -> Any:
    if isinstance(value, weakref.ref):
        return value()
    try:
        return value.__repr__.__self__
    except ReferenceError:
        return None
