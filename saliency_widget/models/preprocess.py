"""From what the user calls an image to the model's input, and to the pixels that everything is a derivative of."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from saliency_widget.display.geometry import Geometry, Known, Placed
from saliency_widget.errors import InputError
from saliency_widget.models.channels import Channels
from saliency_widget.models.image import load_image
from saliency_widget.models.keras_model import FromKeras, is_keras, is_preprocess_input
from saliency_widget.models.measure import ColourMap, Transform, measure, measure_colours
from saliency_widget.models.outputs import as_input
from saliency_widget.models.place import Place
from saliency_widget.models.presets import PRESETS, Preprocess
from saliency_widget.models.processors import Processor, is_processor
from saliency_widget.models.stated import Stated, check_fit, differ, plain_map, stated, takes_channels
from saliency_widget.models.unwrap import unwrap
from saliency_widget.models.words import article, numbers, shown

__all__ = ["Prepared", "Preprocess", "prepare"]

# Of values, and of pixels, from 0 to 1: what most photographs reach.
_DARK, _BRIGHT = 0.25, 0.75
PIXEL, UNIT = "full-scale pixel", "input unit"


@dataclass(frozen=True, eq=False)
class Prepared:
    """One input of the model, and the variable in which it is explained.

    Attributes
    ----------
    input
        (C, H, W) floats on the CPU, exactly what the preprocessing returned.
    matrix, offset
        (C, C) and (C,) float64: ``input = matrix @ pixels + offset`` at every position.
    pixels
        (C, H, W) float64, black at 0 and full scale at 1. Nothing is clamped: bicubic resizing of a tensor overshoots.
        Where the preprocessing has no such map, the input itself.
    picture
        (H, W, 3) uint8, what the model saw, for the eye alone.
    channels
        ("R", "G", "B"), or ("1", "2", …).
    variable
        "full-scale pixel", or "input unit" where the pixels are the input itself.
    source
        Where the preprocessing came from and what was done to the image, in words.
    original_size
        (height, width) of the upright picture before preprocessing; None for a tensor.
    doubts
        What a user should be warned of, in sentences.
    original
        The upright picture before preprocessing, mode RGB; None for a tensor.
    name
        A short name of the image: that of its file; "" where there is none.
    place
        Where the picture lies in the original, not measured yet; :attr:`geometry` measures it.
    inside
        The dotted name of the part of the model that stated the preprocessing; "" for the model itself, or the user.
    categories
        Names of the classes that came with the preprocessing; may be empty.
    """

    input: Tensor
    matrix: Tensor
    offset: Tensor
    pixels: Tensor
    picture: npt.NDArray[np.uint8]
    channels: tuple[str, ...]
    variable: str
    source: str
    original_size: tuple[int, int] | None
    doubts: tuple[str, ...] = ()
    original: Image.Image | None = field(default=None, repr=False)
    name: str = ""
    place: Placed | None = field(default=None, repr=False)
    inside: str = ""
    categories: tuple[str, ...] = ()

    @property
    def geometry(self) -> Geometry | None:
        """Which rectangle of the original the picture covers; None for a tensor, and where it cannot be measured.

        Runs the preprocessing on a few pictures when it is first asked for.
        """
        found = None if self.place is None else self.place.found
        return found if isinstance(found, Geometry) else None

    @property
    def geometry_reason(self) -> str:
        """Why there is no :attr:`geometry`, as a sentence; "" where there is one."""
        if self.place is None:
            return "A tensor has no original picture." if self.original is None else "The geometry is not known."
        found = self.place.found
        return f"The preprocessing {found}." if isinstance(found, str) else ""


def prepare(image: object, model: nn.Module, preprocess: object = None) -> Prepared:
    """Read an image and preprocess it for a model.

    Parameters
    ----------
    image
        Whatever :func:`~saliency_widget.models.image.load_image` reads.
    model
        Asked for its own preprocessing where ``preprocess`` is None.
    preprocess
        None; a preset's name; a :class:`Preprocess`; weights of torchvision, such as ``ResNet50_Weights.DEFAULT``; an
        image processor of Hugging Face; or a callable from a PIL image to a float tensor, such as a torchvision or
        timm transform. A float tensor as ``image`` is never transformed; there ``preprocess`` says how it was made, so
        that the pixels can be had from it.

    Raises
    ------
    InputError
        An argument cannot work; raised before the model runs.
    """
    # what is made here outlives the modes that the caller happens to be in
    with torch.inference_mode(False), torch.no_grad(), torch.device("cpu"):
        return _prepare(image, unwrap(model), preprocess)


def _prepare(image: object, inner: nn.Module, preprocess: object) -> Prepared:
    says = stated(inner)
    own = says if preprocess is None else None
    transform: Transform | None = None
    if preprocess is not None:
        transform, source = _given(preprocess, inner)
    else:
        transform, source = (None, "") if says is None else (says.transform, says.source)
    loaded = load_image(image, takes_channels(inner))
    named = _categories(preprocess)
    inside = "" if own is None else own.inside
    if loaded.channels is not None:
        return _from_channels(loaded.channels, inner, preprocess, own)
    if loaded.tensor is not None:
        check_fit(inner, loaded.tensor, "image", shown(image))
        made = _from_tensor(loaded.tensor, own, transform, source)
        return replace(made, inside=inside, categories=named)
    if transform is None:
        raise _unstated(inner)
    assert loaded.picture is not None
    measured = measure(transform, loaded.picture)
    check_fit(inner, measured.output, "preprocess", shown(preprocess))
    if measured.colours is None:
        source += f", which {measured.reason}: the variable is the model's input"
    elif own is None and not isinstance(preprocess, (str, Preprocess)):
        source += f" ({_words(measured.colours)})"
    source = "; ".join((source, *loaded.notes))
    key = _key(preprocess) if own is None else own.key
    place = Place(transform, measured.colours, loaded.picture, measured.output, key)
    made = _prepared(measured.output, measured.colours, source, loaded.original_size)
    doubts = _doubts(says, own, measured.colours, source)
    return replace(
        made,
        original=loaded.picture,
        name=loaded.name,
        place=place,
        inside=inside,
        categories=named,
        doubts=doubts,
    )


def _doubts(says: Stated | None, own: Stated | None, colours: ColourMap | None, source: str) -> tuple[str, ...]:
    """What speaks against a preprocessing that a user gave, or one that a model states of itself."""
    if says is None or own is not None:
        return () if own is None else own.doubts
    if colours is None or says.colours is None:
        return ()
    apart = differ(colours, says.colours)
    if apart is None:
        return ()
    return (
        f"preprocess: by {source}, {apart} by {says.source}. That the model is confident tells nothing: wrong "
        "preprocessing often makes it more so. Leave preprocess out to use what the model states.",
    )


def _key(preprocess: object) -> Hashable:
    """What a preprocessing is made from; None of one that may be changed."""
    if isinstance(preprocess, str):
        return Preprocess.preset(preprocess)
    if isinstance(preprocess, Preprocess):
        return preprocess
    return (type(preprocess).__name__, str(preprocess)) if _is_weights(preprocess) else None


def _is_weights(preprocess: object) -> bool:
    """Whether something is one of torchvision's sets of weights."""
    return any(base.__name__ == "WeightsEnum" for base in type(preprocess).__mro__)


