"""What a model itself says about its input."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from saliency_widget.errors import InputError
from saliency_widget.models import processors
from saliency_widget.models.arrays import order_of
from saliency_widget.models.detectors import find_detector
from saliency_widget.models.keras_model import FromKeras, full_scale, input_size, is_keras
from saliency_widget.models.measure import ColourMap, measure_colours
from saliency_widget.models.presets import PRESETS
from saliency_widget.models.words import numbers

_GEOMETRIC = ("Resize", "CenterCrop", "Pad", "Identity")
# of the distance from black to white
_MOST_APART = 0.02


@dataclass(frozen=True, eq=False)
class Stated:
    """The preprocessing that a model carries.

    Attributes
    ----------
    transform
        Takes an RGB picture, returns the model's input.
    colours
        What it does to colours, as the model states it.
    source
        Where it came from, in words.
    inside
        The dotted name of the part of the model that states it; "" for the model itself. It holds for the whole if
        that part gets the picture unchanged.
    doubts
        What a user should be warned of, in sentences.
    key
        What the transform is made from: equal keys mean equal transforms. None where that is not known.
    """

    transform: Callable[[Image.Image], object]
    colours: ColourMap | None
    source: str
    inside: str = ""
    doubts: tuple[str, ...] = ()
    key: Hashable = None


def stated(model: nn.Module) -> Stated | None:
    """Return what a model says about its input; None where it says nothing.

    Asked are, in this order: a layer of Keras in front; timm's ``pretrained_cfg``; a detector of
    torchvision, which normalises by itself; a
    ``Normalize`` in front of a ``Sequential``; the image processor saved beside a Hugging Face model; and then the
    parts of the model, of which one may state it for the whole.
    """
    own = _own(model)
    if own is not None:
        return own
    if processors.is_of_transformers(model):
        # A backbone inside says how it was trained by itself.
        return None
    for name, part in _outermost(model):
        found = _own(part)
        if found is not None:
            source = f"{found.source}, a part of the model ({name})"
            return replace(found, inside=name, source=source)
    return None


def _own(model: nn.Module) -> Stated | None:
    for ask in (_of_keras, _of_timm, _of_detector, _of_sequential, _of_transformers):
        found = ask(model)
        if found is not None:
            return found
    return None


def _outermost(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The parts that may state something, each before the parts of it."""
    for name, part in model.named_modules():
        if name and not isinstance(part, torch.jit.ScriptModule):
            yield name, part


def _of_detector(model: nn.Module) -> Stated | None:
    found = find_detector(model) if type(model).__module__.startswith("torchvision.") else None
    if found is None or found.name:
        return None
    inner: Any = model
    mean, std = numbers(inner.transform.image_mean), numbers(inner.transform.image_std)
    words = f"torchvision's {type(model).__name__} (values 0 to 1; it normalises by itself, mean {mean}, std {std})"
    return Stated(PRESETS["none"], plain_map(1.0), words, key=PRESETS["none"])


def _of_sequential(model: nn.Module) -> Stated | None:
    if not isinstance(model, nn.Sequential):
        return None
    steps = list(model)
    place = next((k for k, step in enumerate(steps) if _normalises(step)), None)
    if place is None or not all(type(step).__name__ in _GEOMETRIC for step in steps[:place]):
        return None
    step: Any = steps[place]
    mean, std = (torch.as_tensor(part, dtype=torch.float64, device="cpu").flatten() for part in (step.mean, step.std))
    # Nobody normalises pictures from 0 to 1 with a mean of more than 1.
    full = 255.0 if float(mean.max()) > 1.5 else 1.0
    words = f"its own {type(step).__name__} in front (mean {numbers(mean)}, std {numbers(std)})"
    words += f", which takes values from 0 to {full:.0f}"
    inner = next((found for found in map(_of_timm, steps[place + 1 :]) if found is not None), None)
    if inner is None or inner.colours is None or len(inner.colours.offset) != len(mean):
        geometry: Callable[[Image.Image], object] = replace(PRESETS["none"], std=(1 / full,) * 3)
        return Stated(geometry, plain_map(full, max(1, len(mean))), words)
    wanted, expected = inner.colours, inner.transform
    channels = len(wanted.offset)
    ours = ColourMap(torch.diag((full / std).expand(channels)), -(mean / std).expand(channels))
    apart = differ(ours, wanted)
    doubts = () if apart is None else (f"preprocess: by {words}, {apart} by {inner.source}.",)

    def transform(picture: Image.Image) -> object:
        normalised: Any = expected(picture)
        return wanted.undo(normalised).to(normalised.dtype) * full

    return Stated(transform, plain_map(full, len(wanted.offset)), f"{words}, after {inner.source}", doubts=doubts)


