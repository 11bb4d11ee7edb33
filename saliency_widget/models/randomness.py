"""The global random states, kept as they are while a transform runs."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

R = TypeVar("R")

DRAWS = frozenset(
    [
        "rand",
        "rand_like",
        "randn",
        "randn_like",
        "randint",
        "randint_like",
        "randperm",
        "bernoulli",
        "multinomial",
        "normal",
        "poisson",
        "binomial",
        "uniform_",
        "normal_",
        "bernoulli_",
        "random_",
        "exponential_",
        "cauchy_",
        "geometric_",
        "log_normal_",
        "gumbel_softmax",
        "fractional_max_pool2d",
        "fractional_max_pool3d",
    ]
)
"""Names of torch's functions that draw random numbers."""


class KeptRandomness:
    """A context in which a transform may draw random numbers without moving the user's generators.

    At the end the states that the transform moved are what they were. A state that another thread moved is left alone,
    as a training loop's dropout would otherwise draw the same numbers twice: torch's is put back only if this thread
    drew, those of ``random`` and ``numpy.random`` only if they moved in each run of the transform.
    """

    def __init__(self) -> None:
        self._mode = _Draws()
        self._runs = 0
        self._moved = {"random": 0, "numpy": 0}

    def __enter__(self) -> KeptRandomness:
        self._python, self._numpy, self._torch = random.getstate(), _numpy_state(), torch.get_rng_state()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mode.drew:
            torch.set_rng_state(self._torch)
        if self._runs and self._moved["random"] == self._runs:
            random.setstate(self._python)
        if self._runs and self._moved["numpy"] == self._runs:
            np.random.set_state(self._numpy)  # noqa: NPY002 - transforms draw from the legacy state

    def run(self, call: Callable[..., R], *args: Any) -> R:
        """Run the transform, and see what it moves."""
        self._runs += 1
        python, legacy = random.getstate(), _numpy_state()
        try:
            with self._mode:
                return call(*args)
        finally:
            self._moved["random"] += random.getstate() != python
            self._moved["numpy"] += not _same(legacy, _numpy_state())

    def moved(self) -> bool:
        """Whether a random number has been drawn in a run, perhaps by another thread."""
        return self._mode.drew or any(self._moved.values())


class _Draws(TorchFunctionMode):
    """Sees whether this thread draws from torch's own generator."""

    def __init__(self) -> None:
        super().__init__()
        self.drew = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if getattr(func, "__name__", "") in DRAWS and options.get("generator") is None:
            self.drew = True
        return func(*args, **options)


def _numpy_state() -> Any:
    return np.random.get_state()  # noqa: NPY002 - as above


def _same(one: Any, other: Any) -> bool:
    return bool(one[2:] == other[2:] and np.array_equal(one[1], other[1]))
