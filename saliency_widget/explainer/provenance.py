"""Where a map came from: everything that is needed to make it again, in plain values."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from saliency_widget._plain import plain
from saliency_widget._version import __version__
from saliency_widget.methods.plain import plain_parameters
from saliency_widget.models.unwrap import describe
from saliency_widget.targets.plain import plain_target

if TYPE_CHECKING:
    from saliency_widget.engine.problem import Problem
    from saliency_widget.methods.base import Estimate, Method
    from saliency_widget.models.preprocess import Prepared
    from saliency_widget.targets import Target

FORMAT = 1
_PLACES = 16
# Which of these decided the picture, the model or its preprocessing is not known; what is not loaded did not.
_LIBRARIES = ("torchvision", "timm", "transformers", "PIL")


def class_name(model: Any) -> str:
    """The full name of a model's class: "torchvision.models.resnet.ResNet"."""
    name = describe(model)
    kind = type(model)
    return f"{kind.__module__}.{name}" if kind.__name__ == name else name


def image_facts(prepared: Prepared) -> dict[str, Any]:
    """What tells a picture, and what became of it, from others.

    Returns
    -------
    dict
        ``image_sha256``, of "width height" and the upright picture's RGB bytes before preprocessing, or of the tensor
        that was given; ``input_sha256``, of the float32 (C, H, W) that the model gets; ``input_shape``.
    """
    given = np.ascontiguousarray(prepared.input.detach().to("cpu", torch.float32).numpy())
    of_input = hashlib.sha256(given.data).hexdigest()
    of_image = of_input
    if prepared.original is not None:
        picture = prepared.original.convert("RGB")
        of_image = hashlib.sha256(f"{picture.width} {picture.height}".encode() + picture.tobytes()).hexdigest()
    return {"image_sha256": of_image, "input_sha256": of_input, "input_shape": list(prepared.input.shape)}


def map_facts(values: npt.NDArray[np.float32]) -> dict[str, Any]:
    """What tells a map from others without its numbers.

    Returns
    -------
    dict
        ``shape``; ``sha256`` of the float32 values in C order; ``largest``, the largest finite magnitude; ``sample``,
        the values at 16 places evenly spread over them.
    """
    values = np.ascontiguousarray(values, np.float32)
    finite = np.abs(values[np.isfinite(values)])
    flat = values.reshape(-1)
    places = np.linspace(0, flat.size - 1, _PLACES).astype(np.int64)
    return {
        "shape": list(values.shape),
        "sha256": hashlib.sha256(values.data).hexdigest(),
        "largest": float(finite.max()) if finite.size else 0.0,
        "sample": flat[places].tolist(),
    }


def run_facts(
    model: Any, image: Mapping[str, Any], preprocess: str, problem: Problem, method: Method
) -> dict[str, Any]:
    """What all maps of one run have in common, but for the time.

    Parameters
    ----------
    model
        The user's, unwrapped.
    image
        From :func:`image_facts`.
    preprocess
        Where the preprocessing came from, in words.
    problem
        Its run is open.
    method
        The method.
    """
    return {
        "format": FORMAT,
        "model": class_name(model),
        "weights_sha256": problem.note_weights(),
        **image,
        "preprocess": preprocess,
        "method": {"name": method.name, "label": method.label, "parameters": plain_parameters(method)},
        "seed": getattr(method, "seed", None),
        "versions": versions(),
    }


def provenance_of(
    common: Mapping[str, Any],
    problem: Problem,
    target: Target,
    estimate: Estimate,
    seconds: float,
    values: npt.NDArray[np.float32],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """The provenance of one map, in plain values; ``docs/export.md`` names and explains each.

    Parameters
    ----------
    common
        From :func:`run_facts`.
    problem
        After the estimate.
    target, estimate, seconds, values
        Of the map.
    facts
        Its score, probability, unit, channels and quality.
    """
    told: dict[str, Any] = {
        **common,
        "target": plain_target(target),
        **facts,
        **problem.provenance,
        "progress": {"done": estimate.done, "total": estimate.total, "final": estimate.final},
        "seconds": round(seconds, 4),
        "map": map_facts(values),
    }
    found: dict[str, Any] = plain(told)
    return found


def versions() -> dict[str, str]:
    """Of this package, of Python, and of the libraries that are loaded and can have a say."""
    found = {
        "saliency_widget": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    for name in _LIBRARIES:
        version = getattr(sys.modules.get(name), "__version__", None)
        if isinstance(version, str):
            found["pillow" if name == "PIL" else name] = version
    return found
