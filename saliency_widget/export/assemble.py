"""The state of a page: of all that could be chosen, what is there."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from saliency_widget._plain import plain
from saliency_widget.attribution import Attribution
from saliency_widget.display.quantise import keep_map
from saliency_widget.errors import SaliencyError
from saliency_widget.export.header import Facts, describe_map
from saliency_widget.export.page import Page

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Entry:
    """A map for a page.

    Attributes
    ----------
    attribution
        The map.
    facts
        What it does not say of itself.
    outdated
        Whether it is of weights that the model has no more.
    """

    attribution: Attribution
    facts: Facts
    outdated: bool = False


def keep_for(keep: str | None, reduction: str) -> str:
    """What a page keeps where nobody says it: the two usual planes, or all channels for another reduction."""
    if keep is None:
        return "signs" if reduction == "default" else "channels"
    return keep


def assemble(
    entries: Sequence[Entry],
    *,
    shown: str,
    info: Mapping[str, Any],
    pictures: Mapping[tuple[int, int], npt.NDArray[Any]],
    originals: Mapping[int, bytes],
    looks: Mapping[str, Any],
    panels: Iterable[Mapping[str, Any]] = (),
    keep: str = "signs",
) -> Page:
    """Put a page together.

    Parameters
    ----------
    entries
        The maps, each under a key of its own.
    shown
        The key of the map on display.
    info
        The widget's catalogue; what no map is of is left out.
    pictures
        uint8 (H, W, 3) by model and image: what each saw.
    originals
        Encoded pictures by image.
    looks
        How it is looked at, by trait.
    panels
        What stands beside the map on display.
    keep
        See :mod:`saliency_widget.display.quantise`.

    Raises
    ------
    SaliencyError
        There is no map.
    """
    if not entries:
        raise SaliencyError("There is no map to put into a page. Wait for one, or ask for classes or methods.")
    models = {old: new for new, old in enumerate(sorted({one.facts.model for one in entries}))}
    images = {old: new for new, old in enumerate(sorted({one.facts.image for one in entries}))}
    headers: list[dict[str, Any]] = []
    data: list[bytes] = []
    for slot, one in enumerate(entries):
        kept = keep_map(one.attribution.values, keep, looks.get("sign", "absolute"))
        facts = replace(one.facts, model=models[one.facts.model], image=images[one.facts.image])
        header = describe_map(one.attribution, kept, facts)
        headers.append({**header, "slot": slot, "outdated": one.outdated})
        data.append(kept.data)
    first = next((one for one in headers if one["key"] == shown), headers[0])
    subjects = [
        {**one, "model": models[one["model"]], "image": images[one["image"]]}
        for one in info["subjects"]
        if one["model"] in models and one["image"] in images
    ]
    traits = {
        **{name: value for name, value in looks.items() if name != "panels"},
        **_choices(first),
        "shown": first["key"],
        "panels": list(_panels(panels, models, images, headers)),
        "_info": _catalogue(info, subjects, headers, models, images),
        "_labels": _labels(subjects, headers),
        "_maps": headers,
        "_originals": [
            base64.b64encode(originals.get(old, b"")).decode() for old in sorted(images, key=images.__getitem__)
        ],
        "_status": {"state": "idle", "want": None, "message": "", "traceback": ""},
    }
    old_models, old_images = ({new: old for old, new in known.items()} for known in (models, images))
    return Page(
        title=f"{first['method']['label']} of the {first['target']['text']}",
        traits=traits,
        pictures=[pictures[old_models[one["model"]], old_images[one["image"]]] for one in subjects],
        maps=data,
        keep=keep,
        provenance={one.facts.key: plain(one.attribution.provenance) for one in entries},
    )


def _choices(header: Mapping[str, Any]) -> dict[str, Any]:
    index, other = (-1 if header["target"][name] is None else header["target"][name] for name in ("index", "other"))
    return {
        "model_index": header["model"],
        "image_index": header["image"],
        "class_index": index,
        "versus": other,
        "score": header["target"]["kind"],
        "place": header["target"]["place"],
        "method": header["method"]["name"],
        "parameters": header["method"]["parameters"],
    }


def _panels(
    panels: Iterable[Mapping[str, Any]],
    models: Mapping[int, int],
    images: Mapping[int, int],
    headers: Sequence[Mapping[str, Any]],
) -> Iterable[dict[str, Any]]:
    """Those whose maps are there."""
    for one in panels:
        if one["model"] not in models or one["image"] not in images:
            continue
        wanted = {**one, "model": models[one["model"]], "image": images[one["image"]]}
        if any(_is_of(header, wanted) for header in headers):
            yield wanted


def _is_of(header: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return (
        all(header[name] == wanted[name] for name in ("model", "image"))
        and header["method"]["name"] == wanted["method"]
        and header["method"]["parameters"] == wanted["parameters"]
        and all(header["target"][name] == wanted["target"][name] for name in ("kind", "index", "other"))
        and header["target"]["place"] == wanted["target"].get("place", [])
    )


def _catalogue(
    info: Mapping[str, Any],
    subjects: Sequence[Mapping[str, Any]],
    headers: Sequence[Mapping[str, Any]],
    models: Mapping[int, int],
    images: Mapping[int, int],
) -> dict[str, Any]:
    methods = {one["method"]["name"] for one in headers}
    kinds = {one["target"]["kind"] for one in headers}
    used = {str(value) for one in headers for value in one["method"]["parameters"].values()}
    return {
        **info,
        "methods": [one for one in info["methods"] if one["name"] in methods],
        "scores": [one for one in info["scores"] if one["kind"] in kinds],
        "models": [info["models"][old] for old in models],
        "images": [info["images"][old] for old in images],
        "subjects": [
            # A menu of layers that cannot be chosen would be as long as the model.
            {**one, "layers": [layer for layer in one.get("layers", []) if layer["name"] in used]}
            for one in subjects
        ],
    }


def _labels(subjects: Sequence[Mapping[str, Any]], headers: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The names of the classes that there are maps of, and of no others."""
    at = {(one["model"], one["image"]): one["labels"] for one in subjects}
    names: list[dict[str, str]] = [{} for _ in range(max(at.values()) + 1)]
    for header in headers:
        target = header["target"]
        known = names[at[header["model"], header["image"]]]
        for index, label in ((target["index"], target["label"]), (target["other"], target["other_label"])):
            if index is not None:
                known[str(index)] = label or ""
    return names
