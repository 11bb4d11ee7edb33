"""Attribution: the one result of every method, and its views."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saliency_widget._files import atomic_write, check_goal
from saliency_widget._plain import Frozen, plain
from saliency_widget.display.cells import Between, on_original
from saliency_widget.display.geometry import Geometry, Placed, plain_geometry, read_geometry
from saliency_widget.display.reduce import DEFAULT_CLIP, FloatMap, Reduction, Sign, check_values
from saliency_widget.display.view import Photo, Seen, View
from saliency_widget.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORMAT = "saliency_widget/attribution"
_FORMAT_VERSION = 1
_EXTRA = "extra_"

SAVERS = {
    ".npz": "saliency_widget.attribution:write_npz",
    ".png": "saliency_widget.export.figures:write_png",
    ".svg": "saliency_widget.export.figures:write_svg",
    ".html": "saliency_widget.export.alone:write_html",
}
"""What :meth:`Attribution.save` calls, by suffix: ``module:function``, of the attribution, the path and the options.

Named and not imported, because they stand above this module.
"""


@dataclass(frozen=True)
class TargetRecord:
    """Which score was differentiated: what is left of a target when the model is gone.

    Attributes
    ----------
    kind
        "logit", "probability", ...
    index
        The class, where the target is one.
    label
        The name of the class, where it has one.
    text
        In words: "logit of tiger cat".
    """

    kind: str
    index: int | None
    label: str | None
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class MethodRecord:
    """Which method made the map, with all its parameters.

    Attributes
    ----------
    name
        The name it is asked for by: "gradient".
    label
        The name it is shown by: "Gradient".
    parameters
        Everything that decides the result, plain values.
    """

    name: str
    label: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Attribution:
    """A signed map over the pixels of a picture, and all that is needed to read it.

    Attributes
    ----------
    values
        float32 (C, H, W): the score's change per unit of each channel of each pixel, signed, never normalised. A map
        over the cells of a layer is (1, h, w), the cells covering the picture evenly.
    image
        uint8 (H, W, 3): what the model saw, for the eye.
    target, method
        What was differentiated, and how.
    score
        The value of the score on this picture.
    probability
        The probability of the target's class, where it has one.
    unit
        Unit of ``values``: "logit per full-scale pixel".
    channels
        Names of the channels.
    quality
        Scale-free figures on how good the map is, and states such as "zero".
    provenance
        Where the map came from: model, preprocessing, device, versions, seconds.
    extras
        Further maps by name, float32 (c, h, w): what the method found beside the values, such as "standard_error".
    origin
        Knows where the picture that the model saw lies in the original, or finds out when :attr:`geometry` is first
        asked for; None where there is no original.
    """

    values: FloatMap
    image: npt.NDArray[np.uint8]
    target: TargetRecord
    method: MethodRecord
    score: float
    unit: str
    probability: float | None = None
    channels: tuple[str, ...] = ("R", "G", "B")
    quality: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    extras: Mapping[str, FloatMap] = field(default_factory=dict)
    origin: Placed | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        values = check_values(self.values)
        image = np.asarray(self.image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InputError(
                "image",
                f"array of shape {image.shape}, {image.dtype}",
                "is no picture",
                "Give uint8 (H, W, 3).",
            )
        # A result is a fact: it is not changed afterwards, neither here nor through the caller's own array.
        object.__setattr__(self, "values", _frozen(values))
        object.__setattr__(self, "image", _frozen(image))
        object.__setattr__(self, "quality", Frozen(self.quality))
        object.__setattr__(self, "provenance", Frozen(self.provenance))
        extras = {name: _frozen(check_values(extra)) for name, extra in self.extras.items()}
        object.__setattr__(self, "extras", Frozen(extras))

    def __repr__(self) -> str:
        channels, height, width = self.values.shape
        return (
            f"<Attribution: {self.method.label}, {self.target.text} = {self.score:.4g}; "
            f"{channels} x {height} x {width}, {self.unit}>"
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    def heatmap(
        self,
        sign: Sign = "absolute",
        reduce: Reduction | None = None,
        clip: float = DEFAULT_CLIP,
        *,
        between: Between = "smooth",
    ) -> FloatMap:
        """The map between fixed ends, at the picture's size.

        It is reduced and clipped on its own grid, and then brought to the picture's size.

        Parameters
        ----------
        sign
            "absolute", "signed", "positive" or "negative"; see
            :func:`saliency_widget.display.reduce.reduce_channels`.
        reduce
            "max", "sum", "mean" or "l2" over channels, or one channel's number; None is "max" for "absolute" and "sum"
            for the others.
        clip
            Percentile of |value| at which it saturates.
        between
            How a map on a coarser grid fills the picture: "smooth" or "cells"; see
            :func:`saliency_widget.display.cells.to_picture`.

        Returns
        -------
        numpy.ndarray
            float32 (H, W), in [0, 1] ("absolute", "positive"), [-1, 0] ("negative") or [-1, 1] ("signed"); zero is
            at 0.
        """
        view = View(sign, reduce, clip, between=between)
        return Seen(self, view).heat

    @property
    def geometry(self) -> Geometry | None:
        """Which rectangle of the original picture the model saw; None where that is not known.

        It is measured when it is first asked for, or saved: the preprocessing is run on a few pictures.
        """
        found = None if self.origin is None else self.origin.found
        return found if isinstance(found, Geometry) else None

    def on_original(self, *, between: Between = "smooth", masked: bool = False) -> FloatMap:
        """The values at the size and the place of the picture that was given, before it was resized and cropped.

        Parameters
        ----------
        between
            How values fill the larger picture: "smooth" or "cells"; see
            :func:`saliency_widget.display.cells.on_original`.
        masked
            Mask what the model did not see, in a ``numpy.ma.MaskedArray``, rather than fill it with NaN.

        Returns
        -------
        numpy.ndarray
            float32 (C, H, W), upright as the picture is shown; its unit is still that of the model's pixels.

        Raises
        ------
        InputError
            A tensor has no original, or the preprocessing turns or bends the picture.
        """
        geometry = self.geometry
        if geometry is None:
            there = None if self.origin is None else self.origin.found
            reason = "there is none: a tensor was given" if there is None else f"the preprocessing {there}"
            raise InputError(
                "image",
                None,
                f"cannot be found in the original picture, because {reason}",
                "Give a picture and a preprocessing that resizes, crops or pads it.",
            )
        found = on_original(self.values, geometry, between)
        return np.ma.masked_invalid(found) if masked else found

    def plot(
        self,
        sign: Sign = "absolute",
        *,
        clip: float = DEFAULT_CLIP,
        between: Between = "smooth",
        ax: Axes | None = None,
        reduce: Reduction | None = None,
        colormap: str | None = None,
        look: str | None = None,
        threshold: float = 100.0,
        opacity: float = 0.6,
        photo: Photo = "grey",
        level: float | None = None,
        width: float = 7.0,
        colorbar: bool = True,
        title: bool = True,
        caption: bool = True,
    ) -> Figure:
        """A matplotlib figure: the picture, the map over it, the map, and a colour bar with its unit.

        It knows no pyplot and needs no backend; the style that is set (``plt.style.context``) decides colours and
        fonts. Saved as PDF or SVG, its text is text and its pictures keep their own pixels.

        Parameters
        ----------
        sign, clip, between, reduce
            As in :meth:`heatmap`.
        ax
            Draw into these axes, instead of making a figure.
        colormap
            A colour table: "inferno", "viridis", "gray", "hot" or "jet"; for a signed map "blue-orange" or
            "blue-white-orange". None is the first of them. "hot" and "jet" are not uniform, and the figure says so.
        look
            "image", "overlay" or "map" alone; None is all three, and the map in ``ax``.
        threshold
            Percentage of the area that is shown, strongest first.
        opacity
            Of the map over the photograph, 0 to 1.
        photo
            The photograph under the map: "grey" or "colour".
        level
            The magnitude at the end of the colours, in the unit of the map, instead of that of ``clip``.
        width
            Of a new figure, in inches.
        colorbar, title, caption
            Whether these are there.

        Returns
        -------
        matplotlib.figure.Figure
            The new figure, or the one that ``ax`` belongs to.

        Raises
        ------
        InputError
            One of the arguments cannot be. Nothing has been drawn then.
        """
        from saliency_widget.display.figure import draw_figure

        view = View(sign, reduce, clip, colormap, between, threshold, opacity, photo, level)
        return draw_figure(self, view, look=look, ax=ax, width=width, colorbar=colorbar, title=title, caption=caption)

    def _repr_png_(self) -> bytes:
        from saliency_widget.display.notebook_figure import NotebookFigure

        figure = self.plot()
        assert isinstance(figure, NotebookFigure)
        return figure._repr_png_()

    def save(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write a file, atomically: a failure leaves what was there.

        Parameters
        ----------
        path
            Its suffix says what is written. ``.npz``: values, extras, image, target, method, quality and provenance,
            compressed and without pickle, which :meth:`load` reads where torch is not installed. ``.png``, ``.svg``:
            the figure of :meth:`plot`, with the provenance in it, which :func:`saliency_widget.read_provenance` reads;
            the text of an SVG is text. ``.html``: a page in which the map can be looked at, without a network and
            without this package.
        **options
            Of a picture: those of :meth:`plot` but ``ax``, and ``dpi`` of a PNG. Of a page: ``keep``, as for
            :meth:`SaliencyWidget.to_html`, and what it opens with: ``sign``, ``reduce``, ``clip``, ``colormap``,
            ``threshold``, ``opacity``.

        Raises
        ------
        InputError
            The suffix is none of these, the folder does not exist, or an option cannot be. Nothing was written.
        """
        known = ", ".join(SAVERS)
        name = _path(path, f"Give a name that ends in {known}.")
        suffix = os.path.splitext(name)[1].lower()
        if suffix not in SAVERS:
            raise InputError(
                "path", name, "has no suffix that says what to write", f"Give a name that ends in {known}."
            )
        check_goal(name)
        module, _, function = SAVERS[suffix].partition(":")
        getattr(import_module(module), function)(self, name, **options)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Attribution:
        """Read what :meth:`save` wrote.

        Raises
        ------
        InputError
            The file is missing, or was not written by :meth:`save`.
        """
        remedy = "Give a file that Attribution.save wrote."
        path = _path(path, remedy)
        try:
            with np.load(path, allow_pickle=False) as data:
                header = json.loads(str(data["header"]))
                values, image = data["values"], data["image"]
                extras = {name[len(_EXTRA) :]: data[name] for name in data.files if name.startswith(_EXTRA)}
            if header.get("format") != _FORMAT:
                raise KeyError("format")
            if header["version"] > _FORMAT_VERSION:
                raise InputError(
                    "path",
                    path,
                    f"has format version {header['version']}",
                    "Update saliency_widget.",
                )
            return cls(
                values=values,
                image=image,
                target=TargetRecord(**header["target"]),
                method=MethodRecord(**header["method"]),
                score=float(header["score"]),
                unit=header["unit"],
                probability=header["probability"],
                channels=tuple(header["channels"]),
                quality=header["quality"],
                provenance=header["provenance"],
                extras=extras,
                origin=read_geometry(header.get("geometry")),
            )
        except InputError:
            raise
        except FileNotFoundError as error:
            raise InputError("path", path, "does not exist", remedy) from error
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            EOFError,
            zipfile.BadZipFile,
        ) as error:
            raise InputError("path", path, "is not a saved attribution", remedy) from error


