"""What a Keras 3 model on the torch backend says of itself.

Keras is not imported here: a model of it is there only where it was imported before.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from saliency_widget.models.words import article, numbers

# Nobody scales pictures from 0 to 1 by less, or normalises them with a larger mean.
_LEAST_SCALE, _MOST_MEAN = 0.1, 1.5
_GEOMETRIC = ("InputLayer", "Resizing", "CenterCrop", "ZeroPadding2D", "Dropout", "Identity")
# What Keras calls a model that was given no name, counted anew in each process.
_NUMBERED = re.compile(r"(functional|model|sequential)?(_\d+)?")
_HOLDERS = ("Functional", "Sequential")


def is_keras(module: object) -> bool:
    """Whether something is a layer or a model of Keras, or of a class made from one."""
    return isinstance(module, nn.Module) and any(
        base.__module__.partition(".")[0] == "keras" for base in type(module).__mro__
    )


def children_of(module: nn.Module) -> dict[str, nn.Module]:
    """The parts of a module by name: of one of Keras its layers, by which Keras's own users know them."""
    if not is_keras(module):
        # Not named_children, which leaves out the second name of a module that has two.
        return {name: part for name, part in module._modules.items() if part is not None}
    model: Any = module
    found: dict[str, nn.Module] = {}
    for layer in model._flatten_layers(include_self=False, recursive=False):
        if layer is getattr(model, "_functional", None):  # how a Sequential runs
            continue
        found.setdefault(layer.name.replace(".", "_"), layer)
    return found


def walk_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """All layers of a Keras model by dotted name, those of models in it too, each before its parts."""
    for name, layer in children_of(model).items():
        yield name, layer
        for inner, part in walk_layers(layer):
            yield f"{name}.{inner}", part


def name_of_model(model: nn.Module) -> str:
    """What a Keras model is called: by its class, or by its name where the class tells nothing."""
    kind, name = type(model).__name__, str(getattr(model, "name", ""))
    return kind if kind not in _HOLDERS or _NUMBERED.fullmatch(name) else f"{kind} {name}"


def channels_last(model: nn.Module) -> bool:
    """Whether a model takes (N, H, W, C): as its input's shape shows, or as Keras is configured."""
    shape = input_shape(model)
    if shape is not None:
        first, last = shape[1] in (1, 3, 4), shape[3] in (1, 3, 4)
        if first != last:
            return last
    import keras

    return bool(keras.config.image_data_format() == "channels_last")


def input_shape(model: nn.Module) -> tuple[int | None, ...] | None:
    """The four sides of a model's one input, None where they are free; None where it has none, or several."""
    try:
        shape = getattr(model, "input_shape", None)
    except AttributeError:
        return None
    fits = isinstance(shape, tuple) and len(shape) == 4 and all(side is None or isinstance(side, int) for side in shape)
    return shape if fits else None


def input_size(model: nn.Module) -> tuple[int, tuple[int | None, int | None]] | None:
    """(channels, (height, width)) of a model's input, as far as it is fixed; None where that is not known."""
    shape = input_shape(model)
    if shape is None:
        return None
    channels = shape[3 if channels_last(model) else 1]
    sides = shape[1:3] if channels_last(model) else shape[2:4]
    return None if channels is None else (channels, (sides[0], sides[1]))


def ending(model: nn.Module) -> tuple[Any, str] | None:
    """The layer that makes probabilities of a model's one output, and "softmax" or "sigmoid"; None where none does."""
    last: Any = model
    while type(last).__name__ in _HOLDERS and getattr(last, "layers", None):
        if len(getattr(last, "outputs", None) or ()) > 1:
            return None
        last = last.layers[-1]
    if type(last).__name__ == "Softmax":
        return last, "softmax"
    kind = getattr(getattr(last, "activation", None), "__name__", None)
    return (last, kind) if kind in ("softmax", "sigmoid") else None


def full_scale(model: nn.Module) -> tuple[float, str] | None:
    """What white is for a model that normalises by layers of its own, and these in words; None where it does not."""
    for layer in _chain(model):
        kind = type(layer).__name__
        if kind == "Rescaling":
            scale, offset = (float(np.mean(np.asarray(part))) for part in (layer.scale, layer.offset))
            words = f"its own Rescaling in front (times {numbers(scale)}, plus {numbers(offset)})"
            return 255.0 if abs(scale) < _LEAST_SCALE else 1.0, words
        if kind == "Normalization":
            mean = np.asarray(layer.mean.detach().cpu() if isinstance(layer.mean, torch.Tensor) else layer.mean)
            words = f"its own Normalization in front (mean {numbers(mean)})"
            return 255.0 if float(mean.max()) > _MOST_MEAN else 1.0, words
        if kind not in _GEOMETRIC and not kind.startswith("Random"):
            return None
    return None


def _chain(model: Any) -> Iterator[Any]:
    """The layers of a model in order, those of models in it in their place."""
    for layer in getattr(model, "layers", ()):
        if type(layer).__name__ in _HOLDERS:
            yield from _chain(layer)
        else:
            yield layer


class FromKeras:
    """A transform from a picture to what a Keras model takes, channels first as everywhere here.

    Parameters
    ----------
    model
        The model; a fixed size of its input is what a picture is resized to, as ``keras.utils.load_img`` does, but
        bilinear.
    prepare
        Takes float32 (H, W, 3) from 0 to 255, such as ``keras.applications.resnet50.preprocess_input``.
    """

    def __init__(self, model: nn.Module, prepare: Callable[..., Any]) -> None:
        known = input_size(model)
        self._size = None if known is None or None in known[1] else known[1]
        self._channels = 3 if known is None else known[0]
        self._prepare = prepare
        takes = inspect.signature(prepare).parameters
        # The array is channels last, whatever Keras is configured to.
        self._format = {"data_format": "channels_last"} if "data_format" in takes else {}

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        """Return (C, H, W) float32."""
        seen = picture.convert("L") if self._channels == 1 else picture.convert("RGB")
        if self._size is not None:
            height, width = self._size
            seen = seen.resize((int(width or 1), int(height or 1)), Image.Resampling.BILINEAR)
        array = np.asarray(seen, dtype=np.float32)
        array = array[:, :, None] if array.ndim == 2 else array
        made = self._prepare(array.copy(), **self._format)
        values = np.asarray(made.detach().cpu() if isinstance(made, torch.Tensor) else made, dtype=np.float32)
        return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))

    @property
    def text(self) -> str:
        """The steps in words."""
        return "the size left as it is" if self._size is None else f"resized to {self._size[0]} x {self._size[1]}"


def is_preprocess_input(preprocess: object) -> bool:
    """Whether something is one of the functions of ``keras.applications`` that prepare pictures."""
    home = str(getattr(preprocess, "__module__", ""))
    return home.partition(".")[0] == "keras" and callable(preprocess) and not isinstance(preprocess, (type, nn.Module))


def unbuilt(model: nn.Module) -> str | None:
    """What speaks against explaining a model as it is, as a sentence; None where nothing does."""
    import keras

    backend = keras.config.backend()
    if backend != "torch":
        return f"runs on Keras's backend {backend!r}. Set the environment variable KERAS_BACKEND to torch and load it"
    inner: Any = model
    if not getattr(inner, "built", True):
        return f"is {article('unbuilt Keras model')}, which has no weights yet. Call it once on a picture"
    return None
