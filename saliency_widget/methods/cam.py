"""Class activation maps by gradients: weighted sums of a layer's channels, on the layer's own grid.

All of them come from one forward pass; the layers before the chosen one are not differentiated, and K targets share
the forward pass. None is clipped at zero: what speaks against the score keeps its sign, and the view decides.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from saliency_widget.errors import InputError
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, register

if TYPE_CHECKING:
    from saliency_widget.engine.activations import Activations
    from saliency_widget.engine.problem import Problem

# So many gradients of a layer at once, where they are made from two factors.
_SOME = 32


@dataclass(frozen=True)
class LayerMethod(Method):
    """A map over the cells of one layer.

    Parameters
    ----------
    layer
        The layer whose cells make the map, a dotted name or a module of the model; None is the last executed layer with
        a spatial grid whose gradient on the grid is not zero. ``quality`` names the layer and its grid.
    """

    layer: str | nn.Module | None = declare.layer()

    def __post_init__(self) -> None:
        if self.layer is not None and (not isinstance(self.layer, (str, nn.Module)) or self.layer == ""):
            raise InputError(
                "layer",
                self.layer,
                "is no layer",
                'Give a dotted name such as "layer4", the module itself, or None for the last layer with a grid.',
            )

    def check(self, model: nn.Module) -> None:
        """Look for the layer; see :meth:`~saliency_widget.methods.base.Method.check`."""
        if self.layer is not None:
            from saliency_widget.engine.layers import name_of

            name_of(model, self.layer)

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result; a layer given as a module stands as the name of its class."""
        known = super().parameters()
        if isinstance(self.layer, nn.Module):
            known["layer"] = type(self.layer).__name__
        return known


@dataclass(frozen=True)
class _GradientCAM(LayerMethod):
    """What the maps have in common that need nothing but activations and gradients."""

    unit: ClassVar[str] = "{score}"

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the one estimate there is."""
        found = problem.activations(problem.pixels[None], self.layer)
        activations = wide(found.values[0])
        if len(found.factors) == 1:
            maps, notes = self.maps(activations, wide(found.gradients[0]))
        else:
            behind, local = (wide(factor[0]) for factor in found.factors)
            maps, notes = self.factored(activations, behind, local)
        common = where(found)
        quality = tuple({**common, **note} for note in notes)
        yield Estimate(maps[:, None], found.scores[0], done=1, total=1, final=True, quality=quality)

    def factored(self, activations: Tensor, behind: Tensor, local: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
        """The same, where the gradients are the products of (K, c) and (c, h, w)."""
        parts = [self.maps(activations, some[..., None, None] * local) for some in torch.split(behind, _SOME)]
        return torch.cat([maps for maps, _ in parts]), [note for _, notes in parts for note in notes]

    @abstractmethod
    def maps(self, activations: Tensor, gradients: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
        """(K, h, w) from activations (c, h, w) and gradients (K, c, h, w), and what is to be said of each map."""


@register
@dataclass(frozen=True)
class GradCAM(_GradientCAM):
    """The channels of a layer, each weighted by the mean of its gradient.

    ``L(i) = sum_c a_c A_c(i)``, ``a_c = mean_j dS/dA_c(j)``, without the ReLU that the paper puts around it: negative
    values speak against the score. Where the layer is followed by global average pooling and one linear layer, the map
    is the CAM of Zhou et al. (2016) divided by the number of cells, and its cells sum to the logit but for the bias.
    Cost: 1 f, and for each target the backward pass of the layers behind the chosen one.

    Parameters
    ----------
    layer
        See :class:`LayerMethod`. Earlier layers have finer grids and say less about the class.

    Notes
    -----
    Known failings: averaging the gradient loses where the layer is used, so that the map can show places that played no
    part in the score (see :class:`HiResCAM`); one layer further on, the picture can be another.

    References
    ----------
    Selvaraju et al. (2017), "Grad-CAM", https://arxiv.org/abs/1610.02391
    """

    name: ClassVar[str] = "grad-cam"
    label: ClassVar[str] = "Grad-CAM"
    summary: ClassVar[str] = "Which cells of a late layer raise the score, by the mean gradient of each channel."

    def maps(self, activations: Tensor, gradients: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
        """Weight the channels by their mean gradients."""
        return weighted(gradients.mean(dim=(-2, -1)), activations), [{} for _ in gradients]

    def factored(self, activations: Tensor, behind: Tensor, local: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
        """Weight the channels by their mean gradients, which is a factor's mean."""
        return weighted(behind * local.mean(dim=(-2, -1)), activations), [{} for _ in behind]


