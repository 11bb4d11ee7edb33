"""Reading what the user calls an image."""

from __future__ import annotations

import os
import re
import struct
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from saliency_widget.errors import InputError
from saliency_widget.models.arrays import (
    MAX_PIXELS,
    array_to_picture,
    check_input,
    check_size,
    tensor_to_picture,
    too_large,
)
from saliency_widget.models.channels import Channels, as_channels
from saliency_widget.models.dicom import is_dicom, is_dicom_file, load_dicom
from saliency_widget.models.words import article, shown

__all__ = ["MAX_PIXELS", "LoadedImage", "load_image"]

_ARGUMENT = "image"
_KINDS = "a path, a PIL image, a numpy array (height, width, 3) or a torch tensor (3, height, width)"
_ORIENTATION = 0x0112
# Path("https://host/x") has lost one of its slashes; a drive letter is no scheme
_URL = re.compile(r"^([a-z][a-z0-9+.-]+:/|data:)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """A picture, a tensor that is already what the model takes, or other channels; exactly one of the three is there.

    Attributes
    ----------
    picture
        PIL image, mode RGB, upright.
    tensor
        (C, H, W) floats on the CPU, a copy of what was given.
    channels
        A picture of other channels than colours.
    notes
        What was done to the picture, in words.
    name
        That of its file, without the folders; "" where there is none.
    """

    picture: Image.Image | None
    tensor: Tensor | None
    notes: tuple[str, ...] = ()
    name: str = ""
    channels: Channels | None = None

    @property
    def original_size(self) -> tuple[int, int] | None:
        """(height, width) of the upright picture; None for a tensor."""
        return None if self.picture is None else (self.picture.height, self.picture.width)


def load_image(image: object, takes: int | None = None) -> LoadedImage:
    """Read an image.

    Parameters
    ----------
    image
        A path, also of a DICOM file, or a dataset of pydicom; a PIL image of any mode; a numpy array (H, W), (H, W, 1),
        (H, W, 3) or (H, W, 4) of uint8, uint16 or floats in 0..1; a uint8 tensor (C, H, W) with 1, 3 or 4 channels; or
        a float tensor (C, H, W), which is taken as already preprocessed. Tensors may have a batch dimension of 1. Of
        other channels: a :class:`Channels`, an array (H, W, C) or a uint8 tensor (C, H, W).
    takes
        How many channels the model takes, where that is known.

    Returns
    -------
    LoadedImage
        EXIF orientation is applied, transparent parts are laid over white, 16 bits are rounded to 8, and of a file
        with several frames the first is taken; ``notes`` says which of these happened.

    Raises
    ------
    InputError
        For whatever cannot be read; nothing is ever downloaded.
    """
    channels = as_channels(image, takes)
    if channels is not None:
        return LoadedImage(None, None, channels=channels)
    if isinstance(image, (str, os.PathLike)):
        return replace(_from_path(image), name=Path(os.fsdecode(image)).name)
    if isinstance(image, Image.Image):
        return replace(_from_pil(image, shown(image)), name=_file_name(image))
    if isinstance(image, np.ndarray):
        picture, notes = array_to_picture(image)
        return _flatten(picture, notes)
    if isinstance(image, Tensor):
        if image.dtype == torch.uint8 and image.device.type != "meta" and image.layout == torch.strided:
            picture, notes = tensor_to_picture(image)
            return _flatten(picture, notes)
        return LoadedImage(None, check_input(image))
    if is_dicom(image):
        return _flatten(*load_dicom(image))
    if isinstance(image, (list, tuple)):
        problem = f"is {article(type(image).__name__)} of {len(image)}" if len(image) else "is empty"
        raise InputError(_ARGUMENT, shown(image), problem, f"Give one image: {_KINDS}.")
    if isinstance(image, (bytes, bytearray, memoryview)):
        raise InputError(
            _ARGUMENT, shown(image), "is raw bytes", "Decode them first: PIL.Image.open(io.BytesIO(data))."
        )
    raise InputError(_ARGUMENT, shown(image), f"is {article(type(image).__name__)}, not an image", f"Give {_KINDS}.")


def _file_name(image: Image.Image) -> str:
    """The name of the file that PIL opened; it is "" for one in memory."""
    known = getattr(image, "filename", "")
    return Path(os.fsdecode(known)).name if isinstance(known, (str, bytes, os.PathLike)) else ""


def _from_path(given: str | os.PathLike[str]) -> LoadedImage:
    name = os.fsdecode(given)
    if _URL.match(name):
        raise InputError(
            _ARGUMENT,
            name,
            "is a URL, and nothing is downloaded, so that a result can be repeated and works offline",
            "Download the file first and give its path.",
        )
    path = Path(name).expanduser() if name else Path()
    try:
        if not name:
            raise InputError(_ARGUMENT, name, "is an empty path", f"Give {_KINDS}.")
        if path.is_dir():
            raise InputError(_ARGUMENT, name, "is a folder", "Give the path of one picture in it.")
        if not path.exists():
            raise InputError(
                _ARGUMENT, name, "does not exist", f"Check the path; a relative one starts at {Path.cwd()}."
            )
        if path.stat().st_size == 0:
            raise InputError(_ARGUMENT, name, "is an empty file", "Download or save the picture again.")
        if is_dicom_file(path):
            return _flatten(*load_dicom(path))
        with warnings.catch_warnings():
            # PIL warns far below the limit that holds here, of a size that is read without trouble.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                return _from_pil(opened, name)
    except Image.DecompressionBombError as error:
        found = re.search(r"\((\d+) pixels\)", str(error))
        raise too_large(name, f"{int(found.group(1)):,} pixels" if found else "too many pixels") from error
    except InputError:
        raise
    except UnidentifiedImageError as error:
        check_size(*_png_size(path), name)
        raise InputError(
            _ARGUMENT, name, "is not a picture that PIL can read", "Convert it to PNG or JPEG, or save it again."
        ) from error
    except PermissionError as error:
        raise InputError(_ARGUMENT, name, "may not be read", "Give yourself the right to read the file.") from error
    except (OSError, ValueError) as error:  # a name too long, or with a zero byte in it
        cause = getattr(error, "strerror", None) or str(error)
        raise InputError(_ARGUMENT, name, f"cannot be opened ({cause})", "Check the path.") from error
    except Exception as error:  # what PIL's plugins raise for a damaged header: TypeError, RuntimeError, …
        raise _broken(name, error) from error


def _png_size(path: Path) -> tuple[int, int]:
    """(height, width) that a PNG file states, because PIL calls one of size 0 no picture; (1, 1) of any other file."""
    with path.open("rb") as file:
        head = file.read(24)
    if head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR" or len(head) < 24:
        return 1, 1
    width, height = struct.unpack(">II", head[16:])
    return int(height), int(width)


def _broken(value: object, error: Exception) -> InputError:
    cause = " ".join(str(error).split()) or type(error).__name__
    return InputError(_ARGUMENT, value, f"is broken or cut short ({cause})", "Download or save the picture again.")


def _from_pil(image: Image.Image, value: object) -> LoadedImage:
    check_size(image.height, image.width, value)
    notes: list[str] = []
    try:
        # Counting the frames looks for the headers of all of them.
        frames = int(getattr(image, "n_frames", 1) or 1)
        if frames > 1:
            notes.append(f"frame {image.tell() + 1} of {frames}")
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError, …
        raise _broken(value, error) from error
    upright, turned = _upright(image)
    notes += turned
    if image.mode == "F" or image.mode.startswith("I"):
        array = np.asarray(upright)
        if array.dtype.kind == "i" and array.size and array.min() >= 0 and array.max() <= 65535:
            array = array.astype(np.uint16)  # mode I is how PIL holds many 16-bit files
        picture, more = array_to_picture(array, value)
        return _flatten(picture, (*notes, *more))
    return _flatten(upright, tuple(notes), value)


def _upright(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    try:
        if image.getexif().get(_ORIENTATION, 1) in (None, 1):
            return image, ()
        return ImageOps.exif_transpose(image), ("turned upright as its EXIF data says",)
    except Exception:  # damaged EXIF data is no reason to refuse a picture
        return image, ("its EXIF data cannot be read",)


def _flatten(image: Image.Image, notes: tuple[str, ...] = (), value: object = None) -> LoadedImage:
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        straight = image.convert("LA") if image.mode == "La" else image
        layer = straight.convert("RGBA")
        if layer.getchannel("A").getextrema() != (255, 255):
            paper = Image.new("RGBA", layer.size, (255, 255, 255, 255))
            return LoadedImage(
                Image.alpha_composite(paper, layer).convert("RGB"), None, (*notes, "transparency over white")
            )
        return LoadedImage(layer.convert("RGB"), None, notes)
    try:
        picture = image.copy() if image.mode == "RGB" else image.convert("RGB")
    except ValueError as error:
        seen = shown(image) if value is None else value
        raise InputError(
            _ARGUMENT,
            seen,
            f"has the colour mode {image.mode}, which PIL does not turn into RGB",
            "Convert it to RGB first.",
        ) from error
    if image.mode == "CMYK":
        notes = (*notes, "from CMYK without a colour profile")
    return LoadedImage(picture, None, notes)
