"""What to say when a model raises, or leaves the graph, in the middle of a pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from saliency_widget.errors import ModelError

_OF_SHAPE = re.compile(
    r"\b(sizes?|shapes?|dimensions?|dims?|channels?|height|width|mat1|numel|elements|divisible|resolution)\b",
    re.IGNORECASE,
)


class ForwardError(ModelError):
    """The model's forward raised.

    Parameters
    ----------
    error
        What it raised.
    shape
        (N, C, H, W) of the pictures that it was given.

    Attributes
    ----------
    said
        The error's own words, without a full stop.
    of_shape
        Whether they are about shapes or sizes.
    """

    def __init__(self, error: Exception, shape: tuple[int, ...]) -> None:
        self.said = f"{type(error).__name__} for pictures of shape {shape}: {_words(error)}"
        # A KeyError's only words are the key.
        self.of_shape = not isinstance(error, LookupError) and bool(_OF_SHAPE.search(str(error)))
        super().__init__(self._sentence(error))

    def _sentence(self, error: Exception) -> str:
        if "nference tensor" in str(error):
            return (
                "the model's forward uses torch.inference_mode, through which no gradient can pass. Use torch.no_grad "
                "there, or nothing: the engine needs the graph."
            )
        missing = re.search(r"missing \d+ required [a-z-]+ arguments?: (.*)", str(error))
        if isinstance(error, TypeError) and missing:
            return f"the model's forward needs more than the picture: {missing[1]}. Give it as inputs={{name: tensor}}."
        return f"the model raised {self.said}.{self._way(error)}"

    def _way(self, error: Exception) -> str:
        channels = re.search(r"to have (\d+) channels?, but got \d+ channels?", str(error))
        if channels and int(channels[1]) == 1:
            return (
                " It takes one channel: give a Preprocess with one number each, such as mean=(0.5,), std=(0.25,), or a "
                "transform that begins with torchvision.transforms.Grayscale(1)."
            )
        if channels:
            return f" It takes {channels[1]} channels: give an array (height, width, {channels[1]}), or Channels."
        if isinstance(error, AttributeError) and "NoneType" in str(error):
            return (
                " If it needs more than the picture, give that as inputs={name: tensor}, or give the part of the model "
                "that takes pictures alone, such as model.vision_model."
            )
        return " If it expects another size, give a preprocess that makes it." if self.of_shape else ""


@contextmanager
def differentiating() -> Iterator[None]:
    """Turn what PyTorch says of a graph that cannot be differentiated into what to do about it.

    Raises
    ------
    ModelError
        The model's forward leaves a piece of the graph out.
    """
    try:
        yield
    except RuntimeError as error:
        if "use_reentrant" in str(error):
            raise ModelError(_REENTRANT) from error
        raise


def _words(error: Exception) -> str:
    return str(error).strip().rstrip(".") or "(no message)"


_REENTRANT = (
    "the model's forward computes activations a second time on the way back (torch.utils.checkpoint with "
    "use_reentrant=True), through which no gradient can be taken towards an input or a layer. Give "
    "use_reentrant=False, or turn checkpointing off: it saves memory in training."
)
ONE_TENSOR = (
    "this method looks at the model's output as a whole, and a Score reads it from something else than one tensor. Use "
    "another method, such as 'gradient', or wrap the model in a module that returns the tensor of which the score is."
)
RECOMPUTES = (
    "the model's forward computes activations a second time on the way back (torch.utils.checkpoint), where changed "
    "backward rules cannot follow. Turn gradient checkpointing off: it saves memory in training."
)
OVERWRITES = (
    "the model's forward overwrites what a changed backward rule has to know (the input of a layer, by an operation in "
    "place after the layer used it). Do it out of place."
)
NO_PATH = (
    "no gradient leads from the score to the picture: the score is constant, or the model's forward leaves the graph "
    "(.detach(), .data, .numpy(), .item(), argmax, torch.inference_mode). Return scores that are computed from the "
    "input by differentiable operators, with no more than torch.no_grad around them."
)
