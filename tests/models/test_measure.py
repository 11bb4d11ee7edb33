"""What a preprocessing does to colours is measured, whatever it is made of."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from timm.data import create_transform
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms import v2 as transforms_v2

from saliency_widget.errors import InputError
from saliency_widget.models.measure import ColourMap, measure, measure_colours
from saliency_widget.models.presets import Preprocess

T = torchvision.transforms
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)).resize((300, 220))
Transform = Callable[[Image.Image], object]


def v1(*steps: object) -> Transform:
    return T.Compose([*steps, T.ToTensor(), T.Normalize(MEAN, STD)])


def tensor_first(*steps: object) -> Transform:
    return v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), *steps, v2.Normalize(MEAN, STD)])


def assert_normalises(colours: ColourMap | None, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    assert colours is not None
    scale = colours.matrix.diagonal()
    assert torch.equal(colours.matrix, torch.diag(scale))
    torch.testing.assert_close(1 / scale, torch.tensor(std, dtype=torch.float64), rtol=0, atol=1e-6)
    torch.testing.assert_close(-colours.offset / scale, torch.tensor(mean, dtype=torch.float64), rtol=0, atol=1e-6)


CHAINS: dict[str, Transform] = {
    "plain": v1(),
    "resize": v1(T.Resize(64)),
    "squash": v1(T.Resize((50, 70))),
    "crop": v1(T.Resize(64, InterpolationMode.BICUBIC), T.CenterCrop(56)),
    "crop larger than the picture": v1(T.CenterCrop(400)),
    "black border, then resized": v1(T.Pad(40), T.Resize(64)),
    "white border on one side": v1(T.Resize(64), T.Pad((0, 0, 90, 0), fill=255)),
    "blur": v1(T.GaussianBlur(5, 1.0)),
    "v2 on a tensor": tensor_first(v2.Resize(64, InterpolationMode.BICUBIC, antialias=True)),
    "v2 on a tensor, padded after": v2.Compose([tensor_first(v2.Resize(64)), v2.Pad(20)]),
    "v2 on uint8": v2.Compose(
        [v2.ToImage(), v2.Resize(64), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    ),
    "a batch of one": T.Compose([v1(), T.Lambda(lambda x: x[None])]),
    "no random step happens": v1(T.RandomHorizontalFlip(0.0)),
    "half precision": T.Compose([T.Resize(64), T.ToTensor(), T.Lambda(lambda x: x.double()), T.Normalize(MEAN, STD)]),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_that_end_in_a_normalisation(name: str) -> None:
    measured = measure(CHAINS[name], PICTURE)
    assert measured.reason == ""
    assert_normalises(measured.colours, MEAN, STD)


@pytest.mark.parametrize(
    "weights",
    [
        torchvision.models.ResNet50_Weights.IMAGENET1K_V2,
        torchvision.models.ViT_B_16_Weights.IMAGENET1K_V1,
        torchvision.models.EfficientNet_V2_L_Weights.IMAGENET1K_V1,
        torchvision.models.Swin_V2_T_Weights.IMAGENET1K_V1,
        torchvision.models.Inception_V3_Weights.IMAGENET1K_V1,
    ],
    ids=str,
)
def test_presets_of_torchvision(weights: torchvision.models.WeightsEnum) -> None:
    transform = weights.transforms()
    measured = measure(transform, PICTURE)
    assert_normalises(measured.colours, tuple(transform.mean), tuple(transform.std))
    assert torch.equal(measured.output, transform(PICTURE))


@pytest.mark.parametrize("mode", ["center", "border", "squash"])
@pytest.mark.parametrize(
    "name", ["tf_efficientnet_lite0", "resnet50", "vit_base_patch16_clip_224.openai", "beit_base_patch16_224"]
)
def test_configurations_of_timm(name: str, mode: str) -> None:
    config = timm.get_pretrained_cfg(name)
    assert config is not None
    keys = {key: getattr(config, key) for key in ("input_size", "interpolation", "mean", "std", "crop_pct")}
    transform = create_transform(**keys, crop_mode=mode, is_training=False)
    assert_normalises(measure(transform, PICTURE).colours, config.mean, config.std)


def test_swapped_channels_are_a_matrix() -> None:
    def caffe(picture: Image.Image) -> torch.Tensor:
        bgr = np.asarray(picture, dtype=np.float32)[:, :, ::-1] - np.array([104, 117, 123], np.float32)
        return torch.from_numpy(np.ascontiguousarray(bgr.transpose(2, 0, 1)))

    colours = measure(caffe, PICTURE).colours
    assert colours is not None
    assert colours.matrix.tolist() == [[0, 0, 255], [0, 255, 0], [255, 0, 0]]
    assert colours.offset.tolist() == [-104, -117, -123]
    undone = colours.undo(caffe(PICTURE))
    expected = torch.from_numpy(np.asarray(PICTURE).transpose(2, 0, 1).astype(np.float64)) / 255
    torch.testing.assert_close(undone, expected, rtol=0, atol=1e-12)


def test_a_mixture_of_colours_is_undone() -> None:
    mixing = torch.tensor([[0.5, 0.25, 0.25], [0.0, 1.0, 0.5], [-0.5, 0.0, 2.0]])

    def mix(picture: Image.Image) -> torch.Tensor:
        return torch.einsum("ij,jhw->ihw", mixing, T.functional.to_tensor(picture)) + 0.125

    colours = measure(mix, PICTURE).colours
    assert colours is not None
    torch.testing.assert_close(colours.matrix, mixing.double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(colours.undo(mix(PICTURE)), T.functional.to_tensor(PICTURE).double(), rtol=0, atol=1e-6)


def test_one_grey_channel_keeps_its_scale() -> None:
    transform = T.Compose([T.Grayscale(), T.Resize(28), T.ToTensor(), T.Normalize(0.1307, 0.3081)])
    assert_normalises(measure(transform, PICTURE).colours, (0.1307,), (0.3081,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_measured_to_its_own_precision(dtype: torch.dtype) -> None:
    measured = measure(T.Compose([v1(T.Resize(64)), T.Lambda(lambda x: x.to(dtype))]), PICTURE)
    assert measured.output.dtype == dtype
    assert measured.colours is not None
    scale = measured.colours.matrix.diagonal()
    torch.testing.assert_close(
        1 / scale, torch.tensor(STD, dtype=torch.float64), rtol=2 * torch.finfo(dtype).eps, atol=0
    )


def standardise(picture: Image.Image) -> torch.Tensor:
    value = T.functional.to_tensor(picture)
    return (value - value.mean()) / value.std()


def careful(picture: Image.Image) -> torch.Tensor:
    value = T.functional.to_tensor(picture)
    return (value - value.mean()) / value.std().clamp(min=1e-3)


def mean_picture(picture: Image.Image) -> torch.Tensor:
    value = T.functional.to_tensor(picture)
    return value - torch.linspace(0, 1, value.shape[2])


def fails_on_one_colour(picture: Image.Image) -> torch.Tensor:
    if len(set(picture.getextrema())) == 1 and picture.getextrema()[0] == (0, 0):
        raise ValueError("no contrast")
    return T.functional.to_tensor(picture)


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (standardise, "standardised"),
        (careful, ""),
        (mean_picture, "at each position"),
        (fails_on_one_colour, "no contrast"),
        (v1(T.Grayscale(3)), "told apart"),
        (v1(T.RandomAutocontrast(1.0)), "contrast"),
        (v1(T.RandomEqualize(1.0)), ""),
        (v1(T.RandomPosterize(3, 1.0)), "affine"),
        (v1(T.RandomSolarize(200, 1.0)), ""),
        (v1(T.RandomInvert(1.0), T.Lambda(lambda im: im.point(lambda v: int(255 * (v / 255) ** 2.2)))), "affine"),
        (T.Compose([T.ToTensor(), T.Lambda(lambda x: torch.cat([x, x[:1]]))]), "4 channels"),
        (T.Compose([T.ToTensor(), T.Lambda(lambda x: x[:2])]), "2 channels"),
    ],
)
def test_what_is_no_affine_map_says_why(transform: Transform, words: str) -> None:
    measured = measure(transform, PICTURE)
    assert measured.colours is None
    assert words in measured.reason
    assert torch.equal(measured.output, torch.as_tensor(transform(PICTURE)))


def test_autocontrast_is_found_on_a_picture_that_has_all_of_it() -> None:
    extremes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (40, 20)))
    assert measure(v1(T.RandomAutocontrast(1.0)), extremes.convert("RGB")).colours is None


OWN = np.random.default_rng(3)


def own_generator(picture: Image.Image) -> torch.Tensor:
    value = T.functional.to_tensor(picture)
    return value + float(OWN.normal()) * 0.01


@pytest.mark.parametrize(
    "transform",
    [
        v1(T.RandomResizedCrop(64)),
        v1(T.RandomCrop(64)),
        v1(T.RandomHorizontalFlip()),
        v1(T.ColorJitter(0.4, 0.4)),
        v1(T.RandAugment()),
        T.Compose([v1(), T.RandomErasing(0.9)]),
        transforms_v2.Compose([transforms_v2.RandomRotation(30), v1()]),
        T.Compose([T.Lambda(lambda im: im.rotate(random.uniform(-30, 30))), T.ToTensor()]),
        T.Compose([T.ToTensor(), T.Lambda(lambda x: x + float(np.random.rand()))]),  # noqa: NPY002
        own_generator,
        create_transform((3, 64, 64), is_training=True),
    ],
    ids=lambda t: type(t).__name__,
)
def test_random_transforms_are_refused_and_leave_the_generators_alone(transform: Transform) -> None:
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    with pytest.raises(InputError, match="is random") as caught:
        measure(transform, PICTURE)
    assert caught.value.argument == "preprocess"
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def raises(_: Image.Image) -> torch.Tensor:
    raise KeyError("pixel_values\nand more")


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (T.Resize(10), "returns a PIL image"),
        (np.asarray, "returns a numpy array"),
        (T.PILToTensor(), "torch.uint8"),
        (T.TenCrop(20), "a tuple of 10"),
        (
            T.Compose([T.FiveCrop(20), T.Lambda(lambda c: torch.stack([T.functional.to_tensor(x) for x in c]))]),
            "returns 5",
        ),
        (T.Compose([T.ToTensor(), T.Lambda(lambda x: x[0])]), "shape (220, 300)"),
        (T.Compose([T.ToTensor(), T.Lambda(lambda x: x[:, :0])]), "shape (3, 0, 300)"),
        (T.Compose([T.ToTensor(), T.Lambda(lambda x: x / 0 * 0)]), "NaN"),
        (lambda picture: None, "a NoneType"),
        (lambda picture: {"pixel_values": 1}, "a dict"),
        (torchvision.models.ResNet50_Weights.DEFAULT.transforms, "raised|returns|Call it first"),
        (raises, "raised KeyError"),
        (T.Normalize(MEAN, STD), "raised"),
    ],
)
def test_what_a_transform_may_not_return(transform: Transform, words: str) -> None:
    with pytest.raises(InputError) as caught:
        measure(transform, PICTURE)
    assert caught.value.argument == "preprocess"
    assert any(word in str(caught.value) for word in words.split("|"))
    assert "\n" not in str(caught.value)


def test_the_transform_gets_copies() -> None:
    picture = PICTURE.copy()

    def scribbles(given: Image.Image) -> torch.Tensor:
        value = T.functional.to_tensor(given)
        given.paste((0, 0, 0), (0, 0, *given.size))
        return value

    assert measure(scribbles, picture).colours is not None
    assert picture.tobytes() == PICTURE.tobytes()


def test_ambient_modes_do_not_reach_the_measurement() -> None:
    with torch.inference_mode():
        measured = measure(v1(), PICTURE)
    assert not measured.output.is_inference()
    assert not measured.output.requires_grad


def test_a_large_picture_is_measured_at_a_small_size() -> None:
    sizes: list[int] = []

    def watch(picture: Image.Image) -> torch.Tensor:
        sizes.append(picture.width)
        return Preprocess()(picture)

    measured = measure(watch, Image.new("RGB", (3000, 2000), (200, 10, 60)))
    assert_normalises(measured.colours, MEAN, STD)
    assert sizes.count(3000) == 2


def test_a_crop_that_only_the_full_size_allows() -> None:
    colours = measure_colours(Preprocess(size=None, crop=800), (1000, 900))
    assert isinstance(colours, ColourMap)
    assert_normalises(colours, MEAN, STD)


def test_what_another_thread_draws_meanwhile_stays_drawn() -> None:
    plain = v1()

    def beside(image: Image.Image) -> object:
        # As the dropout of a training loop would.
        thread = threading.Thread(target=lambda: torch.rand(1))
        thread.start()
        thread.join()
        return plain(image)

    torch.manual_seed(0)
    first = torch.rand(1)
    torch.manual_seed(0)
    measure(beside, PICTURE)
    assert torch.rand(1) != first


def test_what_the_transform_draws_is_put_back() -> None:
    plain = v1()

    def draws(image: Image.Image) -> object:
        torch.rand(1), random.random(), np.random.rand()  # noqa: NPY002
        return plain(image)

    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    states = (torch.get_rng_state(), random.getstate(), np.random.get_state())  # noqa: NPY002
    measure(draws, PICTURE)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2][1])  # noqa: NPY002
