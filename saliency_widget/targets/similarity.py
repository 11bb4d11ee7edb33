"""How like another image a model finds this one."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from saliency_widget.errors import InputError, ModelError
from saliency_widget.targets.base import Target
from saliency_widget.targets.reading import embedding_in
from saliency_widget.targets.scene import Scene


@dataclass(frozen=True, eq=False)
class Similarity(Target):
    """The cosine of the angle between the model's vector for this picture and another: from -1 to 1.

    Parameters
    ----------
    other
        Another image, as :func:`~saliency_widget.explain` takes it, which goes through the same preprocessing and the
        same model; or a vector (D,), an array or a tensor, such as an embedding of a text or the mean of several.
    name
        What the other is called beside the map.

    Notes
    -----
    For models that return one vector for each picture: a trunk without a head, CLIP's image tower, a metric-learning
    network. The other vector is held constant.
    """

    other: Any = field(repr=False)
    name: str = "the other image"

    kind: ClassVar[str] = "similarity"
    unit: ClassVar[str] = "cosine similarity"
    of_classes: ClassVar[bool] = False
    raw: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise InputError("name", self.name, "is no name", "Say in words what the other is.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Similarity) and other.key == self.key

    def __hash__(self) -> int:
        return hash((type(self), self.key))

    @property
    def key(self) -> str:
        """Short text that tells this target from every other of the same model."""
        vector = self.vector
        what = id(self.other) if vector is None else zlib.crc32(vector.numpy().tobytes())
        return f"{self.kind}/{self.name}/{what}"

    @property
    def text(self) -> str:
        """The target in words: "similarity to the other image"."""
        return f"similarity to {self.name}"

    @property
    def vector(self) -> Tensor | None:
        """(D,) float64, the other's vector; None where it is an image that was not embedded yet."""
        found: Tensor | None = getattr(self, "_vector", None)
        return _vector(self.other) if found is None else found

    @property
    def bound(self) -> bool:
        """Whether the other's vector is known."""
        return self.vector is not None

    def locate(self, scene: Scene) -> Similarity:
        """Embed the other image.

        Raises
        ------
        InputError
            The other image cannot be read.
        ModelError
            The model gives no vector for it.
        """
        vector = self.vector
        if vector is None:
            assert scene.embed is not None
            vector = scene.embed(self.other)
        if not bool(torch.isfinite(vector).all()) or not bool(vector.any()):
            raise InputError("other", self.name, "has a vector that is zero or no number", "Give another image.")
        bound = replace(self)
        object.__setattr__(bound, "_vector", vector.detach().to("cpu", torch.float64))
        return bound

    def score(self, outputs: Any) -> Tensor:
        """The cosine (N,) from what the model returns.

        Raises
        ------
        ModelError
            It returns no vectors, or of another length.
        """
        vector = self.vector
        if vector is None:
            raise InputError("target", self, "is not bound to a vector", "Call locate() first.")
        found = embedding_in(outputs)
        if found is None or found.shape[1] != len(vector):
            got = "no vector for each picture" if found is None else f"vectors of length {found.shape[1]}"
            raise ModelError(
                f"the score {self.text!r} needs vectors of length {len(vector)}; the model returned {got}."
            )
        wide = found if found.dtype in (torch.float32, torch.float64) else found.float()
        other = vector.to(wide)
        return torch.nn.functional.cosine_similarity(wide, other[None], dim=1)


def _vector(value: Any) -> Tensor | None:
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "fiu":
        return torch.from_numpy(value.astype(np.float64))
    if isinstance(value, Tensor) and value.dim() == 1:
        return value.detach().to("cpu", torch.float64)
    return None
