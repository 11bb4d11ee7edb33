"""explain() and stream(): images times targets, extra inputs, scores of any output, and what is refused first."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.shadow import shadow_of
from saliency_widget.explainer import Explainer
from tests.engine.support import fill

LABELS = ["ant", "bee", "cat", "dog"]
PLAIN = sw.Preprocess(size=None, crop=None, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))


def pictures(count: int = 3) -> list[np.ndarray[Any, Any]]:
    generator = np.random.default_rng(0)
    # Of several sizes, because nothing makes them one batch.
    return [generator.integers(0, 256, (8 + k, 10, 3), dtype=np.uint8) for k in range(count)]


class Small(nn.Module):
    passes = 0

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.head = nn.Linear(6, 4)

    def features(self, x: Tensor) -> Tensor:
        return self.conv(x).tanh()

    def forward(self, x: Tensor) -> Tensor:
        Small.passes += 1
        return self.head(self.features(x).mean((2, 3)))


def made(kind: type[nn.Module] = Small) -> Any:
    torch.manual_seed(0)
    return fill(kind())


# -- images times targets -------------------------------------------------------------------------------------------


def test_the_product_of_images_and_targets() -> None:
    model, images = made(), pictures()
    targets = ["bee", sw.Contrast("ant", "dog"), sw.Probability(2), None]
    with ModelGuard(model):
        both = sw.explain(model, images, target=targets, preprocess=PLAIN, labels=LABELS)
    assert [len(row) for row in both] == [4, 4, 4]
    for image, row in zip(images, both, strict=True):
        assert [one.target.kind for one in row] == ["logit", "contrast", "probability", "logit"]
        alone = [sw.explain(model, image, target=one, preprocess=PLAIN, labels=LABELS) for one in targets]
        for one, other in zip(row, alone, strict=True):
            assert one.target == other.target
            assert one.values.shape == (3, *image.shape[:2])
            assert np.allclose(one.values, other.values, rtol=1e-4, atol=1e-8)
            assert one.score == pytest.approx(other.score, rel=1e-5)
    # None is each image's own prediction.
    for image, row in zip(images, both, strict=True):
        best = Explainer(model, image, preprocess=PLAIN, labels=LABELS).prediction[0]
        assert row[3].target.index == best.index


def test_a_single_one_of_either_drops_its_level() -> None:
    model, images = made(), pictures(2)
    one = sw.explain(model, images[0], target=1, preprocess=PLAIN)
    assert isinstance(one, sw.Attribution)
    for found in (
        sw.explain(model, images[0], target=[1], preprocess=PLAIN),
        sw.explain(model, (images[0],), target=1, preprocess=PLAIN),
        sw.explain(model, [images[0]], target=(1,), preprocess=PLAIN)[0],
    ):
        assert isinstance(found, list)
        assert len(found) == 1
        assert np.array_equal(found[0].values, one.values)


def test_one_shadow_serves_all_images() -> None:
    model = made()
    before = Small.passes
    mixed = [0, sw.Contrast(0, 1), sw.Margin(2), sw.Probability(3), sw.LogProbability(3), 1]
    sw.explain(model, pictures(3), target=mixed, preprocess=PLAIN)
    # Of the one shadow the first pass is watched; each image takes one to predict and one to differentiate.
    assert Small.passes - before == 1 + 3 * 2
    assert shadow_of(model)._shared.replica is not None


def test_targets_of_mixed_kinds_are_differentiated_at_once_or_one_by_one() -> None:
    from saliency_widget.engine.problem import Problem

    model = made().double()
    explainer = Explainer(model, pictures(1)[0], preprocess=PLAIN)
    mixed = [sw.Logit(0), sw.Contrast(0, 1), sw.Margin(2), sw.Margin(2, k=3), sw.Probability(3)]
    targets = [explainer.resolve(one) for one in (*mixed, sw.Score(lambda y: y.square().sum(1), "energy"))]
    found = []
    for classes in ("loop", "vmap"):
        problem = Problem(shadow_of(model), explainer.prepared, targets, classes=classes)
        batch = problem.pixels[None] * torch.tensor([1.0, 0.5, 0.1], dtype=torch.float64)[:, None, None, None]
        found.append(problem.gradients(batch))
        assert problem.provenance["classes"] == classes
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-12)
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-9, atol=1e-14)
    problem = Problem(shadow_of(model), explainer.prepared, targets)
    assert torch.allclose(problem.scores(batch), found[0][0], rtol=1e-12)
    outputs = problem.outputs(batch)
    for k, target in enumerate(targets):
        assert torch.allclose(target.score(outputs), found[0][0][:, k], rtol=1e-12)


def test_a_stream_of_images_grows() -> None:
    model, images = made(), pictures(3)
    seen = list(sw.stream(model, images, target=[0, 1], preprocess=PLAIN))
    assert [len(row) for row in seen] == [1, 2, 3]
    wanted = sw.explain(model, images, target=[0, 1], preprocess=PLAIN)
    for row, other in zip(seen[-1], wanted, strict=True):
        assert all(np.array_equal(a.values, b.values) for a, b in zip(row, other, strict=True))
    assert sw.explain(model, images, target=0, preprocess=PLAIN, progress=True)[2].target.index == 0


def test_a_progress_bar_has_a_total_from_the_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    sw.explain(made(), pictures(1)[0], target=0, preprocess=PLAIN, progress=True)
    said = capsys.readouterr().err
    assert "0%" in said
    assert "100%" in said
    assert "0it [" not in said


@pytest.mark.parametrize("call", [sw.explain, sw.stream])
def test_what_cannot_work_is_refused_for_every_image_before_any_work(call: Any) -> None:
    model, images = made(), pictures(3)
    worked: list[Any] = []
    model.head.register_full_backward_hook(lambda *args: worked.append(args))
    options = {"preprocess": PLAIN, "labels": LABELS}
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        ([*images, "nowhere.png"], {}, "nowhere"),
        ([*images, None], {}, "image"),
        ([], {}, "image.*empty list"),
        (images, {"target": []}, "target.*empty list"),
        (images, {"target": ["bee", "wasp"]}, "wasp"),
        (images, {"target": [0, 4]}, "4 classes"),
        (images, {"target": [0, 1.5]}, "1.5"),
        (images, {"method": "nothing"}, "method"),
        (images, {"inputs": {"mask": torch.ones(1)}}, "mask.*no argument.*picture alone"),
        (images, {"labels": ["a"]}, "labels"),
    ]
    for image, more, words in wrong:
        with ModelGuard(model), pytest.raises(sw.InputError, match=f"(?s){words}"):
            call(model, image, **{**options, **more})
    with pytest.raises(sw.ModelError, match="raised"):
        call(model, images, target=sw.Score(lambda y: y.nothing, "nothing"), **options)
    assert not worked


def test_training_mode_is_said_once_and_points_to_the_caller() -> None:
    model = made().train()
    model.dropout = nn.Dropout()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sw.explain(model, pictures(3), preprocess=PLAIN)
        sw.explain(model, pictures(1)[0], preprocess=PLAIN)
        list(sw.stream(model, pictures(2), preprocess=PLAIN))
    said = [one for one in caught if issubclass(one.category, sw.SaliencyWarning)]
    assert len(said) == 3
    assert all(one.filename == __file__ for one in said)


# -- extra inputs ---------------------------------------------------------------------------------------------------


class Masked(Small):
    """Takes a mask of the picture, the tokens of several texts, and a number."""

    def forward(  # type: ignore[override]
        self, x: Tensor, mask: Tensor | None = None, *, texts: Tensor | None = None, scale: float = 1.0, **more: Any
    ) -> Tensor:
        features = self.features(x)
        if mask is not None:
            assert len(mask) == len(x)
            assert mask.device == x.device
            features = features * mask.mul_(2)
        y = self.head(features.mean((2, 3))) * scale
        if texts is not None:
            assert texts.dtype == torch.int64
            y = y[:, texts.sum(1)]
        return y + (more["shift"].to(y) if "shift" in more else 0)


def test_extra_inputs_reach_every_row_and_stay_as_they_were() -> None:
    model = made(Masked).double()
    image = pictures(1)[0]
    mask = torch.rand(1, 1, 8, 10, dtype=torch.float32)
    texts = torch.tensor([[0, 1], [1, 1], [3, 0]])
    inputs = {"mask": mask, "texts": texts, "scale": 3.0, "shift": np.ones(3)}
    kept = (mask.clone(), texts.clone())
    with ModelGuard(model), torch.inference_mode():
        found = sw.explain(model, image, target=[0, 2], preprocess=PLAIN, inputs=inputs)
    assert torch.equal(mask, kept[0])
    assert torch.equal(texts, kept[1])
    explainer = Explainer(model, image, preprocess=PLAIN, inputs=inputs)
    pixels = explainer.prepared.pixels.clone().requires_grad_()
    given = torch.einsum("dc,chw->dhw", explainer.prepared.matrix, pixels) + explainer.prepared.offset[:, None, None]
    y = model(given[None], mask.double().clone(), texts=texts, scale=3.0, shift=torch.ones(3))
    for k, one in zip((0, 2), found, strict=True):
        (wanted,) = torch.autograd.grad(y[0, k], pixels, retain_graph=True)
        assert np.allclose(one.values, wanted.numpy(), rtol=1e-5, atol=1e-9)
        assert one.score == pytest.approx(float(y[0, k]), rel=1e-6)
    assert found[0].provenance["inputs"] == {
        "mask": "float32 (1, 1, 8, 10)",
        "texts": "int64 (3, 2)",
        "scale": "3.0",
        "shift": "float64 (3,)",
    }


def test_extra_inputs_do_not_depend_on_the_chunk() -> None:
    from saliency_widget.engine.problem import Problem
    from saliency_widget.targets import Logit

    model = made(Masked).double()
    explainer = Explainer(model, pictures(1)[0], preprocess=PLAIN)
    batch = torch.rand(5, *explainer.prepared.pixels.shape, dtype=torch.float64)
    found = []
    for chunk in (1, 2, 5):
        problem = Problem(
            shadow_of(model), explainer.prepared, [Logit(1)], chunk=chunk, inputs={"mask": torch.rand(1, 1, 8, 10)}
        )
        problem._inputs._here["mask"].fill_(0.25)
        found.append(problem.gradients(batch)[1])
    assert torch.allclose(found[0], found[1], rtol=1e-12)
    assert torch.allclose(found[0], found[2], rtol=1e-12)


def test_each_of_several_images_gets_its_own_extra_inputs() -> None:
    model = made(Masked)
    images = [pictures(1)[0]] * 3
    masks = torch.rand(3, 1, 8, 10)
    rows = sw.explain(model, images, target=1, preprocess=PLAIN, inputs={"mask": masks})
    listed = sw.explain(model, images, target=1, preprocess=PLAIN, inputs=[{"mask": mask[None]} for mask in masks])
    for k in range(3):
        alone = sw.explain(model, images[k], target=1, preprocess=PLAIN, inputs={"mask": masks[k : k + 1]})
        assert np.array_equal(rows[k].values, alone.values)
        assert np.array_equal(listed[k].values, alone.values)
    assert not np.array_equal(rows[0].values, rows[1].values)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (torch.ones(1), "dict"),
        ({1: torch.ones(1)}, "dict"),
        ({"x": torch.ones(1)}, "picture itself"),
        ({"mask": torch.ones(1).to_sparse()}, "mask.*dense"),
        ({"mask": torch.ones(1, device="meta")}, "mask.*dense"),
        ({"mask": np.array(["a"])}, "mask.*numbers"),
        ([{"mask": torch.ones(1)}], "list of 1.*Give one dict"),
    ],
)
def test_extra_inputs_that_cannot_work(inputs: Any, words: str) -> None:
    with pytest.raises(sw.InputError, match=f"(?s)inputs=.*{words}"):
        sw.explain(made(Masked), pictures(1)[0], preprocess=PLAIN, inputs=inputs)
    with pytest.raises(sw.InputError, match="2 images"):
        sw.explain(made(Masked), pictures(2), preprocess=PLAIN, inputs=[{}])


def test_an_extra_input_that_is_missing_is_named() -> None:
    class Needs(Small):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
            return super().forward(x * mask)

    with pytest.raises(sw.ModelError, match=r"(?s)mask.*inputs="):
        sw.explain(made(Needs), pictures(1)[0], preprocess=PLAIN)


# -- scores of any output -------------------------------------------------------------------------------------------


class Segments(Small):
    def forward(self, x: Tensor) -> Any:
        grid = self.head(self.features(x).movedim(1, -1)).movedim(-1, 1)
        return {"masks": grid, "logits": grid.mean((2, 3))} if self.both else grid

    both = False


def test_a_score_of_an_output_that_is_no_classes() -> None:
    model, image = made(Segments).double(), pictures(1)[0]
    left = sw.Score(lambda masks: masks[:, 2, :, :5].mean((1, 2)), "mean logit of cat on the left")
    with ModelGuard(model):
        found, twice = sw.explain(model, image, target=[left, left], preprocess=PLAIN)
    assert found.target.text == "mean logit of cat on the left"
    assert found.target.index is None
    assert found.probability is None
    assert found.unit == "score per full-scale pixel"
    assert not found.values[:, :, 7:].any()
    assert found.values[:, :, :5].any()
    assert np.array_equal(found.values, twice.values)
    with pytest.raises(sw.InputError, match="a score of the whole picture"):
        sw.explain(model, image, target=[left, sw.Margin(2)], preprocess=PLAIN)
    beside, _ = sw.explain(model, image, target=[left, sw.Pixel(2, 3, 1)], preprocess=PLAIN)
    assert np.array_equal(beside.values, found.values)
    with pytest.raises(sw.ModelError, match=r"a tensor \(N,\)"):
        sw.explain(model, image, target=sw.Score(lambda masks: masks.mean(), "all"), preprocess=PLAIN)


def test_a_score_beside_classes() -> None:
    model, image = made(Segments).double(), pictures(1)[0]
    model.both = True
    scores = [
        sw.Score(lambda y: y[:, 1], "of the scores"),
        1,
        sw.Score(lambda out: out["masks"][:, 1].mean((1, 2)), "of the output itself", raw=True),
        sw.Contrast(1, 3),
        3,
    ]
    maps = sw.explain(model, image, target=scores, preprocess=PLAIN)
    assert np.allclose(maps[0].values, maps[1].values, rtol=1e-6, atol=1e-12)
    assert np.allclose(maps[2].values, maps[1].values, rtol=1e-6, atol=1e-12)
    assert np.allclose(maps[3].values, maps[1].values - maps[4].values, rtol=1e-4, atol=1e-9)


def test_a_model_for_scores_alone_is_made_ready() -> None:
    class Pairs(Segments):
        def forward(self, x: Tensor) -> Any:
            grid = super().forward(x)
            return {"a": grid, "b": grid}

    explainer = Explainer(made(Pairs), pictures(1)[0], preprocess=PLAIN)
    assert (explainer.classes, explainer.prediction, explainer.labels) == (0, (), ())
    with pytest.raises(sw.ModelError, match="Score"):
        explainer.resolve(None)


# -- cancelling -----------------------------------------------------------------------------------------------------


def test_cancelling_takes_effect_before_the_next_chunk() -> None:
    from saliency_widget.engine.problem import Problem
    from saliency_widget.targets import Logit

    model = made()
    prepared = Explainer(model, pictures(1)[0], preprocess=PLAIN).prepared
    batch = torch.rand(20, *prepared.pixels.shape)
    before = Small.passes
    problem = Problem(shadow_of(model), prepared, [Logit(0)], chunk=2, stop=lambda: Small.passes - before >= 3)
    with ModelGuard(model), pytest.raises(sw.Cancelled):
        problem.gradients(batch)
    assert Small.passes - before == 3
    replica = shadow_of(model)._shared.replica
    assert replica is not None
    assert replica.users == 0
