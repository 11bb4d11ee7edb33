"""Run many rows in chunks that fit and are quick; the result does not depend on how they were cut."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch

from saliency_widget.errors import InputError, ModelError

_MOST = 256
# Numbers in a chunk of pictures on the CPU: those of one picture of 224 x 224.
_CPU_NUMBERS = 150_000
_FIRST = 4
_WORTH = 0.97


class ChunkSize:
    """How many rows go through the model at once.

    Grows as long as the time per row gets shorter, and is halved when memory runs out.

    Parameters
    ----------
    rows
        A fixed size; None finds it by measuring.
    first
        Where measuring starts.
    """

    def __init__(self, rows: int | None = None, *, first: int = _FIRST) -> None:
        if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or rows < 1):
            raise InputError("chunk", rows, "is no number of rows", "Give a positive integer, or None to find it.")
        self.rows = rows or first
        self._growing = rows is None
        self._best: float | None = None

    def worked(self, rows: int, seconds: float) -> None:
        """Learn from one chunk."""
        if not self._growing or rows != self.rows:
            return
        each = seconds / rows
        if self._best is not None and each > self._best * _WORTH:
            self.rows = max(1, self.rows // 2)
            self._growing = False
        elif self.rows * 2 > _MOST:
            self._growing = False
        else:
            self._best = each
            self.rows *= 2

    def ran_out(self, rows: int) -> bool:
        """Halve after running out of memory with so many rows; False if there is nothing left to halve."""
        self._growing = False
        if rows == 1:
            return False
        self.rows = rows // 2
        return True


def cpu_rows(numbers: int) -> int:
    """Rows of a chunk on the CPU, for pictures of so many numbers.

    Fixed and not measured, so that a map is the same bit for bit whatever else the machine is doing, and no long run
    takes more memory than a short one. On small networks and two cores, eight rows of 224 x 224 were 5 % faster than
    four, and sixteen up to 50 % slower.
    """
    return max(_FIRST, min(_MOST, _CPU_NUMBERS // max(1, numbers)))


def spans(total: int, size: ChunkSize, run: Callable[[int, int], None], *, device: torch.device) -> None:
    """Call ``run(start, stop)`` until all rows are done.

    Raises
    ------
    ModelError
        One row alone does not fit into memory.
    """
    start = 0
    while start < total:
        stop = min(start + size.rows, total)
        began = time.perf_counter()
        failure: str | None = None
        try:
            run(start, stop)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            failure = str(error).splitlines()[0] if str(error) else type(error).__name__
        # Only here, where the exception and with it the failed chunk's tensors are gone.
        if failure is None:
            size.worked(stop - start, time.perf_counter() - began)
            start = stop
            continue
        if device.type == "cuda":
            torch.cuda.empty_cache()
        if not size.ran_out(stop - start):
            raise ModelError(
                f"memory ran out on {device} for a single picture ({failure}). Free memory on it, move the model to a "
                "device with more, or explain a smaller picture."
            )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on whatever device."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in text for words in ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
    )


def cuts(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut ``total`` into spans of ``size``."""
    for start in range(0, total, size):
        yield start, min(start + size, total)


def one_first(total: int, size: int) -> Iterator[tuple[int, int]]:
    """The same, but that the first one comes alone, so that there is a result early."""
    for start, stop in cuts(total, size):
        if start == 0 and stop > 1:
            yield 0, 1
            start = 1
        yield start, stop
