"""Which calls LRP has something to say about, and how their arguments are read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from saliency_widget.engine.lrp_maps import Convolution, Dense, Map
from saliency_widget.engine.spelling import rectifier

GATES = ("sigmoid", "hardsigmoid", "expit", "softmax")
PRODUCTS = ("mul", "multiply", "__mul__", "__imul__", "__rmul__")
SUMS = ("add", "sub", "__add__", "__radd__", "__sub__", "__iadd__", "__isub__")
NORMS = ("layer_norm", "group_norm")

# f(0) = 0, so that what passes unchanged is finite. Rectifiers are found apart.
_ACTIVATIONS = frozenset(
    ["relu", "relu6", "hardswish", "silu", "gelu", "mish", "elu", "selu", "celu", "tanh", "softsign", "tanhshrink"]
)
_CLAMPS = {"hardtanh": ("min_val", "max_val", -1.0, 1.0), "clamp": ("min", "max", None, None)}
_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_CONV_TRANSPOSE = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
_CONVOLUTION = (
    "input", "weight", "bias", "stride", "padding", "dilation", "transposed", "output_padding", "groups",
)  # fmt: skip
_CONVOLUTIONS = {
    **{f"conv{n}d": _CONV for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _CONV_TRANSPOSE for n in (1, 2, 3)},
    "convolution": _CONVOLUTION,
}
_LINEAR = ("input", "weight", "bias")


def stem_of(name: str) -> str:
    """The name of a function without the underscore that says that it works in place."""
    stem = name if name.endswith("__") else name.rstrip("_")
    return "clamp" if stem == "clip" else stem


@dataclass(frozen=True, eq=False)
class LinearCall:
    """The call of a linear layer.

    Attributes
    ----------
    map, input, weight
        The layer, and what it was called with.
    shift
        Its bias, to be broadcast over its outputs.
    pad
        How the input is to be padded before the map, which does the rest.
    """

    map: Map
    input: Tensor
    weight: Tensor
    shift: Tensor | None
    pad: list[int] | None = None


def linear_call(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> LinearCall | None:
    """Read the call of a linear layer; None if it is none."""
    if name == "linear":
        given = _named(_LINEAR, args, kwargs)
        return LinearCall(Dense(), given["input"], given["weight"], given.get("bias"))
    names = _CONVOLUTIONS.get(name)
    if names is None:
        return None
    given = _named(names, args, kwargs)
    x, weight, bias = given["input"], given["weight"], given.get("bias")
    if x.dim() != weight.dim():
        return None
    n = weight.dim() - 2
    dilation, padding, pad = _sizes(given.get("dilation", 1), n), given.get("padding", 0), None
    if isinstance(padding, str):
        total = [d * (k - 1) if padding == "same" else 0 for d, k in zip(dilation, weight.shape[2:], strict=True)]
        padding = [size // 2 for size in total]
        if any(size % 2 for size in total):
            pad = [side for size in reversed(total) for side in (size // 2, size - size // 2)]
            padding = 0
    layer = Convolution(
        stride=_sizes(given.get("stride", 1), n),
        padding=_sizes(padding, n),
        dilation=dilation,
        transposed=bool(given.get("transposed", "transpose" in name)),
        output_padding=_sizes(given.get("output_padding", 0), n),
        groups=int(given.get("groups", 1)),
    )
    return LinearCall(layer, x, weight, None if bias is None else bias.view(-1, *[1] * n), pad)


def activation(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Tensor, bool, bool] | None:
    """Read the call of an elementwise function with f(0) = 0.

    Returns
    -------
    tuple or None
        Its input, whether it works in place, and whether it is bounded like a gate; None if it is none.
    """
    stem = stem_of(name)
    x = args[0] if args else kwargs.get("input")
    if not isinstance(x, Tensor) or kwargs.get("out") is not None:
        return None
    bounded = stem in ("relu6", "hardtanh") or (stem == "clamp" and len(args) + len(kwargs) > 2)
    found = rectifier(name, args, kwargs)
    if found is not None:
        return found.input, found.inplace, bounded
    if stem in _CLAMPS:
        low_name, high_name, low, high = _CLAMPS[stem]
        given = _named(("input", low_name, high_name, "inplace"), args, kwargs)
        low, high = given.get(low_name, low), given.get(high_name, high)
        if isinstance(low, Tensor) or isinstance(high, Tensor):
            return None
        if (low is not None and low > 0) or (high is not None and high < 0):
            return None
    elif stem not in _ACTIVATIONS:
        return None
    inplace = name.endswith("_") or kwargs.get("inplace") is True or (bool(args[1:]) and args[-1] is True)
    return x, inplace, bounded


def norm_call(
    name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Tensor, Callable[[Tensor], Tensor], Tensor | None, Tensor | None, float]:
    """Read the call of a layer or group normalisation.

    Returns
    -------
    input : Tensor
    groups : callable
        The input to (..., values that are normalised together).
    weight, bias : Tensor or None
        To be broadcast over the input.
    eps : float
    """
    signature = inspect.signature(F.layer_norm if name == "layer_norm" else F.group_norm)
    order = tuple(signature.parameters)
    given = _named(order, args, kwargs)
    x, weight, bias = given["input"], given.get("weight"), given.get("bias")
    eps = float(given.get("eps", 1e-5))
    if name == "layer_norm":
        sizes = given["normalized_shape"]
        over = 1 if isinstance(sizes, int) else len(sizes)
        return x, lambda t: t.flatten(-over), weight, bias, eps
    count, spread = int(given["num_groups"]), (-1,) + (1,) * (x.dim() - 2)
    return (
        x,
        lambda t: t.reshape(len(t), count, -1),
        None if weight is None else weight.view(spread),
        None if bias is None else bias.view(spread),
        eps,
    )


def replaced_input(args: tuple[Any, ...], kwargs: Mapping[str, Any], func: Any) -> Callable[[Tensor], Tensor]:
    """The call as a function of its first argument."""

    def plain(x: Tensor) -> Tensor:
        given: Tensor = func(x, *args[1:], **kwargs) if args else func(**{**kwargs, "input": x})
        return given

    return plain


def _named(names: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _sizes(value: Any, n: int) -> tuple[int, ...]:
    sizes = (int(value),) if isinstance(value, (int, torch.SymInt)) else tuple(int(size) for size in value)
    return sizes * n if len(sizes) == 1 else sizes
