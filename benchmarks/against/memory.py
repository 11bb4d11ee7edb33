"""The most memory that something takes while it runs, over what is held before."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak(run: Callable[[], Any], device: torch.device) -> float | None:
    """MB (2^20 bytes) at the peak less what was held before; None where this cannot be known.

    On a CUDA device, of PyTorch's allocator; on the CPU, of the whole process, as Linux counts it. What ``run`` keeps
    from one time to the next is not counted if it ran before.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    if not known():
        return None
    # What was freed and not given back would be taken again without being seen.
    ctypes.CDLL(None).malloc_trim(0)
    _CLEAR.write_text("5")
    before = _kilobytes("VmRSS")
    run()
    return (_kilobytes("VmHWM") - before) / 2**10


def known() -> bool:
    """Whether the peak of this process can be reset and read."""
    try:
        _CLEAR.write_text("5")
        ctypes.CDLL(None).malloc_trim  # noqa: B018  (a C library without it raises)
        return _kilobytes("VmHWM") > 0
    except (OSError, AttributeError, LookupError):
        return False


def _kilobytes(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(name)
