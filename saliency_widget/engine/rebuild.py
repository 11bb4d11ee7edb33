"""Rebuild a module tree so that nothing in it leads back to the user's model."""

from __future__ import annotations

import contextlib
import copy
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from saliency_widget.engine import norms
from saliency_widget.engine.keras_twin import part_twin, root_twin
from saliency_widget.engine.kinds import ATOMS, STANDARD, Kind, kind_of_type, slots_of
from saliency_widget.engine.rules import RULES
from saliency_widget.engine.weights import Pair
from saliency_widget.models.keras_model import is_keras
from saliency_widget.models.unwrap import unwrap

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


# What says something of hooks that are elsewhere, by a number that is each hook's own, or of hooks that no forward pass
# calls. All modules of a shadow have one in common, because there are thousands, and each is looked at after each pass.
_COMMON = frozenset(
    [
        "_forward_hooks_with_kwargs",
        "_forward_hooks_always_called",
        "_forward_pre_hooks_with_kwargs",
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "_load_state_dict_pre_hooks",
        "_load_state_dict_post_hooks",
    ]
)


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
    worlds
        The globals of the user's functions, by the id of the originals.
    scripted
        Some module is a ScriptModule, which no function mode sees into.
    batch_statistics
        Some module normalises by the statistics of its batch.
    backward_hooks
        How many of the user's backward hooks were left out.
    notes
        What a user should know.
    """

    def __init__(self, *, clone: bool = False) -> None:
        self._clone = clone
        self._memo: dict[int, Any] = {}
        self._sources: list[Any] = []  # an id in the memo is good only as long as its object lives
        self.worlds: dict[int, dict[str, Any]] = {}
        self.views: list[Pair] = []
        self.copies: list[Pair] = []
        self.held: list[Any] = []
        self.mutable: list[Any] = []
        self._common: OrderedDict[Any, Any] = OrderedDict()
        self.empty: list[Any] = [self._common]
        self.scripted = False
        self.batch_statistics = False
        self.backward_hooks = 0
        self.notes: list[str] = []

    def root(self, model: nn.Module) -> nn.Module:
        """Rebuild a model; the memo is dropped afterwards, because it holds the original."""
        try:
            result = self._of_keras(model, whole=True) if is_keras(model) else self.any(model)
            assert isinstance(result, nn.Module)
            return result
        finally:
            self._memo.clear()
            self._sources.clear()
            self.worlds.clear()

    def any(self, value: Any) -> Any:
        """Rebuild anything; what cannot lead to the model is returned as it is."""
        cls = type(value)
        kind = kind_of_type(cls)
        if kind is Kind.ATOM:
            return value
        key = id(value)
        if key in self._memo:
            return self._memo[key]
        result: Any
        if kind is Kind.MODULE:
            result = self._module(value)
        elif kind is Kind.TENSOR:
            result = self._tensor(value)
        else:
            result = RULES[kind](self, value)
        if key not in self._memo:
            self.remember(value, result)
        return result

    def remember(self, value: Any, result: Any) -> None:
        """Say what became of a value, before what it holds is rebuilt and may lead back to it."""
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
        if is_keras(module):
            return self._of_keras(module)
        new: nn.Module = object.__new__(type(module))
        self.remember(module, new)
        state = new.__dict__
        for name, value in list(module.__dict__.items()):
            cls = value.__class__
            if cls in ATOMS:
                state[name] = False if value is True and name in _CHECKPOINTING else value
            elif name in _COMMON and not value and cls is OrderedDict:
                state[name] = self._common
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

    def _of_keras(self, module: nn.Module, *, whole: bool = False) -> nn.Module:
        new: nn.Module
        if whole:
            new, views, copies, notes = root_twin(module, self._clone)
            self.notes += notes
        else:
            new, views, copies = part_twin(module, self._clone)
        self.views += views
        self.copies += copies
        self.remember(module, new)
        return new

    def _script(self, module: nn.Module) -> nn.Module:
        # A ScriptModule clones its parameters by differentiable operators.
        with torch.no_grad():
            new = copy.deepcopy(module)
        self.remember(module, new)
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
        if not tensor.requires_grad or self._clone:
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
        (self.copies if self._clone else self.views).append((weakref.ref(parameter), new))
        return new


def _all_tensors(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value
    return all(isinstance(item, Tensor) for item in items)


def _keep(tensor: Tensor) -> Callable[[], Tensor]:
    # A ScriptModule makes a new wrapper each time it is asked for a tensor; a weak reference to one dies at once.
    return lambda: tensor
