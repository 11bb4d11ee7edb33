"""Rebuild a module tree so that nothing in it leads back to the user's model."""

from __future__ import annotations

import contextlib
import copy
import functools
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from saliency_widget.engine import norms
from saliency_widget.engine.kinds import (
    ATOMS,
    STANDARD,
    Kind,
    belongs_to,
    has_state,
    inner_callable,
    kind_of_type,
    shared_globals,
    slots_of,
)
from saliency_widget.models.unwrap import unwrap

_BARE = (dict, OrderedDict)
TensorRef = Callable[[], Tensor | None]

# Hooks that no forward pass calls, and backward hooks: the map is the derivative of the score, whatever a hook that
# serves training makes of a gradient.
_EMPTIED = frozenset(
    [
        "_backward_hooks",
        "_backward_pre_hooks",
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "_load_state_dict_pre_hooks",
        "_load_state_dict_post_hooks",
    ]
)
# Recomputing activations saves memory in training; its older form cannot be differentiated towards an input.
_CHECKPOINTING = frozenset({"grad_checkpointing", "gradient_checkpointing", "use_checkpoint", "with_cp"})


class Rebuilder:
    """Rebuilds whatever is reachable from a module, each thing once.

    Parameters
    ----------
    clone
        Give the shadow its own weights rather than views of the user's.

    Attributes
    ----------
    views
        Pairs of an original parameter (weakly) and the shadow's, which shares its storage.
    copies
        Pairs of an original tensor (weakly) and the shadow's own copy of it.
    held
        What only a weak reference in the shadow points to.
    mutable
        Every rebuilt dictionary, list, set or object state a forward pass could write into.
    empty
        The same, for those that are empty.
    scripted
        Some module is a ScriptModule, which no function mode sees into.
    batch_statistics
        Some module normalises by the statistics of its batch.
    backward_hooks
        How many of the user's backward hooks were left out.
    """

    def __init__(self, *, clone: bool = False) -> None:
        self._clone = clone
        self._memo: dict[int, Any] = {}
        self._sources: list[Any] = []  # an id in the memo is good only as long as its object lives
        self._globals: dict[int, dict[str, Any]] = {}
        self.views: list[tuple[TensorRef, Tensor]] = []
        self.copies: list[tuple[TensorRef, Tensor]] = []
        self.held: list[Any] = []
        self.mutable: list[Any] = []
        self.empty: list[Any] = []
        self.scripted = False
        self.batch_statistics = False
        self.backward_hooks = 0

    def root(self, model: nn.Module) -> nn.Module:
        """Rebuild a model; the memo is dropped afterwards, because it holds the original."""
        try:
            result = self.any(model)
            assert isinstance(result, nn.Module)
            return result
        finally:
            self._memo.clear()
            self._sources.clear()
            self._globals.clear()

    def any(self, value: Any) -> Any:
        """Rebuild anything; what cannot lead to the model is returned as it is."""
        cls = type(value)
        kind = kind_of_type(cls)
        if kind is Kind.ATOM:
            return value
        key = id(value)
        if key in self._memo:
            return self._memo[key]
        result = _RULES[kind](self, value)
        if key not in self._memo:
            self._remember(value, result)
        return result

    def _remember(self, value: Any, result: Any) -> None:
        self._memo[id(value)] = result
        self._sources.append(value)

    # -- modules ------------------------------------------------------------------------------------------------

    def _module(self, given: nn.Module) -> nn.Module:
        module = unwrap(given)
        if module is not given:
            result: nn.Module = self.any(module)
            return result
        if isinstance(module, torch.jit.ScriptModule):
            return self._script(module)
        new: nn.Module = object.__new__(type(module))
        self._remember(module, new)
        state = new.__dict__
        for name, value in list(module.__dict__.items()):
            cls = value.__class__
            if cls in ATOMS:
                state[name] = False if value is True and name in _CHECKPOINTING else value
            elif name in STANDARD and not value:
                state[name] = empty = cls()
                self.empty.append(empty)
            else:
                state[name] = self._attribute(name, value)
        for name, value in slots_of(module):
            object.__setattr__(new, name, self.any(value))
        state["training"] = False
        norms.write_out(new)
        self.batch_statistics |= norms.depends_on_batch(new)
        self.mutable.append(state)
        return new

    def _attribute(self, name: str, value: Any) -> Any:
        if name in _EMPTIED:
            if "backward" in name:
                self.backward_hooks += len(value)
            return OrderedDict()
        if name in ("_compiled_call_impl", "_is_full_backward_hook"):
            return None
        if name == "_graph" and isinstance(value, torch.fx.Graph):
            # Every node of a graph leads to the GraphModule that owns it.
            return copy.deepcopy(value)
        if "cache" in name and type(value) in (dict, OrderedDict, list) and _all_tensors(value):
            empty = type(value)()
            self.empty.append(empty)
            return empty
        return self.any(value)

    def _script(self, module: nn.Module) -> nn.Module:
        # A ScriptModule clones its parameters by differentiable operators.
        with torch.no_grad():
            new = copy.deepcopy(module)
        self._remember(module, new)
        self.scripted = True
        for part in new.modules():
            # A frozen ScriptModule has no such flag any more.
            with contextlib.suppress(RuntimeError, AttributeError):
                part.training = False
        for parameter in new.parameters():
            parameter.requires_grad_(False)
        theirs, mine = [*module.parameters(), *module.buffers()], [*new.parameters(), *new.buffers()]
        self.copies += [(_keep(old), own) for old, own in zip(theirs, mine, strict=True)]
        return new

    # -- tensors ------------------------------------------------------------------------------------------------

    def _tensor(self, tensor: Tensor) -> Tensor:
        if tensor.is_meta:
            return tensor
        if isinstance(tensor, nn.Parameter):
            return self._parameter(tensor)
        if tensor.requires_grad and not self._clone:
            return tensor.detach()
        own = tensor.detach().clone()
        if not tensor.requires_grad:
            self.copies.append((weakref.ref(tensor), own))
        return own

    def _parameter(self, parameter: nn.Parameter) -> Tensor:
        shared = parameter.detach()
        own = shared.clone() if self._clone or parameter.is_inference() else shared
        new: Tensor
        if type(parameter) is nn.Parameter or type(own) is not Tensor:
            new = nn.Parameter(own, requires_grad=False)
        else:
            new = Tensor._make_subclass(type(parameter), own, False)
        if parameter.__dict__:
            new.__dict__.update(parameter.__dict__)
        if not self._clone:
            self.views.append((weakref.ref(parameter), new))
        return new

    # -- containers ---------------------------------------------------------------------------------------------

    def _dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        cls = type(value)
        new = cls.__new__(cls)
        self._remember(value, new)
        put = OrderedDict.__setitem__ if isinstance(value, OrderedDict) else dict.__setitem__
        for key, item in list(dict.items(value)):
            if key.__class__ not in ATOMS:
                key = self.any(key)
            put(new, key, item if item.__class__ in ATOMS else self.any(item))
        if cls not in _BARE:
            if isinstance(value, defaultdict):
                new.default_factory = self.any(value.default_factory)  # type: ignore[attr-defined]
            self._own_state(value, new)
        self.mutable.append(new)
        return new

    def _list(self, value: list[Any]) -> list[Any]:
        new = type(value).__new__(type(value))
        self._remember(value, new)
        list.extend(new, [self.any(item) for item in list.__iter__(value)])
        self._own_state(value, new)
        self.mutable.append(new)
        return new

    def _tuple(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        items = [self.any(item) for item in tuple.__iter__(value)]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        new = tuple.__new__(type(value), items)
        self._own_state(value, new)
        return new

    def _set(self, value: Any) -> Any:
        items = [self.any(item) for item in value]
        if isinstance(value, frozenset):
            return frozenset.__new__(type(value), items)
        cls: Any = type(value)
        new = cls.__new__(cls)
        new.update(items)
        self._own_state(value, new)
        self.mutable.append(new)
        return new

    def _deque(self, value: deque[Any]) -> deque[Any]:
        new: deque[Any] = deque(maxlen=value.maxlen)
        self._remember(value, new)
        new.extend(self.any(item) for item in list(value))
        self.mutable.append(new)
        return new

    def _own_state(self, value: Any, new: Any) -> None:
        for name, item in list(getattr(value, "__dict__", {}).items()):
            new.__dict__[name] = self.any(item)

    # -- callables ----------------------------------------------------------------------------------------------

    def _method(self, value: types.MethodType) -> Any:
        function, owner = self.any(value.__func__), self.any(value.__self__)
        if function is value.__func__ and owner is value.__self__:
            return value
        return types.MethodType(function, owner)

    def _builtin(self, value: Any) -> Any:
        owner = value.__self__
        if isinstance(owner, (type(None), types.ModuleType, type)):
            return value
        new = self.any(owner)
        return value if new is owner else getattr(new, value.__name__)

    def _partial(self, value: functools.partial[Any]) -> Any:
        new = type(value).__new__(
            type(value),
            self.any(value.func),
            *[self.any(item) for item in value.args],
            **{key: self.any(item) for key, item in value.keywords.items()},
        )
        self._remember(value, new)
        self._own_state(value, new)
        return new

    def _cached(self, value: Any) -> Any:
        return functools.lru_cache(**value.cache_parameters())(self.any(value.__wrapped__))

    def _function(self, value: types.FunctionType) -> Any:
        inner = inner_callable(value)
        if inner is not None:
            return self.any(inner)
        world = self._globals_of(value)
        if world is value.__globals__ and not (value.__closure__ or value.__defaults__ or value.__kwdefaults__):
            return value
        cells = tuple(types.CellType() for _ in value.__closure__ or ())
        new = types.FunctionType(value.__code__, world, value.__name__, None, cells or None)
        self._remember(value, new)
        for cell, old in zip(cells, value.__closure__ or (), strict=True):
            try:
                cell.cell_contents = self.any(old.cell_contents)
            except ValueError:  # a variable that is not assigned yet
                continue
            self.mutable.append(cell)
        new.__defaults__ = None if value.__defaults__ is None else self.any(value.__defaults__)
        new.__kwdefaults__ = None if value.__kwdefaults__ is None else self.any(value.__kwdefaults__)
        new.__qualname__, new.__module__, new.__doc__ = value.__qualname__, value.__module__, value.__doc__
        self._own_state(value, new)
        return new

    def _globals_of(self, function: types.FunctionType) -> dict[str, Any]:
        """What a user's function sees as its globals: a hook that fills a notebook's dictionary fills a copy of it."""
        world = function.__globals__
        names = shared_globals(function)
        if names is None:
            return world
        own = self._globals.get(id(world))
        if own is None:
            own = self._globals[id(world)] = dict(world)
            self.mutable.append(own)
        for name, value in names.items():
            if kind_of_type(type(value)) is not Kind.OBJECT or belongs_to(value, function):
                own[name] = self.any(value)
        return own

    # -- the rest -----------------------------------------------------------------------------------------------

    def _weakref(self, value: Any) -> Any:
        target = value()
        if target is None:
            return value
        new = self.any(target)
        self.held.append(new)
        if type(value) is weakref.ref:
            return weakref.ref(new)
        return weakref.WeakMethod(new) if type(value) is weakref.WeakMethod else value

    def _proxy(self, value: Any) -> Any:
        try:
            target = value.__repr__.__self__
        except ReferenceError:
            return value
        new = self.any(target)
        self.held.append(new)
        return weakref.proxy(new)

    def _weakset(self, value: Any) -> Any:
        items = [self.any(item) for item in list(value)]
        self.held.extend(items)
        return weakref.WeakSet(items)

    def _weakdict(self, value: Any) -> Any:
        items = {self.any(key): self.any(item) for key, item in list(value.items())}
        self.held.append(items)
        return type(value)(items)

    def _mapping_proxy(self, value: Any) -> Any:
        return types.MappingProxyType({self.any(key): self.any(item) for key, item in value.items()})

    def _array(self, value: Any) -> Any:
        return value if value.dtype == object else value.copy()

    def _object(self, value: Any) -> Any:
        if not has_state(value):
            return value
        cls = type(value)
        new = cls() if cls is types.SimpleNamespace else object.__new__(cls)
        self._remember(value, new)
        for name, item in slots_of(value):
            object.__setattr__(new, name, self.any(item))
        if hasattr(value, "__dict__"):
            self._own_state(value, new)
            self.mutable.append(new.__dict__)
        return new

    def _dropped(self, value: Any) -> None:
        return None


_RULES: dict[Kind, Callable[[Rebuilder, Any], Any]] = {
    Kind.MODULE: Rebuilder._module,
    Kind.TENSOR: Rebuilder._tensor,
    Kind.DICT: Rebuilder._dict,
    Kind.LIST: Rebuilder._list,
    Kind.TUPLE: Rebuilder._tuple,
    Kind.SET: Rebuilder._set,
    Kind.DEQUE: Rebuilder._deque,
    Kind.ARRAY: Rebuilder._array,
    Kind.METHOD: Rebuilder._method,
    Kind.BUILTIN: Rebuilder._builtin,
    Kind.PARTIAL: Rebuilder._partial,
    Kind.CACHED: Rebuilder._cached,
    Kind.FUNCTION: Rebuilder._function,
    Kind.WEAKREF: Rebuilder._weakref,
    Kind.PROXY: Rebuilder._proxy,
    Kind.WEAKSET: Rebuilder._weakset,
    Kind.WEAKDICT: Rebuilder._weakdict,
    Kind.MAPPING_PROXY: Rebuilder._mapping_proxy,
    Kind.OBJECT: Rebuilder._object,
    Kind.DROPPED: Rebuilder._dropped,
}


def _all_tensors(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value
    return all(isinstance(item, Tensor) for item in items)


def _keep(tensor: Tensor) -> TensorRef:
    # A ScriptModule makes a new wrapper each time it is asked for a tensor; a weak reference to one dies at once.
    return lambda: tensor
