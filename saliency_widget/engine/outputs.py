"""Find the scores in what a model returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from saliency_widget.errors import ModelError
from saliency_widget.targets import Detection, Logit, Similarity, Target
from saliency_widget.targets.reading import embedding_in, floats_in, grid_in, places_in
from saliency_widget.targets.segmentation import OfPixels

_WANTED = "A model to explain maps pictures (N, C, H, W) to floating scores (N, classes)"


class NoScoresError(ModelError):
    """What a model returned holds no scores (N, classes)."""


def logits_of(output: Any, rows: int) -> Tensor:
    """The scores (rows, classes) in a model's output.

    A tensor is taken as it is; of an object or a mapping its ``logits``, or the only floating tensor of two dimensions
    in it; of a tuple or list its first element. One number for each picture, (rows,), is a model with one output.

    Raises
    ------
    NoScoresError
        There are no such scores; the message names the shape and what would be right.
    """
    tensor = _tensor_in(output)
    if tensor is None:
        raise NoScoresError(
            f"the model returned {_describe(output)}, in which there is no one tensor of scores. {_WANTED}: wrap it in "
            "a module that returns them, or explain a Score of what it returns."
        )
    shape = tuple(tensor.shape)
    if not tensor.is_floating_point():
        raise NoScoresError(
            f"the model returned {tensor.dtype} of shape {shape}. {_WANTED}: return the scores, not the class they "
            "pick."
        )
    if shape == (rows,):
        return tensor[:, None]
    if tensor.dim() != 2 or shape[0] != rows or shape[1] == 0:
        raise NoScoresError(
            f"the model returned shape {shape} for {_pictures(rows)}. {_WANTED}{_remedy(shape, rows)}, or "
            "explain a Score of what it returns."
        )
    return tensor


def has_logits(output: Any, rows: int) -> bool:
    """Whether there are scores (rows, classes) in a model's output."""
    try:
        logits_of(output, rows)
    except NoScoresError:
        return False
    return True


def read_by(targets: Sequence[Target], output: Any) -> Any:
    """The one tensor in a model's output from which all of the targets read; the output itself where there is none."""
    for kind, read in ((OfPixels, grid_in), (Detection, places_in), (Similarity, embedding_in)):
        if targets and all(isinstance(target, kind) for target in targets):
            found = read(output)
            return output if found is None else found
    return output


def scores_of(targets: Sequence[Target], output: Any, rows: int | None = None) -> Tensor:
    """The scores (rows, K) of the targets, in float32 or better.

    Parameters
    ----------
    targets
        Bound.
    output
        What the model returned; a target of no class gets it as it is where it holds no scores (rows, classes).
    rows
        How many pictures it was for; None takes the output's word for it.

    Raises
    ------
    ModelError
        There are no scores in it, or a user's function of it fails.
    InputError
        The model has no such class.
    """
    if rows is None:
        tensor = _tensor_in(output)
        rows = len(tensor) if tensor is not None and tensor.dim() else 1
    known = any(target.of_classes for target in targets) or has_logits(output, rows)
    wide = _at_least_float32(logits_of(output, rows)) if known else None
    if wide is not None:
        for target in targets:
            target.check(wide.shape[1])
    if wide is not None and all(type(target) is Logit and target.bound for target in targets):
        columns = torch.tensor([target.index for target in targets], device=wide.device)
        return wide.index_select(1, columns)
    found = []
    for target in targets:
        raw = wide is None or getattr(target, "raw", False)
        score = target.score(output if raw else wide)
        if len(score) != rows:
            raise ModelError(
                f"the score {target.text!r} gave {len(score)} numbers for {_pictures(rows)}. Give one for each."
            )
        found.append(_at_least_float32(score))
    return torch.stack(found, dim=1)


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def _tensor_in(output: Any) -> Tensor | None:
    if isinstance(output, Tensor):
        return output
    if isinstance(output, (tuple, list)) and not hasattr(output, "logits"):
        return _only(output[0]) if output else None
    logits = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(logits, Tensor):
        return logits
    found = floats_in(output, 2)
    return found[0] if len(found) == 1 else None


def _only(value: Any) -> Tensor | None:
    return value if isinstance(value, Tensor) else None


def _remedy(shape: tuple[int, ...], rows: int) -> str:
    if len(shape) == 1:
        return ": keep the batch dimension"
    if len(shape) == 4 and shape[2:] == (1, 1):
        return ": flatten the scores (scores.flatten(1))"
    if len(shape) == 4:
        return ": reduce the grid to one score for each class, for example scores.mean((2, 3))"
    if len(shape) == 3:
        return ": choose one token or reduce over them"
    if len(shape) == 2 and shape[1] != 0:
        return ": return one row for each picture"
    return ""


def _pictures(rows: int) -> str:
    return "one picture" if rows == 1 else f"{rows} pictures"


def _describe(output: Any) -> str:
    if isinstance(output, Mapping):
        return f"a {type(output).__name__} with the keys {', '.join(map(str, list(output)[:8])) or '(none)'}"
    if isinstance(output, (tuple, list)):
        return f"a {type(output).__name__} of {len(output)}" + (
            f" that starts with {_describe_item(output[0])}" if output else ""
        )
    return _describe_item(output)


def _describe_item(item: Any) -> str:
    if isinstance(item, torch.Tensor):
        return f"a tensor of shape {tuple(item.shape)}"
    return f"an object of type {type(item).__name__}"
