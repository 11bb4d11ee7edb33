"""Scores of pixels and regions, against the model's own output and finite differences."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.engine.guard import ModelGuard
from saliency_widget.errors import InputError, ModelError
from saliency_widget.explainer import Explainer
from saliency_widget.targets.reading import share_of_cells
from tests.places.support import HEIGHT, PICTURE, PLAIN, WIDTH, Segmenter, explain, seeded, slopes

LABELS = ["background", "cat", "dog", "bird"]
MASK = np.zeros((HEIGHT, WIDTH), dtype=bool)
MASK[5:11, 8:20] = True
MASK[20, 3] = True


def upsampled(model: Any) -> Tensor:
    """(classes, H, W) of the picture, by the model itself and PyTorch's own interpolation."""
    with torch.no_grad():
        output = model(torch.from_numpy(PICTURE).permute(2, 0, 1)[None].double() / 255)
    output = output.get("out") if isinstance(output, dict) else getattr(output, "logits", output)
    return nn.functional.interpolate(output, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)[0]


@pytest.mark.parametrize("size", [(3, 5), (7, 4), (24, 32), (31, 40)])
def test_the_cells_of_a_mask_are_the_transpose_of_bilinear_upsampling(size: tuple[int, int]) -> None:
    grid = torch.randn(1, 1, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = nn.functional.interpolate(grid, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)[0, 0]
    weights = share_of_cells(torch.from_numpy(MASK), *size)
    assert float((grid[0, 0] * weights).sum()) == pytest.approx(float(wanted[MASK].mean()), abs=1e-12)
    assert float(weights.sum()) == pytest.approx(1, abs=1e-12)


class Wrapped:
    def __init__(self, logits: Tensor) -> None:
        self.logits = logits


@pytest.mark.parametrize(
    "model",
    [
        Segmenter(),
        Segmenter(upsample=True),
        Segmenter(wrap=lambda x: OrderedDict(out=x)),
        Segmenter(wrap=Wrapped),
        Segmenter(wrap=lambda x: (x, 1)),
    ],
    ids=["coarse", "fine", "dict", "object", "tuple"],
)
def test_scores_and_gradients_are_exact(model: Segmenter) -> None:
    model = seeded(lambda: model)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN, labels=LABELS)
    with torch.no_grad():
        raw = model.head(model.trunk(torch.from_numpy(PICTURE).permute(2, 0, 1)[None].double() / 255))
    full = nn.functional.interpolate(raw, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)[0]
    predicted = full.argmax(dim=0).numpy()
    for given, index, pixels in (
        (sw.Pixel(7, 30, "dog"), 2, np.s_[7:8, 30:31]),
        (sw.Pixel(0, 0), int(predicted[0, 0]), np.s_[0:1, 0:1]),
        (sw.Region(MASK, 1), 1, MASK),
        (sw.Region((2, 3, 9, 11), "bird"), 3, np.s_[2:9, 3:11]),
        (sw.Segment(int(predicted[0, 0])), int(predicted[0, 0]), predicted == predicted[0, 0]),
    ):
        target = explainer.resolve(given)
        assert target.index == index
        assert target.label == LABELS[index]
        map_ = sw.explain(model, PICTURE, target=given, preprocess=PLAIN, labels=LABELS)
        assert map_.score == pytest.approx(float(full[index][pixels].mean()), abs=1e-6)
        assert map_.target.text == target.text
        by_differences, by_the_map = slopes(explainer, target)
        assert by_the_map == pytest.approx(by_differences, rel=1e-7)


def test_a_class_alone_is_its_segment_and_nothing_is_the_largest_but_the_background() -> None:
    model = seeded(Segmenter)
    with torch.no_grad():
        # Background over two thirds of the picture, and the best other class over the rest.
        model.head.bias[0] += (upsampled(model)[1:].amax(0) - upsampled(model)[0]).quantile(2 / 3)
    full = upsampled(model)
    areas = torch.bincount(full.argmax(dim=0).flatten(), minlength=4)
    assert int(areas.argmax()) == 0
    best = int(areas[1:].argmax()) + 1
    assert explain(model, labels=LABELS).target.label == LABELS[best]
    assert explain(model).target.index == 0  # without names nothing is known to be background
    named = explain(model, LABELS[best], labels=LABELS)
    assert named.target.kind == "segment logit"
    assert named.score == pytest.approx(float(full[best][full.argmax(dim=0) == best].mean()), abs=1e-6)


