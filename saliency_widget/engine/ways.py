"""The ways in which a shadow can compute the same function, quicker or slower.

"plain" is the model as it is. "channels_last" keeps the channels of a pixel beside each other in memory. "packed" does
so too, and keeps the weights of convolutions as the CPU's library wants them; see :mod:`saliency_widget.engine.packed`.
"folded" lets each convolution do the work of the BatchNorm behind it, whose evaluation is a multiplication and an
addition: its weights are then products, each rounded once, and the activations are rounded twice less. Which of them is
quick depends on the model and the device, and which is as exact depends on both as well: see
:mod:`saliency_widget.engine.deciding`.

A way is a set of exchanges in the dictionaries of the shadow's modules, made before a forward pass and undone when the
shadow is given back, so that the shadow is one and the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from saliency_widget.engine.norms import prepared
from saliency_widget.engine.packed import can_be_packed, is_available, packed
from saliency_widget.engine.sentinel import reads_only, tensors_in
from saliency_widget.engine.witness import Witness

PLAIN = "plain"
CHANNELS_LAST = "channels_last"
FOLDED = "folded"
BOTH = "folded, channels_last"
PACKED = "packed"
FOLDED_PACKED = "folded, packed"
WAYS = (PLAIN, CHANNELS_LAST, FOLDED, BOTH, PACKED, FOLDED_PACKED)

WORTH_IT = 32
"""So many pictures are computed before anything is measured, which costs about as much as thirty of them."""
LEAST_SIDE = 64
"""Smaller pictures take so little time that nothing is measured."""

_SMALL_KERNEL = 32


class Exchange(NamedTuple):
    """One entry of a module's dictionary, and what it is otherwise."""

    holder: dict[str, Any]
    key: str
    value: Any
    usual: Any


@dataclass(eq=False)
class Way:
    """What is exchanged in a shadow.

    Attributes
    ----------
    name
        One of :data:`WAYS`.
    exchanges
        All of them.
    folded
        The convolutions that do more than they did, so that what they return is not what they returned, and the
        normalisations whose work they do; by dotted name.
    sources
        Of which weights the copies are made: where they stand.
    content
        What these came to when they were copied.
    """

    name: str
    exchanges: list[Exchange] = field(default_factory=list)
    folded: dict[str, str] = field(default_factory=dict)
    sources: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    content: Witness = field(default_factory=lambda: Witness([]))

    @property
    def layout(self) -> torch.memory_format:
        """In which the pictures are handed over."""
        return torch.channels_last if CHANNELS_LAST in self.name or self.packs else torch.contiguous_format

    @property
    def packs(self) -> bool:
        """Whether the weights of convolutions lie as oneDNN wants them."""
        return PACKED in self.name

    def enter(self) -> None:
        """Make the exchanges."""
        for holder, key, value, _ in self.exchanges:
            dict.__setitem__(holder, key, value)

    def leave(self) -> None:
        """Undo them."""
        for holder, key, _, usual in self.exchanges:
            dict.__setitem__(holder, key, usual)


def normalisations(module: nn.Module) -> dict[str, nn.Module]:
    """The BatchNorm modules of a shadow that normalise by given statistics, by dotted name."""
    return {
        name: part
        for name, part in module.named_modules()
        if isinstance(part, _BatchNorm)
        and not isinstance(part, torch.jit.ScriptModule)
        and type(part._buffers.get("running_mean")) is Tensor
        and type(part._buffers.get("running_var")) is Tensor
        and {"weight", "bias"} <= part._parameters.keys()
    }