def _categories(preprocess: object) -> tuple[str, ...]:
    meta = getattr(preprocess, "meta", None) if _is_weights(preprocess) else None
    return tuple(str(name) for name in meta.get("categories", ())) if isinstance(meta, Mapping) else ()


def _from_channels(given: Channels, inner: nn.Module, preprocess: object, own: Stated | None) -> Prepared:
    pixels, source = given.scaled()
    height, width = given.shape[:2]
    place: Placed | None = Known(Geometry(height, width, (0.0, 0.0, float(height), float(width)), (height, width)))
    colours: ColourMap | None = plain_map(1.0, len(pixels))
    value, inside = pixels, ""
    if callable(preprocess) and not isinstance(preprocess, (type, Preprocess)) and not is_processor(preprocess):
        call: Any = preprocess
        try:
            value = as_input(call(pixels.clone()), preprocess)
        except InputError:
            raise
        except Exception as error:  # whatever a user's transform raises
            raise InputError(
                "preprocess",
                shown(preprocess),
                f"raised {type(error).__name__} for {len(pixels)} channels: {' '.join(str(error).split())[:200]}",
                "Give a callable from a float tensor (C, H, W), full scale at 1, to one: torchvision's Normalize.",
            ) from error
        source += f", through the {_name(call)} given as preprocess: the variable is the model's input"
        colours, place = None, None
    elif preprocess is not None and preprocess != "none":
        raise InputError(
            "preprocess",
            shown(preprocess),
            f"is for pictures in colours, and the image has {len(pixels)} channels",
            'Give a callable from a float tensor (C, H, W) to one, "none", or leave it out.',
        )
    elif own is not None and own.colours is not None and len(own.colours.offset) == len(pixels):
        colours, inside = own.colours, own.inside
        value = (torch.einsum("ij,jhw->ihw", colours.matrix, pixels.double()) + colours.offset[:, None, None]).float()
        source += f", normalised by {own.source}"
    check_fit(inner, value, "image", shown(given.values))
    made = _prepared(value, colours, source, (height, width))
    seen = _picture(pixels.double().numpy(), False, given.chosen)
    names = given.names if given.names is not None and len(value) == len(given.names) else made.channels
    chosen = given.chosen or ((0, 1, 2) if len(pixels) == 3 else ())
    what = f"shown: channels {', '.join(map(str, chosen))}, counted from 0" if chosen else "shown: the mean of them"
    if value.shape[1:] == pixels.shape[1:]:
        made = replace(made, picture=seen)
    return replace(made, source=f"{source}; {what}", channels=tuple(names), place=place, inside=inside)


