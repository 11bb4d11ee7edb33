"""Eigen-CAM: the direction in which a layer's activations vary most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.methods import declare
from saliency_widget.methods.base import register
from saliency_widget.methods.cam import _GradientCAM


@register
@dataclass(frozen=True)
class EigenCAM(_GradientCAM):
    """The activations of a layer projected on their first right singular vector.

    ``L(i) = sum_c A_c(i) v_c``, ``v`` the first right singular vector of the (cells, channels) matrix. A singular
    vector has no sign of its own: it is taken such that the score rises where all cells move along ``v``, that is,
    ``sum_c v_c sum_i dS/dA_c(i)`` is not negative. Apart from that the map does not depend on the target; ``quality``
    gives the share of the activations' sum of squares that it explains. Cost: 1 f, a backward pass of the head for the
    sign, and a singular value decomposition of (cells, channels).

    Parameters
    ----------
    layer
        See :class:`~saliency_widget.methods.cam.LayerMethod`.
    centred
        Subtract each channel's mean first: the first principal component. The paper does not.

    Notes
    -----
    Known failings: it shows what the layer responds to, not what the class needs; two classes get the same map, or the
    same with opposite signs. Where two singular values are close, a small change of the picture exchanges the maps.

    References
    ----------
    Muhammad and Yeasin (2020), "Eigen-CAM", https://arxiv.org/abs/2008.00299
    """

    centred: bool = declare.flag(False)

    name: ClassVar[str] = "eigen-cam"
    label: ClassVar[str] = "Eigen-CAM"
    summary: ClassVar[str] = "The strongest common pattern of a layer's channels, whatever the class."
    unit: ClassVar[str] = "activation"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.centred, bool):
            raise InputError("centred", self.centred, "is no bool", "Give True or False.")

    def maps(self, activations: Tensor, gradients: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
        """Project on the first right singular vector, its sign fixed by each gradient."""
        cells = activations.flatten(1).T
        if self.centred:
            cells = cells - cells.mean(dim=0)
        # The same on every device, and in the precision that a decomposition needs.
        exact = cells.to("cpu").double()
        if not bool(torch.isfinite(exact).all()):
            nowhere = torch.full_like(activations[:1], torch.nan).expand(len(gradients), -1, -1)
            return nowhere.clone(), [{"explained": None} for _ in gradients]
        _, values, vectors = torch.linalg.svd(exact, full_matrices=False)
        first = vectors[0].to(cells.dtype).to(cells.device)
        slopes = gradients.sum(dim=(-2, -1)) @ first
        signs = torch.where(slopes < 0, -1.0, 1.0).to(cells.dtype)
        projected = (cells @ first).reshape(activations.shape[1:])
        power = values.square()
        explained = float(power[0] / power.sum()) if bool(power[0] > 0) else None
        quality = [{"explained": explained, "sign_known": bool(slope != 0)} for slope in slopes]
        return signs[:, None, None] * projected, quality
