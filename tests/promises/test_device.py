"""Where the model is, there the work is done: on the device in Python, and on CUDA where there is one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils import backend_registration

from tests.promises.models import make
from tests.promises.support import distance, untouched, values_of
from tests.promises.table import case_of, method_of, names

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"), reason="this torch has no such device"
)
def test_on_a_device_that_is_not_the_cpu() -> None:
    # In a process of its own: PyTorch counts the devices at its first backward pass, and never again.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/promises/on_device.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("name", names())
def test_cuda(name: str) -> None:
    family = case_of(name).family
    wanted = values_of(make(family), method_of(name), chunk=4)
    model = make(family).cuda()
    before = torch.cuda.memory_allocated()
    with untouched(model):
        values = values_of(model, method_of(name), chunk=4)
    assert values.device.type == "cuda"
    assert distance(values.cpu(), wanted) < 1e-8
    del values
    assert torch.cuda.memory_allocated() <= before + (1 << 20)
