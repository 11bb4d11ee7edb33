"""Models of timm, by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from saliency_widget.errors import InputError, SaliencyError

_HUBS = ("hf-hub:", "hf_hub:")


class TimmMissingError(SaliencyError, ImportError):
    """timm is not installed."""


def pretrained(name: str) -> nn.Module:
    """Return a model with the weights that timm downloads, or has downloaded before, in eval mode.

    Raises
    ------
    InputError
        timm has no such model, or the weights cannot be had; names the ways out.
    """
    timm = check_name(name)
    try:
        model: nn.Module = timm.create_model(name, pretrained=True)
    except Exception as error:  # the hub, the network and timm each have their own
        raise InputError(
            "--model",
            name,
            f"has no weights here, and they could not be downloaded ({_cause(error)})",
            "Give a file with --weights FILE, go online, or use --random-weights.",
        ) from error
    return model.eval()


def untrained(name: str) -> nn.Module:
    """Return a model with random weights, the same ones each time, in eval mode.

    Raises
    ------
    InputError
        timm has no such model, cannot make it, or would have to fetch its architecture.
    """
    timm = check_name(name)
    if name.startswith(_HUBS):
        raise InputError(
            "--model",
            name,
            "lies on a hub, from which even its architecture would have to be fetched",
            "Name an architecture of timm, or leave out --random-weights and --weights.",
        )
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model: nn.Module = timm.create_model(name, pretrained=False)
    except Exception as error:
        raise InputError("--model", name, f"cannot be made ({_cause(error)})", "Name another model.") from error
    return model.eval()


def _cause(error: BaseException) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return " ".join(str(error).split())[:160] or type(error).__name__


def from_file(name: str, file: str) -> nn.Module:
    """Return a model with the weights in a file: a state dict saved by torch, or a safetensors file.

    The number of classes is that of the file.

    Raises
    ------
    InputError
        The file is missing, broken, or does not fit the model. It is read without running any code in it.
    """
    weights = _read(Path(file).expanduser(), file)
    model = untrained(name)
    head = str((getattr(model, "pretrained_cfg", None) or {}).get("classifier") or "")
    weight, ours = weights.get(f"{head}.weight"), model.state_dict().get(f"{head}.weight")
    if weight is not None and ours is not None and weight.shape[0] != ours.shape[0] and weight.ndim == ours.ndim:
        reset: Any = model.reset_classifier
        reset(int(weight.shape[0]))
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        raise InputError(
            "--weights",
            file,
            f"does not fit {name}: {' '.join(lines)[:200]}",
            "Give the state dict of this model, or name the model it belongs to with --model.",
        ) from error
    return model.eval()


def check_name(name: str) -> Any:
    """Return timm, if it has a model of this name, and weights of this tag.

    Raises
    ------
    InputError
        It has not; the nearest are named.
    TimmMissingError
        It is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise TimmMissingError(
            'Models by name need timm, which is not installed. Install it with: pip install "saliency_widget[demo]"'
        ) from error
    module: Any = timm
    if ":" not in name and not module.is_model(name):
        near = difflib.get_close_matches(name, module.list_models(), n=3, cutoff=0.5)
        hint = f"The nearest are {', '.join(near)}." if near else "timm.list_models() lists those there are."
        raise InputError("--model", name, "is no model of timm", hint)
    architecture, _, tag = name.partition(".")
    if tag and ":" not in name:
        known = [full for full in module.models.get_arch_pretrained_cfgs(architecture) if "." in full]
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.0)
            hint = f"The nearest are {', '.join(near)}." if near else f"Leave the tag out: {architecture}."
            raise InputError("--model", name, f"names no weights of {architecture} that timm knows", hint)
    return module


def _read(path: Path, given: str) -> dict[str, torch.Tensor]:
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise InputError("--weights", given, problem, "Give the path of a state dict.")
    remedy = "Give a state dict, as torch.save(model.state_dict(), path) writes it."
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found: Any = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and safetensors each have their own
        raise InputError("--weights", given, "is no file of weights that can be read safely", remedy) from error
    for key in ("state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not found or not all(isinstance(v, torch.Tensor) for v in found.values()):
        raise InputError("--weights", given, "holds no state dict", remedy)
    return {str(key).removeprefix("module."): value for key, value in found.items()}
