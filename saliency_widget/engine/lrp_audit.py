"""Watches which operators lie on the way from the picture to the score, and finds those LRP has no rule for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from saliency_widget.engine.spelling import name_of

# Linear in all their tensors, or a choice among them: what passes gradients on passes coefficients on.
_LINEAR = frozenset([
    "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "_prelu_kernel", "_reshape_alias", "_reshape_copy",
    "_to_copy", "_unsafe_view", "_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa",
    "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "adaptive_avg_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "add", "amax", "amin", "argmax", "as_strided", "avg_pool1d", "avg_pool2d",
    "avg_pool3d", "cat", "channel_shuffle", "clone", "col2im", "constant_pad_nd", "copy", "cumsum", "detach",
    "empty_like", "eq", "expand_copy", "flip", "full_like", "gather", "ge", "gt", "im2col", "index",
    "index_select", "isnan", "le", "leaky_relu", "lift_fresh", "lt", "masked_fill", "max", "max_pool2d",
    "maximum", "minimum", "max_pool2d_with_indices", "max_pool3d_with_indices", "mean", "min", "mkldnn_max_pool2d",
    "native_channel_shuffle", "ne", "neg", "new_empty", "new_full", "new_ones", "new_zeros", "ones_like",
    "pixel_shuffle", "pixel_unshuffle", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "relu",
    "repeat", "replication_pad1d", "replication_pad2d", "replication_pad3d", "roll", "rsub", "select_scatter",
    "slice_scatter", "sort", "squeeze", "stack", "sub", "sum", "swapaxes", "swapdims", "t", "take", "topk",
    "transpose", "unsqueeze", "upsample_bicubic2d", "upsample_bilinear2d", "upsample_linear1d",
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_trilinear3d", "view_copy",
    "zeros_like",
])  # fmt: skip
# Linear in each of their tensors: at most one of them may depend on the picture.
_MATRICES = frozenset(["mm", "bmm", "addmm", "addbmm", "baddbmm", "mv", "addmv", "dot", "convolution"])
_PRODUCTS = _MATRICES | {"mul", "addcmul", "where"}


class Audit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operator, those inside a ScriptModule too.

    Attributes
    ----------
    unknown
        Operators that LRP has no rule for, and how often they ran.
    plain
        How many linear layers ran to which no rule was applied.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.unknown: Counter[str] = Counter()
        self.plain = 0
        self._asleep = False

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """See nothing."""
        before, self._asleep = self._asleep, True
        try:
            yield
        finally:
            self._asleep = before

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if not self._asleep:
            self._look(func, args, options)
        # A ScriptModule's operators come here first; a function mode would be too late for them.
        with torch._C.DisableTorchFunction():
            return func(*args, **options)

    def _look(self, func: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        depend = sum(tensor.requires_grad for tensor in _tensors([*args, *options.values()]))
        if not depend or getattr(func, "is_view", False):
            return
        name = name_of(func)
        stem = name if name in _LINEAR else name.rstrip("_")
        if stem in _LINEAR:
            return
        first = args[0] if args else None
        if (stem in _PRODUCTS and depend == 1) or (
            stem == "div" and depend == 1 and isinstance(first, Tensor) and first.requires_grad
        ):
            self.plain += stem in _MATRICES
            return
        if stem == "where" and not args[0].requires_grad:
            return
        self.unknown[stem.strip("_")] += 1


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)
