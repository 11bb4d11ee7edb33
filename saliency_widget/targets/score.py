"""A score that the user writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from saliency_widget.errors import InputError, ModelError
from saliency_widget.targets.base import Target

_WANTED = (
    "It has to return one floating number for each row, a tensor (N,), computed from the output by differentiable "
    "operators"
)


@dataclass(frozen=True)
class Score(Target):
    """Any number of the output: a user's function of it.

    Parameters
    ----------
    function
        From the model's output for N pictures to (N,) numbers, row by row, by differentiable operators. It gets the
        scores (N, classes), in float32 or better, of a model that gives such; of any other model, such as one for
        segmentation (N, classes, H, W) or for detection (a dict), it gets the output itself.
    name
        What the score is called beside the map: "total logit of the left half".
    raw
        Give it the output itself in any case.

    Notes
    -----
    Bind a detection to its query or anchor, or to a fixed region, never to its rank after suppression, which another
    picture changes.

    Examples
    --------
    >>> import saliency_widget as sw
    >>> sw.Score(lambda masks: masks[:, 15].mean((1, 2)), "mean logit of person")  # doctest: +SKIP
    """

    function: Callable[[Any], Tensor]
    name: str
    raw: bool = False

    kind: ClassVar[str] = "score"
    unit = "score"
    of_classes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InputError(
                "function", self.function, "cannot be called", "Give a function of the output, such as a lambda."
            )
        if not isinstance(self.name, str) or not self.name.strip():
            raise InputError("name", self.name, "is no name", "Say in words what the score is.")

    @property
    def key(self) -> str:
        """Short text that tells this target from every other of the same model."""
        return f"{self.kind}/{self.name}/{id(self.function)}"

    @property
    def text(self) -> str:
        """The score's name."""
        return self.name

    def score(self, outputs: Any) -> Tensor:
        """Call the function.

        Raises
        ------
        ModelError
            It raises, or returns something else than floats (N,).
        """
        try:
            found = self.function(outputs)
        except Exception as error:
            raise ModelError(
                f"the score {self.name!r} raised {type(error).__name__} for the model's output ({_shape(outputs)}): "
                f"{error or '(no message)'}. {_WANTED}."
            ) from error
        if not isinstance(found, Tensor) or found.dim() != 1 or not found.is_floating_point():
            raise ModelError(
                f"the score {self.name!r} returned {_shape(found)} for the model's output ({_shape(outputs)}). "
                f"{_WANTED}."
            )
        return found


def _shape(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"
    return type(value).__name__
