"""The function modes: a sentinel for the first forward, and what stays on afterwards where a model needs it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor
from torch.overrides import TorchFunctionMode

from saliency_widget.engine.norms import REPLACED
from saliency_widget.models.randomness import DRAWS

_SET_GRAD = torch._C._set_grad_enabled

# Where the flag stands that turns the randomness on, and whether it is on when it is not given.
_DROPOUTS: dict[Any, tuple[str, bool]] = {
    F.dropout: ("training", True),
    F.dropout1d: ("training", True),
    F.dropout2d: ("training", True),
    F.dropout3d: ("training", True),
    F.alpha_dropout: ("training", False),
    F.feature_alpha_dropout: ("training", False),
    F.rrelu: ("training", False),
    torch.dropout: ("train", True),
    torch.dropout_: ("train", True),
    torch.alpha_dropout: ("train", True),
    torch.feature_dropout: ("train", True),
    torch.feature_alpha_dropout: ("train", True),
    torch.rrelu: ("training", False),
}
_POSITION = {"train": 2}
# These end in an underscore without writing to the tensor's numbers.
_HARMLESS = frozenset({"requires_grad_", "rename_", "detach_", "share_memory_", "retain_grad"})


class Trip(BaseException):
    """The sentinel saw something that must not happen.

    Not an ``Exception``, so that a model that catches those in its forward does not go on.

    Attributes
    ----------
    reason
        "reached": an original tensor reached an operator; "training": an operator ran in training mode; "random": the
        forward draws random numbers; "unsteady": it gave another output the second time; "write": an operator was
        about to write into the model's weights.
    """

    def __init__(self, reason: str, operator: str) -> None:
        self.reason = reason
        self.operator = operator
        super().__init__(f"{reason}: {operator}")


class Exact(TorchFunctionMode):
    """Stays on during a forward that calls normalisations as functions, or switches gradients off.

    Parameters
    ----------
    norms
        Write out functional normalisations.
    grads
        Ignore ``torch.no_grad()`` inside the model: what is asked for is the derivative of the function.
    """

    def __init__(self, *, norms: bool, grads: bool) -> None:
        super().__init__()
        self._table: dict[Any, Callable[..., Any]] = {}
        if norms:
            self._table.update(REPLACED)
        if grads:
            self._table[_SET_GRAD] = _keep_grad

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return self._table.get(func, func)(*args, **(kwargs or {}))


class Sentinel(TorchFunctionMode):
    """Watches the first forward of a shadow.

    Parameters
    ----------
    originals
        Every parameter and buffer of the user's model: none may reach an operator.
    views
        The shadow's parameters, whose storage is the user's: none may be written to.
    owned
        The shadow's own tensors.
    means
        The running means of the shadow's BatchNorm modules.
    grads
        Differentiate through ``torch.no_grad()``.

    Attributes
    ----------
    norms
        A normalisation was called as a function.
    batch_statistics
        One of them took its statistics from the batch.
    loose
        One of them took other given statistics than those of a module of the shadow.
    crossed
        Something that depends on the input was computed where the model had switched gradients off.
    """

    def __init__(
        self,
        originals: Iterable[Tensor],
        views: Iterable[Tensor],
        owned: Iterable[Tensor],
        *,
        means: Iterable[Tensor] = (),
        grads: bool,
    ) -> None:
        super().__init__()
        self._kept = list(originals)
        self._originals = {id(tensor) for tensor in self._kept}
        self._storages = {pointer for pointer in map(_storage, views) if pointer}
        self._counters = {id(tensor): tensor for tensor in owned if _is_counter(tensor)}
        self._grads = grads
        self._suppressed = False
        self._means = {id(tensor) for tensor in means}
        self.norms = False
        self.loose = False
        self.batch_statistics = False
        self.crossed = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func is _SET_GRAD:
            return self._set_grad(bool(args[0]))
        tensors = list(tensors_in(args)) + list(tensors_in(options.values()))
        name = getattr(func, "__name__", "")
        if any(id(tensor) in self._originals for tensor in tensors) and not reads_only(func, name, args):
            raise Trip("reached", name)
        self._check_random(func, name, args, options)
        self._check_write(name, args, options)
        replaced = REPLACED.get(func)
        if replaced is None:
            output = func(*args, **options)
        else:
            self.norms = True
            self._check_norm(func, name, args, options)
            output = replaced(*args, **options)
        self._counters.update((id(tensor), tensor) for tensor in tensors_in([output]) if _is_counter(tensor))
        if self._suppressed and any(tensor.requires_grad for tensor in tensors_in([output])):
            self.crossed = True
        return output

    def _set_grad(self, on: bool) -> None:
        if self._grads:
            self._suppressed = not on
            _keep_grad(on)
        else:
            _SET_GRAD(on)

    def _check_norm(self, func: Any, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        call = inspect.signature(REPLACED[func]).bind(*args, **options)
        call.apply_defaults()
        given = call.arguments
        by_input = given.get("training", given.get("use_input_stats"))
        if by_input and given["running_mean"] is not None:
            raise Trip("training", name)
        if id(given["running_mean"]) not in self._means:
            self.loose = True
        # Weights are standardised by the same function; only the picture's part of the graph counts.
        if "batch" in name and given["running_mean"] is None and given["input"].requires_grad:
            self.batch_statistics = True

    def _check_random(self, func: Any, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        dropout = _DROPOUTS.get(func)
        if dropout is not None:
            flag, default = dropout
            position = _POSITION.get(flag) or _flag_position(func, flag)
            on = options.get(flag, args[position] if len(args) > position else default)
            chance = options.get("p", args[1] if len(args) > 1 else 0.5)
            if on and chance:
                raise Trip("training", name)
        elif name == "multi_head_attention_forward":
            if options.get("training", args[13] if len(args) > 13 else True) and args[10]:
                raise Trip("training", name)
        elif name == "scaled_dot_product_attention":
            if options.get("dropout_p", args[4] if len(args) > 4 else 0.0):
                raise Trip("training", name)
        elif name in DRAWS and not name.startswith("__") and options.get("generator") is None:
            raise Trip("random", name)

    def _check_write(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        written: list[Tensor] = list(tensors_in([options.get("out")]))
        if options.get("inplace"):
            written += tensors_in(args[:1])
        if name.endswith("__"):
            if name == "__setitem__" or (name.startswith("__i") and name not in ("__invert__", "__index__", "__int__")):
                written += tensors_in(args[:1])
        elif name.endswith("_") and name not in _HARMLESS:
            written += tensors_in(args[:1])
        for tensor in written:
            if _storage(tensor) in self._storages:
                raise Trip("write", name)
            # BatchNorm in training mode first counts its batches. This one belongs to no module of the shadow.
            if _is_counter(tensor) and id(tensor) not in self._counters:
                raise Trip("training", name)


def _keep_grad(on: bool) -> None:
    if on:
        _SET_GRAD(True)


@lru_cache(maxsize=64)
def _flag_position(func: Any, flag: str) -> int:
    return list(inspect.signature(func).parameters).index(flag)


def reads_only(func: Any, name: str, args: tuple[Any, ...]) -> bool:
    """Whether a call only asks a tensor for a property such as its shape."""
    if name in (
        "dim",
        "size",
        "numel",
        "is_floating_point",
        "is_complex",
        "element_size",
        "stride",
        "nelement",
    ):
        return True
    if name != "__get__":
        return False
    return not isinstance(func(*args), Tensor)


def _is_counter(tensor: Tensor) -> bool:
    return tensor.dtype is torch.int64 and tensor.dim() == 0


def _storage(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):
        return 0


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among some values, and in the lists, tuples and dictionaries among them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)
        elif isinstance(value, dict):
            yield from tensors_in(value.values())
