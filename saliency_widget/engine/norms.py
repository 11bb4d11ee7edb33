"""Normalisation layers in evaluation mode, written out.

PyTorch's CPU backward of BatchNorm, and of InstanceNorm, which is made of it, gives wrong gradients for a batch of one
when the incoming gradient is laid out as if transposed, as after ``flatten(2).transpose(1, 2)``. A multiply-add has no
such kernel behind it, saves less for the backward pass, and is the same function.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor, nn
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

_LOW = (torch.float16, torch.bfloat16)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``torch.nn.functional.batch_norm`` that never updates its statistics."""
    if running_mean.__class__ is Prepared:
        return running_mean.normalised(input, running_var, weight, bias, eps)
    if running_mean is None or running_var is None or training:
        return _by_own_statistics(input, [0, *range(2, input.dim())], weight, bias, eps)
    return _by_given_statistics(input, running_mean, running_var, weight, bias, eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``torch.nn.functional.instance_norm`` that never updates its statistics."""
    if use_input_stats or running_mean is None or running_var is None:
        return _by_own_statistics(input, list(range(2, input.dim())), weight, bias, eps)
    return _by_given_statistics(input, running_mean, running_var, weight, bias, eps)


def _raw_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    return batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _raw_instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    return instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def _native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    # The statistics that it saves in training are empty in evaluation.
    nothing = input.new_empty(0)
    return batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps), nothing, nothing


def _native_batch_norm_of_evaluation(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    return _native_batch_norm(input, weight, bias, running_mean, running_var, False, momentum, eps)


def _operators() -> dict[Any, Callable[..., Any]]:
    """The operators themselves, which an exported graph calls, with and without the name of the overload."""
    aten = torch.ops.aten
    found: dict[Any, Callable[..., Any]] = {}
    for packet, replacement in (
        (aten.batch_norm, _raw_batch_norm),
        (aten.instance_norm, _raw_instance_norm),
        (aten.native_batch_norm, _native_batch_norm),
        (aten._native_batch_norm_legit, _native_batch_norm),
        (aten._native_batch_norm_legit_no_training, _native_batch_norm_of_evaluation),
    ):
        found[packet] = found[packet.default] = replacement
    return found


REPLACED: dict[Any, Callable[..., Any]] = {
    F.batch_norm: batch_norm,
    F.instance_norm: instance_norm,
    torch.batch_norm: _raw_batch_norm,
    torch.instance_norm: _raw_instance_norm,
    torch.native_batch_norm: _native_batch_norm,
    **_operators(),
}
"""Every spelling of a normalisation that a function mode sees, and what stands in for it."""


def write_out(module: nn.Module) -> None:
    """Give a normalisation module of the shadow a forward that is written out, if it has PyTorch's own."""
    if "forward" in module.__dict__:
        return
    own = type(module).forward
    if isinstance(module, _BatchNorm) and own in (_BatchNorm.forward, SyncBatchNorm.forward):
        module.__dict__["forward"] = types.MethodType(_batch_norm_forward, module)
    elif isinstance(module, _InstanceNorm) and own is _InstanceNorm.forward:
        module.__dict__["forward"] = types.MethodType(_instance_norm_forward, module)


def depends_on_batch(module: nn.Module) -> bool:
    """Whether a module normalises by the statistics of the batch even in evaluation mode."""
    return isinstance(module, _BatchNorm) and (module.running_mean is None or module.running_var is None)


def _batch_norm_forward(self: Any, input: Tensor) -> Tensor:
    self._check_input_dim(input)
    return batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, False, None, self.eps)


def _instance_norm_forward(self: Any, input: Tensor) -> Tensor:
    self._check_input_dim(input)
    feature_dim = input.dim() - self._get_no_batch_dim()
    if input.size(feature_dim) != self.num_features and self.affine:
        raise ValueError(
            f"expected input's size at dim={feature_dim} to match num_features ({self.num_features}), "
            f"but got: {input.size(feature_dim)}"
        )
    alone = input.dim() == self._get_no_batch_dim()
    result = instance_norm(
        input.unsqueeze(0) if alone else input,
        self.running_mean,
        self.running_var,
        self.weight,
        self.bias,
        not self.track_running_stats,
        0.0,
        self.eps,
    )
    return result.squeeze(0) if alone else result


class Prepared(Tensor):
    """The running mean of a BatchNorm in the shadow, in whose place something quicker stands.

    A normalisation that gets it for its mean is that. To all else it is the mean. In this way a function mode, which
    would look at every operator of a forward pass, is only needed for normalisations that belong to no module.

    Attributes
    ----------
    scale, shift
        (C,): the normalisation as a multiplication and an addition, made once a run; None where the convolution before
        it does the work of both.
    """

    scale: Tensor | None
    shift: Tensor | None

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            return REPLACED.get(func, func)(*args, **(kwargs or {}))

    def normalised(
        self, input: Tensor, var: Tensor | None, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> Tensor:
        """The normalised input."""
        if self.scale is None or self.shift is None:
            return input
        if input.dtype != self.scale.dtype or input.dtype in _LOW or input.dim() < 2:
            assert var is not None
            return _by_given_statistics(input, self, var, weight, bias, eps)
        shape = (-1,) + (1,) * (input.dim() - 2)
        if input.dtype is torch.float32 and input.is_contiguous():
            # Where two factors are broadcast, the CPU uses no vector instructions.
            return (input * self.scale.view(shape)).add_(self.shift.view(shape))
        return torch.addcmul(self.shift.view(shape), input, self.scale.view(shape))


def prepared(mean: Tensor, scale: Tensor | None, shift: Tensor | None) -> Prepared:
    """A mean that stands for the whole normalisation; it shares its numbers with ``mean``."""
    found = Tensor._make_subclass(Prepared, mean)
    found.scale, found.shift = scale, shift
    return found


def _by_given_statistics(
    input: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    scale = torch.rsqrt(var + eps)
    if weight is not None:
        scale = scale * weight
    shift = -mean * scale if bias is None else torch.addcmul(bias, mean, scale, value=-1)
    shape = (-1,) + (1,) * (input.dim() - 2)
    return _multiply_add(input, scale.view(shape), shift.view(shape))


def _by_own_statistics(
    input: Tensor, over: list[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    wide = input.float() if input.dtype in _LOW else input
    var, mean = torch.var_mean(wide, dim=over, correction=0, keepdim=True)
    result = (wide - mean) * torch.rsqrt(var + eps)
    shape = (-1,) + (1,) * (input.dim() - 2)
    if weight is not None:
        result = result * weight.view(shape)
    if bias is not None:
        result = result + bias.view(shape)
    return result.to(input.dtype)


def _multiply_add(input: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    if input.dtype == scale.dtype == shift.dtype and input.dtype not in _LOW:
        return torch.addcmul(shift, input, scale)
    # PyTorch's kernel, too, computes half precision in float32 and rounds once.
    wide = torch.promote_types(torch.promote_types(input.dtype, scale.dtype), torch.float32)
    return torch.addcmul(shift.to(wide), input.to(wide), scale.to(wide)).to(input.dtype)