def write_npz(attribution: Attribution, path: str, **options: Any) -> None:
    """Write what :meth:`Attribution.load` reads."""
    if options:
        name = next(iter(options))
        problem = "says how a picture looks, and a .npz file holds the numbers"
        raise InputError(name, options[name], problem, "Leave it out.")
    header = {
        "format": _FORMAT,
        "version": _FORMAT_VERSION,
        "target": asdict(attribution.target),
        "method": {**asdict(attribution.method), "parameters": dict(attribution.method.parameters)},
        "score": attribution.score,
        "unit": attribution.unit,
        "probability": attribution.probability,
        "channels": list(attribution.channels),
        "quality": attribution.quality,
        "provenance": attribution.provenance,
        "geometry": plain_geometry(attribution.origin),
    }
    text = json.dumps(header, default=plain, ensure_ascii=True)
    extras: dict[str, Any] = {_EXTRA + name: extra for name, extra in attribution.extras.items()}
    with atomic_write(path) as file:
        np.savez_compressed(file, values=attribution.values, image=attribution.image, header=np.array(text), **extras)


def _path(path: object, remedy: str) -> str:
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise InputError("path", path, f"is a {type(path).__name__} and no path", remedy)
    return os.fsdecode(path)


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    copy = np.array(array, order="C", copy=True)
    copy.flags.writeable = False
    return copy
