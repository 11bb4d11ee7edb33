"""What counts as an image, and what each kind turns into."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from saliency_widget.errors import InputError
from saliency_widget.models.arrays import MAX_PIXELS
from saliency_widget.models.image import load_image

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def rgb(image: object) -> np.ndarray:
    picture = load_image(image).picture
    assert picture is not None
    assert picture.mode == "RGB"
    return np.asarray(picture)


def test_a_path_as_text_and_as_a_path(tmp_path: Path) -> None:
    file = tmp_path / "picture with a name.png"
    Image.fromarray(COLOURS).save(file)
    np.testing.assert_array_equal(rgb(file), COLOURS)
    np.testing.assert_array_equal(rgb(str(file)), COLOURS)
    assert load_image(file).original_size == (5, 7)
    assert load_image(file).notes == ()


def test_a_pil_picture_is_copied() -> None:
    given = Image.fromarray(COLOURS)
    loaded = load_image(given).picture
    assert loaded is not None
    loaded.putpixel((0, 0), (1, 2, 3))
    np.testing.assert_array_equal(np.asarray(given), COLOURS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    stored = Image.fromarray(COLOURS)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / "turned.png"
    stored.save(file, exif=exif)
    a = COLOURS
    upright = {
        1: a,
        2: a[:, ::-1],
        3: a[::-1, ::-1],
        4: a[::-1],
        5: a.transpose(1, 0, 2),
        6: np.rot90(a, -1),
        7: a[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(a, 1),
    }[orientation]
    np.testing.assert_array_equal(rgb(file), upright)
    assert load_image(file).original_size == upright.shape[:2]
    assert ("EXIF" in " ".join(load_image(file).notes)) == (orientation != 1)
    with Image.open(file) as opened:
        np.testing.assert_array_equal(rgb(opened), upright)


def test_transparency_lies_over_white() -> None:
    pixels = np.zeros((1, 3, 4), dtype=np.uint8)
    pixels[0, :, 0] = 200
    pixels[0, :, 3] = (0, 51, 255)  # 51 / 255 is a fifth
    for given in (pixels, Image.fromarray(pixels), torch.from_numpy(pixels).permute(2, 0, 1)):
        np.testing.assert_array_equal(rgb(given), [[[255, 255, 255], [244, 204, 204], [200, 0, 0]]])
        assert load_image(given).notes == ("transparency over white",)
    opaque = pixels.copy()
    opaque[..., 3] = 255
    assert load_image(opaque).notes == ()


def test_palette_with_and_without_a_transparent_entry(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 0), 1)
    np.testing.assert_array_equal(rgb(picture), [[[10, 20, 30], [200, 100, 50]]])
    file = tmp_path / "palette.png"
    picture.save(file, transparency=0)
    np.testing.assert_array_equal(rgb(file), [[[255, 255, 255], [200, 100, 50]]])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "RGBA", "RGBa", "P", "YCbCr", "HSV", "CMYK"])
def test_modes_of_pil(mode: str) -> None:
    white = Image.new("RGB", (2, 3), (255, 255, 255))
    via = {"LA": "L", "La": "LA", "RGBa": "RGBA", "RGBA": "RGB"}
    for step in (via.get(mode) if mode != "La" else "L", via.get(mode), mode):
        white = white.convert(step) if step else white
    assert white.mode == mode
    assert rgb(white).shape == (3, 2, 3)
    assert (rgb(white) == 255).all()


def test_cmyk_is_converted_and_noted(tmp_path: Path) -> None:
    file = tmp_path / "ink.jpg"
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(file, quality=100)  # magenta and yellow ink make red
    assert np.abs(rgb(file).astype(int) - [255, 0, 0]).max() <= 3
    assert "CMYK" in load_image(file).notes[0]


def test_sixteen_bits_scale_exactly(tmp_path: Path) -> None:
    values = np.array([[0, 257, 65535, 32896, 128, 129]], dtype=np.uint16)
    wanted = [0, 1, 255, 128, 0, 1]
    file = tmp_path / "deep.png"
    Image.fromarray(values).save(file)
    for given in (
        file,
        values,
        Image.fromarray(values),
        Image.fromarray(values.astype(np.int32)),
        values.astype(">u2"),
    ):
        picture = rgb(given)
        np.testing.assert_array_equal(picture[0, :, 0], wanted)
        np.testing.assert_array_equal(picture[..., 0], picture[..., 2])
        assert load_image(given).notes == ("16 bits rounded to 8",)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_arrays(dtype: type) -> None:
    values = np.array([[0.0, 1.0, 0.5, 0.25]], dtype=dtype)
    np.testing.assert_array_equal(rgb(values)[0, :, 1], [0, 255, 128, 64])
    np.testing.assert_array_equal(rgb(COLOURS.astype(np.float64) / 255), COLOURS)


@pytest.mark.parametrize(
    "image", [COLOURS, COLOURS[..., :1], COLOURS[..., 0], COLOURS[::-1, ::2], np.asfortranarray(COLOURS)]
)
def test_uint8_arrays(image: np.ndarray) -> None:
    three = image if image.ndim == 3 else image[:, :, None]
    np.testing.assert_array_equal(rgb(image), np.broadcast_to(three, (*three.shape[:2], 3)))


def test_uint8_tensors_are_pictures() -> None:
    tensor = torch.from_numpy(COLOURS).permute(2, 0, 1)
    for given in (tensor, tensor[None], tensor.contiguous()):
        np.testing.assert_array_equal(rgb(given), COLOURS)
    np.testing.assert_array_equal(rgb(tensor[:1])[..., 1], COLOURS[..., 0])
    np.testing.assert_array_equal(rgb(tensor[0])[..., 2], COLOURS[..., 0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [False, True])
def test_float_tensors_are_kept(dtype: torch.dtype, batch: bool) -> None:
    given = torch.randn(5, 4, 6).to(dtype).requires_grad_()
    loaded = load_image(given[None] if batch else given)
    assert loaded.picture is None
    assert loaded.original_size is None
    assert loaded.tensor is not None
    assert loaded.tensor.dtype == dtype
    assert not loaded.tensor.requires_grad
    assert torch.equal(loaded.tensor, given.detach())
    loaded.tensor.zero_()
    assert given.detach().abs().sum() > 0


def test_an_inference_tensor_becomes_an_ordinary_one() -> None:
    with torch.inference_mode():
        loaded = load_image(torch.rand(3, 4, 4)).tensor
    assert loaded is not None
    assert not loaded.is_inference()


def test_the_first_frame_of_several(tmp_path: Path) -> None:
    file = tmp_path / "moving.gif"
    frames = [Image.new("RGB", (2, 2), c) for c in ((255, 0, 0), (0, 0, 255))]
    frames[0].save(file, save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(rgb(file)[0, 0], [255, 0, 0])
    assert load_image(file).notes == ("frame 1 of 2",)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def files(folder: Path) -> dict[str, Path]:
    made = {
        name: folder / name
        for name in ("empty.png", "text.png", "cut.png", "cut.jpg", "huge.png", "large.png", "zero.png")
    }
    made["empty.png"].write_bytes(b"")
    made["text.png"].write_text("no picture")
    for name in ("cut.png", "cut.jpg"):
        Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(made[name])
        made[name].write_bytes(made[name].read_bytes()[:2000])
    made["huge.png"].write_bytes(png_header(100_000, 10_000))
    made["large.png"].write_bytes(png_header(16_000, 10_000))  # below PIL's own limit
    made["zero.png"].write_bytes(png_header(0, 10))
    return made


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty.png", "empty file"),
        ("text.png", "not a picture"),
        ("cut.png", "broken or cut short"),
        ("cut.jpg", "broken or cut short"),
        ("huge.png", "1,000,000,000 pixels; the limit is 150,000,000"),
        ("large.png", "160,000,000 pixels"),
        ("zero.png", "has no pixels (height 10, width 0)"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, words: str) -> None:
    file = files(tmp_path)[name]
    with pytest.raises(InputError) as caught:
        load_image(file)
    assert caught.value.argument == "image"
    assert caught.value.value == str(file)
    assert words in str(caught.value)
    assert caught.value.remedy.endswith(".")


def tiff(byte: int, value: int) -> bytes:
    """A file of three frames in which one byte is wrong."""
    plain = Image.new("1", (4, 4))
    buffer = io.BytesIO()
    plain.save(buffer, "TIFF", save_all=True, append_images=[plain, plain])
    data = bytearray(buffer.getvalue())
    data[byte] = value
    return bytes(data)


# A directory without dimensions, a layout of the planes that there is none of, and a number that is none: PIL lets
# whatever goes wrong in it out, in opening the first, and in counting the frames of the other two.
@pytest.mark.parametrize(("byte", "value"), [(8, 5), (136, 3), (164, 1)])
def test_whatever_a_damaged_file_makes_pil_raise(tmp_path: Path, byte: int, value: int) -> None:
    file = tmp_path / "damaged.tiff"
    file.write_bytes(tiff(byte, value))
    with pytest.raises(InputError, match="is broken or cut short"):
        load_image(file)


def test_pil_does_not_warn_of_a_size_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    file = tmp_path / "picture.png"
    Image.fromarray(COLOURS).save(file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(rgb(file), COLOURS)


NAN = torch.full((3, 4, 4), float("nan"))
BAD = [
    ("no-such-file.png", "does not exist"),
    ("", "is an empty path"),
    (Path("/"), "is a folder"),
    ("https://example.com/cat.jpg", "is a URL"),
    (Path("https://example.com/cat.jpg"), "is a URL"),
    ("data:image/png;base64,AAAA", "is a URL"),
    ("x" * 5000, "cannot be opened"),
    ("a\0b", "Check the path"),
    (None, "is a NoneType"),
    (True, "is a bool"),
    (3, "is an int"),
    ([], "is empty"),
    ((), "is empty"),
    ([COLOURS, COLOURS], "is a list of 2"),
    (b"\x89PNG", "is raw bytes"),
    (Image.new("RGB", (0, 5)), "has no pixels"),
    (Image.new("F", (2, 2), 7.0), "is outside 0 to 1"),
    (Image.new("I", (2, 2), -1), "full scale is unknown"),
    (np.zeros((0, 4, 3), np.uint8), "has no pixels"),
    (np.zeros(4, np.uint8), "no picture"),
    (np.zeros((), np.uint8), "no picture"),
    (np.zeros((3, 8, 8), np.uint8), "np.moveaxis"),
    (np.zeros((2, 8, 8, 3), np.uint8), "image[0]"),
    (np.zeros((8, 8), bool), "full scale is unknown"),
    (np.zeros((8, 8), np.int64), "astype(np.uint8)"),
    (np.zeros((8, 8), complex), "full scale is unknown"),
    (np.zeros((8, 8), object), "full scale is unknown"),
    (np.full((8, 8), 255.0), "divide by 255"),
    (np.full((8, 8), -0.1), "np.clip"),
    (np.full((8, 8), np.nan), "64 NaN or infinite"),
    (np.array([[0.5, np.inf]]), "1 NaN or infinite value"),
    (np.broadcast_to(np.uint8(0), (100_000, 10_000, 3)), "1,000,000,000 pixels"),
    (NAN, "48 values that are NaN"),
    (torch.tensor([[[0.0, float("inf")]]]), "1 value that is NaN"),
    (torch.zeros(()), "0 dimensions"),
    (torch.zeros(8, 8), "2 dimensions"),
    (torch.zeros(1, 3, 8, 8, 8), "5 dimensions"),
    (torch.zeros(2, 3, 8, 8), "a batch of 2"),
    (torch.zeros(0, 3, 8, 8), "a batch of 0"),
    (torch.zeros(0, 8, 8), "no channels"),
    (torch.zeros(3, 0, 8), "has no pixels"),
    (torch.zeros(3, 8, 8, dtype=torch.int64), "no tensor of plain numbers"),
    (torch.zeros(3, 8, 8, dtype=torch.bool), "no tensor of plain numbers"),
    (torch.zeros(3, 8, 8, dtype=torch.complex64), "no tensor of plain numbers"),
    (torch.zeros(3, 8, 8, device="meta"), "no tensor of plain numbers"),
    (torch.zeros(3, 8, 8, device="meta", dtype=torch.uint8), "no tensor of plain numbers"),
    (torch.zeros(3, 8, 8).to_sparse(), "no tensor of plain numbers"),
    (torch.zeros(8, 8, 3, dtype=torch.uint8), "permute(2, 0, 1)"),
    (torch.zeros(1).expand(3, 100_000, 10_000), "1,000,000,000 pixels"),
]


@pytest.mark.parametrize(("image", "words"), BAD, ids=[f"{i}-{w}" for i, (_, w) in enumerate(BAD)])
def test_bad_images(image: object, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        load_image(image)
    assert caught.value.argument == "image"
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 600


def test_the_limit_stands_in_the_sentence() -> None:
    with pytest.raises(InputError, match=f"{MAX_PIXELS:,}"):
        load_image(Image.new("1", (MAX_PIXELS // 1000 + 1, 1000)))