def make(module: nn.Module, name: str, norms: Mapping[str, nn.Module], pairs: Mapping[str, str]) -> Way:
    """Make a way for a shadow whose weights are attached and which computes plainly.

    Parameters
    ----------
    module
        The shadow's root.
    name
        One of :data:`WAYS`.
    norms
        From :func:`normalisations`.
    pairs
        From :func:`pairs_in`; of a way that does not fold, unused.
    """
    way = Way(name)
    if FOLDED in name:
        way.folded = dict(pairs)
        for conv, norm in pairs.items():
            part = module.get_submodule(conv)
            way.sources += [(held, key) for held in (part._parameters, norms[norm]._parameters) for key in held]
            way.sources += [(norms[norm]._buffers, key) for key in ("running_mean", "running_var")]
            weight, bias = _folded(part, norms[norm])
            _exchange(way, part._parameters, "weight", _laid(weight, way))
            _exchange(way, part._parameters, "bias", nn.Parameter(bias, requires_grad=False))
            mean = norms[norm]._buffers["running_mean"]
            assert mean is not None
            _exchange(way, norms[norm]._buffers, "running_mean", prepared(mean, None, None))
    if way.layout is torch.channels_last:
        for conv, part in module.named_modules():
            kept = part._parameters.get("weight")
            if _convolves(part) and conv not in way.folded and type(kept) is nn.Parameter:
                way.sources.append((part._parameters, "weight"))
                _exchange(way, part._parameters, "weight", _laid(kept.detach(), way))
    way.content = Witness(_sources(way))
    refresh(way, norms)
    return way


def is_current(way: Way) -> bool:
    """Whether the copies of weights in a way are still of the weights as they are; the shadow computes plainly."""
    return not way.sources or way.content.still(_sources(way))


def _sources(way: Way) -> list[Tensor]:
    return [tensor for held, key in way.sources if (tensor := held[key]) is not None]


def refresh(way: Way, norms: Mapping[str, nn.Module]) -> None:
    """Bring what a way knows of the normalisations that it does not fold up to date."""
    done = set(way.folded.values())
    ours = [part for name, part in norms.items() if name not in done and _is_written(part)]
    scales, shifts = _affine(ours)
    known = {(id(one.holder), one.key): k for k, one in enumerate(way.exchanges)}
    for part, scale, shift in zip(ours, scales, shifts, strict=True):
        mean = part._buffers["running_mean"]
        assert mean is not None
        at = known.get((id(part._buffers), "running_mean"))
        one = Exchange(part._buffers, "running_mean", prepared(mean, scale, shift), mean)
        if at is None:
            way.exchanges.append(one)
        else:
            way.exchanges[at] = one


def _is_written(part: nn.Module) -> bool:
    tensors = [part._buffers["running_mean"], part._buffers["running_var"]]
    tensors += [one for one in (part._parameters.get("weight"), part._parameters.get("bias")) if one is not None]
    kinds = {(one.dtype, one.device) for one in tensors if one is not None}
    return len(kinds) == 1 and next(iter(kinds))[0] in (torch.float32, torch.float64)


@torch.no_grad()
def _affine(parts: list[Any]) -> tuple[list[Tensor], list[Tensor]]:
    """Each normalisation as a scale and a shift (C,), all of them by a few operators."""
    if not parts:
        return [], []
    variances: list[Any] = [part._buffers["running_var"] for part in parts]
    scales = list(torch._foreach_add(variances, [part.eps for part in parts]))
    torch._foreach_rsqrt_(scales)
    shifts = []
    for k, part in enumerate(parts):
        mean, weight, bias = part._buffers["running_mean"], part._parameters["weight"], part._parameters["bias"]
        if weight is not None:
            scales[k] = scales[k] * weight
        shifts.append(-mean * scales[k] if bias is None else torch.addcmul(bias, mean, scales[k], value=-1))
    return scales, shifts


