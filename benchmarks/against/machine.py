"""What measured: processor or GPU, versions, how busy it was."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import torch

PACKAGES = ("torch", "captum", "grad-cam", "torchcam", "saliency", "timm", "torchvision", "numpy")


def processor() -> str:
    """The processor, without what names the host."""
    name = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads of PyTorch"


def machine(device: torch.device) -> str:
    """The processor, and the GPU where that is what is measured."""
    if device.type != "cuda":
        return processor()
    gpu = torch.cuda.get_device_properties(device)
    tf32 = "on" if torch.backends.cudnn.allow_tf32 else "off"
    memory = f"{gpu.total_memory / 2**30:.0f} GiB"
    return f"{gpu.name}, {memory}, CUDA {torch.version.cuda}, TF32 in cuDNN {tf32}; {processor()}"


def versions() -> str:
    """Of everything that takes part."""
    return ", ".join([f"Python {platform.python_version()}", *map(_version, PACKAGES)]) + "."


def _version(package: str) -> str:
    try:
        return f"{package} {version(package).partition('+')[0]}"
    except PackageNotFoundError:
        return f"{package} not installed, so left out"


def load() -> float | None:
    """How many processes wanted to run, on average over the last minute; None where the system does not say."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None
