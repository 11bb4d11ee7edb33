"""Do the maps depend on what the model has learnt? Adebayo et al. (2018), "Sanity Checks for Saliency Maps".

The weights of the demo model are exchanged for those of a new one, from the output down, and each method explains the
same class on the same photographs again. A map that looks the same shows the picture, not the model.

    python benchmarks/randomisation.py [--methods gradient,grad-cam] [--photographs chelsea,coffee] [--seeds 3]

writes docs/randomisation.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import timm
import torch
from torch import nn

import saliency_widget as sw
from saliency_widget.errors import SaliencyError
from saliency_widget.explainer import Explainer
from saliency_widget.methods.base import Method, menu

GOAL = Path(__file__).parent.parent / "docs" / "randomisation.md"
PHOTOGRAPHS = ("chelsea", "coffee", "rocket")

# Enough for a map's structure to be seen; defaults elsewhere. By the letters of the name.
QUICK: dict[str, dict[str, Any]] = {
    "smoothgrad": {"samples": 24},
    "integratedgradients": {"steps": 24},
    "expectedgradients": {"samples": 24},
    "blurig": {"steps": 24},
    "guidedig": {"steps": 24},
    "rise": {"masks": 200},
    "occlusion": {"window": 48, "stride": 24},
}
# From the output down: the parts of the demo model that are exchanged.
STAGES: dict[str, tuple[str, ...]] = {
    "classifier": ("classifier",),
    "and last stage": ("classifier", "conv_head", "bn2", "blocks.6"),
    "upper half": ("classifier", "conv_head", "bn2", "blocks.6", "blocks.5", "blocks.4", "blocks.3"),
    "everything": ("",),
}
HEAD = """\
# Do the maps depend on what the model has learnt?

The test of Adebayo et al. (2018), "Sanity Checks for Saliency Maps", https://arxiv.org/abs/1810.03292, on the demo
model ({model}). The weights are exchanged for those of a newly initialised model, from the output down, and
the class that the trained model predicts is explained again. The numbers are rank correlations (Spearman) of the maps'
magnitudes with those of the trained model: 1 is the same map, 0 no relation; in one column of the signed maps. Mean
over {photographs}; {seeds}.

A method whose map survives the exchange of everything shows the picture, much as an edge detector would, and says
little about the model. *Edges* is the rank correlation of the trained model's map with the photograph's edges (the
magnitude of its Sobel gradient, on the grid of the map), for comparison; *another photograph* is that with the map of
the same method on the next photograph: what two maps share by chance, and because things stand in the middle.

RISE and Score-CAM, which take a thousand forward passes and more for a map, are left out; the rollouts need a
transformer.

Written by `benchmarks/randomisation.py`; torch {torch}.
"""


@dataclass(frozen=True)
class Row:
    """What was found of one method.

    Attributes
    ----------
    label
        Of the method.
    stages
        Mean rank correlation by stage; None where the method refused the model.
    signed
        The mean rank correlation of the signed maps, summed over channels, where everything is exchanged.
    edges, other
        The comparisons.
    seconds
        For all of it.
    """

    label: str
    stages: dict[str, float | None]
    signed: float | None
    edges: float
    other: float | None
    seconds: float


def quick(method: type[Method]) -> Method:
    """The method with quick parameters."""
    letters = "".join(letter for letter in method.name.lower() if letter.isalnum())
    return method(**QUICK.get(letters, {}))


def randomised(parts: Sequence[str], seed: int) -> nn.Module:
    """The demo model with some of its parts newly initialised."""
    model = sw.demo.model()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=1000)
    state = fresh.state_dict()
    chosen = {
        name: value
        for name, value in state.items()
        if any(part == "" or name == part or name.startswith(f"{part}.") for part in parts)
    }
    model.load_state_dict({**model.state_dict(), **chosen})
    return model.eval()


def magnitude(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(h, w): the largest magnitude over the channels."""
    found: npt.NDArray[Any] = np.abs(np.asarray(values, dtype=np.float64)).max(axis=0)
    return found


def rank_correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Spearman's; ties get their mean rank. 0 where one is the same everywhere."""
    a, b = _ranks(one.ravel()), _ranks(other.ravel())
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / size) if size > 0 else 0.0


