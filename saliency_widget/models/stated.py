"""What a model itself says about its input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from saliency_widget.errors import InputError
from saliency_widget.models.arrays import order_of
from saliency_widget.models.measure import ColourMap
from saliency_widget.models.words import numbers


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
    """

    transform: Callable[[Image.Image], object]
    colours: ColourMap
    source: str


def stated(model: nn.Module) -> Stated | None:
    """Return what timm's ``pretrained_cfg`` on the model says; None where there is none.

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
    return Stated(transform, ColourMap(torch.diag(scale), offset), f"timm's configuration of {name} ({text})")


def check_fit(model: nn.Module, value: Tensor, argument: str, given: object) -> None:
    """Refuse an input whose channels or size contradict what the model states; what it does not state is not checked.

    Parameters
    ----------
    value
        (C, H, W).
    argument, given
        What the error names.
    """
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
            or f"Give a float tensor ({takes}, height, width), or make the model with in_chans={channels}.",
        )
    size = _strict_size(model)
    if size is not None and (height, width) != size:
        raise InputError(
            argument,
            given,
            f"gives {height} x {width} (height x width), and this model takes {size[0]} x {size[1]} only",
            f"Resize to {size[0]} x {size[1]}, or make the model with img_size=({height}, {width}).",
        )


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
