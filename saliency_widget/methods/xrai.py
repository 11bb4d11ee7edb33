"""XRAI: regions of the picture instead of pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, as_method, register
from saliency_widget.methods.checks import check_count
from saliency_widget.methods.path import IntegratedGradients
from saliency_widget.methods.regions import (
    Floats,
    Indices,
    order_regions,
    order_segments,
    rough_segments,
    segmenter,
    segments_of,
)

Order = Callable[[Floats], tuple[Floats, Indices, int]]


@register
@dataclass(frozen=True)
class XRAI(Method):
    """Regions of the picture, in the order of how much an attribution gives them.

    The picture is cut into segments at six scales (Felzenszwalb and Huttenlocher), each grown by a margin. Segment
    after segment is taken, always the one of which the part that is not taken yet has the largest mean attribution;
    that part becomes a region. Value of a pixel: the mean over its region of the largest attribution over the channels
    of each pixel, signed (the channels are joined as in the authors' code). The map has one channel.

    Costs what ``base`` costs, the segmenting once, and the ordering for each target and estimate. An estimate is made
    whenever the passes behind it have doubled. Segmenting takes as long as several passes, so that the first estimate
    is made of rough segments: at one scale, of the picture shrunk to 56 x 56 pixels, none grown.

    Known failings: a region can be no better than a segment, and what segments are is decided by colour alone, not by
    the model; a few strong pixels carry a whole region; segments at the smallest scale are taken first because their
    means vary most.

    Parameters
    ----------
    base
        The method whose map is ordered, on the picture's pixels; None is integrated gradients from black and white with
        64 gradients each, as in the paper but for the number.
    dilation
        Radius in pixels by which segments are grown, so that edges are inside.
    smallest
        A segment with fewer pixels left than this is not taken.

    Notes
    -----
    ``quality`` holds what ``base`` says, and ``regions``, their number; of the first estimate ``rough``, which is true,
    where another follows. ``extras`` holds ``rank``, (1, H, W), from 1
    for the region with the largest mean, and ``attribution``, the map of ``base``.

    Needs scikit-image.

    References
    ----------
    Kapishnikov et al. (2019), "XRAI: Better Attributions Through Regions", https://arxiv.org/abs/1906.02825.
    Felzenszwalb and Huttenlocher (2004), "Efficient Graph-Based Image Segmentation",
    https://doi.org/10.1023/B:VISI.0000022288.19776.77
    """

    base: Any = declare.text(None)
    dilation: int = declare.whole(5, least=0, most=20, soft=["most"])
    smallest: int = declare.whole(50, least=1, most=1000, soft=["most"], label="Smallest segment")

    name: ClassVar[str] = "xrai"
    label: ClassVar[str] = "XRAI"
    summary: ClassVar[str] = "Regions of the picture, in the order of how much integrated gradients give them."

    def __post_init__(self) -> None:
        base = IntegratedGradients(64, ("black", "white")) if self.base is None else as_method(self.base)
        if isinstance(base, XRAI):
            raise InputError("base", self.base, "makes regions itself", "Give a method whose map is on pixels.")
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "dilation", check_count(self.dilation, "dilation", "pixels", least=0))
        object.__setattr__(self, "smallest", check_count(self.smallest, "smallest", "pixels"))

    @property
    def unit(self) -> str:  # type: ignore[override]
        """Unit of the map: that of the attribution."""
        unit: str = self.base.unit
        return unit

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result, by name."""
        return {**super().parameters(), "base": {"name": self.base.name, **self.base.parameters()}}

    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """Yield regions for estimates of the attribution."""
        segmenter()
        segments: list[Indices] | None = None
        spent: int | None = None
        for estimate in self.base.compute(problem):
            if estimate.values.shape[2:] != problem.pixels.shape[1:]:
                raise InputError(
                    "base", self.base, "has a map on another grid", "Give a method whose map is on pixels."
                )
            if spent is not None and estimate.done < 2 * spent and not estimate.final:
                continue
            early = spent is None and not estimate.final
            spent = estimate.done
            if early:
                labels = rough_segments(_picture(problem))
                yield self._ordered(estimate, partial(order_segments, labels=labels), {"rough": True})
                continue
            if segments is None:
                segments = segments_of(_picture(problem), self.dilation)
            yield self._ordered(estimate, partial(order_regions, segments=segments, smallest=self.smallest), {})

    def _ordered(self, estimate: Estimate, order: Order, known: dict[str, Any]) -> Estimate:
        found = []
        # The segmenting is numpy's, and the maps are small.
        for attribution in estimate.values.amax(1).detach().cpu().double().numpy():
            if np.isfinite(attribution).all():
                found.append(order(attribution))
            else:
                unknown = np.full(attribution.shape, np.nan)
                found.append((unknown, np.zeros(attribution.shape, np.int64), 0))
        values, ranks = (
            torch.from_numpy(np.stack([one[part] for one in found])[:, None]).to(
                torch.float32 if estimate.values.dtype != torch.float64 else torch.float64
            )
            for part in (0, 1)
        )
        return Estimate(
            values=values.to(estimate.values.device),
            scores=estimate.scores,
            done=estimate.done,
            total=estimate.total,
            final=estimate.final,
            quality=tuple(
                {**quality, "regions": one[2], **known} for quality, one in zip(estimate.quality, found, strict=True)
            ),
            extras={"rank": ranks.to(estimate.values.device), "attribution": estimate.values},
        )


def _picture(problem: Problem) -> Any:
    """(H, W, C), the picture from -1 for black to 1 for full scale."""
    pixels: Tensor = problem.pixels.cpu().double()
    if problem.variable != "full-scale pixel":
        span = pixels.max() - pixels.min()
        pixels = (pixels - pixels.min()) / (span if span > 0 else 1)
    return np.ascontiguousarray((2 * pixels - 1).permute(1, 2, 0).numpy())
