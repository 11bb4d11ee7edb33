"""What stands in for each operator of a forward pass, so that its derivative is relevance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from saliency_widget.engine.lrp_audit import Audit
from saliency_widget.engine.lrp_calls import (
    GATES,
    NORMS,
    PRODUCTS,
    SUMS,
    LinearCall,
    activation,
    linear_call,
    norm_call,
    replaced_input,
    stem_of,
)
from saliency_widget.engine.lrp_functions import (
    Activation,
    Builder,
    Call,
    Gate,
    Normalised,
    Shifted,
    Source,
    Through,
    gate_of,
)
from saliency_widget.engine.lrp_maps import Convolution
from saliency_widget.engine.spelling import name_of


@dataclass(frozen=True)
class Named:
    """A rule and what it is called."""

    name: str
    build: Builder


@dataclass(frozen=True)
class Composite:
    """Which rule holds for which layer.

    Attributes
    ----------
    convolution, dense
        For convolutions, and for linear layers.
    first
        For what is called with the model's input itself; None is what holds for any other.
    """

    convolution: Named
    dense: Named
    first: Named | None = None


class Propagation(TorchFunctionMode):
    """Exchanges the operators on the way from the picture to the score.

    Parameters
    ----------
    composite
        Which rule holds for which layer.
    ledger
        Where operators book what they absorb.
    audit
        Looks away while an operator that was exchanged runs.

    Attributes
    ----------
    counts
        How many layers each rule was applied to.
    merged
        How many of them had a normalisation merged into them.
    entered
        Whether the rule for the first layer was applied.
    """

    def __init__(self, composite: Composite, ledger: Tensor, audit: Audit) -> None:
        super().__init__()
        self._composite, self._ledger, self._audit = composite, ledger, audit
        self.counts: Counter[str] = Counter()
        self.merged = 0
        self.entered = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if not torch.is_grad_enabled() or not any(_depends(given) for given in (*args, *options.values())):
            return func(*args, **options)
        output = self._exchanged(func, args, options)
        return func(*args, **options) if output is NotImplemented else output

    def _exchanged(self, func: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """The result of an operator; NotImplemented where it is what it is."""
        name = name_of(func)
        stem = stem_of(name)
        found = linear_call(name, args, options)
        if found is not None:
            return self._linear(replaced_input(args, options, func), found)
        act = activation(name, args, options)
        if act is not None:
            x, inplace, bounded = act
            return self._elementwise(x, inplace, replaced_input(args, options, func), bounded, None)
        if stem in GATES and isinstance(args[0] if args else options.get("input"), Tensor):
            x = args[0] if args else options["input"]
            inplace = name.endswith("_") or options.get("inplace") is True
            return self._elementwise(x, inplace, replaced_input(args, options, func), False, stem)
        if stem in PRODUCTS:
            return self._product(func, args, options)
        if name == "addcmul" and len(args) == 3 and not options:
            return self._affine(lambda x: func(args[0], x, args[2]), args)
        if stem in SUMS and name == stem:
            return self._sum(func, stem, args, options)
        if stem in NORMS:
            x, groups, weight, bias, eps = norm_call(stem, args, options)
            plain = replaced_input(args, options, func)
            with self._audit.asleep():
                return Normalised.apply(x, self._ledger, plain, groups(x.detach()), eps, weight, bias)
        if stem in ("pad", "constant_pad_nd", "to", "float", "contiguous", "clone"):
            return self._carried(func, stem, args, options)
        return NotImplemented

    def _linear(self, plain: Callable[[Tensor], Tensor], found: LinearCall) -> Any:
        x, weight = found.input, found.weight
        if not x.requires_grad or weight.requires_grad or (found.shift is not None and found.shift.requires_grad):
            return NotImplemented
        source = _source_of(x) if isinstance(found.map, Convolution) else None
        inner = x
        if found.pad is not None:
            inner = torch.nn.functional.pad(x, found.pad)
            source = None if source is None else source.padded(found.pad)
        rule = self._composite.convolution if isinstance(found.map, Convolution) else self._composite.dense
        if source is not None and self._composite.first is not None:
            rule, self.entered = self._composite.first, True
        self.counts[rule.name] += 1
        call = Call(found.map, weight, found.shift, inner, source, rule.build)
        output = self._through(call, lambda: plain(x.detach()))
        # For a normalisation that may follow. An attribute lives as long as the tensor.
        output._saliency_call = (call, output._version)  # type: ignore[attr-defined]
        return output

    def _through(self, call: Call, plain: Callable[[], Tensor]) -> Tensor:
        given = call.input if call.source is None else call.source.probe
        with self._audit.asleep():
            output: Tensor = Through.apply(given, self._ledger, call, plain)
        return output

    def _affine(self, plain: Callable[[Tensor], Tensor], args: tuple[Any, ...]) -> Any:
        """What a normalisation in evaluation mode is written out as: shift + x * scale."""
        shift, x, scale = args
        if shift.requires_grad or scale.requires_grad or not (_fits(shift, x) and _fits(scale, x)):
            return NotImplemented
        call = _call_of(x)
        # The output channels of a linear layer over tokens come last, where no normalisation looks for them.
        by_channel = call is not None and (isinstance(call.map, Convolution) or x.dim() == 2)
        spread = (x.shape[1], *[1] * (x.dim() - 2)) if by_channel else ()
        if call is not None and by_channel and scale.shape == shift.shape == spread:
            merged = call.scaled(scale.detach().flatten(), shift.detach().flatten())
            if merged is not None:
                self.merged += 1
                return self._through(merged, lambda: plain(x.detach()))
        with self._audit.asleep():
            return Shifted.apply(x, self._ledger, plain, scale, shift)

    def _elementwise(
        self, x: Tensor, inplace: bool, plain: Callable[[Tensor], Tensor], bounded: bool, gate: str | None
    ) -> Tensor:
        def aside(given: Tensor) -> Tensor:
            return plain(given.detach().clone() if inplace else given.detach())

        with self._audit.asleep():
            output: Tensor = Activation.apply(x, aside, bounded) if gate is None else Gate.apply(x, aside, gate)
        return x.copy_(output) if inplace else output

    def _product(self, func: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """The factor that is a gate is taken as a constant."""
        if len(args) != 2 or not all(isinstance(factor, Tensor) and factor.requires_grad for factor in args):
            return NotImplemented
        one, two = args
        first, second = gate_of(one), gate_of(two)
        if first == second:
            return NotImplemented
        if first > second and not name_of(func).endswith("_"):
            return func(one.detach(), two, **options)
        return func(one, two.detach(), **options) if second > first else NotImplemented

    def _sum(self, func: Any, stem: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """What is added and does not depend on the picture takes its share like a bias."""
        if len(args) != 2 or options:
            return NotImplemented
        one, two = args
        constant, x = (one, two) if isinstance(two, Tensor) and two.requires_grad else (two, one)
        if not isinstance(x, Tensor) or not x.requires_grad or getattr(constant, "requires_grad", False):
            return NotImplemented
        added = constant if isinstance(constant, Tensor) else torch.full_like(self._ledger[0, 0], constant)
        if not _fits(added, x):
            return NotImplemented
        factor = -1.0 if x is two and stem in ("sub", "__sub__") else 1.0
        shift = -added if x is one and stem in ("sub", "__sub__") else added

        def plain(given: Tensor) -> Tensor:
            result: Tensor = func(given.detach(), two) if x is one else func(one, given.detach())
            return result

        with self._audit.asleep():
            return Shifted.apply(x, self._ledger, plain, factor, shift)

    def _carried(self, func: Any, stem: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """What leaves the model's input, or a layer's output, what it was."""
        x = args[0] if args else options.get("input")
        if not isinstance(x, Tensor):
            return NotImplemented
        output = func(*args, **options)
        if output is x:
            return output
        source, call = _source_of(x), _call_of(x)
        if "pad" in stem:
            pad = args[1] if len(args) > 1 else options["pad"]
            # What is left: a value, and before it in one of the two spellings the mode.
            if source is not None and all(given in ("constant", None, 0) for given in (*args[2:], *_rest(options))):
                tag(output, source.padded(list(pad)))
            return output
        if source is not None:
            tag(output, source)
        if call is not None:
            output._saliency_call = (call, output._version)
        return output


def _depends(given: Any) -> bool:
    return isinstance(given, Tensor) and given.requires_grad


def _rest(options: dict[str, Any]) -> list[Any]:
    return [value for name, value in options.items() if name not in ("input", "pad")]


def _fits(constant: Tensor, x: Tensor) -> bool:
    """Whether a constant leaves the shape of what it is added to as it is."""
    sizes = zip(reversed(constant.shape), reversed(x.shape), strict=False)
    return constant.dim() <= x.dim() and all(size in (1, whole) for size, whole in sizes)


def tag(tensor: Tensor, source: Source) -> None:
    """Say that a tensor is the model's input. An attribute lives as long as the tensor."""
    tensor._saliency_source = (source, tensor._version)  # type: ignore[attr-defined]


def _source_of(tensor: Tensor) -> Source | None:
    source, version = getattr(tensor, "_saliency_source", (None, 0))
    return source if version == tensor._version else None


def _call_of(tensor: Tensor) -> Call | None:
    call, version = getattr(tensor, "_saliency_call", (None, 0))
    return call if version == tensor._version else None
