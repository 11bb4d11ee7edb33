"""Tell whether a model is still the one that a shadow was made from."""

from __future__ import annotations

import operator
import weakref
from collections import OrderedDict
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saliency_widget.engine.kinds import STANDARD, is_followed, slots_of
from saliency_widget.engine.tokens import BY_VALUE, EMPTY, Tokens, is_constant

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
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_NOTHING: dict[str, Any] = {}
_THING = weakref.ref.__call__
_STATE = operator.attrgetter("__dict__")
_DICTS = operator.itemgetter(*_HELD, *_HOOKS)


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
        # Tells by itself when something is gone, so that nobody has to ask each of them.
        self._gone: list[Any] = []
        self._alive: list[weakref.ref[Any]] = []
        # Nothing can be told at a glance until the second look: many models are explained once.
        self._glance: _Glance | None = None
        seen = {id(model)}
        waiting: list[Any] = [model]
        while waiting:
            thing = waiting.pop()
            described = _describe(thing)
            self._nodes.append(_Node(weakref.ref(thing), described.tokens))
            for found in described.nodes:
                if id(found) not in seen:
                    seen.add(id(found))
                    waiting.append(found)
            for reference in described.alive:
                held = reference()
                if held is None:
                    self._gone.append(reference)
                else:
                    self._alive.append(weakref.ref(held, self._gone.append))

    def matches(self) -> bool:
        """Whether the model is unchanged."""
        if self._gone:
            return False
        glance = self._glance
        if glance is not None and glance.matches():
            return all(map(_Node.matches, glance.rest))
        if not all(map(_Node.matches, self._nodes)):
            return False
        self._glance = _Glance(self._nodes)
        return True


class _Node(NamedTuple):
    """A module or a plain object, and its whole description."""

    reference: weakref.ref[Any]
    tokens: list[Any]

    def matches(self) -> bool:
        thing = self.reference()
        return thing is not None and _describe(thing).tokens == self.tokens


class _Glance:
    """All at once of those nodes of which each attribute is the very object it was, as it is of most that never change.

    What it compares lies in the model's own dictionaries, which are strangers to the cache after each forward pass: it
    touches each of them once, in loops that run in C. Of what could lead back to the model it keeps ids alone.

    Attributes
    ----------
    rest
        The nodes of which a glance does not tell, because of what can change inside them.
    """

    def __init__(self, nodes: list[_Node]) -> None:
        self.rest: list[_Node] = []
        # By the names of their attributes, those of modules first.
        alike: dict[tuple[bool, tuple[str, ...]], list[Any]] = {}
        for node in nodes:
            thing = node.reference()
            if thing is None or not _tells(thing):
                self.rest.append(node)
            else:
                alike.setdefault((not isinstance(thing, nn.Module), tuple(thing.__dict__)), []).append(thing)
        things: list[Any] = []
        self._groups: list[tuple[slice, operator.itemgetter[Any], list[Any]]] = []
        self._modules = sum(len(group) for (plain, _), group in alike.items() if not plain)
        for (plain, names), group in sorted(alike.items(), key=lambda item: item[0][0]):
            read = [name for name in names if plain or not (name in STANDARD or name in _IGNORED)]
            if read:
                # Twice, because an itemgetter of a single one gives no tuple.
                get = operator.itemgetter(*read, read[0])
                kept = [value for thing in group for value in get(thing.__dict__)]
                self._groups.append((slice(len(things), len(things) + len(group)), get, kept))
            things += group
        self._references = [weakref.ref(thing) for thing in things]
        self._counts = [len(thing.__dict__) for thing in things]
        dicts = [held for thing in things[: self._modules] for held in _DICTS(thing.__dict__)]
        self._lengths = [len(held) for held in dicts]
        self._filled = [k for k, length in enumerate(self._lengths) if length]
        self._ids = [id(value) for k in self._filled for value in dict.values(dicts[k])]

    def matches(self) -> bool:
        try:
            return self._matches()
        except (AttributeError, KeyError, TypeError):
            # A thing is gone, or has lost what it had.
            return False

    def _matches(self) -> bool:
        states: list[dict[str, Any]] = [*map(_STATE, map(_THING, self._references))]
        if [*map(len, states)] != self._counts:
            return False
        dicts = [*chain.from_iterable(map(_DICTS, states[: self._modules]))]
        if [*map(len, dicts)] != self._lengths:
            return False
        inside = chain.from_iterable(map(dict.values, map(dicts.__getitem__, self._filled)))
        if [*map(id, inside)] != self._ids:
            return False
        return all(
            all(map(operator.is_, chain.from_iterable(map(get, states[where])), kept))
            for where, get, kept in self._groups
        )


def _tells(thing: Any) -> bool:
    """Whether everything in a thing is either what does not change inside, or looked at."""
    if isinstance(thing, torch.jit.ScriptModule) or next(slots_of(thing), None) is not None:
        return False
    state = getattr(thing, "__dict__", None)
    if type(state) is not dict:
        return False
    module = isinstance(thing, nn.Module)
    for name, value in state.items():
        if module and name in _HELD:
            tensors = (one for one in value.values() if isinstance(one, Tensor))
            if type(value) not in (dict, OrderedDict) or not all(map(is_followed, tensors)):
                return False
        elif module and name in STANDARD:
            if name not in _IGNORED and value:
                return False
        elif not (module and name in _IGNORED) and not (value.__class__ in BY_VALUE or is_constant(value)):
            return False
    return not module or all(name in state for name in (*_HELD, *_HOOKS))


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