def _normalises(step: nn.Module) -> bool:
    """Whether a module is one of the several that are called Normalize, and not a layer that learns."""
    has = all(isinstance(getattr(step, name, None), (tuple, list, float, torch.Tensor)) for name in ("mean", "std"))
    return has and type(step).__name__.startswith("Normaliz")


def plain_map(full: float, channels: int = 3) -> ColourMap:
    """Values from 0 to full scale."""
    matrix = torch.eye(channels, dtype=torch.float64, device="cpu") * full
    return ColourMap(matrix, torch.zeros(channels, dtype=torch.float64, device="cpu"))


def _of_transformers(model: nn.Module) -> Stated | None:
    found = processors.processor_of(model)
    if found is None:
        return None
    processor, where = found
    colours = measure_colours(processor, (96, 96))
    words = f"the {processor.__name__} saved beside the model in {where}"
    return Stated(processor, colours if isinstance(colours, ColourMap) else None, words)


def differ(one: ColourMap, other: ColourMap) -> str | None:
    """How two preprocessings differ in what they do to colours, as a part of a sentence; None where they agree."""
    if one.matrix.shape != other.matrix.shape:
        return None
    ends = [(found.offset, found.matrix.sum(dim=1) + found.offset) for found in (one, other)]
    scale = float((ends[1][1] - ends[1][0]).abs().max())
    close = all(float((a - b).abs().max()) <= _MOST_APART * scale for a, b in zip(*ends, strict=True))
    if close and float((one.matrix - other.matrix).abs().max()) <= _MOST_APART * scale:
        return None
    if close:
        return "the channels are in another order than they should be"
    (black, white), (its_black, its_white) = ends
    return (
        f"black becomes {numbers(black)} and white {numbers(white)}, and they should be {numbers(its_black)} and "
        f"{numbers(its_white)}"
    )


def _of_keras(model: nn.Module) -> Stated | None:
    found = full_scale(model) if is_keras(model) else None
    if found is None:
        return None
    full, words = found
    transform = FromKeras(model, lambda picture: picture * np.float32(full / 255))
    known = input_size(model)
    words += f", which takes values from 0 to {full:.0f} ({transform.text})"
    return Stated(transform, plain_map(full, 3 if known is None else known[0]), words)


def _of_timm(model: nn.Module) -> Stated | None:
    """What timm's ``pretrained_cfg`` on the model says.

    A model made for one channel gets grey pictures, and the mean over the three channels of mean and std.
    """
    config = _config(model)
    if config is None:
        return None
    try:
        from timm.data.config import resolve_model_data_config
        from timm.data.transforms_factory import create_transform
    except ImportError:
        return None
    channels = _channels(model, config)
    resolve: Any = resolve_model_data_config
    resolved: dict[str, Any] = resolve(model)
    mean, std = (tuple(float(v) for v in resolved[key]) for key in ("mean", "std"))
    if len(mean) != channels and channels == 1:
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    size = _strict_size(model) or tuple(resolved["input_size"][1:])
    resolved |= {"input_size": (channels, *size), "mean": mean, "std": std}
    inner = create_transform(**resolved, is_training=False)

    def transform(picture: Image.Image) -> object:
        return inner(picture.convert("L") if channels == 1 else picture)

    name = config.get("architecture") or type(model).__name__
    text = f"{size[0]} x {size[1]}, {resolved['interpolation']}, mean {numbers(mean)}, std {numbers(std)}"
    scale = 1 / torch.tensor(std, dtype=torch.float64, device="cpu")
    offset = -torch.tensor(mean, dtype=torch.float64, device="cpu") * scale
    key = ("timm", repr(sorted(resolved.items())))
    return Stated(transform, ColourMap(torch.diag(scale), offset), f"timm's configuration of {name} ({text})", key=key)


