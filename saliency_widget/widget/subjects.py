"""The models and pictures of one widget: each model with each picture is a subject of its own."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saliency_widget.errors import InputError
from saliency_widget.export.header import plain
from saliency_widget.export.picture import travelling_picture
from saliency_widget.methods.base import menu
from saliency_widget.methods.controls import controls_of
from saliency_widget.targets import KINDS
from saliency_widget.widget.protocol import VERSION

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from saliency_widget.explainer import Explainer

_LONGEST_ORIGINAL = 2048
_MOST_AREAS = 64
# A detector with queries says something of each of them, and most of it is that nothing is there.
_MOST_BOXES = 100
_LEAST = 0.05


@dataclass(frozen=True)
class Place:
    """Which model and which picture, and the beginning of the keys of their maps."""

    model: int
    image: int
    prefix: str


class Subjects:
    """Explainers by model and picture.

    Parameters
    ----------
    explainers
        A list for each model of one for each picture.
    """

    def __init__(self, explainers: Sequence[Sequence[Explainer]]) -> None:
        self.rows = tuple(tuple(row) for row in explainers)
        self._layers: dict[int, list[dict[str, Any]]] = {}
        self._geometry: dict[int, dict[str, Any]] = {}
        # Reduced once: what is known of the subjects is told anew whenever the weights change.
        self._pictures = {id(explainer): travelling_picture(explainer.prepared.picture) for explainer in self.all}
        several = len(self.all) > 1
        self._places = {
            id(explainer): Place(i, j, f"{i}.{j}/" if several else "")
            for i, row in enumerate(self.rows)
            for j, explainer in enumerate(row)
        }
        names: list[tuple[str, ...]] = []
        for row in self.rows:
            for explainer in row:
                if explainer.labels not in names:
                    names.append(explainer.labels)
        self._names = names

    @property
    def all(self) -> tuple[Explainer, ...]:
        """All, in the order of :attr:`labels` and of the synced lists: the pictures of the first model come first."""
        return tuple(explainer for row in self.rows for explainer in row)

    @property
    def models(self) -> int:
        """How many models."""
        return len(self.rows)

    @property
    def images(self) -> int:
        """How many pictures."""
        return len(self.rows[0])

    @property
    def labels(self) -> list[list[str]]:
        """The lists of labels that there are, each once."""
        return [list(names) for names in self._names]

    def at(self, model: Any, image: Any) -> Explainer:
        """The explainer of a model and a picture.

        Raises
        ------
        InputError
            There is no such model or picture.
        """
        for name, index, count in (("model_index", model, self.models), ("image_index", image, self.images)):
            whole = isinstance(index, int) and not isinstance(index, bool)
            if not whole or not 0 <= index < count:
                raise InputError(name, index, f"is out of range: there {_are(count)}", f"Give 0 to {count - 1}.")
        explainer: Explainer = self.rows[model][image]
        return explainer

    def place(self, explainer: Explainer) -> Place:
        """Where an explainer stands."""
        return self._places[id(explainer)]

    def picture(self, explainer: Explainer) -> npt.NDArray[np.uint8]:
        """The picture of an explainer as it travels, uint8 (H, W, 3)."""
        return self._pictures[id(explainer)]

    def pictures(self) -> list[bytes]:
        """The pictures as they travel, RGB, one for each subject."""
        return [self._pictures[id(one)].tobytes() for one in self.all]

    def originals(self) -> list[bytes]:
        """The pictures as they were given, encoded; empty where there is none."""
        return [_encoded(one.prepared.original) for one in self.rows[0]]

    def look_further(self, explainer: Explainer) -> None:
        """Find what takes its time: the layers that can be chosen, and where the picture lies in the original."""
        self._layers[id(explainer)] = [
            {"name": one.name, "kind": one.kind, "grid": [int(side) for side in one.grid]} for one in explainer.layers()
        ]
        geometry = explainer.prepared.geometry
        if geometry is not None:
            box = [round(float(side), 4) for side in geometry.box]
            found = {"height": int(geometry.height), "width": int(geometry.width), "box": box}
            self._geometry[id(explainer)] = found

    def info(self) -> dict[str, Any]:
        """What a front end must know of all of it."""
        return {
            "version": VERSION,
            "methods": [
                {
                    "name": one.name,
                    "label": one.label,
                    "summary": one.summary,
                    "parameters": [control.plain() for control in controls_of(one)],
                }
                for one in menu()
            ],
            "scores": [{"kind": kind, "label": kind} for kind in KINDS],
            "models": _told_apart([row[0].model_name for row in self.rows], "model"),
            "images": _told_apart([one.prepared.name for one in self.rows[0]], "image"),
            "subjects": [self._subject(explainer) for explainer in self.all],
        }

    def _subject(self, explainer: Explainer) -> dict[str, Any]:
        place = self.place(explainer)
        prepared = explainer.prepared
        height, width = self._pictures[id(explainer)].shape[:2]
        return {
            "model": place.model,
            "image": place.image,
            "model_name": explainer.model_name,
            "image_name": prepared.name,
            "picture": {"height": height, "width": width},
            "original": self._geometry.get(id(explainer)),
            "channels": list(prepared.channels),
            "classes": explainer.classes or explainer.scene.choices,
            "prediction": [
                {
                    "index": one.index,
                    "label": one.label,
                    "score": plain(one.score),
                    "probability": plain(one.probability),
                }
                for one in explainer.prediction
            ],
            "probability": explainer.scene.activation if explainer.scene.kind else explainer.probability_kind,
            "scene": _scene(explainer),
            "preprocess": prepared.source,
            "score_kind": "logit",
            "labels": self._names.index(explainer.labels),
            "layers": self._layers.get(id(explainer), []),
            # Each stands on a line of its own.
            "notes": [note[:1].upper() + note[1:] for note in explainer.notes],
        }


def _scene(explainer: Explainer) -> dict[str, Any] | None:
    """What can be pointed at, where the model gives no score of the whole picture; places are in pixels of that."""
    scene = explainer.scene
    if not scene.kind:
        return None
    pixels = scene.height * scene.width
    return {
        "kind": scene.kind,
        "height": scene.height,
        "width": scene.width,
        # Of a segmentation, the largest first.
        "areas": [
            {"index": index, "label": explainer.label(index), "share": scene.areas[index] / pixels}
            for index in explainer.areas[:_MOST_AREAS]
        ],
        # Of a detection, most probable first.
        "boxes": [
            {
                "place": list(box.target.place),
                "index": box.index,
                "label": box.label,
                "probability": plain(box.probability),
                "box": [round(float(edge), 2) for edge in box.box],
            }
            for box in scene.boxes[:_MOST_BOXES]
            if box.probability >= _LEAST
        ],
    }


def _are(count: int) -> str:
    return "is one" if count == 1 else f"are {count}"


def _told_apart(names: Sequence[str], word: str) -> list[str]:
    """Names with their number where two are the same, or where there is none."""
    if len(names) == 1:
        return list(names)
    return [
        name if name and names.count(name) == 1 else f"{name or word} {number + 1}".strip()
        for number, name in enumerate(names)
    ]


def _encoded(picture: Any) -> bytes:
    if picture is None:
        return b""
    from PIL import Image

    small = picture
    longest = max(picture.size)
    if longest > _LONGEST_ORIGINAL:
        scale = _LONGEST_ORIGINAL / longest
        size = tuple(max(1, round(side * scale)) for side in picture.size)
        small = picture.resize(size, Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.convert("RGB").save(stream, "JPEG", quality=92)
    return stream.getvalue()