class Masks(nn.Module):
    """Classes of five queries, each with a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.masks = Segmenter(5)
        self.classes = nn.Parameter(torch.zeros(5, 4))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {
            "class_queries_logits": self.classes.expand(len(x), -1, -1),
            "masks_queries_logits": self.masks(x),
        }


def test_a_model_that_classifies_masks() -> None:
    model = seeded(Masks)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    assert explainer.scene.classes == 3  # the last means that a query sees nothing
    with torch.no_grad():
        out = model(explainer.prepared.input[None].double())
    wanted = sum(
        out["class_queries_logits"][0, q].softmax(0)[1] * out["masks_queries_logits"][0, q].sigmoid() for q in range(5)
    )
    target = explainer.resolve(sw.Region((0, 0, HEIGHT, WIDTH), 1))
    assert explain(model, target).score == pytest.approx(float(wanted.mean()), abs=1e-6)
    by_differences, by_the_map = slopes(explainer, target)
    assert by_the_map == pytest.approx(by_differences, rel=1e-7)


def test_masks_have_no_probability_of_their_sums() -> None:
    with pytest.raises(InputError, match="sums of probabilities"):
        explain(seeded(Masks), sw.Pixel(3, 4, 1, of="probability"))


def test_the_mask_does_not_move_with_the_picture() -> None:
    model = seeded(Segmenter)
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    target = explainer.resolve(sw.Segment())
    before = target.pixels
    *_, last = explainer.steps([target], sw.SmoothGrad(samples=4))
    assert np.array_equal(target.pixels, before)
    assert last.final


def test_one_class_is_there_where_its_logit_is_positive() -> None:
    model = seeded(lambda: Segmenter(1))
    with torch.no_grad():
        model.head.bias -= upsampled(model)[0].median()
    full = upsampled(model)[0]
    target = Explainer(model, PICTURE, preprocess=PLAIN).resolve(None)
    assert np.array_equal(target.pixels, (full > 0).numpy())


@pytest.mark.parametrize(
    ("end", "words"),
    [(nn.Softmax(1), "sum to 1"), (nn.LogSoftmax(1), "log-probabilities"), (nn.Sigmoid(), "between 0 and 1")],
)
def test_a_segmentation_that_ends_in_a_softmax_or_sigmoid_is_warned_of(end: nn.Module, words: str) -> None:
    bare = seeded(lambda: Segmenter(upsample=True))
    with torch.no_grad():
        bare.head.weight *= 4
    model = nn.Sequential(bare, end).eval()
    with pytest.warns(sw.SaliencyWarning, match=words):
        map_ = explain(model, sw.Pixel(5, 20))
    explainer = Explainer(model, PICTURE, preprocess=PLAIN)
    assert [words in note for note in explainer.notes] == [True]
    assert map_.target.index == int(upsampled(model)[:, 5, 20].argmax())
    if isinstance(end, nn.LogSoftmax):
        # A second one changes nothing.
        sure = explainer.resolve(sw.Pixel(5, 20, of="probability"))
        assert sure.text.startswith("softmax probability")
        return
    with pytest.raises(InputError, match=r"ends in a s.*probabilities already"):
        explainer.resolve(sw.Pixel(5, 20, of="probability"))


def test_one_class_after_a_sigmoid_is_there_from_a_half_on() -> None:
    bare = seeded(lambda: Segmenter(1, upsample=True))
    with torch.no_grad():
        bare.head.bias -= upsampled(bare)[0].median()
        bare.head.weight *= 8
        bare.head.bias *= 8
    model = nn.Sequential(bare, nn.Sigmoid()).eval()
    wanted = upsampled(model)[0].numpy() > 0.5
    assert 0 < wanted.mean() < 1
    segment = Explainer(model, PICTURE, preprocess=PLAIN).resolve(None)
    assert np.array_equal(segment.pixels, wanted)


@pytest.mark.parametrize("make", [Segmenter, lambda: Segmenter(classes=1)])
def test_logits_of_pixels_are_not_warned_of(make: Any) -> None:
    assert Explainer(seeded(make), PICTURE, preprocess=PLAIN).notes == ()


def test_grad_cam_and_layers_of_a_segmentation() -> None:
    model = seeded(Segmenter)
    with ModelGuard(model):
        names = [layer.name for layer in sw.layers(model, PICTURE, preprocess=PLAIN, target=sw.Pixel(3, 3))]
        assert "trunk" in names
        cam = explain(model, sw.Region(MASK, 1), method=sw.GradCAM(layer="trunk"))
    assert cam.values.shape == (1, 6, 8)


class Rectified(Segmenter):
    """Without biases, so that what LRP hands back is the score."""

    def __init__(self) -> None:
        super().__init__(wrap=lambda out: OrderedDict(out=out, aux=out * 0))
        self.trunk = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4, padding=1, bias=False), nn.ReLU())
        self.head = nn.Conv2d(6, 4, 1, bias=False)


@pytest.mark.parametrize("method", ["guided-backprop", "ablation-cam", "score-cam", "lrp"])
def test_methods_that_look_at_the_whole_output(method: str) -> None:
    model = seeded(Rectified)
    targets = [sw.Pixel(7, 9, 1), sw.Region(MASK, 2)]
    for map_ in explain(model, targets, method=method):
        assert np.isfinite(map_.values).all()
        assert map_.values.any()


def test_such_a_method_refuses_a_score_of_several_tensors() -> None:
    score = sw.Score(lambda out: out["out"].mean((1, 2, 3)), "mean")
    with pytest.raises(ModelError, match="one tensor"):
        explain(seeded(Rectified), score, method="guided-backprop")
    assert explain(seeded(Rectified), score).values.any()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (sw.Pixel(HEIGHT, 0), "is outside the picture"),
        (sw.Region((0, 0, HEIGHT + 1, 4)), "does not lie in the picture"),
        (sw.Region(np.ones((4, 4), dtype=bool)), "has not the size of the picture"),
        (sw.Pixel(0, 0, "horse"), "names no class"),
        (sw.Segment(17), "out of range"),
        (sw.Detection(1), "needs boxes"),
    ],
)
def test_what_does_not_fit_is_refused(target: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        explain(seeded(Segmenter), target, labels=LABELS)


def test_a_class_that_is_seen_nowhere_has_no_segment() -> None:
    model = seeded(Segmenter)
    with torch.no_grad():
        model.head.bias[2] -= 100
    with pytest.raises(InputError, match="is predicted nowhere"):
        explain(model, sw.Segment("dog"), labels=LABELS)


def test_what_is_no_place_is_refused_when_it_is_made() -> None:
    for make in (
        lambda: sw.Pixel(1.5, 2),  # type: ignore[arg-type]
        lambda: sw.Region(np.zeros((4, 4))),
        lambda: sw.Region(np.full((4, 4), 0.5)),
        lambda: sw.Region("cat"),
    ):
        with pytest.raises(InputError):
            make()


def test_a_classifier_has_no_pixels() -> None:
    model = seeded(lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4)))
    with pytest.raises(InputError, match="gives no scores of places"):
        explain(model, sw.Pixel(0, 0))


def test_a_click_is_a_pixel() -> None:
    explainer = Explainer(seeded(Segmenter), PICTURE, preprocess=PLAIN, labels=LABELS)
    target = explainer.target_at(3.9, 12.0, "cat")
    assert target == explainer.resolve(sw.Pixel(3, 12, "cat"))
    assert target.bound
    with pytest.raises(InputError, match="outside"):
        explainer.target_at(-0.5, 3)


def test_a_model_that_returns_something_else_says_so() -> None:
    model = seeded(lambda: Segmenter(wrap=lambda x: [{"a": x.sum()}]))
    with pytest.raises(ModelError, match="no one tensor of scores"):
        explain(model)
