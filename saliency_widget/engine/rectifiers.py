"""Changed backward rules for rectifiers, through every spelling of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from saliency_widget.engine.ruled import Rules
from saliency_widget.engine.spelling import Mask, Rectifier, name_of, rectifier
from saliency_widget.errors import ModelError

Backward = Callable[[Tensor, Tensor], Tensor]
"""The gradient of the result and where the derivative is 1, to the gradient of the input."""

# Under their names as operators; what is made of them is counted once.
_OTHERS = {
    **{name: name for name in ("hardswish", "silu", "gelu", "mish", "leaky_relu", "elu", "celu", "rrelu", "glu")},
    **{name: name for name in ("sigmoid", "hardsigmoid", "tanh", "softplus", "hardtanh", "clamp", "threshold")},
    "_prelu_kernel": "prelu",
    "log_sigmoid_forward": "logsigmoid",
    "_softmax": "softmax",
}


def guided(gradient: Tensor, passes: Tensor) -> Tensor:
    """Let through what is positive, where the rectifier lets its input through."""
    return gradient.clamp_min(0).masked_fill(~passes, 0)


def deconvolution(gradient: Tensor, passes: Tensor) -> Tensor:
    """Let through what is positive."""
    return gradient.clamp_min(0)


class RectifierRules(Rules):
    """Replace the derivative of each rectifier.

    Parameters
    ----------
    backward
        :func:`guided` or :func:`deconvolution`.

    Attributes
    ----------
    quality
        After a forward pass: "rectifiers", how many of the nonlinearities that ran were changed ("14 of 33
        nonlinearities"), and, if it was not all of them, "unchanged", which ones were not ("19 hardswish").
    """

    def __init__(self, backward: Backward) -> None:
        self._backward = backward
        self.quality: dict[str, Any] = {}
        self._replaced = 0
        self._census = _Census()

    def active(self) -> AbstractContextManager[Any]:
        """The rules hold for the operators of a forward pass inside this context."""
        return self._watched()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        self._replaced = 0
        self._census = _Census()
        with self._census, _Replacing(self):
            yield

    def replace(self, func: Any, call: Rectifier, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        """Call a rectifier, with this rule behind it."""
        self._replaced += 1
        key = "input" if "input" in kwargs else "self"
        alone = (args[1:], kwargs) if args else ((), {k: v for k, v in kwargs.items() if k != key})

        def plain(x: Tensor) -> Tensor:
            # A clone, because the call may be in place.
            given: Tensor = func(x.detach().clone() if call.inplace else x.detach(), *alone[0], **alone[1])
            return given

        with self._census.asleep():
            output: Tensor = _Ruled.apply(call.input, plain, call.passes, self._backward)
        # By a copy: any tensor can be copied into, a view of another one too.
        return call.input.copy_(output) if call.inplace else output

    def leave(self, outputs: Tensor) -> Tensor:
        """Count; see :class:`~saliency_widget.engine.ruled.Rules`."""
        missed, others = self._census.rectifiers, self._census.others
        listed = ", ".join(f"{count} {name}" for name, count in others.most_common())
        if missed:
            raise ModelError(
                f"{missed} of the model's {missed + self._replaced} rectifiers (ReLU and its kin) ran where their "
                "backward rule cannot be changed, inside a ScriptModule or a compiled part. Give the model as plain "
                "Python modules, or use a method that leaves the rules as they are, such as 'gradient'."
            )
        if not self._replaced:
            instead = f", but {listed}" if listed else ""
            raise ModelError(
                f"the model has no rectifier (ReLU, ReLU6, clamp at 0){instead}, so that a changed rule for rectifiers "
                "would change nothing. Use another method, such as 'gradient'."
            )
        total = self._replaced + others.total()
        self.quality = {"rectifiers": f"{self._replaced} of {total} nonlinearities"}
        if listed:
            self.quality["unchanged"] = listed
        return outputs


class _Ruled(torch.autograd.Function):
    """A rectifier that keeps no more than one bit a value."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, plain: Callable[[Tensor], Tensor], passes: Mask, rule: Backward) -> Any:
        return plain(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, _, passes, ctx.rule = inputs
        ctx.save_for_backward(passes(x.detach()))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (passes,) = ctx.saved_tensors
        return ctx.rule(gradient, passes), None, None, None


class _Replacing(TorchFunctionMode):
    """Finds rectifiers as they are called, however they are spelled."""

    def __init__(self, rules: RectifierRules) -> None:
        super().__init__()
        self._rules = rules

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        call = rectifier(name_of(func), args, options)
        if call is None or not (call.input.requires_grad and torch.is_grad_enabled()):
            return func(*args, **options)
        return self._rules.replace(func, call, args, options)


class _Census(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the nonlinear operators on the way from the picture to the score, those that no function mode sees too.

    Attributes
    ----------
    rectifiers
        How many rectifiers ran that were not replaced.
    others
        How many of what else ran.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rectifiers = 0
        self.others: Counter[str] = Counter()
        self._asleep = False

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Count nothing."""
        self._asleep = True
        try:
            yield
        finally:
            self._asleep = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if not self._asleep and any(isinstance(given, Tensor) and given.requires_grad for given in args):
            name = name_of(func)
            if rectifier(name, args, options) is not None:
                self.rectifiers += 1
            elif name.rstrip("_") in _OTHERS or name in _OTHERS:
                self.others[_OTHERS[name if name in _OTHERS else name.rstrip("_")]] += 1
        # A ScriptModule's operators come here first; to replace them now, below autograd, would change nothing.
        with torch._C.DisableTorchFunction():
            return func(*args, **options)