def _from_tensor(value: Tensor, own: Stated | None, transform: Transform | None, source: str) -> Prepared:
    colours: ColourMap | str | None = None
    if own is not None:
        colours = own.colours
    elif transform is not None:
        colours = measure_colours(transform, (value.shape[2], value.shape[1]))
    if not isinstance(colours, ColourMap) or len(colours.offset) != value.shape[0]:
        words = "a tensor, taken as already preprocessed: the variable is the model's input"
        if isinstance(colours, str):
            words += f" (the preprocess given {colours})"
        return _prepared(value, None, words, None)
    made = _prepared(value, colours, f"a tensor, taken as already preprocessed by {source}", None)
    low, high = float(made.pixels.min()), float(made.pixels.max())
    if low < -0.5 or high > 1.5:
        note = f"{made.source}; by that, its pixels reach from {low:.3g} to {high:.3g}, so it may not be"
        doubt = (
            f"the image, a float tensor, is taken as already preprocessed by {source}, and by that its pixels reach "
            f"from {low:.3g} to {high:.3g}, where 0 is black and 1 is full scale. If it is not preprocessed yet, give "
            "a picture (a path, a PIL image, an array or a uint8 tensor), or preprocess it first."
        )
        return replace(made, source=note, doubts=(doubt,))
    least, most = float(value.min()), float(value.max())
    if least >= 0 and _BRIGHT < most <= 1 and not (low <= _DARK and high >= _BRIGHT):
        doubt = (
            f"the image, a float tensor, is taken as already preprocessed by {source}, but all its values lie between "
            f"0 and 1, as those of a picture that was not normalised do: by that, its pixels reach from {low:.3g} to "
            f"{high:.3g} only. If it is not preprocessed yet, give a uint8 tensor or an array, or normalise it first."
        )
        return replace(made, source=f"{made.source}; it may not be", doubts=(doubt,))
    return made


def _prepared(value: Tensor, colours: ColourMap | None, source: str, size: tuple[int, int] | None) -> Prepared:
    channels = value.shape[0]
    if colours is None:
        matrix = torch.eye(channels, dtype=torch.float64, device="cpu")
        offset = torch.zeros(channels, dtype=torch.float64, device="cpu")
        pixels = value.to(torch.float64)
    else:
        matrix, offset, pixels = colours.matrix, colours.offset, colours.undo(value)
    rgb = colours is not None and channels == 3
    return Prepared(
        input=value,
        matrix=matrix,
        offset=offset,
        pixels=pixels,
        picture=_picture(pixels.numpy(), colours is not None),
        channels=("R", "G", "B") if rgb else tuple(str(i + 1) for i in range(channels)),
        variable=UNIT if colours is None else PIXEL,
        source=source,
        original_size=size,
    )


