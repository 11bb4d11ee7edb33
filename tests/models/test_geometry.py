"""Which rectangle of the original the model sees is measured, exactly, or refused."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image, ImageOps
from timm.data import create_transform
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from saliency_widget.display.geometry import Geometry
from saliency_widget.models import place
from saliency_widget.models.measure import measure, run
from saliency_widget.models.place import find_place
from saliency_widget.models.preprocess import Prepared, prepare
from saliency_widget.models.presets import Preprocess
from saliency_widget.models.randomness import KeptRandomness

T = torchvision.transforms
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Transform = Callable[[Image.Image], object]
Box = tuple[float, float, float, float]
SIZES = [(500, 375), (333, 487), (640, 640), (96, 64), (1500, 250)]


def a_picture(width: int, height: int) -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 256, (height // 16 + 2, width // 16 + 2, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def v1(*steps: object) -> Transform:
    return T.Compose([*steps, T.ToTensor(), T.Normalize(MEAN, STD)])


def on_tensors(*steps: object) -> Transform:
    return v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), *steps, v2.Normalize(MEAN, STD)])


def placed(transform: Transform, picture: Image.Image) -> Geometry | str:
    measured = measure(transform, picture)
    return find_place(transform, measured.colours, picture, measured.output)


def assert_box(found: Geometry | str, wanted: Box, of_a_pixel: float = 0.01) -> None:
    """The edges are off by a small part of a pixel, that of the coarser picture."""
    assert isinstance(found, Geometry), found
    down, across = (max(scale, 1.0) for scale in found.scale)
    off = [abs(a - b) / s for a, b, s in zip(found.box, wanted, (down, across, down, across), strict=True)]
    assert max(off) <= of_a_pixel, (found.box, wanted)


def shorter_side(width: int, height: int, side: int, crop: int) -> Box:
    """What resizing the shorter side and cutting out the centre shows, worked out from the sizes."""
    wide = width > height
    new = (int(side * width / height), side) if wide else (side, int(side * height / width))
    top, left = round((new[1] - crop) / 2), round((new[0] - crop) / 2)
    down, across = height / new[1], width / new[0]
    return top * down, left * across, (top + crop) * down, (left + crop) * across


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "transform",
    [
        Preprocess(),
        on_tensors(v2.Resize(256, antialias=True), v2.CenterCrop(224)),
        v1(T.Resize(256), T.CenterCrop(224), T.Grayscale(3)),
    ],
    ids=["as pictures", "as tensors", "in grey"],
)
def test_shorter_side_and_centre(transform: Transform, size: tuple[int, int]) -> None:
    assert_box(placed(transform, a_picture(*size)), shorter_side(*size, 256, 224))


@pytest.mark.parametrize(
    "transform",
    [
        Preprocess(interpolation="lanczos"),
        v1(T.Resize(256), T.CenterCrop(224)),
        on_tensors(v2.Resize(256, InterpolationMode.BICUBIC, antialias=False), v2.CenterCrop(224)),
        T.Compose([T.Resize(256), T.CenterCrop(224), T.PILToTensor(), lambda t: t.half() / 255]),
        T.Compose([T.Resize(256), T.CenterCrop(224), T.Grayscale(), T.ToTensor()]),
        v1(T.Resize(256), T.GaussianBlur(21, 4.0), T.CenterCrop(224)),
    ],
    ids=["lanczos", "bilinear", "not antialiased", "half precision", "one grey channel", "blurred"],
)
def test_filters_and_types(transform: Transform) -> None:
    assert_box(placed(transform, a_picture(500, 375)), shorter_side(500, 375, 256, 224))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_squashed_and_left_as_it_is(size: tuple[int, int]) -> None:
    width, height = size
    for transform in (v1(T.Resize((160, 224))), v1(T.Resize((28, 28))), v1()):
        found = placed(transform, a_picture(*size))
        # to the digit: edges that are the original's own leave no sliver
        assert isinstance(found, Geometry)
        assert found.box == (0, 0, height, width)


@pytest.mark.parametrize(("size", "fill"), [*((size, 124) for size in SIZES), ((500, 375), 0), ((500, 375), 255)])
def test_a_letterbox_reaches_outside(size: tuple[int, int], fill: int) -> None:
    def letterbox(picture: Image.Image) -> object:
        inner = ImageOps.contain(picture, (224, 224))
        paper = Image.new("RGB", (224, 224), (fill, fill, fill))
        paper.paste(inner, ((224 - inner.width) // 2, (224 - inner.height) // 2))
        return T.functional.to_tensor(paper)

    inner = ImageOps.contain(a_picture(*size), (224, 224))
    down, across = size[1] / inner.height, size[0] / inner.width
    top, left = -((224 - inner.height) // 2) * down, -((224 - inner.width) // 2) * across
    found = placed(letterbox, a_picture(*size))
    # the more border, the further from anything that can be measured
    assert_box(found, (top, left, top + 224 * down, left + 224 * across), 0.1)
    assert isinstance(found, Geometry)
    assert found.to_model(0, 0) == pytest.approx(((224 - inner.height) // 2, (224 - inner.width) // 2), abs=0.02)


@pytest.mark.parametrize("mode", ["reflect", "edge"])
def test_a_border_that_continues_the_picture_is_outside(mode: str) -> None:
    transform = v1(T.Resize((128, 192)), T.Pad((20, 10), padding_mode=mode))
    assert_box(placed(transform, a_picture(384, 384)), (-30, -40, 384 + 30, 384 + 40), 0.02)


def test_a_border_before_resizing() -> None:
    transform = v1(T.Pad((10, 40, 30, 80), fill=128), T.Resize((224, 224)))
    assert_box(placed(transform, a_picture(300, 200)), (-40, -10, 280, 330))


@pytest.mark.parametrize("crop", [(24, 32), (200, 100)])
def test_a_small_cut_from_a_large_picture(crop: tuple[int, int]) -> None:
    top, left = (1000 - crop[0]) // 2, (1600 - crop[1]) // 2
    found = placed(v1(T.CenterCrop(crop)), a_picture(1600, 1000))
    assert_box(found, (top, left, top + crop[0], left + crop[1]), 0.05)


def test_twelve_million_pixels() -> None:
    found = placed(Preprocess(), a_picture(4000, 3000))
    assert_box(found, shorter_side(4000, 3000, 256, 224))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nearest_neighbour_is_exact_to_the_displacement_of_its_pixels(size: tuple[int, int]) -> None:
    found = placed(Preprocess(interpolation="nearest"), a_picture(*size))
    assert_box(found, shorter_side(*size, 256, 224), 0.1)


def test_where_the_pixels_come_from_is_what_counts() -> None:
    # torch's nearest neighbour takes the first pixel of each cell where PIL's takes the middle one
    found = placed(on_tensors(v2.Resize((64, 64), InterpolationMode.NEAREST)), a_picture(512, 512))
    assert_box(found, (-3.5, -3.5, 508.5, 508.5), 0.02)


@pytest.mark.parametrize("mode", ["center", "border", "squash"])
@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "vit_base_patch16_clip_224.openai", "beit_base_patch16_224"])
def test_configurations_of_timm(name: str, mode: str) -> None:
    config = timm.get_pretrained_cfg(name)
    assert config is not None
    keys = {key: getattr(config, key) for key in ("input_size", "interpolation", "mean", "std", "crop_pct")}
    width, height = 500, 375
    found = placed(create_transform(**keys, crop_mode=mode, is_training=False), a_picture(width, height))
    side = int(224 / config.crop_pct)
    if mode == "center":
        assert_box(found, shorter_side(width, height, side, 224))
    elif mode == "squash":
        margin = (side - 224) // 2 if (side - 224) % 2 == 0 else round((side - 224) / 2)
        down, across = height / side, width / side
        assert_box(found, (margin * down, margin * across, (margin + 224) * down, (margin + 224) * across), 0.02)
    else:
        assert isinstance(found, Geometry)
        assert found.box[0] < 0
        assert found.box[2] > height


@pytest.mark.parametrize(
    "weights",
    [torchvision.models.ResNet50_Weights.IMAGENET1K_V2, torchvision.models.EfficientNet_V2_L_Weights.IMAGENET1K_V1],
    ids=str,
)
def test_presets_of_torchvision(weights: torchvision.models.WeightsEnum) -> None:
    transform = weights.transforms()
    wanted = shorter_side(500, 375, transform.resize_size[0], transform.crop_size[0])
    assert_box(placed(transform, a_picture(500, 375)), wanted)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_an_affine_map_of_any_kind(size: tuple[int, int]) -> None:
    """A cut at fractions of pixels, resized: what a user may have written himself."""
    width, height = size
    box = (0.123 * width, 0.07 * height, 0.777 * width, 0.9 * height)

    def cut(picture: Image.Image) -> object:
        return T.functional.to_tensor(picture.resize((150, 90), Image.Resampling.BILINEAR, box=box))

    assert_box(placed(cut, a_picture(*size)), (box[1], box[0], box[3], box[2]), 0.02)


def warped(picture: Image.Image) -> object:
    plane = T.functional.to_tensor(picture)[None]
    line = torch.linspace(-1, 1, 200)
    bent = line + 0.05 * torch.sin(3 * line)
    rows, columns = torch.meshgrid(bent, line, indexing="ij")
    return torch.nn.functional.grid_sample(plane, torch.stack([columns, rows], dim=-1)[None], align_corners=False)[0]


def in_perspective(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    corners = [[0, 0], [width, 0], [width, height], [0, height]]
    moved = [[15, 0], [width - 9, 9], [width, height], [0, height - 9]]
    found: Image.Image = T.functional.perspective(picture, corners, moved)
    return found


def fails_at_white(picture: Image.Image) -> object:
    if np.asarray(picture)[..., 2].min() == 255:
        raise RuntimeError("no blue")
    return T.functional.to_tensor(picture)


CROOKED = "does not keep the rows and columns"
REFUSED: dict[str, tuple[Transform, str]] = {
    "mirrored": (v1(T.RandomHorizontalFlip(1.0)), "mirrors the picture"),
    "upside down": (v1(T.RandomVerticalFlip(1.0)), "mirrors the picture"),
    "turned a quarter": (v1(lambda p: p.transpose(Image.Transpose.ROTATE_90)), CROOKED),
    "turned a little": (v1(lambda p: p.rotate(1)), CROOKED),
    "sheared": (v1(lambda p: T.functional.affine(p, 0, (0, 0), 1.0, (3, 0))), CROOKED),
    "in perspective": (v1(in_perspective), CROOKED),
    "bent": (warped, CROOKED),
    "in two halves": (lambda p: T.functional.to_tensor(p).roll(100, dims=2), "in another order"),
    "raises": (fails_at_white, "fails on pictures that are made to measure positions"),
    "standardised": (
        lambda p: (lambda t: (t - t.mean()) / t.std())(T.functional.to_tensor(p)),
        "gives the same for black and for white, or no finite numbers",
    ),
    "of one pixel": (v1(T.Resize((1, 1))), "less than two rows or columns"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_scale_and_offset_is_refused(name: str) -> None:
    transform, reason = REFUSED[name]
    found = placed(transform, a_picture(300, 200))
    assert isinstance(found, str)
    assert found.startswith(reason) or reason in found


def cut_to_content(picture: Image.Image) -> object:
    """Cut off what is black, as radiographs are prepared; the pictures that measure have nothing black around."""
    box = picture.convert("L").point(lambda grey: 255 if grey > 4 else 0).getbbox()
    return T.functional.to_tensor((picture.crop(box) if box else picture).resize((224, 224)))


@pytest.mark.parametrize("margin", [(40, 60, 20, 10), (6, 6, 0, 0), (0, 0, 3, 80)])
def test_a_transform_that_looks_at_the_picture_is_found_out(margin: tuple[int, int, int, int]) -> None:
    inner = a_picture(300, 200).point(lambda value: 20 + value * 3 // 4)
    plain = placed(cut_to_content, inner)
    assert_box(plain, (0, 0, 200, 300))
    padded = ImageOps.expand(inner, border=margin)
    found = placed(cut_to_content, padded)
    assert isinstance(found, str)
    assert "another part of this picture" in found


def test_sizes_that_depend_on_the_picture_are_refused() -> None:
    def cut(picture: Image.Image) -> object:
        box = picture.getbbox()
        return T.functional.to_tensor(picture.crop(box) if box else picture)

    found = placed(cut, ImageOps.expand(a_picture(300, 200), border=10))
    assert isinstance(found, str)
    assert "sizes that depend" in found


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("filters", [Image.Resampling.NEAREST, Image.Resampling.BICUBIC])
def test_a_picture_of_noise_is_no_reason_to_refuse(seed: int, filters: Image.Resampling) -> None:
    noise = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (200, 300, 3), dtype=np.uint8))
    found = placed(v1(lambda p: p.resize((224, 160), filters)), noise)
    assert_box(found, (0, 0, 200, 300), 0.1)


def test_an_empty_picture_agrees_with_what_is_measured() -> None:
    assert_box(placed(Preprocess(), Image.new("RGB", (500, 375), "grey")), shorter_side(500, 375, 256, 224))


def test_a_picture_too_small_says_so() -> None:
    found = placed(v1(T.Resize((32, 32))), a_picture(7, 40))
    assert isinstance(found, str)
    assert "less than 8 pixels" in found


def test_positions_are_mapped_to_and_fro() -> None:
    geometry = Geometry(100, 200, (-10.0, 20.0, 90.0, 220.0), (50, 40))
    assert geometry.scale == (2.0, 5.0)
    assert geometry.to_original(0, 0) == (-10.0, 20.0)
    assert geometry.to_original(50, 40) == (90.0, 220.0)
    assert geometry.to_model(*geometry.to_original(12.5, 7.25)) == (12.5, 7.25)
    assert geometry.visible == (0.0, 20.0, 90.0, 200.0)
    assert pickle.loads(pickle.dumps(geometry)) == geometry


def test_the_positions_are_those_of_the_pixels() -> None:
    """A white dot comes out where the geometry says."""
    picture = Image.new("RGB", (500, 375))
    picture.putpixel((251, 140), (255, 255, 255))
    prepared = prepared_of(a_picture(500, 375))
    assert prepared.geometry is not None
    row, column = prepared.geometry.to_model(140.5, 251.5)
    seen = Preprocess(mean=(0, 0, 0), std=(1, 1, 1))(picture).sum(dim=0).clamp(min=0).double()
    weights = seen / seen.sum()
    centre = torch.arange(224, dtype=torch.float64) + 0.5
    assert float((weights.sum(1) * centre).sum()) == pytest.approx(row, abs=0.1)
    assert float((weights.sum(0) * centre).sum()) == pytest.approx(column, abs=0.1)


def prepared_of(image: object, preprocess: object = "imagenet") -> Prepared:
    return prepare(image, torch.nn.Identity(), preprocess)


def test_prepared_keeps_the_upright_original_and_its_name(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "cat.png"
    path.parent.mkdir()
    turned = Image.Exif()
    turned[0x0112] = 6
    a_picture(96, 64).save(path, exif=turned)
    for image in (str(path), path, Image.open(path)):
        prepared = prepared_of(image)
        assert prepared.name == "cat.png"
        assert prepared.original is not None
        assert (prepared.original.mode, prepared.original.size) == ("RGB", (64, 96))
        assert prepared.geometry is not None
        assert (prepared.geometry.height, prepared.geometry.width) == (96, 64) == prepared.original_size
        assert prepared.geometry.seen == prepared.picture.shape[:2]
        assert prepared.geometry_reason == ""
    assert prepared_of(np.asarray(a_picture(96, 64))).name == ""


def test_a_tensor_has_no_original() -> None:
    prepared = prepared_of(torch.zeros(3, 32, 32))
    assert (prepared.geometry, prepared.original, prepared.name) == (None, None, "")
    assert prepared.geometry_reason == "A tensor has no original picture."


def test_a_reason_is_a_sentence() -> None:
    prepared = prepared_of(a_picture(96, 64), v1(T.RandomHorizontalFlip(1.0)))
    assert prepared.geometry is None
    assert prepared.geometry_reason == "The preprocessing mirrors the picture."


def test_it_is_measured_once_when_asked_for_and_leaves_random_numbers_alone() -> None:
    calls = []

    def transform(picture: Image.Image) -> object:
        calls.append(picture.size)
        random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
        return T.functional.to_tensor(picture)

    prepared = prepared_of(a_picture(96, 64), transform)
    before = len(calls)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    assert prepared.geometry is not None
    assert 0 < len(calls) - before <= 5
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])
    before = len(calls)
    _ = prepared.geometry, prepared.geometry_reason
    assert len(calls) == before


def test_hardly_any_channel_count_matters() -> None:
    five = T.Compose([T.Resize((64, 80)), T.ToTensor(), lambda t: torch.cat([t, 1 - t[:2]])])
    assert_box(placed(five, a_picture(300, 200)), (0, 0, 200, 300))


def test_what_the_model_states_is_measured_once_for_all_pictures_of_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    model = timm.create_model("resnet18").eval()
    runs: list[tuple[int, int]] = []

    def counted(transform: Transform, picture: Image.Image, randomness: KeptRandomness) -> Tensor:
        runs.append(picture.size)
        return run(transform, picture, randomness)

    monkeypatch.setattr(place, "run", counted)
    place._known.clear()
    rng = np.random.default_rng(5)
    pictures = [Image.fromarray(rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)) for _ in range(2)]
    first = prepare(pictures[0], model).geometry
    once = len(runs)
    assert once > 0
    assert prepare(pictures[1], model).geometry == first
    assert len(runs) == once
    prepare(pictures[0].resize((161, 120)), model).geometry  # noqa: B018
    assert len(runs) > once
    again = len(runs)
    other = lambda picture: torch.from_numpy(np.asarray(picture, dtype=np.float32).transpose(2, 0, 1) / 255)  # noqa: E731
    for _ in range(2):  # a transform of the user's may have changed in between
        prepare(pictures[0], model, lambda picture: other(picture.resize((224, 224)))).geometry  # noqa: B018
    assert len(runs) >= again + 2 * 5
