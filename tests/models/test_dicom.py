"""DICOM: windows, inverted and coloured pictures, frames, and what cannot be read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import saliency_widget as sw
from saliency_widget.errors import InputError
from saliency_widget.models.dicom import load_dicom
from saliency_widget.models.image import load_image

pydicom = pytest.importorskip("pydicom")
uid = pytest.importorskip("pydicom.uid")

VALUES = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)


def dataset(pixels: Any = VALUES, *, kind: str = "MONOCHROME2", frames: int = 1, **tags: Any) -> Any:
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = uid.SecondaryCaptureImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = uid.generate_uid()
    colour = kind in ("RGB", "YBR_FULL")
    shape = pixels.shape[1:] if frames > 1 else pixels.shape
    made.Rows, made.Columns = shape[:2]
    made.SamplesPerPixel = 3 if colour else 1
    if colour:
        made.PlanarConfiguration = 0
    if frames > 1:
        made.NumberOfFrames = frames
    bits = pixels.dtype.itemsize * 8
    made.BitsAllocated = made.BitsStored = bits
    made.HighBit = bits - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.PhotometricInterpretation = kind
    made.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(made, name, value)
    return made


def grey(*given: Any, **options: Any) -> Any:
    return np.asarray(sw.read_dicom(*given, **options))


def linear(values: Any, centre: float, width: float) -> Any:
    """PS3.3 C.11.2.1.2.1, as it is printed there."""
    y = np.where(
        values <= centre - 0.5 - (width - 1) / 2,
        0.0,
        np.where(values > centre - 0.5 + (width - 1) / 2, 1.0, (values - (centre - 0.5)) / (width - 1) + 0.5),
    )
    return np.floor(y * 255 + 0.5).astype(np.uint8)


def test_the_windows_of_the_file_and_of_the_user() -> None:
    values = VALUES.astype(float)
    own = dataset(WindowCenter=1000, WindowWidth=500)
    np.testing.assert_array_equal(grey(own), linear(values, 1000, 500))
    np.testing.assert_array_equal(grey(own, window=(2000, 1000)), linear(values, 2000, 1000))
    several = dataset(WindowCenter=[1000, 50], WindowWidth=[500, 60])
    np.testing.assert_array_equal(grey(several), linear(values, 1000, 500))
    rescaled = dataset(RescaleSlope=2, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400)
    np.testing.assert_array_equal(grey(rescaled), linear(2 * values - 1024, 40, 400))
    exact = dataset(WindowCenter=1000, WindowWidth=500, VOILUTFunction="LINEAR_EXACT")
    np.testing.assert_array_equal(grey(exact), np.floor(np.clip((values - 1000) / 500 + 0.5, 0, 1) * 255 + 0.5))
    sigmoid = dataset(WindowCenter=1000, WindowWidth=500, VOILUTFunction="SIGMOID")
    np.testing.assert_array_equal(grey(sigmoid), np.floor(255 / (1 + np.exp(-4 * (values - 1000) / 500)) + 0.5))


def test_without_a_window_it_reaches_from_the_darkest_to_the_brightest_and_says_so() -> None:
    picture, notes = load_dicom(dataset())
    assert np.asarray(picture).min() == 0
    assert np.asarray(picture).max() == 255
    assert any("without a window, from 0 to 4080" in note for note in notes)
    flat, _ = load_dicom(dataset(np.full((9, 9), 7, dtype=np.uint16)))
    assert (np.asarray(flat) == 128).all()


def test_monochrome1_is_inverted_and_signed_values_are_values() -> None:
    tags = {"WindowCenter": 2048, "WindowWidth": 4096}
    np.testing.assert_array_equal(grey(dataset(kind="MONOCHROME1", **tags)), 255 - grey(dataset(**tags)).astype(int))
    signed = (VALUES.astype(np.int32) - 2048).astype(np.int16)
    np.testing.assert_array_equal(
        grey(dataset(signed, WindowCenter=0, WindowWidth=400)), linear(signed.astype(float), 0, 400)
    )


def test_frames() -> None:
    stack = np.stack([VALUES // (k + 1) for k in range(3)])
    made = dataset(stack, frames=3, WindowCenter=1000, WindowWidth=500)
    for k in range(3):
        np.testing.assert_array_equal(grey(made, frame=k), linear(stack[k].astype(float), 1000, 500))
    assert "frame 1 of 3" in load_image(made).notes
    for wrong in (3, -1, 1.5, True):
        with pytest.raises(InputError, match="0 to 2"):
            sw.read_dicom(made, frame=wrong)


def test_colours() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(grey(dataset(pixels, kind="RGB")), pixels)
    even = np.full((8, 8, 3), (77, 128, 128), dtype=np.uint8)
    np.testing.assert_array_equal(grey(dataset(even, kind="YBR_FULL")), np.full((8, 8, 3), 77))
    with pytest.raises(InputError, match="is for grey pictures"):
        sw.read_dicom(dataset(pixels, kind="RGB"), window=(1, 2))


def test_a_file_is_explained_like_any_picture(tmp_path: Path) -> None:
    made = dataset(WindowCenter=1000, WindowWidth=500, PixelSpacing=[0.5, 0.7])
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)).eval()
    for name in ("a.dcm", "IM0001"):
        made.save_as(tmp_path / name, enforce_file_format=True)
        map_ = sw.explain(model, tmp_path / name, preprocess="none")
        np.testing.assert_array_equal(map_.image, np.repeat(grey(made)[:, :, None], 3, axis=2))
        assert "window centre 1000, width 500" in map_.provenance["preprocess"]
        assert "0.5 x 0.7 mm" in map_.provenance["preprocess"]
    np.testing.assert_array_equal(sw.explain(model, made, preprocess="none").image, map_.image)


def test_what_cannot_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.dcm").write_bytes(b"nothing of the kind" * 20)
    with pytest.raises(InputError, match="no DICOM file"):
        load_image(tmp_path / "a.dcm")
    with pytest.raises(InputError, match="does not exist"):
        sw.read_dicom(tmp_path / "b.dcm")
    with pytest.raises(InputError, match="Give a path"):
        sw.read_dicom(3)
    empty = dataset()
    del empty.PixelData
    with pytest.raises(InputError, match="PixelData"):
        load_image(empty)
    packed = dataset()
    packed.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
    with pytest.raises(InputError, match="cannot be decoded"):
        load_image(packed)
    for window in ((1, 0), (1,), "wide", (float("nan"), 3)):
        with pytest.raises(InputError, match="is no window"):
            sw.read_dicom(dataset(), window=window)
    dataset().save_as(tmp_path / "c.dcm", enforce_file_format=True)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match=r"saliency_widget\[dicom\]"):
        load_image(tmp_path / "c.dcm")
