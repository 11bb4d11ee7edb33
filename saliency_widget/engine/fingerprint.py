"""Tell whether a model is still the one that a shadow was made from."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import nn

from saliency_widget.engine.kinds import STANDARD, is_followed, slots_of
from saliency_widget.engine.tokens import BY_VALUE, EMPTY, Tokens

# Modes change every epoch and mean nothing to the shadow; hooks that no forward calls mean nothing either.
_IGNORED = frozenset(
    [
        "training",
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "_load_state_dict_pre_hooks",
        "_load_state_dict_post_hooks",
        "_compiled_call_impl",
        "_is_full_backward_hook",
        "_non_persistent_buffers_set",
        "_graph",
    ]
)
_HELD = ("_parameters", "_buffers", "_modules")
_NOTHING: dict[str, Any] = {}


class Fingerprint:
    """What decides whether a shadow can be used again: the tree, its plain attributes and its hooks.

    The contents of parameters and buffers do not belong to it: a shadow sees the first and copies the second anew for
    each run.

    Parameters
    ----------
    model
        The model. It is only referred to weakly.
    """

    def __init__(self, model: nn.Module) -> None:
        self._nodes: list[_Node] = []
        self._alive: list[weakref.ref[Any]] = []
        seen = {id(model)}
        waiting: list[Any] = [model]
        while waiting:
            node = _Node(waiting.pop())
            self._nodes.append(node)
            for found in node.found:
                if id(found) not in seen:
                    seen.add(id(found))
                    waiting.append(found)
            self._alive += node.alive
            node.found, node.alive = [], []

    def matches(self) -> bool:
        """Whether the model is unchanged."""
        for reference in self._alive:
            if reference() is None:
                return False
        return all(map(_Node.matches, self._nodes))


class _Node:
    """A module or a plain object.

    Most of them never change, and that is seen at a glance: each attribute is the very object it was. Only where it is
    not, and for what can change inside, the whole description is compared.
    """

    __slots__ = ("_contents", "_empty", "_glance", "_inner", "_kept", "_reference", "_tokens", "alive", "found")

    def __init__(self, thing: Any) -> None:
        self._reference = weakref.ref(thing)
        described = _describe(thing)
        self._tokens, self.found, self.alive = described.tokens, described.nodes, described.alive
        # Nothing can be told at a glance until the second look: many models are explained once.
        self._glance: tuple[tuple[int, ...], ...] = ()
        self._inner = True

    def _look(self, thing: Any) -> None:
        """Remember what is to be seen at a glance; nothing if a glance cannot tell."""
        state = getattr(thing, "__dict__", _NOTHING)
        self._inner = isinstance(thing, torch.jit.ScriptModule) or next(slots_of(thing), None) is not None
        ids = [id(value) for value in state.values()]
        self._kept, self._contents, self._empty = [], [], []
        module = isinstance(thing, nn.Module)
        for name, value in state.items():
            if module and name in STANDARD:
                if name in _HELD:
                    self._contents.append((name, tuple(map(id, value.values()))))
                    tensors = (item for item in value.values() if isinstance(item, torch.Tensor))
                    self._inner = self._inner or not all(map(is_followed, tensors))
                elif name not in _IGNORED:
                    self._inner = self._inner or bool(value)
                    self._empty.append(value)
            elif value.__class__ in BY_VALUE or _is_constant(value):
                # Held, so that its id stays its own.
                self._kept.append(value)
            else:
                self._inner = self._inner or not isinstance(value, (nn.Module, type))
        self._glance = (tuple(ids),)
        if "training" in state:
            at = list(state).index("training")
            self._glance = tuple((*ids[:at], id(mode), *ids[at + 1 :]) for mode in (True, False))

    def matches(self) -> bool:
        thing = self._reference()
        if thing is None:
            return False
        if not self._inner:
            state = getattr(thing, "__dict__", _NOTHING)
            if tuple(map(id, state.values())) in self._glance and not any(self._empty):
                for name, ids in self._contents:
                    held = state[name]
                    if len(held) != len(ids) or (ids and tuple(map(id, held.values())) != ids):
                        break
                else:
                    return True
        if _describe(thing).tokens != self._tokens:
            return False
        self._look(thing)
        return True


def _describe(thing: Any) -> Tokens:
    made = Tokens()
    if isinstance(thing, torch.jit.ScriptModule):
        # Its code cannot change. The replica holds its tensors, whose ids therefore stay.
        made.tokens = [id(tensor) for tensor in (*thing.parameters(), *thing.buffers())]
        return made
    state = dict(getattr(thing, "__dict__", _NOTHING))
    made.tokens.append(tuple(state))
    module = isinstance(thing, nn.Module)
    for name, value in state.items():
        if module and name in _IGNORED:
            continue
        if value.__class__ in BY_VALUE:
            made.tokens.append(value)
        elif name in STANDARD and not value:
            made.tokens.append(EMPTY)
        elif module and name in _HELD[:2]:
            made.tensors(value)
        elif not (module and "cache" in name and type(value) in (dict, list)):
            made.visit(value)
    made.slots(thing)
    return made


def _is_constant(value: Any) -> bool:
    return value.__class__ is tuple and all(item.__class__ in BY_VALUE for item in value)
