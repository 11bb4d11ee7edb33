"""Convolutions whose weights lie as oneDNN wants them.

On the CPU PyTorch lays the weights of a convolution out anew in each forward pass, and once more in each backward pass.
With one picture at a time that takes as long as the convolution itself where channels are many and the grid is small.
Here it is done once: the operators with which PyTorch's own compiler runs frozen models take such weights, and the
derivative of a convolution towards its input is a transposed convolution.

These operators are not public. Each convolution is therefore compared with PyTorch's own, forward and backward, the
first time that it is computed; where they differ, or the operators fail, it stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.grad import conv2d_input

_OPTIONS = ("bias", "stride", "padding", "dilation", "groups")
_NAMES = (
    "_convolution_pointwise",
    "_convolution_transpose_pointwise",
    "_reorder_convolution_weight",
    "_reorder_convolution_transpose_weight",
)
# Of rounding: the additions may be in another order.
_TOLERANCE = 1e-4


def is_available() -> bool:
    """Whether this PyTorch has the operators."""
    return bool(
        torch._C._has_mkldnn
        and torch._C._get_mkldnn_enabled()
        and all(hasattr(torch.ops.mkldnn, name) for name in _NAMES)
    )


def can_be_packed(weight: Tensor) -> bool:
    """Whether the operators are made for a weight."""
    return weight.dim() == 4 and weight.dtype is torch.float32 and weight.device.type == "cpu" and weight.numel() > 0


class Packed(Tensor):
    """The weight (O, I / groups, kh, kw) of a convolution, in whose place something quicker stands.

    A two-dimensional convolution that gets it for its weight is that. To all else it is the weight.

    Attributes
    ----------
    kernels
        By the options of the convolutions that use it; None for one that PyTorch has to compute.
    """

    kernels: dict[tuple[Any, ...], Kernel | None]

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            if func is torch.conv2d and len(args) > 1 and isinstance(args[1], Packed):
                return args[1].convolved(args[0], **dict(zip(_OPTIONS, args[2:], strict=False)), **(kwargs or {}))
            return func(*args, **(kwargs or {}))

    def convolved(
        self, input: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Any:
        """``torch.conv2d`` of an input with this weight."""
        if _is_usual(input, bias, padding):
            key = (_pair(stride), _pair(padding), _pair(dilation), groups)
            if key not in self.kernels:
                self.kernels[key] = _checked(self, *key, input)
            kernel = self.kernels[key]
            if kernel is not None and kernel.takes(input):
                return _apply(input, kernel, None, bias)
        return torch.conv2d(input, self, bias, stride, padding, dilation, groups)


def packed(weight: Tensor) -> Packed:
    """A weight that stands for the whole convolution; it shares its numbers with ``weight``."""
    found = Tensor._make_subclass(Packed, weight)
    found.kernels = {}
    return found


def _is_usual(input: Any, bias: Any, padding: Any) -> bool:
    return (
        isinstance(input, Tensor)
        and input.dim() == 4
        and input.dtype is torch.float32
        and input.device.type == "cpu"
        and len(input) > 0
        and not isinstance(padding, str)
        and (bias is None or (bias.dtype is torch.float32 and not bias.requires_grad))
        and not torch.is_autocast_enabled("cpu")
    )


@dataclass(frozen=True, eq=False)
class Kernel:
    """A convolution and its transposed one, with weights as oneDNN wants them.

    Attributes
    ----------
    there, back
        The weights: of the convolution and of its derivative.
    channels
        Of the input.
    reach
        How many rows and columns a window spans.
    """

    there: Tensor
    back: Tensor
    channels: int
    reach: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    def takes(self, input: Tensor) -> bool:
        """Whether it can convolve (N, C, H, W); what it cannot, PyTorch refuses in its own words."""
        return input.shape[1] == self.channels and all(
            side + 2 * pad >= reach for side, pad, reach in zip(input.shape[2:], self.padding, self.reach, strict=True)
        )

    def convolved(self, input: Tensor, bias: Tensor | None) -> Tensor:
        """(N, O, h, w) from (N, I, H, W)."""
        found: Tensor = torch.ops.mkldnn._convolution_pointwise(
            input, self.there, bias, self.padding, self.stride, self.dilation, self.groups, "none", [], ""
        )
        return found

    def transposed(self, gradient: Tensor, sides: tuple[int, int]) -> Tensor:
        """(N, I, H, W), the derivative towards an input of so many rows and columns, from (N, O, h, w)."""
        rest = self.rest(gradient, sides)
        found: Tensor = torch.ops.mkldnn._convolution_transpose_pointwise(
            gradient, self.back, None, self.padding, rest, self.stride, self.dilation, self.groups, "none", [], ""
        )
        return found

    def rest(self, gradient: Tensor, sides: tuple[int, int]) -> list[int]:
        """How many rows and columns of an input no window reaches."""
        return [
            sides[k] - (gradient.shape[2 + k] - 1) * self.stride[k] + 2 * self.padding[k] - self.reach[k]
            for k in (0, 1)
        ]


def _pair(value: Any) -> tuple[int, int]:
    found = (value, value) if isinstance(value, int) else tuple(value)
    return (found[0], found[-1])


@torch.no_grad()
def _checked(
    weight: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    input: Tensor,
) -> Kernel | None:
    """The kernel of a convolution, once it has shown for an input that it is the same; None if it is not."""
    row = input[:1].detach()
    # Raises what is wrong with the call.
    wanted = torch.conv2d(row, weight, None, stride, padding, dilation, groups)
    height, width = (step * (side - 1) + 1 for step, side in zip(dilation, weight.shape[2:], strict=True))
    sides = (int(row.shape[2]), int(row.shape[3]))
    try:
        # The transposed ones are read as they lie.
        dense = weight.contiguous()
        there = torch.ops.mkldnn._reorder_convolution_weight(dense, padding, stride, dilation, groups, [*row.shape])
        kernel = Kernel(there, there, int(row.shape[1]), (height, width), stride, padding, dilation, groups)
        back = torch.ops.mkldnn._reorder_convolution_transpose_weight(
            dense, padding, kernel.rest(wanted, sides), stride, dilation, groups, [*wanted.shape]
        )
        kernel = replace(kernel, back=back)
        if not _alike(kernel.convolved(row, None), wanted):
            return None
        towards: Tensor = conv2d_input(  # type: ignore[no-untyped-call]
            row.shape, dense, wanted, stride, padding, dilation, groups
        )
        return kernel if _alike(kernel.transposed(wanted, sides), towards) else None
    except (RuntimeError, TypeError, AttributeError, NotImplementedError):
        return None


def _alike(found: Tensor, wanted: Tensor) -> bool:
    if found.shape != wanted.shape:
        return False
    return bool((found - wanted).abs().sum() <= _TOLERANCE * wanted.abs().sum())


def _apply(input: Tensor, kernel: Kernel, sides: tuple[int, int] | None, bias: Tensor | None) -> Any:
    """The convolution, or towards an input of so many rows and columns its transposed one."""
    # What can be vmapped takes a tenth of a millisecond more, which is longer than some convolutions.
    kind = _Mapped if torch._C._are_functorch_transforms_active() else _Convolution
    return kind.apply(input, kernel, sides, bias)


def _backward(ctx: Any, *gradients: Any) -> Any:
    # Each of the two is the derivative of the other, as often as one differentiates.
    return _apply(gradients[0], ctx.kernel, ctx.sides, None), None, None, None


def _computed(input: Tensor, kernel: Kernel, sides: tuple[int, int] | None, bias: Tensor | None) -> Tensor:
    return kernel.convolved(input, bias) if sides is None else kernel.transposed(input, sides)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Any = None) -> None:
    input, ctx.kernel, sides, _ = inputs
    ctx.sides = (input.shape[-2], input.shape[-1]) if sides is None else None


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        _remember(ctx, inputs)
        return _computed(*inputs)

    backward = staticmethod(_backward)


class _Mapped(torch.autograd.Function):
    forward = staticmethod(_computed)
    setup_context = staticmethod(_remember)
    backward = staticmethod(_backward)

    @staticmethod
    def vmap(_info: Any, dims: tuple[Any, ...], input: Tensor, kernel: Kernel, sides: Any, bias: Any) -> Any:
        if dims[0] is None or dims[3] is not None:
            raise NotImplementedError("the bias of a packed convolution is the same for all")
        rows = input.movedim(dims[0], 0)
        found = _apply(rows.flatten(0, 1), kernel, sides, bias)
        return found.unflatten(0, rows.shape[:2]), 0