def _ranks(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: npt.NDArray[Any] = (ends - (counts - 1) / 2)[inverse]
    return ranks


def edges(picture: npt.NDArray[np.uint8], shape: tuple[int, int]) -> npt.NDArray[Any]:
    """The magnitude of a picture's Sobel gradient, averaged over the cells of a grid."""
    grey = torch.from_numpy(picture.astype(np.float64)).mean(-1)[None, None]
    kernel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]], dtype=torch.float64)
    framed = nn.functional.pad(grey, (1, 1, 1, 1), "replicate")
    across = nn.functional.conv2d(framed, torch.stack([kernel, kernel.T])[:, None])
    found: npt.NDArray[Any] = nn.functional.adaptive_avg_pool2d(across.norm(dim=1, keepdim=True), shape)[0, 0].numpy()
    return found


def explained(model: nn.Module, photograph: str, method: Method, target: int) -> sw.Attribution | None:
    """The map; None where the method refuses the model."""
    try:
        found = sw.explain(model, sw.demo.image(photograph), target=target, method=method)
    except SaliencyError:
        return None
    assert isinstance(found, sw.Attribution)
    return found


def examine(
    method: Method, photographs: Sequence[str], seeds: Sequence[int], stages: Sequence[str] = tuple(STAGES)
) -> Row:
    """Run the whole test of one method."""
    began = time.perf_counter()
    trained = sw.demo.model()
    targets = {name: Explainer(trained, sw.demo.image(name)).prediction[0].index for name in photographs}
    wanted = {name: explained(trained, name, method, target) for name, target in targets.items()}
    whole = {name: found for name, found in wanted.items() if found is not None}
    if not whole:
        raise SaliencyError(f"{method.name} does not explain the demo model")
    kept: dict[str, float | None] = {}
    signed: list[float] = []
    for stage in stages:
        values = []
        for seed in seeds:
            model = randomised(STAGES[stage], seed)
            for name, before in whole.items():
                after = explained(model, name, method, targets[name])
                if after is not None and np.isfinite(after.values).all():
                    values.append(rank_correlation(magnitude(before.values), magnitude(after.values)))
                    if stage == "everything":
                        signed.append(rank_correlation(before.values.sum(axis=0), after.values.sum(axis=0)))
        kept[stage] = float(np.mean(values)) if values else None
    names = list(whole)
    maps = [magnitude(whole[name].values) for name in names]
    sobel = [rank_correlation(one, edges(whole[name].image, one.shape)) for one, name in zip(maps, names, strict=True)]
    pairs = [
        rank_correlation(one, other)
        for one, other in zip(maps, maps[1:] + maps[:1], strict=True)
        if len(maps) > 1 and one.shape == other.shape
    ]
    return Row(
        method.label,
        kept,
        float(np.mean(signed)) if signed else None,
        float(np.mean(sobel)),
        float(np.mean(pairs)) if pairs else None,
        time.perf_counter() - began,
    )


def page(rows: Sequence[Row], photographs: Sequence[str], seeds: Sequence[int]) -> str:
    """The text of the page, the methods whose maps survive least first."""
    head = HEAD.format(
        model="EfficientNet-Lite0",
        photographs=", ".join(photographs),
        seeds="one new model" if len(seeds) == 1 else f"{len(seeds)} new models",
        torch=torch.__version__.partition("+")[0],
    )
    heads = ["method", *STAGES, "everything, signed", "edges", "another photograph"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in sorted(rows, key=lambda row: abs(row.stages["everything"] or 0)):
        numbers = [*(row.stages[stage] for stage in STAGES), row.signed, row.edges, row.other]
        lines.append(f"| {row.label} | {' | '.join(map(number, numbers))} |")
    return "\n".join([head, *lines, ""])


def number(value: float | None) -> str:
    """Two digits; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"


def main(say: Callable[[str], None] = print) -> None:
    """Run it and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", help="names, with commas between them (default: all)")
    parser.add_argument("--photographs", default=",".join(PHOTOGRAPHS), help="names of the demo's photographs")
    parser.add_argument("--seeds", type=int, default=3, help="how many new models")
    arguments = parser.parse_args()
    photographs = arguments.photographs.split(",")
    seeds = range(arguments.seeds)
    names = arguments.methods.split(",") if arguments.methods else [method.name for method in menu()]
    rows = []
    for method in menu():
        if method.name not in names:
            continue
        try:
            row = examine(quick(method), photographs, seeds)
        except SaliencyError as error:
            say(f"{method.name}: left out ({error})")
            continue
        rows.append(row)
        cells = ", ".join(f"{stage} {number(value)}" for stage, value in row.stages.items())
        say(f"{method.name}: {cells}; {row.seconds:.0f} s")
    GOAL.write_text(page(rows, photographs, seeds), "utf-8")
    say(f"Wrote {GOAL}")


if __name__ == "__main__":
    main()