@torch.no_grad()
def _folded(conv: nn.Module, norm: Any) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that normalises as well, each number rounded once."""
    given = conv._parameters["weight"]
    assert given is not None
    # float64 is not for every device, but where it is not nothing is measured either.
    weight, bias, scale, shift, mean, var = (
        one if one is None else one.double()
        for one in (given, conv._parameters["bias"], norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    assert weight is not None
    assert mean is not None
    factor = torch.rsqrt(var + norm.eps)
    factor = factor if scale is None else factor * scale
    offset = -mean * factor if bias is None else (bias - mean) * factor
    offset = offset if shift is None else offset + shift
    product = weight * factor.view(-1, *[1] * (weight.dim() - 1))
    return _rounded(product, given.dtype), offset.to(given.dtype)


def _rounded(product: Tensor, dtype: torch.dtype) -> Tensor:
    """(O, ...) rounded once each; of small kernels so that what a row is off adds up to nothing.

    Beside each other, pixels are alike: over the few of a depthwise kernel, errors that add up to nothing cancel, where
    a rounding by itself would shift a channel everywhere, which no pooling takes out again.
    """
    rows = product.flatten(1)
    if rows.shape[1] > _SMALL_KERNEL:
        return product.to(dtype)
    off = torch.zeros_like(rows[:, 0])
    columns = []
    for column in rows.unbind(1):
        wanted = column + off
        columns.append(wanted.to(dtype))
        off = wanted - columns[-1].double()
    return torch.stack(columns, 1).view(product.shape)


def _laid(weight: Tensor, way: Way) -> Tensor:
    if way.packs and can_be_packed(weight) and is_available():
        # What is packed are copies already.
        return packed(weight)
    if weight.dim() == 4:
        weight = weight.contiguous(memory_format=way.layout)
    return nn.Parameter(weight, requires_grad=False)


def _exchange(way: Way, holder: dict[str, Any], key: str, value: Any) -> None:
    way.exchanges.append(Exchange(holder, key, value, holder[key]))


def _convolves(part: nn.Module) -> bool:
    return isinstance(part, (nn.Conv1d, nn.Conv2d, nn.Conv3d)) and not isinstance(part, torch.jit.ScriptModule)


# -- what can be folded -------------------------------------------------------------------------------------------


def pairs_in(module: nn.Module, norms: Mapping[str, nn.Module], run: Callable[[], Any]) -> dict[str, str]:
    """The convolutions whose output goes into one BatchNorm and nowhere else, and these, by dotted name.

    Parameters
    ----------
    module
        The shadow's root.
    norms
        From :func:`normalisations`.
    run
        A forward pass, computed plainly. Nothing else is known of the model: what its modules pass to each other in it
        decides.
    """
    watch = _Watch()
    handles = []
    for name, part in module.named_modules():
        if _convolves(part) and type(part._parameters.get("weight")) is nn.Parameter and "bias" in part._parameters:
            handles.append(part.register_forward_hook(watch.convolved(name)))
        elif name in norms:
            handles.append(part.register_forward_pre_hook(watch.entering(name)))
            handles.append(part.register_forward_hook(watch.left))
    try:
        with watch:
            output = run()
    finally:
        for handle in handles:
            handle.remove()
    return watch.pairs(output)


class _Watch(TorchFunctionMode):
    """Sees where the outputs of convolutions go."""

    def __init__(self) -> None:
        super().__init__()
        self._outputs: dict[int, tuple[str, Tensor]] = {}
        self._to: dict[str, set[str | None]] = {}
        self._inside: list[tuple[str, int | None]] = []
        self._norms: dict[str, set[str | None]] = {}

    def convolved(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _given: Any, output: Any) -> None:
            self._to.setdefault(name, set())
            if isinstance(output, Tensor):
                # Held, so that its id is its own.
                self._outputs[id(output)] = (name, output)
            else:
                self._to[name].add(None)

        return hook

    def entering(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, given: Any) -> None:
            first = id(given[0]) if given and isinstance(given[0], Tensor) else None
            source = self._outputs.get(first) if first is not None else None
            self._norms.setdefault(name, set()).add(source[0] if source else None)
            if source is not None:
                self._to[source[0]].add(name)
            self._inside.append((name, first))

        return hook

    def left(self, _module: nn.Module, _given: Any, _output: Any) -> None:
        self._inside.pop()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if not reads_only(func, getattr(func, "__name__", ""), args):
            self._used(tensors_in([*args, *options.values()]))
        return func(*args, **options)

    def _used(self, tensors: Iterable[Tensor]) -> None:
        inside = self._inside[-1][1] if self._inside else None
        for tensor in tensors:
            source = self._outputs.get(id(tensor))
            if source is not None and id(tensor) != inside:
                self._to[source[0]].add(None)

    def pairs(self, output: Any) -> dict[str, str]:
        self._inside = []
        self._used(tensors_in([output]))
        found = {}
        for conv, goals in self._to.items():
            (goal,) = goals if len(goals) == 1 else (None,)
            if goal is not None and self._norms[goal] == {conv}:
                found[conv] = goal
        return found
