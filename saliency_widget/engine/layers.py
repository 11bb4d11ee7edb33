"""The layers of a model: by name or by the module itself, and those that have a spatial grid."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from saliency_widget.engine.grids import Grid, Size
from saliency_widget.errors import InputError
from saliency_widget.models.keras_model import children_of
from saliency_widget.models.unwrap import unwrap

# The names under which wrappers hold what they wrap; a shadow has no wrappers.
_WRAPPED = ("module", "_orig_mod")
_REMEDY = "Give the dotted name of a layer, the module itself, or None for the last layer with a spatial grid."


@dataclass(frozen=True)
class Layer:
    """A layer that returns activations on a grid.

    Attributes
    ----------
    name
        Dotted, as in ``model.get_submodule``.
    kind
        The name of its class.
    grid
        Where the grid lies in what it returns.
    calls
        How often one forward pass calls it; its activations are those of the last call.
    used
        Whether the score depends on the activations on the grid. It does not at the end of a transformer whose score
        is read from the class token.
    """

    name: str
    kind: str
    grid: Grid
    calls: int
    used: bool


def name_of(model: nn.Module, layer: Any) -> str:
    """The dotted name of a layer of a model, without wrappers on the way.

    Parameters
    ----------
    model
        The model, unwrapped.
    layer
        A dotted name, or a module of the model.

    Raises
    ------
    InputError
        It is neither; the nearest names are given.
    """
    if isinstance(layer, nn.Module):
        wanted = unwrap(layer)
        for name, module in walk(model):
            if module is wanted:
                return name
        raise InputError(
            "layer",
            type(wanted).__name__,
            f"is a module, but no part of this {type(model).__name__}",
            "Give a module of the model itself, not of a copy, or its dotted name.",
        )
    if not isinstance(layer, str):
        raise InputError("layer", layer, "is no layer", _REMEDY)
    part, path = model, []
    for step in layer.split("."):
        inner = children_of(unwrap(part)).get(step)
        if inner is not None:
            part = inner
            path.append(step)
        elif not (step in _WRAPPED and unwrap(part) is not part):
            raise _unknown(model, layer)
    if not path:
        raise _unknown(model, layer)
    return ".".join(path)


def walk(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """All modules by dotted name, each once, without wrappers, in the order in which they were registered."""
    seen: set[int] = set()

    def below(name: str, given: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        module = unwrap(given)
        if id(module) in seen:
            return
        seen.add(id(module))
        yield name, module
        for step, child in children_of(module).items():
            yield from below(f"{name}.{step}" if name else step, child)

    yield from below("", model)


def shown_name(name: str) -> str:
    """A layer's name for a sentence."""
    return repr(name) if name else "the model itself"


def patch_of(model: nn.Module) -> int | Size | None:
    """The size of the patches a transformer cuts the picture into, if it says so."""
    for _, module in walk(model):
        for holder in (module, getattr(module, "config", None)):
            size = getattr(holder, "patch_size", None)
            if isinstance(size, int) and not isinstance(size, bool) and size > 0:
                return size
            if isinstance(size, (tuple, list)) and len(size) == 2 and all(isinstance(side, int) for side in size):
                return int(size[0]), int(size[1])
    return None


def _unknown(model: nn.Module, layer: str) -> InputError:
    names = [name for name, _ in walk(model) if name]
    last = layer.rpartition(".")[2]
    near = difflib.get_close_matches(layer, names, n=3, cutoff=0.5)
    near += [name for name in names if last and name.rpartition(".")[2] == last and name not in near][-2:]
    if not near:
        near = [name for name in names if "." not in name][-5:]
        listed = f"Its parts are {', '.join(map(repr, near))}. " if near else "It has no parts. "
    else:
        listed = f"Did you mean {' or '.join(map(repr, near))}? "
    return InputError("layer", layer, f"names no layer of this {type(model).__name__}", listed + _REMEDY)