@register
@dataclass(frozen=True)
class GradCAMPlusPlus(_GradientCAM):
    """Grad-CAM with each channel weighted by its positive gradients, the smaller the activation the more.

    ``a_c = sum_j alpha_c(j) relu(g_c(j))``, ``alpha = g^2 / (2 g^2 + g^3 sum_j A_c(j)) = 1 / (2 + g sum_j A_c(j))``:
    the published closed form for ``exp(S)``, whose common factor ``exp(S)`` is left out. It is evaluated in the second
    form, which needs no small constant in the denominator. Cost: as :class:`GradCAM`.

    Parameters
    ----------
    layer
        See :class:`LayerMethod`.

    Notes
    -----
    Known failings: the derivation takes the activations to be at least zero; below that the denominator can be zero,
    and ``quality`` says which share of them is negative. Negative gradients count for nothing, so that what speaks
    against a class is not seen.

    References
    ----------
    Chattopadhyay et al. (2018), "Grad-CAM++", https://arxiv.org/abs/1710.11063
    """

    name: ClassVar[str] = "grad-cam-plus-plus"
    label: ClassVar[str] = "Grad-CAM++"
    summary: ClassVar[str] = "Grad-CAM that counts every place where a channel raises the score, not their mean."

    def maps(self, activations: Tensor, gradients: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
        """Weight the channels by the closed form."""
        sums = activations.sum(dim=(-2, -1), keepdim=True)
        rising = gradients.clamp(min=0)
        terms = torch.where(rising > 0, rising / (2 + gradients * sums), rising)
        return weighted(terms.sum(dim=(-2, -1)), activations), [negative(activations) for _ in gradients]


@register
@dataclass(frozen=True)
class HiResCAM(_GradientCAM):
    """The activations times their gradients, summed over the channels.

    ``L(i) = sum_c A_c(i) dS/dA_c(i)``: to first order, what each cell adds to the score. Where the rest of the model is
    piecewise linear without biases, the cells sum to the score. Cost: as :class:`GradCAM`.

    Parameters
    ----------
    layer
        See :class:`LayerMethod`.

    Notes
    -----
    Known failings: noisier than Grad-CAM in early layers, as products of activations and gradients are.

    References
    ----------
    Draelos and Carin (2020), "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural
    networks", https://arxiv.org/abs/2011.08891
    """

    name: ClassVar[str] = "hires-cam"
    label: ClassVar[str] = "HiResCAM"
    summary: ClassVar[str] = "What each cell of a layer adds to the score, to first order."

    def maps(self, activations: Tensor, gradients: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
        """Multiply cell by cell."""
        return (gradients * activations).sum(dim=1), [{} for _ in gradients]

    def factored(self, activations: Tensor, behind: Tensor, local: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
        """Sum the products of all three."""
        return weighted(behind, local * activations), [{} for _ in behind]


@register
@dataclass(frozen=True)
class LayerCAM(_GradientCAM):
    """The activations times their positive gradients, summed over the channels.

    ``L(i) = sum_c relu(dS/dA_c(i)) A_c(i)``. Cost: as :class:`GradCAM`.

    Parameters
    ----------
    layer
        See :class:`LayerMethod`. Made for earlier layers, whose grids are finer.

    Notes
    -----
    Known failings: as negative gradients count for nothing, the cells do not sum to the score.

    References
    ----------
    Jiang et al. (2021), "LayerCAM", https://doi.org/10.1109/TIP.2021.3089943
    """

    name: ClassVar[str] = "layer-cam"
    label: ClassVar[str] = "LayerCAM"
    summary: ClassVar[str] = "Activations times positive gradients: usable in earlier layers, whose grids are finer."

    def maps(self, activations: Tensor, gradients: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
        """Multiply cell by cell where the gradient is positive."""
        return (gradients.clamp(min=0) * activations).sum(dim=1), [{} for _ in gradients]


@register
@dataclass(frozen=True)
class XGradCAM(_GradientCAM):
    """The channels of a layer, each weighted by the mean of its gradient where it is active.

    ``a_c = sum_j g_c(j) A_c(j) / sum_j A_c(j)``, chosen so that the cells of the map sum to the first-order share of
    the layer in the score, as those of :class:`HiResCAM` do. A channel that is zero everywhere adds nothing and is not
    divided by. Cost: as :class:`GradCAM`.

    Parameters
    ----------
    layer
        See :class:`LayerMethod`.

    Notes
    -----
    Known failings: made for activations of at least zero. Where they have both signs the sum can be close to zero and
    one channel can drown the others; ``quality`` says which share of them is negative.

    References
    ----------
    Fu et al. (2020), "Axiom-based Grad-CAM", https://arxiv.org/abs/2008.02312
    """

    name: ClassVar[str] = "xgrad-cam"
    label: ClassVar[str] = "XGrad-CAM"
    summary: ClassVar[str] = "Grad-CAM whose cells sum to what the layer adds to the score, to first order."

    def maps(self, activations: Tensor, gradients: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
        """Weight the channels by gradients averaged over their activations."""
        sums = activations.sum(dim=(-2, -1))
        silent = (activations == 0).all(dim=-1).all(dim=-1)
        products = (gradients * activations).sum(dim=(-2, -1))
        weights = torch.where(silent, torch.zeros_like(products), products / torch.where(silent, 1, sums))
        return weighted(weights, activations), [negative(activations) for _ in gradients]


def wide(tensor: Tensor) -> Tensor:
    """In float32 or better, so that sums do not round to the model's type."""
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def weighted(weights: Tensor, activations: Tensor) -> Tensor:
    """Sum channels (c, h, w) by weights (K, c): (K, h, w)."""
    return torch.einsum("kc,chw->khw", weights, activations)


def where(found: Activations) -> dict[str, Any]:
    """The layer and its native grid, as ``quality`` names them."""
    return {"layer": found.layer, "grid": found.grid.text}


def negative(activations: Tensor) -> dict[str, Any]:
    """Which share of the activations is below zero, for methods that are derived for those of at least zero."""
    return {"negative_activations": float((activations < 0).float().mean())}
