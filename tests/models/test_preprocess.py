"""Prepared: the input, and the pixels it is a function of."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision.transforms import InterpolationMode

from saliency_widget.errors import InputError
from saliency_widget.models.preprocess import Prepared, Preprocess, prepare

T = torchvision.transforms
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)).resize((300, 270))
SILENT = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5))


@pytest.fixture(scope="module")
def lite() -> nn.Module:
    model: nn.Module = timm.create_model("tf_efficientnet_lite0")
    return model


def assert_consistent(prepared: Prepared) -> None:
    channels, height, width = prepared.input.shape
    assert prepared.pixels.dtype == prepared.matrix.dtype == prepared.offset.dtype == torch.float64
    assert prepared.pixels.shape == prepared.input.shape
    assert prepared.matrix.shape == (channels, channels)
    assert prepared.picture.shape == (height, width, 3)
    assert prepared.picture.dtype == np.uint8
    assert prepared.picture.flags.c_contiguous
    assert len(prepared.channels) == channels
    assert prepared.source
    back = torch.einsum("ij,jhw->ihw", prepared.matrix, prepared.pixels) + prepared.offset[:, None, None]
    torch.testing.assert_close(back, prepared.input.double(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "mean", "std"), [("imagenet", MEAN, STD), ("tf", (0.5,) * 3, (0.5,) * 3), ("none", (0.0,) * 3, (1.0,) * 3)]
)
def test_presets_are_what_torchvision_does(name: str, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    geometry = [] if name == "none" else [T.Resize(256, InterpolationMode.BICUBIC), T.CenterCrop(224)]
    wanted = T.Compose([*geometry, T.ToTensor(), T.Normalize(mean, std)])(PICTURE)
    prepared = prepare(PICTURE, SILENT, name)
    assert torch.equal(prepared.input, wanted)
    assert prepared.variable == "full-scale pixel"
    assert prepared.channels == ("R", "G", "B")
    assert prepared.original_size == (270, 300)
    assert name in prepared.source
    assert_consistent(prepared)
    torch.testing.assert_close(
        prepared.offset, -torch.tensor(mean).double() / torch.tensor(std).double(), rtol=0, atol=1e-6
    )


def test_the_picture_is_what_pil_makes_of_it() -> None:
    resized = PICTURE.resize((284, 256), Image.Resampling.BICUBIC)
    cropped = resized.crop((30, 16, 254, 240))
    np.testing.assert_array_equal(prepare(PICTURE, SILENT, "imagenet").picture, np.asarray(cropped))


@pytest.mark.parametrize("size", [(224, 224), (640, 427), (100, 333)])
@pytest.mark.parametrize("preprocess", ["imagenet", "tf", "none"])
def test_a_solid_picture_has_its_own_colour(size: tuple[int, int], preprocess: str) -> None:
    colour = (255, 51, 3)
    prepared = prepare(Image.new("RGB", size, colour), SILENT, preprocess)
    wanted = torch.tensor(colour, dtype=torch.float64)[:, None, None].expand_as(prepared.pixels) / 255
    torch.testing.assert_close(prepared.pixels, wanted, rtol=0, atol=1e-7)
    assert (prepared.picture == colour).all()


def test_the_input_is_exactly_the_transforms_output() -> None:
    transform = T.Compose([T.Resize(64), T.ToTensor(), T.Normalize(MEAN, STD)])
    prepared = prepare(PICTURE, SILENT, transform)
    assert torch.equal(prepared.input, transform(PICTURE))
    assert "Compose" in prepared.source
    assert "mean 0.485, 0.456, 0.406" in prepared.source
    assert_consistent(prepared)


def test_a_batch_of_one_is_squeezed() -> None:
    transform = T.Compose([T.ToTensor(), T.Lambda(lambda x: x[None])])
    assert torch.equal(prepare(PICTURE, SILENT, transform).input, T.functional.to_tensor(PICTURE))


def test_bicubic_resizing_of_a_tensor_overshoots_and_is_not_clamped() -> None:
    edge = Image.fromarray(np.kron(np.array([[0, 255]], np.uint8), np.ones((40, 20), np.uint8))).convert("RGB")
    steps = [T.ToTensor(), T.Resize(17, InterpolationMode.BICUBIC, antialias=True), T.Normalize(MEAN, STD)]
    prepared = prepare(edge, SILENT, T.Compose(steps))
    assert prepared.variable == "full-scale pixel"
    assert prepared.pixels.min() < -0.005
    assert prepared.pixels.max() > 1.005
    assert prepared.picture.min() == 0
    assert prepared.picture.max() == 255


def test_bgr_comes_back_in_the_right_order() -> None:
    transform = T.Compose([T.ToTensor(), T.Lambda(lambda x: x.flip(0) * 255)])
    prepared = prepare(PICTURE, SILENT, transform)
    np.testing.assert_array_equal(prepared.picture, np.asarray(PICTURE))
    assert prepared.channels == ("R", "G", "B")
    assert "BGR" in prepared.source
    assert_consistent(prepared)


def test_standardising_each_picture_makes_the_input_the_variable() -> None:
    transform = T.Compose([T.ToTensor(), T.Lambda(lambda x: (x - x.mean()) / x.std())])
    prepared = prepare(PICTURE, SILENT, transform)
    assert prepared.variable == "input unit"
    assert torch.equal(prepared.matrix, torch.eye(3, dtype=torch.float64))
    assert not prepared.offset.any()
    assert torch.equal(prepared.pixels, prepared.input.double())
    assert "the variable is the model's input" in prepared.source
    assert (prepared.picture.min(), prepared.picture.max()) == (0, 255)
    assert_consistent(prepared)


def test_one_grey_channel() -> None:
    transform = T.Compose([T.Grayscale(), T.ToTensor(), T.Normalize(0.1307, 0.3081)])
    prepared = prepare(PICTURE, SILENT, transform)
    assert prepared.variable == "full-scale pixel"
    assert prepared.channels == ("1",)
    np.testing.assert_array_equal(prepared.picture[..., 2], np.asarray(PICTURE.convert("L")))
    assert_consistent(prepared)


def test_what_was_done_to_the_image_stands_in_the_source() -> None:
    clear = PICTURE.copy()
    clear.putalpha(100)
    assert "transparency over white" in prepare(clear, SILENT, "none").source


def test_timm_says_it_itself(lite: nn.Module) -> None:
    config = timm.data.resolve_model_data_config(lite)
    prepared = prepare(PICTURE, lite)
    assert torch.equal(prepared.input, timm.data.create_transform(**config, is_training=False)(PICTURE))
    assert prepared.matrix.tolist() == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
    assert prepared.offset.tolist() == [-1, -1, -1]
    assert "tf_efficientnet_lite0" in prepared.source
    assert_consistent(prepared)


def test_the_models_wrappers_do_not_hide_it(lite: nn.Module) -> None:
    assert torch.equal(prepare(PICTURE, nn.DataParallel(lite)).input, prepare(PICTURE, lite).input)


def test_a_timm_model_for_one_channel_sees_grey() -> None:
    model = timm.create_model("resnet18", in_chans=1)
    prepared = prepare(PICTURE, model)
    assert prepared.input.shape == (1, 224, 224)
    assert prepared.variable == "full-scale pixel"
    torch.testing.assert_close(
        1 / prepared.matrix[0, 0], torch.tensor(sum(STD) / 3, dtype=torch.float64), rtol=0, atol=1e-6
    )
    assert_consistent(prepared)


def test_a_timm_model_made_for_another_size_gets_that_size() -> None:
    model = timm.create_model("vit_tiny_patch16_224", img_size=(96, 128), depth=1)
    assert prepare(PICTURE, model).input.shape == (3, 96, 128)


def test_a_tensor_is_kept_and_its_normalisation_undone(lite: nn.Module) -> None:
    value = T.functional.to_tensor(PICTURE)[:, :224, :224] * 2 - 1
    for given in (value, value[None]):
        prepared = prepare(given, lite)
        assert torch.equal(prepared.input, value)
        assert prepared.matrix.tolist() == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
        np.testing.assert_array_equal(prepared.picture, np.asarray(PICTURE)[:224, :224])
        assert prepared.original_size is None
        assert prepared.variable == "full-scale pixel"
        assert_consistent(prepared)
    assert "may not be" not in prepared.source
    assert "may not be" in prepare(value * 5, lite).source


@pytest.mark.parametrize("preprocess", ["imagenet", T.Compose([T.Resize(64), T.ToTensor(), T.Normalize(MEAN, STD)])])
def test_a_tensor_with_the_preprocessing_that_made_it(preprocess: object) -> None:
    value = T.functional.normalize(T.functional.to_tensor(PICTURE), MEAN, STD)
    prepared = prepare(value, SILENT, preprocess)
    assert torch.equal(prepared.input, value)
    np.testing.assert_array_equal(prepared.picture, np.asarray(PICTURE))
    assert_consistent(prepared)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 12])
def test_a_tensor_of_which_nothing_is_known(channels: int) -> None:
    value = torch.randn(channels, 6, 9)
    prepared = prepare(value, SILENT)
    assert prepared.variable == "input unit"
    assert torch.equal(prepared.pixels, value.double())
    assert prepared.channels == tuple(str(i + 1) for i in range(channels))
    assert "already preprocessed" in prepared.source
    assert (prepared.picture.min(), prepared.picture.max()) == (0, 255)
    if channels not in (1, 3):
        mean = value.double().mean(0).numpy()
        assert prepared.picture[np.unravel_index(mean.argmax(), (6, 9))][0] == 255
    assert_consistent(prepared)


def test_a_constant_tensor_has_a_picture() -> None:
    prepared = prepare(torch.full((3, 4, 4), 7.0), SILENT)
    assert (prepared.picture == 128).all()


def test_ambient_modes_leave_ordinary_tensors(lite: nn.Module) -> None:
    with torch.inference_mode():
        for image in (PICTURE, torch.rand(3, 224, 224)):
            prepared = prepare(image, lite)
            for tensor in (prepared.input, prepared.pixels, prepared.matrix, prepared.offset):
                assert not tensor.is_inference()


def test_the_global_generators_stay_where_they_are(lite: nn.Module) -> None:
    before = torch.get_rng_state()
    prepare(PICTURE, lite)
    assert torch.equal(before, torch.get_rng_state())


VIT = timm.create_model("vit_tiny_patch16_224", depth=1)
RESNET = torchvision.models.resnet18()
BAD = [
    (PICTURE, SILENT, None, "preprocess", "does not say"),
    (PICTURE, RESNET, None, "preprocess", "ResNet50_Weights.DEFAULT"),
    (PICTURE, SILENT, "imagnet", "preprocess", "Did you mean 'imagenet'"),
    (PICTURE, SILENT, "", "preprocess", "no preset"),
    (PICTURE, SILENT, 3, "preprocess", "is an int"),
    (PICTURE, SILENT, True, "preprocess", "is a bool"),
    (PICTURE, SILENT, [T.ToTensor()], "preprocess", "Compose"),
    (PICTURE, SILENT, T.ToTensor, "preprocess", "is a class"),
    (PICTURE, SILENT, torchvision.models.ResNet18_Weights, "preprocess", "ResNet18_Weights.DEFAULT"),
    (PICTURE, SILENT, Preprocess(size=None, crop=400), "preprocess", "cannot cut"),
    (PICTURE, "resnet50", None, "model", "timm.create_model('resnet50'"),
    (PICTURE, VIT, Preprocess(size=(64, 64), crop=None), "preprocess", "takes 224 x 224 only"),
    (PICTURE, VIT, T.Compose([T.Resize((224, 224)), T.Grayscale(), T.ToTensor()]), "preprocess", "takes 3"),
    (torch.rand(1, 224, 224), VIT, None, "image", "gives 1 channel"),
    (torch.rand(4, 224, 224), timm.create_model("resnet18", in_chans=12), None, "image", "takes 12"),
    (PICTURE, timm.create_model("resnet18", in_chans=12), None, "preprocess", "takes 12"),
    (torch.rand(3, 200, 224), VIT, None, "image", "gives 200 x 224"),
    ("missing.png", SILENT, "none", "image", "does not exist"),
    (Image.new("RGB", (1, 4_000_000)), SILENT, "imagenet", "preprocess", "would turn"),
]


@pytest.mark.parametrize(
    ("image", "model", "preprocess", "argument", "words"), BAD, ids=[f"{i}-{b[4]}" for i, b in enumerate(BAD)]
)
def test_bad_input(image: object, model: nn.Module, preprocess: object, argument: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        prepare(image, model, preprocess)
    assert caught.value.argument == argument
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_models_that_take_more_sizes_or_channels_are_not_refused() -> None:
    dynamic = timm.create_model("vit_tiny_patch16_224", depth=1, dynamic_img_size=True)
    assert prepare(torch.rand(3, 64, 96), dynamic).input.shape == (3, 64, 96)
    folded = timm.create_model("tresnet_m")  # its stem folds 4 x 4 pixels into 48 channels
    assert prepare(PICTURE, folded).input.shape[0] == 3
    assert prepare(torch.rand(12, 64, 64), timm.create_model("resnet18", in_chans=12)).input.shape[0] == 12


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"size": 0}, "size"),
        ({"size": True}, "size"),
        ({"size": 1.5}, "size"),
        ({"size": (1, 2, 3)}, "size"),
        ({"crop": -1}, "crop"),
        ({"crop": (0, 5)}, "crop"),
        ({"interpolation": "cubic"}, "interpolation"),
        ({"mean": (0.5, 0.5)}, "mean"),
        ({"mean": 0.5}, "mean"),
        ({"mean": (0.5, float("nan"), 0.5)}, "mean"),
        ({"std": (0.5, 0.0, 0.5)}, "std"),
        ({"std": "abc"}, "std"),
    ],
)
def test_a_preprocess_that_cannot_work(arguments: dict[str, object], name: str) -> None:
    with pytest.raises(InputError) as caught:
        Preprocess(**arguments)  # type: ignore[arg-type]
    assert caught.value.argument == name


@pytest.mark.parametrize("size", [(300, 270), (270, 300), (257, 911), (224, 224)])
def test_rounding_of_sizes_is_torchvisions(size: tuple[int, int]) -> None:
    picture = PICTURE.resize(size)
    wanted = T.Compose([T.Resize(97, InterpolationMode.BILINEAR), T.CenterCrop((90, 64)), T.ToTensor()])(picture)
    made = Preprocess(size=97, crop=(90, 64), interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1))(picture)
    assert torch.equal(made, wanted)


def test_a_default_device_does_not_reach_the_preparation(lite: nn.Module) -> None:
    with torch.device("meta"):
        for image, preprocess in ((PICTURE, None), (PICTURE, "imagenet"), (torch.zeros(3, 8, 8, device="cpu"), None)):
            prepared = prepare(image, lite, preprocess)
            assert {t.device.type for t in (prepared.input, prepared.pixels, prepared.matrix, prepared.offset)} == {
                "cpu"
            }


def test_a_tensor_that_was_not_normalised_is_doubted(lite: nn.Module) -> None:
    picture = torch.from_numpy(np.array(PICTURE.resize((224, 224)))).permute(2, 0, 1) / 255
    for preprocess in (None, "imagenet"):
        (doubt,) = prepare(picture, lite, preprocess).doubts
        assert "all its values lie between 0 and 1" in doubt
        assert "may not be" in prepare(picture, lite, preprocess).source
    assert prepare((picture - 0.5) / 0.5, lite, "tf").doubts == ()
    assert prepare(picture, lite, "none").doubts == ()
    assert prepare(picture, SILENT).doubts == ()


class OneChannel(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x).mean((2, 3))


@pytest.mark.parametrize("name", ["none", "tf"])
def test_a_model_of_one_channel_gets_one_by_the_presets_that_treat_all_alike(name: str) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (256, 300), dtype=np.uint8)
    made = prepare(grey, OneChannel(), name)
    assert made.input.shape[0] == 1
    assert "grey" in made.source
    shift, scale = {"none": (0, 1), "tf": (0.5, 0.5)}[name]
    if name == "none":
        assert torch.equal(made.input[0], (torch.tensor(grey).float() / 255 - shift) / scale)
    torch.testing.assert_close(made.input[0].double() * scale + shift, made.pixels[0], rtol=0, atol=1e-6)
    assert made.geometry is not None
    # A picture in colours is read by its luminance.
    colours = np.stack([grey, grey.T[:256, :256].repeat(2, 1)[:, :300], grey[::-1]], -1)
    wanted = np.asarray(Image.fromarray(colours).convert("L"))
    if name == "none":
        assert torch.equal(prepare(colours, OneChannel(), name).input[0], torch.tensor(wanted).float() / 255)


def test_one_number_is_for_grey_pictures() -> None:
    grey = Preprocess(size=None, crop=None, mean=(0.25,), std=(0.5,))
    picture = Image.fromarray(np.full((8, 9), 255, np.uint8))
    assert torch.equal(grey(picture), torch.full((1, 8, 9), 1.5))
    assert "grey" in grey.text
    for wrong in ({"mean": (0.5,)}, {"mean": (0.5,), "std": (0.5,), "bgr": True}, {"mean": (0.5, 0.5), "std": (1, 1)}):
        with pytest.raises(InputError):
            Preprocess(**wrong)


def test_colours_that_differ_are_refused_by_a_model_of_one_channel_with_the_way_out() -> None:
    import saliency_widget as sw

    with pytest.raises(sw.SaliencyError, match=r"takes one channel: give a Preprocess with one number"):
        sw.explain(OneChannel().eval(), np.zeros((256, 256), np.uint8), target=0, preprocess="imagenet")
