"""The global random states, kept as they are while a transform runs."""

from __future__ import annotations

import random
from types import TracebackType
from typing import Any

import numpy as np
import torch


class KeptRandomness:
    """A context in which a transform may draw random numbers without moving the user's generators.

    The states of ``random``, ``numpy.random`` and torch's CPU generator are put back at the end where they moved.
    """

    def __enter__(self) -> KeptRandomness:
        self._states = _states()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.moved():
            return
        python, legacy, torch_state = self._states
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002 - transforms draw from the legacy state
        torch.set_rng_state(torch_state)

    def moved(self) -> bool:
        """Return whether a random number has been drawn since the start."""
        python, legacy, torch_state = self._states
        python_now, legacy_now, torch_now = _states()
        return not (
            python == python_now
            and legacy[2] == legacy_now[2]
            and np.array_equal(legacy[1], legacy_now[1])
            and torch.equal(torch_state, torch_now)
        )


def _states() -> tuple[Any, Any, torch.Tensor]:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
