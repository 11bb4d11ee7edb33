"""Chunks: everything is done once and in order, whatever fits; memory that runs out halves them."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor

from saliency_widget.engine.batching import ChunkSize, cpu_rows, is_out_of_memory, spans
from saliency_widget.engine.guard import ModelGuard
from saliency_widget.errors import ModelError
from tests.engine.support import explain, fill, picture, problem_of, relative
from tests.engine.test_exact import Convolutional

CPU = torch.device("cpu")


class Small:
    """A device on which only so many rows fit."""

    def __init__(self, fits: int, error: type[Exception] = torch.cuda.OutOfMemoryError) -> None:
        self.fits, self.error = fits, error
        self.seen: list[tuple[int, int]] = []

    def __call__(self, start: int, stop: int) -> None:
        if stop - start > self.fits:
            raise self.error("CUDA out of memory. Tried to allocate 2 GiB")
        self.seen.append((start, stop))


@pytest.mark.parametrize("total", [1, 2, 7, 33])
@pytest.mark.parametrize("chunk", [None, 1, 3, 64])
@pytest.mark.parametrize("fits", [1, 2, 5, 1000])
def test_every_row_is_done_once_and_in_order(total: int, chunk: int | None, fits: int) -> None:
    small = Small(fits)
    size = ChunkSize(chunk)
    spans(total, size, small, device=CPU)
    rows = [row for start, stop in small.seen for row in range(start, stop)]
    assert rows == list(range(total))
    assert max(stop - start for start, stop in small.seen) <= min(fits, chunk or 256)
    # What was learnt holds for the next time.
    again = Small(fits)
    spans(total, size, again, device=CPU)
    assert size.rows <= max(fits, 4) or chunk


def test_one_row_that_does_not_fit_is_named() -> None:
    with pytest.raises(ModelError, match=r"memory ran out on cpu for a single picture.*smaller picture"):
        spans(4, ChunkSize(4), Small(0), device=CPU)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.cuda.OutOfMemoryError("x"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
            True,
        ),
        (RuntimeError("CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_running_out_of_memory_looks_like(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shape"):
        spans(4, ChunkSize(4), Small(0, lambda text: RuntimeError("shape")), device=CPU)  # type: ignore[arg-type]


def test_the_size_grows_while_rows_get_cheaper_and_stops_when_they_do_not() -> None:
    size = ChunkSize()
    first = size.rows
    size.worked(first, 1.0 * first)
    size.worked(2 * first, 0.5 * 2 * first)
    assert size.rows == 4 * first
    size.worked(4 * first, 0.6 * 4 * first)
    assert size.rows == 2 * first
    size.worked(2 * first, 0.01)
    assert size.rows == 2 * first
    fixed = ChunkSize(3)
    fixed.worked(3, 0.0)
    assert fixed.rows == 3


class Hungry(Convolutional):
    """Runs out of memory above so many rows, and remembers what it computed until then."""

    fits = 2
    alive: weakref.ref[Tensor] | None = None
    freed = True

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        if Hungry.alive is not None:
            gc.collect()
            Hungry.freed = Hungry.freed and Hungry.alive() is None
            Hungry.alive = None
        if len(x) > self.fits:
            Hungry.alive = weakref.ref(y)
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return y


def test_a_model_that_runs_out_gives_the_same_numbers() -> None:
    model = fill(Hungry().double())
    batch = torch.rand(7, 3, 12, 12, dtype=torch.float64)
    plenty = problem_of(model, picture(12, 12), [1, 2], chunk=2).gradients(batch)
    with ModelGuard(model):
        problem = problem_of(model, picture(12, 12), [1, 2], chunk=7)
        scarce = problem.gradients(batch)
    assert relative(scarce[1], plenty[1]) < 1e-12
    assert torch.allclose(scarce[0], plenty[0])
    # Before it is tried again, the failed chunk's memory is free.
    assert Hungry.freed
    assert torch.allclose(problem.outputs(batch), problem_of(model, picture(12, 12), []).outputs(batch))


def test_a_model_for_which_one_picture_is_too_much() -> None:
    model = Hungry()
    model.fits = 0
    with ModelGuard(model), pytest.raises(ModelError, match="memory ran out"):
        explain(model, picture(12, 12), 0)


def test_on_the_cpu_the_chunk_is_a_matter_of_the_picture_alone() -> None:
    assert [cpu_rows(3 * side * side) for side in (8, 32, 96, 224, 1024)] == [256, 48, 5, 4, 4]
    problem = problem_of(fill(Convolutional()), picture(32, 32), [1])
    before = problem.batch
    problem.gradients(problem.pixels[None].repeat(100, 1, 1, 1))
    assert problem.batch == before == 48
