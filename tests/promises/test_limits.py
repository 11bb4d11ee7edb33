"""Memory does not grow with the work, and cancelling takes effect within one chunk."""

from __future__ import annotations

import itertools
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import saliency_widget as sw
from tests.engine.support import fill
from tests.engine.support import picture as large
from tests.engine.support import problem_of as engine_problem
from tests.engine.test_exact import Convolutional
from tests.promises.models import Trap, make
from tests.promises.support import last_of, problem_of, untouched
from tests.promises.table import case_of, method_of, names

# A chunk runs the model more than once where its scores are compared with those of a plain pass, say.
PASSES_OF_A_CHUNK = 3


class Peak(TorchDispatchMode):
    """The largest number of bytes that tensors made inside it occupied at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._alive: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._alive:
            return
        size = storage.nbytes()

        def gone(_: Any) -> None:
            self.now -= size
            self._alive.pop(key, None)

        self._alive[key] = weakref.ref(storage, gone)
        self.now += size
        self.most = max(self.most, self.now)


def test_the_meter_sees_what_is_kept_and_what_is_let_go() -> None:
    with Peak() as peak:
        for _ in range(5):
            torch.zeros(1000).add(1)
    assert 8000 <= peak.most <= 8000 + 64
    assert peak.now == 0
    with Peak() as peak:
        kept = [torch.zeros(1000) for _ in range(5)]
    assert peak.most == peak.now == 20_000
    x = torch.zeros(1000, requires_grad=True)
    with Peak() as peak:
        graph = x.exp().exp().exp().sum()
    # Three results that only the graph holds.
    assert peak.now >= 12_000
    del kept, graph
    assert peak.now == 0


@pytest.mark.parametrize("name", names(budget=True))
def test_memory_does_not_grow_with_the_work(name: str) -> None:
    case = case_of(name)
    # As in a real model, a pass keeps as much as some hundred maps: a bounded number of maps adds little to that, and
    # one map of each of 512 adds more than half. Two rows, because a chunk is full with 8 already.
    model = make(case.family, stem=512).float()
    peaks = []
    for budget in (8, 512):
        method = method_of(name, **{**case.more, case.budget: budget})
        problem = problem_of(model, (1,), chunk=2)
        problem.outputs(problem.pixels[None])
        with Peak() as peak:
            last_of(method, problem)
        peaks.append(peak.most)
    assert peaks[1] <= 1.1 * peaks[0]


@pytest.mark.parametrize("name", names(budget=True))
def test_nor_does_it_where_nobody_says_how_large_a_chunk_is(name: str) -> None:
    case = case_of(name)
    if case.family != "conv":
        pytest.skip("a transformer takes one size of picture")
    model = fill(Convolutional())
    peaks = []
    # With 16 there is one batch that is full, whether the first one is or not.
    for budget in (16, 96):
        method = method_of(name, **{**case.more, case.budget: budget})
        # A picture of which few go into a chunk, as in real work.
        problem = engine_problem(model, large(128, 128), [1])
        problem.outputs(problem.pixels[None])
        with Peak() as peak:
            last_of(method, problem)
        peaks.append(peak.most)
    assert peaks[1] <= 1.1 * peaks[0]


@pytest.mark.parametrize("name", names())
def test_cancelling_takes_effect_within_one_chunk(name: str) -> None:
    model = Trap(make(case_of(name).family))
    # The first pass of a shadow is watched, and a layer is looked for once: what comes later does neither.
    last_of(method_of(name), problem_of(model, chunk=2))
    asked = Asked()
    last_of(method_of(name), problem_of(model, chunk=2, stop=asked))
    # How many passes lie between two looks at whether the result is still wanted.
    marks = [*asked.passes, Trap.passes]
    assert max(after - before for before, after in itertools.pairwise(marks)) <= PASSES_OF_A_CHUNK
    times = len(asked.passes)
    for time in {1, max(1, times // 2), max(1, times - 1)}:
        asked = Asked(time)
        with untouched(model), pytest.raises(sw.Cancelled):
            last_of(method_of(name), problem_of(model, chunk=2, stop=asked))
        assert Trap.passes == asked.passes[-1]


class Asked:
    """Says, the n-th time it is asked, that nobody wants the result any more; remembers the passes until then."""

    def __init__(self, time: int | None = None) -> None:
        Trap.reset()
        self.time, self.passes = time, list[int]()

    def __call__(self) -> bool:
        self.passes.append(Trap.passes)
        return self.time is not None and len(self.passes) >= self.time