def _picture(pixels: npt.NDArray[np.float64], scaled: bool, chosen: Sequence[int] = ()) -> npt.NDArray[np.uint8]:
    """The picture for the eye: of colours as they are, of others a stretched mean, or those that were chosen."""
    few = len(pixels) in (1, 3)
    planes = pixels[list(chosen)] if chosen else pixels if few else pixels.mean(axis=0, keepdims=True)
    if not scaled or not few:
        low, high = float(planes.min()), float(planes.max())
        planes = (planes - low) / (high - low) if high > low else np.full_like(planes, 0.5)
    eight = np.floor(np.clip(planes, 0, 1) * 255 + 0.5).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(eight, (3, *eight.shape[1:])).transpose(1, 2, 0))


def _given(preprocess: object, model: nn.Module) -> tuple[Transform, str]:
    if isinstance(preprocess, str):
        found = Preprocess.preset(preprocess)
        if takes_channels(model) == 1:
            found = found.in_grey() or found
        return found, f"the preset {preprocess.strip().lower()!r} ({found.text})"
    if isinstance(preprocess, Preprocess):
        return preprocess, f"the Preprocess given ({preprocess.text})"
    if _is_weights(preprocess):
        weights: Any = preprocess
        return weights.transforms(), f"the transforms of {type(preprocess).__name__}.{weights.name}"
    if is_processor(preprocess):
        processor = Processor(preprocess)
        return processor, f"the {processor.__name__} given as preprocess"
    if is_preprocess_input(preprocess):
        ready: Any = preprocess
        found_by_keras = FromKeras(model, ready)
        return found_by_keras, f"the {ready.__name__} of {ready.__module__} ({found_by_keras.text})"
    if isinstance(preprocess, type) or not callable(preprocess):
        raise InputError(
            "preprocess",
            shown(preprocess),
            f"is {article(type(preprocess).__name__)}, not a transform",
            _way(preprocess),
        )
    call: Any = preprocess
    return call, f"the {_name(call)} given as preprocess"


def _name(call: object) -> str:
    name = getattr(call, "__name__", None)
    return name if isinstance(name, str) and name.isidentifier() else type(call).__name__


def _way(preprocess: object) -> str:
    if isinstance(preprocess, type) and any(base.__name__ == "WeightsEnum" for base in preprocess.__mro__):
        return f"Give one of them, such as {preprocess.__name__}.DEFAULT."
    if isinstance(preprocess, type):
        return f"That is a class; make an object of it: {preprocess.__name__}(...)."
    if isinstance(preprocess, (list, tuple)):
        return "Put the steps into torchvision.transforms.Compose([...])."
    return f"Give a preset ({', '.join(map(repr, PRESETS))}), a Preprocess, or a callable from PIL image to tensor."


def _unstated(model: nn.Module) -> InputError:
    presets = ", ".join(map(repr, PRESETS))
    if type(model).__module__.startswith("torchvision."):
        way = "torchvision keeps it with the weights: preprocess=weights, such as ResNet50_Weights.DEFAULT"
    elif type(model).__module__.startswith("transformers."):
        way = "Give its image processor: preprocess=AutoImageProcessor.from_pretrained(name)"
    elif is_keras(model):
        way = "Keras keeps it beside the model: preprocess=keras.applications.resnet50.preprocess_input, or another"
    else:
        way = "Give the transform of its evaluation: preprocess=transform"
    return InputError(
        "preprocess",
        None,
        f"does not say how {type(model).__name__} wants a picture prepared, and the model does not say it either",
        f"{way}; or a preset, {presets}; or pass a float tensor that is already preprocessed.",
    )


def _words(colours: ColourMap) -> str:
    matrix, offset = colours.matrix, colours.offset
    for order, turned in (("", matrix), ("BGR, ", matrix.flip(1))):
        scale = turned.diagonal()
        if torch.equal(turned, torch.diag(scale)):
            if not order and torch.equal(matrix, torch.eye(len(offset)).to(matrix)) and not offset.any():
                return "measured: values 0 to 1"
            return f"measured: {order}mean {numbers(-offset / scale)}, std {numbers(1 / scale)}"
    return "measured: a mixture of the colours"
