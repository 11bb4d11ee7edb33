"""Write the golden files that hold Python's picture and the front end's together.

Run ``python tests/golden/make.py`` after a deliberate change of a definition, and say why in the commit.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from saliency_widget.display.agreement import agreement
from saliency_widget.display.cells import to_picture
from saliency_widget.display.colours import colour_table, colourise, is_uniform, table_names
from saliency_widget.display.encode import decode_half, encode_half
from saliency_widget.display.histogram import histogram
from saliency_widget.display.quantise import keep_map, read_kept
from saliency_widget.display.reduce import REDUCTIONS, SIGNS, clip_level, reduce_channels, scale_to_heat
from saliency_widget.display.threshold import keep_strongest, rank_of

HERE = Path(__file__).parent
CLIPS = (50.0, 99.0, 100.0)
# No multiple of any grid below, so that cells and pixels fall differently everywhere.
PICTURE = (23, 31)
PERCENTS = (0.0, 0.5, 5.0, 12.5, 50.0, 100.0)
BINS = (1, 7, 32)


def maps() -> dict[str, np.ndarray]:
    """Signed maps (C, H, W) that between them reach every branch of the definitions."""
    random = np.random.default_rng(7)
    heavy = random.standard_t(2, (3, 12, 17)).astype(np.float32) * 1e-3
    outlier = random.normal(size=(3, 9, 9)).astype(np.float32)
    outlier[1, 4, 4] = 1e6
    ties = np.round(random.normal(size=(3, 10, 11)) * 2).astype(np.float32)
    missing = random.normal(size=(3, 8, 8)).astype(np.float32)
    missing[0, 0, 0] = np.nan
    missing[2, 7, 3] = np.inf
    missing[1, 3, 3] = -np.inf
    hole = random.normal(size=(1, 4, 5)).astype(np.float32)
    hole[0, 1, 2] = np.nan
    sparse = np.zeros((3, 20, 20), np.float32)
    sparse[:, 3, 5] = (0.25, -0.5, 0.125)
    return {
        "heavy tails": heavy,
        "one outlier": outlier,
        "ties": ties,
        "not finite": missing,
        "almost all zero": sparse,
        "all zero": np.zeros((3, 6, 5), np.float32),
        "all negative": -np.abs(random.normal(size=(3, 7, 7))).astype(np.float32),
        "one channel": random.normal(size=(1, 7, 9)).astype(np.float32),
        "one channel, a cell without a number": hole,
        "four channels": random.normal(size=(4, 6, 6)).astype(np.float32),
        "one pixel": np.array([[[2.0]], [[-3.0]], [[0.5]]], np.float32),
        "tiny numbers": (random.normal(size=(3, 8, 8)) * 1e-30).astype(np.float32),
    }


def numbers(array: np.ndarray) -> list[float | None]:
    """Flat, and None where there is no number."""
    return [float(v) if np.isfinite(v) else None for v in array.ravel()]


def case(name: str, values: np.ndarray) -> dict[str, Any]:
    """One golden case: what the browser receives, and what it must make of it."""
    packed = encode_half(values)
    decoded = decode_half(packed.data, packed.shape, packed.scale)
    out: dict[str, Any] = {
        "name": name,
        "shape": list(packed.shape),
        "half": base64.b64encode(packed.data).decode(),
        "scale": packed.scale,
        "reduced": {},
        "level": {},
        "keep": {},
        "rank": {},
        "colour": {},
        "reductions": {},
        "histogram": {},
    }
    for sign in SIGNS:
        reduced = reduce_channels(decoded, sign)
        flat = reduced.ravel()
        out["reduced"][sign] = numbers(reduced)
        out["reductions"][sign] = {
            str(one): base64.b64encode(reduce_channels(decoded, sign, one).astype("<f4").tobytes()).decode()
            for one in (*REDUCTIONS, len(decoded) - 1)
        }
        out["histogram"][sign] = [
            {"bins": bins, "level": level, "start": found.start, "end": found.end, "counts": found.counts.tolist()}
            for bins in BINS
            for level in (None, clip_level(reduced), clip_level(reduced, 50.0))
            for found in [histogram(reduced, sign, bins, level)]
        ]
        out["level"][sign] = {f"{clip:g}": clip_level(reduced, clip) for clip in CLIPS}
        out["keep"][sign] = [
            {
                "percent": percent,
                "cut": None if np.isinf(kept.cut) else kept.cut,
                "count": int(kept.mask.sum()),
                "mass": kept.mass,
                "pixels": np.flatnonzero(kept.mask).tolist(),
            }
            for percent in PERCENTS
            for kept in [keep_strongest(reduced, percent)]
        ]
        finite = np.flatnonzero(np.isfinite(flat))
        some = finite[:: max(1, len(finite) // 12)]
        out["rank"][sign] = [
            [int(i), *rank_of(reduced, int(i) // reduced.shape[1], int(i) % reduced.shape[1])] for i in some
        ]
        coloured = colourise(scale_to_heat(reduced, clip_level(reduced)), sign)
        out["colour"][sign] = base64.b64encode(coloured.tobytes()).decode()
    if len(values) == 1:
        large = to_picture(decoded, *PICTURE)[0]
        out["enlarged"] = {"height": PICTURE[0], "width": PICTURE[1], "values": numbers(large)}
    else:
        out["kept"] = kept(values)
    return out


def pairs() -> list[dict[str, Any]]:
    """How much maps agree, each with itself and with the next ones, whatever their grids."""
    known = maps()
    names = list(known)
    return [
        {"first": first, "second": second, "sign": sign, "spearman": found.spearman, "overlap": found.overlap}
        for place, first in enumerate(names)
        for second in names[place : place + 5]
        for sign in ("absolute", "signed")
        for found in [agreement(*(reduce_channels(as_travelled(known[name]), sign) for name in (first, second)))]
    ]


def kept(values: np.ndarray) -> list[dict[str, Any]]:
    """What a page holds of a map, and what is read of it."""
    found = []
    for keep, sign in (("shown", "absolute"), ("shown", "signed"), ("signs", "absolute"), ("channels", "absolute")):
        one = keep_map(values, keep, sign)
        planes = read_kept(one.data, one.dtype, one.shape, one.planes, one.scale, one.absolute_scale)
        found.append(
            {
                "keep": f"{keep} {sign}",
                "data": base64.b64encode(one.data).decode(),
                "dtype": one.dtype,
                "shape": list(one.shape),
                "planes": list(one.planes),
                "scale": one.scale,
                "absolute_scale": one.absolute_scale,
                "read": {
                    name: base64.b64encode(plane.astype("<f4").tobytes()).decode() for name, plane in planes.items()
                },
            }
        )
    return found


def as_travelled(values: np.ndarray) -> np.ndarray:
    """A map as the browser has it."""
    packed = encode_half(values)
    return decode_half(packed.data, packed.shape, packed.scale)


def tables() -> dict[str, list[dict[str, Any]]]:
    """The colour tables that are offered, by sign."""
    return {
        sign: [
            {"name": name, "uniform": is_uniform(name), "rgb": base64.b64encode(colour_table(sign, name)).decode()}
            for name in table_names(sign)
        ]
        for sign in SIGNS
    }


def text() -> str:
    """The golden file as it should be."""
    cases = [case(name, values) for name, values in maps().items()]
    content = {"cases": cases, "pairs": pairs(), "tables": tables()}
    return json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"


if __name__ == "__main__":
    (HERE / "maps.json").write_text(text(), "utf-8")
