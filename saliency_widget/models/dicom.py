"""Medical pictures, read with pydicom: what a viewer would show of them at their own window."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from saliency_widget.errors import InputError
from saliency_widget.models.arrays import check_size
from saliency_widget.models.words import shown

_MAGIC = b"DICM"
_SUFFIXES = (".dcm", ".dicom")
_INSTALL = 'Install it: pip install "saliency_widget[dicom]".'
Floats = npt.NDArray[np.float64]


def is_dicom(value: object) -> bool:
    """Whether something is a dataset of pydicom."""
    return any(
        base.__module__.partition(".")[0] == "pydicom" and base.__name__ == "Dataset" for base in type(value).__mro__
    )


def is_dicom_file(path: Path) -> bool:
    """Whether a file says that it is DICOM, by its preamble or its name."""
    if path.suffix.lower() in _SUFFIXES:
        return True
    with path.open("rb") as file:
        return file.read(132)[128:] == _MAGIC


def read_dicom(image: Any, *, frame: int = 0, window: tuple[float, float] | None = None) -> Image.Image:
    """Read one frame of a DICOM file as a picture.

    Parameters
    ----------
    image
        A path, or a dataset of pydicom.
    frame
        Which frame, from 0.
    window
        (centre, width), in the units of the modality (Hounsfield units of CT). None is the first window that the file
        states, or its table of values; without either, the darkest to the brightest value.

    Returns
    -------
    PIL.Image.Image
        8 bits, mode L or RGB. MONOCHROME1 is inverted, so that the value 0 of the file is white.

    Raises
    ------
    InputError
        pydicom is not installed, the file holds no such picture, or its compression needs another package.

    Notes
    -----
    Values go through the modality's rescaling and the window, PS3.3 C.11.2: LINEAR, LINEAR_EXACT or SIGMOID.

    Examples
    --------
    >>> import saliency_widget as sw
    >>> sw.explain(model, sw.read_dicom("chest.dcm", window=(40, 400)))  # doctest: +SKIP
    """
    return load_dicom(image, frame=frame, window=window)[0]


def load_dicom(
    image: Any, *, frame: int | None = None, window: tuple[float, float] | None = None
) -> tuple[Image.Image, tuple[str, ...]]:
    """As :func:`read_dicom`, with what was done, in words; without a frame, the first and that there are more."""
    value: object = os.fsdecode(image) if isinstance(image, (str, os.PathLike)) else shown(image)
    dataset = _dataset(image, value)
    pixels = _pixels(dataset, value)
    frames = int(getattr(dataset, "NumberOfFrames", 1) or 1)
    notes: list[str] = []
    wanted = 0 if frame is None else frame
    if isinstance(wanted, bool) or not isinstance(wanted, (int, np.integer)) or not 0 <= wanted < frames:
        raise InputError("frame", frame, "is out of range", f"The file has {frames}: give 0 to {frames - 1}.")
    if frames > 1:
        pixels = pixels[int(wanted)]
        notes.append(f"frame {int(wanted) + 1} of {frames}")
    check_size(int(pixels.shape[0]), int(pixels.shape[1]), value)
    kind = str(getattr(dataset, "PhotometricInterpretation", "MONOCHROME2"))
    if kind.startswith("MONOCHROME"):
        grey, how = _windowed(dataset, pixels, _checked_window(window), value)
        notes.append(how)
        if kind == "MONOCHROME1":
            grey = 1 - grey
            notes.append("MONOCHROME1 inverted")
        eight = np.floor(grey * 255 + 0.5).astype(np.uint8)
    else:
        if window is not None:
            raise InputError("window", window, f"is for grey pictures, and this one is {kind}", "Leave it out.")
        eight = _coloured(dataset, pixels, kind, value)
    spacing = [float(side) for side in getattr(dataset, "PixelSpacing", None) or (1, 1)]
    if abs(spacing[0] - spacing[1]) > 0.01 * spacing[1]:
        notes.append(f"pixels of {spacing[0]:g} x {spacing[1]:g} mm shown as squares")
    return Image.fromarray(np.ascontiguousarray(eight)), ("DICOM", *notes)


def _dataset(image: Any, value: object) -> Any:
    if is_dicom(image):
        return image
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
    except ImportError as error:
        raise InputError(
            "image", value, "is a DICOM file, and pydicom, which reads it, is not installed", _INSTALL
        ) from error
    if not isinstance(image, (str, os.PathLike)):
        raise InputError("image", value, "is no DICOM file", "Give a path, or a dataset of pydicom.")
    try:
        return pydicom.dcmread(Path(image).expanduser())
    except FileNotFoundError as error:
        raise InputError("image", value, "does not exist", "Check the path.") from error
    except (InvalidDicomError, OSError, EOFError, ValueError) as error:
        cause = " ".join(str(error).split())[:120]
        raise InputError("image", value, f"is no DICOM file that can be read ({cause})", "Export it again.") from error


def _pixels(dataset: Any, value: object) -> npt.NDArray[Any]:
    if "PixelData" not in dataset:
        raise InputError("image", value, "holds no picture (PixelData)", "Give a file of the series that has pixels.")
    try:
        return np.asarray(dataset.pixel_array)
    except Exception as error:  # each decoder has its own
        cause = " ".join(str(error).split())[:160]
        raise InputError(
            "image",
            value,
            f"cannot be decoded ({cause})",
            'If its compression needs another package: pip install "pylibjpeg[all]"; or export it uncompressed.',
        ) from error


def _checked_window(window: Any) -> tuple[float, float] | None:
    if window is None:
        return None
    try:
        centre, width = (float(one) for one in window)
    except (TypeError, ValueError):
        centre, width = float("nan"), 0.0
    if not (np.isfinite(centre) and np.isfinite(width) and width > 0):
        raise InputError("window", window, "is no window", "Give (centre, width) with a width of more than 0.")
    return centre, width


def _windowed(
    dataset: Any, pixels: npt.NDArray[Any], window: tuple[float, float] | None, value: object
) -> tuple[Floats, str]:
    """Grey from 0 to 1, and how it was made."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    values = np.asarray(apply_modality_lut(pixels, dataset))
    if window is None and "VOILUTSequence" in dataset:
        item = dataset.VOILUTSequence[0]
        full = 2.0 ** int(item.LUTDescriptor[2]) - 1
        return np.clip(np.asarray(apply_voi_lut(values, dataset), dtype=np.float64) / full, 0, 1), "its own table"
    values = values.astype(np.float64)
    if window is None and "WindowCenter" in dataset and "WindowWidth" in dataset:
        centre, width = (_first(dataset[name].value) for name in ("WindowCenter", "WindowWidth"))
        window = (centre, width) if width > 0 else None
    if window is None:
        low, high = float(values.min()), float(values.max())
        scaled = (values - low) / (high - low) if high > low else np.full_like(values, 0.5)
        return scaled, f"without a window, from {low:g} to {high:g}"
    function = str(getattr(dataset, "VOILUTFunction", "LINEAR") or "LINEAR").upper()
    return _through(values, *window, function), f"window centre {window[0]:g}, width {window[1]:g}"


def _through(values: Floats, centre: float, width: float, function: str) -> Floats:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3, from 0 to 1."""
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(-4 * (values - centre) / width)), dtype=np.float64)
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if width <= 1:
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _coloured(dataset: Any, pixels: npt.NDArray[Any], kind: str, value: object) -> npt.NDArray[np.uint8]:
    from pydicom.pixels.processing import apply_color_lut

    if kind == "PALETTE COLOR":
        pixels = np.asarray(apply_color_lut(pixels, dataset))
        if pixels.dtype == np.uint16:
            pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif kind != "RGB" and not kind.startswith("YBR"):  # of which pydicom makes RGB as it decodes
        raise InputError("image", value, f"has the colours {kind}, which are not read", "Convert it to RGB.")
    if pixels.dtype != np.uint8:
        raise InputError("image", value, f"has colours of {pixels.dtype}", "Convert them to 8 bits.")
    return pixels.astype(np.uint8)


def _first(value: Any) -> float:
    """The first of several windows."""
    return float(value[0] if not isinstance(value, (str, int, float)) and hasattr(value, "__len__") else value)
