"""Guided Grad-CAM: guided backpropagation where Grad-CAM is positive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F  # noqa: N812  (the name everybody knows)

from saliency_widget.engine.problem import Problem
from saliency_widget.engine.rectifiers import RectifierRules, guided
from saliency_widget.methods.base import Estimate, register
from saliency_widget.methods.cam import GradCAM, LayerMethod, where, wide


@register
@dataclass(frozen=True)
class GuidedGradCAM(LayerMethod):
    """Guided backpropagation times the positive part of Grad-CAM, brought to the picture's size.

    The Grad-CAM of the layer, without what is negative (a product of two negative numbers would look like one in
    favour), is brought to the picture's size (bilinear, cells centred on their areas) and multiplied with each channel
    of the guided gradient. Cost: 3 f + b and the backward pass of the layers behind the chosen one.

    Parameters
    ----------
    layer
        See :class:`~saliency_widget.methods.cam.LayerMethod`.

    Notes
    -----
    Known failings: those of :class:`~saliency_widget.methods.guided.GuidedBackprop`. The details are edges of the
    picture, hardly dependent on the weights (Adebayo et al. 2018); only where they are shown comes from the class.

    References
    ----------
    Selvaraju et al. (2017), "Grad-CAM", https://arxiv.org/abs/1610.02391

    Adebayo et al. (2018), "Sanity Checks for Saliency Maps", https://arxiv.org/abs/1810.03292
    """

    name: ClassVar[str] = "guided-grad-cam"
    label: ClassVar[str] = "Guided Grad-CAM"
    summary: ClassVar[str] = "Guided backprop where Grad-CAM is positive: edges, at the places that raise the score."
    unit: ClassVar[str] = "{score} squared per {variable}"

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield the one estimate there is."""
        picture = problem.pixels[None]
        found = problem.activations(picture, self.layer)
        maps, _ = GradCAM(self.layer).maps(wide(found.values[0]), wide(found.gradients[0]))
        rules = RectifierRules(guided)
        scores, gradients = problem.gradients(picture, rules=rules)
        gates = F.interpolate(maps.clamp(min=0)[:, None], picture.shape[2:], mode="bilinear", align_corners=False)
        quality = tuple({**where(found), **rules.quality} for _ in maps)
        yield Estimate(gates * wide(gradients[0]), scores[0], done=1, total=1, final=True, quality=quality)
