"""The same question has the same answer: bit for bit, whatever the chunk, and when memory is short."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from tests.promises.models import Trap, make
from tests.promises.support import distance, explain, untouched, values_of
from tests.promises.table import case_of, method_of, names

NAMES = names()
CHUNKS = (2, 3, 64)
# Below this, two float32 maps differ by the last bit of some of their values.
LAST_BITS = 3e-7


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_and_chunk_same_map_bit_for_bit(name: str) -> None:
    for dtype in (torch.float32, torch.float64):
        model = make(case_of(name).family).to(dtype)
        first, second = (values_of(model, method_of(name), chunk=3) for _ in range(2))
        # Another shadow of an equal model, so that nothing of the first run can be left.
        third = values_of(make(case_of(name).family).to(dtype), method_of(name), chunk=3)
        assert torch.equal(first, second)
        assert torch.equal(first, third)


@pytest.mark.parametrize("name", NAMES)
def test_another_chunk_changes_only_rounding(name: str) -> None:
    exact = make(case_of(name).family)
    wanted = values_of(exact, method_of(name), chunk=1)
    for chunk in CHUNKS:
        assert distance(values_of(exact, method_of(name), chunk=chunk), wanted) < 1e-10
    single = make(case_of(name).family).float()
    alone = distance(values_of(single, method_of(name), chunk=1), wanted)
    for chunk in CHUNKS:
        found = distance(values_of(single, method_of(name), chunk=chunk), wanted)
        assert found <= max(1.5 * alone, LAST_BITS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_other_types_give_the_same_map_as_far_as_they_can(name: str, dtype: torch.dtype, plain: Any) -> None:
    case = case_of(name)
    model = make(case.family).to(dtype)
    with untouched(model):
        values = explain(model, method_of(name))
    assert values.shape == plain(name).shape
    assert np.isfinite(values).all()
    allowed = case.float32 if dtype is torch.float32 else case.bfloat16
    if allowed is not None:
        assert distance(values, plain(name)) < allowed


@pytest.mark.parametrize("fits", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_memory_that_is_short_changes_nothing(name: str, fits: int) -> None:
    Trap.reset()
    model = Trap(make(case_of(name).family))
    wanted = values_of(model, method_of(name), chunk=8)
    Trap.reset(fits=fits)
    with untouched(model):
        found = values_of(model, method_of(name), chunk=8)
    assert distance(found, wanted) < 1e-10
    Trap.reset()


@pytest.mark.parametrize("name", NAMES)
def test_memory_that_is_too_short_for_one_picture_is_named(name: str) -> None:
    model = Trap(make(case_of(name).family))
    Trap.reset(fits=0)
    with untouched(model), pytest.raises(sw.ModelError, match=r"memory ran out on cpu.*smaller picture"):
        explain(model, method_of(name))
    Trap.reset()
