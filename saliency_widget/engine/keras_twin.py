"""A twin of a Keras model, for a shadow: layers of its own, which see the weights of the user's."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from torch import Tensor, nn

from saliency_widget.engine.weights import Pair
from saliency_widget.errors import ModelError
from saliency_widget.models.keras_model import channels_last, ending, name_of_model, unbuilt, walk_layers
from saliency_widget.models.randomness import KeptRandomness


class Twin(nn.Module):
    """A Keras model as torch knows modules: channels first, and with a part for each layer, by the layer's name.

    A part returns what its layer returned, so that a hook on it sees and changes that. Keras's own layers call none.
    """

    def __init__(self, layers: nn.Module, permute: bool) -> None:
        super().__init__()
        self.__dict__["_keras"] = layers
        self._permute = permute
        # Torch finds parameters in modules alone.
        self.weights_of_keras = nn.ParameterList(_value(variable) for variable in _variables(layers))
        for name, layer in walk_layers(layers):
            _place(self, name, layer)

    def forward(self, picture: Tensor, **inputs: Any) -> Any:
        """What the model returns for pictures (N, C, H, W), in evaluation mode."""
        given = picture.permute(0, 2, 3, 1) if self._permute else picture
        return self.__dict__["_keras"](given, training=False, **inputs)


class Tapped(nn.Module):
    """Returns what it is given."""

    def forward(self, output: Any) -> Any:
        """Return ``output``."""
        return output


def root_twin(model: nn.Module, clone: bool) -> tuple[Twin, list[Pair], list[Pair], list[str]]:
    """A twin of a whole model, what it sees and what it copied, and what a user should know of it.

    A softmax or a sigmoid at its end is left out, so that scores are logits.

    Raises
    ------
    ModelError
        Keras cannot make the model again from its configuration.
    """
    new, views, copies = part_twin(model, clone)
    notes = []
    found = ending(new)
    if found is not None:
        layer, kind = found
        _without(layer)
        notes.append(f"the {kind} at the model's end ({layer.name}) is left out: its scores are the logits before it")
    return Twin(new, channels_last(model)), views, copies, notes


def part_twin(module: nn.Module, clone: bool) -> tuple[nn.Module, list[Pair], list[Pair]]:
    """A twin of a model or a layer, as Keras itself calls it."""
    reason = unbuilt(module)
    if reason is not None:
        raise ModelError(f"{name_of_model(module)} {reason}, then explain it.")
    new = _again(module)
    views: list[Pair] = []
    copies: list[Pair] = []
    old, made = _variables(module), _variables(new)
    if [tuple(variable.shape) for variable in old] != [tuple(variable.shape) for variable in made]:
        raise _no_twin(module, "the weights of what was made differ from its own")
    for theirs, own in zip(old, made, strict=True):
        source, value = _value(theirs), _value(own)
        value.requires_grad_(False)
        shared = theirs.trainable and not clone
        value.data = source.detach() if shared else source.detach().clone()
        # Statistics and seeds may be written to by a forward pass.
        (views if shared else copies).append((weakref.ref(source), value))
    return new, views, copies


def _again(module: Any) -> Any:
    import keras

    def make() -> Any:
        if isinstance(module, keras.Model):
            new = keras.models.clone_model(module)
        else:
            new = type(module).from_config(module.get_config())
        if not new.built:
            new.build_from_config(module.get_build_config())
        return new

    try:
        # Keras draws the first weights of what it makes, and seeds.
        with KeptRandomness() as randomness:
            return randomness.run(make)
    except Exception as error:  # whatever a user's class raises
        raise _no_twin(module, f"{type(error).__name__}: {' '.join(str(error).split())[:160]}") from error


def _no_twin(module: nn.Module, cause: str) -> ModelError:
    return ModelError(
        f"{name_of_model(module)} cannot be made again from its configuration, so that no copy can be explained in its "
        f"place ({cause}). Give the class get_config() and build it in build(), or make the model of keras.Sequential "
        "or keras.Model(inputs, outputs)."
    )


def _variables(module: Any) -> list[Any]:
    return list(module.variables)


def _value(variable: Any) -> Any:
    return variable.value


def _without(layer: Any) -> None:
    if type(layer).__name__ == "Softmax":
        layer.__dict__["call"] = lambda inputs, mask=None: inputs
    else:
        import keras

        layer.activation = keras.activations.linear


def _place(twin: nn.Module, name: str, layer: Any) -> None:
    """Give a layer its part of the twin."""
    above, _, last = name.rpartition(".")
    with suppress(AttributeError, KeyError):  # no name for a torch module, such as "forward"
        tap = _kind(type(layer).__name__)()
        (twin.get_submodule(above) if above else twin).add_module(last, tap)
        # Keras keeps what is set in the usual way among its own weights.
        layer.__dict__["_tapped"] = tap
        kind: Any = type(layer)
        layer.__class__ = _calling(kind)


@lru_cache(maxsize=512)
def _kind(name: str) -> type[Tapped]:
    return type(name, (Tapped,), {})


@lru_cache(maxsize=512)
def _calling(cls: type[Any]) -> type[Any]:
    """The same class, of which a call goes through the part of the twin."""
    original: Callable[..., Any] = cls.__call__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        output = original(self, *args, **kwargs)
        tap = self.__dict__.get("_tapped")
        return output if tap is None else tap(output)

    return type(
        cls.__name__, (cls,), {"__call__": call, "__module__": cls.__module__, "__qualname__": cls.__qualname__}
    )