def check_fit(model: nn.Module, value: Tensor, argument: str, given: object) -> None:
    """Refuse an input whose channels or size contradict what the model states; what it does not state is not checked.

    Parameters
    ----------
    value
        (C, H, W).
    argument, given
        What the error names.
    """
    if is_keras(model):
        _check_keras(model, value, argument, given)
    config = _config(model)
    if config is None:
        return
    channels, height, width = value.shape
    takes = _channels(model, config)
    if channels != takes:
        raise InputError(
            argument,
            given,
            f"gives {channels} channel{'' if channels == 1 else 's'}, and this model takes {takes}",
            order_of(tuple(value.shape))
            or f"Give an array (height, width, {takes}), a float tensor ({takes}, height, width), or make "
            f"the model with in_chans={channels}.",
        )
    size = _strict_size(model)
    if size is not None and (height, width) != size:
        raise InputError(
            argument,
            given,
            f"gives {height} x {width} (height x width), and this model takes {size[0]} x {size[1]} only",
            f"Resize to {size[0]} x {size[1]}, or make the model with img_size=({height}, {width}).",
        )


def _check_keras(model: nn.Module, value: Tensor, argument: str, given: object) -> None:
    known = input_size(model)
    if known is None:
        return
    wanted = (known[0], *known[1])
    if all(side is None or side == found for side, found in zip(wanted, value.shape, strict=True)):
        return
    sides = " x ".join("any" if side is None else str(side) for side in wanted)
    raise InputError(
        argument,
        given,
        f"gives {' x '.join(map(str, value.shape))} (channels x height x width), and this model takes {sides}",
        order_of(tuple(value.shape))
        or (
            f"Give preprocess=sw.Preprocess(size={wanted[1:]}, crop=None, ...), or its preprocess_input of "
            "keras.applications, which is resized to fit."
            if argument == "preprocess"
            else "Give a tensor of that shape, channels first also for a model that takes them last."
        ),
    )


def takes_channels(model: nn.Module) -> int | None:
    """How many channels a model takes: as it states, or as its first convolution does; None where neither is known."""
    if is_keras(model):
        known = input_size(model)
        return None if known is None else known[0]
    config = _config(model)
    if config is not None:
        return _channels(model, config)
    first = next((part for part in model.modules() if isinstance(part, nn.Conv2d)), None)
    return None if first is None else int(first.in_channels)


def _config(model: nn.Module) -> Mapping[str, Any] | None:
    config = getattr(model, "pretrained_cfg", None)
    return config if isinstance(config, Mapping) and config.get("mean") and config.get("std") else None


def _channels(model: nn.Module, config: Mapping[str, Any]) -> int:
    size = config.get("input_size")
    named = int(size[0]) if isinstance(size, (tuple, list)) and len(size) == 3 else 3
    # timm leaves input_size as it was when a model is made with other in_chans; the first layer knows
    convs = config.get("first_conv")
    name = convs[0] if isinstance(convs, (tuple, list)) and convs else convs
    if not isinstance(name, str) or any(type(module).__name__ == "SpaceToDepth" for module in model.modules()):
        return named
    try:
        channels = getattr(model.get_submodule(name), "in_channels", None)
    except AttributeError:
        return named
    return channels if isinstance(channels, int) else named


def _strict_size(model: nn.Module) -> tuple[int, int] | None:
    embed = getattr(model, "patch_embed", None)
    size = getattr(embed, "img_size", None)
    if not getattr(embed, "strict_img_size", False) or not isinstance(size, (tuple, list)) or len(size) != 2:
        return None
    return int(size[0]), int(size[1])
