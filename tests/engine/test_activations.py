"""Activations of a layer, their gradients along both ways, and the head alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from saliency_widget.engine.activations import Activations, Tap
from saliency_widget.engine.grids import Grid
from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError, ModelError
from saliency_widget.targets import Logit, Probability
from tests.engine.support import fill, picture, problem_of, relative, slope


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


class Net(nn.Module):
    """A trunk of two stages, one rectifier used twice and in place, and a head."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.body = nn.Conv2d(6, 4, 3, stride=2, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.spare = nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.stem(x))
        x = self.act(self.body(x))
        return self.head(torch.tanh(x).mean((2, 3)))


def tap_of(problem: Problem, name: str) -> Tap:
    size = (problem.pixels.shape[1], problem.pixels.shape[2])
    with problem.running():
        return problem._run.do(lambda replica: replica.taps[name, size])


def thrice(problem: Problem, layer: Any = None) -> tuple[Activations, Activations]:
    """By the definition, and as it is done once it is known how; in between both are compared."""
    first = problem.activations(problem.pixels[None], layer)
    problem.activations(problem.pixels[None], layer)
    return first, problem.activations(problem.pixels[None], layer)


def same(a: Activations, b: Activations, tolerance: float) -> None:
    assert (a.layer, a.grid) == (b.layer, b.grid)
    assert relative(a.values, b.values) <= tolerance
    assert relative(a.scores, b.scores) <= tolerance
    assert relative(a.gradients, b.gradients) <= tolerance


def transformers_model(kind: str, **options: Any) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{kind}Config")(image_size=32, num_labels=5, **options)
    return getattr(transformers, f"{kind}ForImageClassification")(config)


_SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "patch_size": 8}
_TIMM = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 5}
_TV_SWIN = {"patch_size": [2, 2], "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": [2, 2]}

# Model, the layer that is picked, its grid, and how the head can run.
FAMILIES: dict[str, tuple[Callable[[], nn.Module], str, Grid, str]] = {
    "resnet": (
        partial(timm.create_model, "test_resnet", num_classes=5, output_stride=8),
        "layer4",
        Grid("NCHW", 4, 4, 96),
        "one",
    ),
    "vit timm": (
        partial(timm.models.VisionTransformer, **_TIMM),
        "blocks.1.norm1",
        Grid("NTC", 4, 4, 16, 1),
        "one",
    ),
    "vit timm, registers": (
        partial(timm.models.VisionTransformer, **_TIMM, reg_tokens=4),
        "blocks.1.norm1",
        Grid("NTC", 4, 4, 16, 5),
        "one",
    ),
    "vit timm, mean": (
        partial(timm.models.VisionTransformer, **_TIMM, global_pool="avg", class_token=False),
        "blocks",
        Grid("NTC", 4, 4, 16),
        "one",
    ),
    "vit torchvision": (
        partial(torchvision.models.VisionTransformer, 32, 8, 2, 2, 16, 24, num_classes=5),
        "encoder.layers.encoder_layer_1.ln_1",
        Grid("NTC", 4, 4, 16, 1),
        "one",
    ),
    "vit transformers": (
        partial(transformers_model, "ViT", **_SMALL),
        "vit.layers.1.layernorm_before",
        Grid("NTC", 4, 4, 16, 1),
        "one",
    ),
    "deit transformers": (
        partial(transformers_model, "DeiT", **_SMALL),
        "deit.layers.1.layernorm_before",
        Grid("NTC", 4, 4, 16, 2),
        "one",
    ),
    "swin timm": (
        partial(
            timm.models.SwinTransformer,
            img_size=32,
            patch_size=2,
            embed_dim=8,
            depths=(1, 1),
            num_heads=(1, 2),
            window_size=4,
            num_classes=5,
        ),
        "norm",
        Grid("NHWC", 8, 8, 16),
        "one",
    ),
    "swin torchvision": (
        partial(torchvision.models.SwinTransformer, **_TV_SWIN, num_classes=5),
        "permute",
        Grid("NCHW", 8, 8, 16),
        "one",
    ),
    "swin transformers": (
        partial(transformers_model, "Swin", patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4),
        "swin.layernorm",
        Grid("NTC", 8, 8, 16),
        "one",
    ),
    "xcit": (
        partial(timm.models.Xcit, **_TIMM, cls_attn_layers=2),
        "cls_attn_blocks.1.norm1",
        Grid("NTC", 4, 4, 16, 1),
        "one",
    ),
    "cait": (
        partial(timm.models.Cait, **_TIMM),
        "blocks_token_only.1.norm1",
        Grid("NTC", 4, 4, 16, 1),
        "kept",
    ),
    "densenet": (
        partial(torchvision.models.DenseNet, 4, (2, 2), 8, num_classes=5),
        "features",
        Grid("NCHW", 4, 4, 16),
        "one",
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_layer_picked_its_gradients_both_ways_and_its_head(family: str) -> None:
    make, layer, grid, head = FAMILIES[family]
    model = fill(make().double())
    problem = problem_of(model, picture(32, 32), [1, Probability(3)])
    first, last = thrice(problem)
    assert first.layer == layer
    assert first.grid == grid
    same(first, last, 1e-9)
    assert tap_of(problem, layer).way == "cut"
    # The head alone gives the same score, and the gradient is its slope.
    values = first.values[0]
    rows = torch.stack([values, values])
    assert relative(problem.scores(rows, start=layer), first.scores.expand(2, 2)) < 1e-9
    assert tap_of(problem, layer).head == head
    direction = torch.randn(values.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for k in range(2):
        found = slope(lambda batch, k=k: problem.scores(batch, start=layer)[:, k], values, direction)
        wanted = float((first.gradients[0, k] * direction).sum())
        assert abs(found - wanted) < 1e-6 * (first.gradients[0, k] * direction).abs().sum()


def test_all_that_a_class_token_reads_is_named_and_the_last_layer_is_refused() -> None:
    model = fill(timm.models.VisionTransformer(**_TIMM))
    problem = problem_of(model, picture(32, 32), [0])
    listed = {layer.name: layer for layer in problem.layers()}
    assert listed["blocks.0"].used
    assert listed["blocks.1.norm1"].used
    # All blocks together return what the last of them does.
    assert not listed["blocks"].used
    assert not listed["norm"].used
    assert listed["blocks.0"].grid.text == "4 x 4"
    assert list(listed).index("patch_embed") < list(listed).index("blocks.0") < list(listed).index("blocks")
    for name in ("norm", "blocks.1", "blocks.1.mlp"):
        with pytest.raises(InputError, match=rf"layer='{name}' returns 17 tokens.*1 before the patches.*earlier"):
            problem.activations(problem.pixels[None], name)


def test_a_non_square_picture() -> None:
    model = fill(timm.models.VisionTransformer(**{**_TIMM, "img_size": (32, 48)}))
    problem = problem_of(model, picture(32, 48), [0])
    found = problem.activations(problem.pixels[None])
    assert found.grid == Grid("NTC", 4, 6, 16, 1)
    assert found.values.shape == (1, 16, 4, 6)
    assert found.gradients.shape == (1, 1, 16, 4, 6)


def test_attention_without_a_fused_kernel_is_no_grid() -> None:
    model = fill(timm.models.VisionTransformer(**_TIMM))
    for block in model.blocks:
        block.attn.fused_attn = False
    problem = problem_of(model, picture(32, 32), [0])
    assert problem.activations(problem.pixels[None]).layer == "blocks.1.norm1"
    assert not any("attn_drop" in layer.name for layer in problem.layers())


# -- the definition: what the layer returned, at the moment at which it returned ------------------------------------


def by_hand(model: nn.Module, problem: Problem, layer: nn.Module, k: int) -> tuple[Tensor, Tensor]:
    """Activation and gradient by a hook that keeps a copy aside, before anything can write into it."""
    kept: list[Tensor] = []

    def hook(_module: nn.Module, _given: Any, output: Tensor) -> Tensor:
        kept[:] = [output.detach().clone().requires_grad_()]
        return kept[0] * 1

    handle = layer.register_forward_hook(hook)
    try:
        logits = model(problem._model_input(problem.pixels[None]))
    finally:
        handle.remove()
    return kept[0].detach(), torch.autograd.grad(logits[0, k], kept[0])[0]


@pytest.mark.parametrize("name", ["stem", "body", "act"])
def test_what_happens_to_the_output_afterwards_spoils_nothing(name: str) -> None:
    model = fill(Net().double())
    problem = problem_of(model, picture(), [2])
    wanted = by_hand(model, problem, model.get_submodule(name), 2)
    for found in thrice(problem, name):
        assert torch.allclose(found.values, wanted[0], rtol=1e-12)
        assert torch.allclose(found.gradients[:, 0], wanted[1], rtol=1e-10)
    if name != "act":
        # In place: the rectifier must not have reached what was kept.
        assert (found.values < 0).any()
        # What it cut off has no gradient.
        assert not found.gradients[:, 0][found.values < 0].any()


def test_of_a_layer_called_twice_the_last_call_counts() -> None:
    problem = problem_of(fill(Net()), picture(), [0])
    found = problem.activations(problem.pixels[None], "act")
    assert found.grid == Grid("NCHW", 8, 8, 4)
    assert tap_of(problem, "act").calls == 2


class Alias(Net):
    """What the layer returns is used under another name too."""

    def __init__(self) -> None:
        super().__init__()
        self.same = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.same(x)
        return self.head((torch.tanh(y) + x.square())[:, :4].mean((2, 3)))


def test_an_alias_is_followed_through_every_use() -> None:
    model = fill(Alias().double())
    problem = problem_of(model, picture(), [1])
    x = model.stem(problem._model_input(problem.pixels[None])).detach().requires_grad_()
    logits = model.head((torch.tanh(x) + x.square())[:, :4].mean((2, 3)))
    wanted = torch.autograd.grad(logits[0, 1], x)[0]
    for found in thrice(problem, "same"):
        assert relative(found.gradients[:, 0], wanted) < 1e-12
    assert tap_of(problem, "same").way == "whole"


class Ignored(Net):
    """Calls a rectifier in place and ignores what it returns."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        self.act(x)
        return self.head(x[:, :4].mean((2, 3)))


def test_a_call_in_place_whose_result_is_ignored() -> None:
    model = fill(Ignored().double())
    problem = problem_of(model, picture(), [1])
    for found in thrice(problem, "act"):
        wanted = model.head.weight[1].detach() / 256
        assert torch.allclose(found.gradients[0, 0, :4], wanted[:, None, None].expand(4, 16, 16), rtol=1e-12)
        assert (found.values >= 0).all()
    assert tap_of(problem, "act").way == "whole"
    with pytest.raises(ModelError, match=r"'act' returns cannot be exchanged.*layer after it or before it"):
        problem.scores(found.values, start="act")


class Frozen(Net):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.act(self.body(self.act(self.stem(x))))
        return self.head(torch.tanh(x).mean((2, 3)))


@pytest.mark.parametrize("name", ["stem", "body", "act"])
def test_gradients_switched_off_inside_the_model(name: str) -> None:
    plain = fill(Net().double())
    frozen = Frozen().double()
    frozen.load_state_dict(plain.state_dict())
    problem, other = (problem_of(model.eval(), picture(), [2]) for model in (plain, frozen))
    for a, b in zip(thrice(problem, name), thrice(other, name), strict=True):
        same(a, b, 1e-12)
    assert tap_of(other, name).way == "cut"


class Detached(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.body(self.stem(x).detach())).mean((2, 3)))


def test_behind_a_detach_there_is_still_a_head() -> None:
    model = fill(Detached().double())
    problem = problem_of(model, picture(), [1])
    wanted = by_hand(model, problem, model.body, 1)
    for found in thrice(problem, "body"):
        assert relative(found.gradients[:, 0], wanted[1]) < 1e-12
    with pytest.raises(InputError, match=r"layer='stem'.*does not depend"):
        problem.activations(problem.pixels[None], "stem")
    with pytest.raises(ModelError, match="no layer can be picked"):
        problem.activations(problem.pixels[None])


class Recomputing(Net):
    reentrant = False

    def forward(self, x: Tensor) -> Tensor:
        x = checkpoint(lambda y: self.spare(torch.relu(self.body(y))), self.stem(x), use_reentrant=self.reentrant)
        return self.head(torch.tanh(x).mean((2, 3)))


@pytest.mark.parametrize("name", ["stem", "body", "spare"])
def test_activations_that_are_computed_twice(name: str) -> None:
    model = fill(Recomputing().double())
    problem = problem_of(model, picture(), [1])
    wanted = by_hand(model, problem, model.get_submodule(name), 1)
    for found in thrice(problem, name):
        assert relative(found.values, wanted[0]) < 1e-12
        assert relative(found.gradients[:, 0], wanted[1]) < 1e-12
    assert tap_of(problem, name).calls == 1
    assert relative(problem.scores(found.values, start=name), found.scores) < 1e-12


def test_activations_that_are_computed_twice_in_the_older_way_are_refused() -> None:
    model = fill(Recomputing())
    model.reentrant = True
    problem = problem_of(model, picture(), [1])
    with pytest.raises(ModelError, match="use_reentrant=False"):
        problem.activations(problem.pixels[None])
    with pytest.raises(ModelError, match="use_reentrant=False"):
        problem.activations(problem.pixels[None], "stem")


class Encoder(nn.Module):
    """PyTorch's own encoder, which has a fast path that calls no part of it."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 8, 8)
        layer = nn.TransformerEncoderLayer(16, 2, 24, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 5)
        self.batch_first = batch_first

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([x.mean(1, keepdim=True), x], 1)
        x = self.encoder(x if self.batch_first else x.transpose(0, 1))
        return self.head(x[:, 0] if self.batch_first else x[0])


@pytest.mark.parametrize("batch_first", [True, False])
def test_an_encoder_of_pytorch_with_rows_first_or_tokens_first(batch_first: bool) -> None:
    problem = problem_of(fill(Encoder(batch_first).double()), picture(32, 32), [1, 2])
    for layer in (None, "encoder.layers.0.linear1"):
        first, last = thrice(problem, layer)
        same(first, last, 1e-9)
        grid = Grid("NTC" if batch_first else "TNC", 4, 4, 24 if layer else 16, 1)
        assert first.grid == grid
        assert relative(problem.scores(first.values.repeat(3, 1, 1, 1), start=first.layer), first.scores) < 1e-9
    assert problem.activations(problem.pixels[None]).layer == "encoder.layers.0"
    rows = torch.stack([problem.pixels, problem.pixels / 2])
    both = problem.activations(rows)
    assert relative(both.gradients[:1], problem.activations(rows[:1]).gradients) < 1e-9


# -- several rows, several targets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 3, None])
def test_rows_do_not_depend_on_how_they_are_cut(chunk: int | None) -> None:
    model = fill(Net().double())
    problem = problem_of(model, picture(), [0, 4], chunk=chunk)
    rows = torch.stack([problem.pixels * factor for factor in (1, 0.5, 0.2, 0.9, 0.7)])
    for _ in range(2):
        found = problem.activations(rows, "body")
        assert found.values.shape == (5, 4, 8, 8)
        assert found.gradients.shape == (5, 2, 4, 8, 8)
        for k, row in enumerate(rows):
            alone = problem_of(model, picture(), [0, 4]).activations(row[None], "body")
            assert torch.allclose(found.gradients[k], alone.gradients[0], rtol=1e-10)
            assert torch.allclose(found.values[k], alone.values[0], rtol=1e-10)
            assert torch.allclose(found.scores[k], alone.scores[0], rtol=1e-10)
        scores = problem.scores(found.values, start="body")
        assert torch.allclose(scores, problem.scores(rows), rtol=1e-10)


def test_all_targets_share_one_forward_pass_whose_trunk_has_no_graph() -> None:
    seen: list[tuple[int, bool]] = []

    class Counting(Net):
        def forward(self, x: Tensor) -> Tensor:
            seen.append((len(x), x.requires_grad))
            return super().forward(x)

    model = fill(Counting())
    problem = problem_of(model, picture(), [0, 1, 2, 3, Probability(4)])
    thrice(problem)
    for layer in (None, "stem"):
        problem.activations(problem.pixels[None], "stem")
        problem.activations(problem.pixels[None], "stem")
        seen.clear()
        assert problem.activations(problem.pixels[None], layer).gradients.shape[1] == 5
        assert seen == [(1, False)]
    # Another problem of the same model knows what this one found out.
    other = problem_of(model, picture(seed=1), [3])
    assert other.logits.shape == (5,)
    seen.clear()
    other.activations(other.pixels[None])
    assert seen == [(1, False)]
    # The head at many rows, the trunk at one.
    problem.scores(torch.zeros(1, 4, 8, 8), start="body")
    seen.clear()
    problem.scores(torch.zeros(64, 4, 8, 8), start="body")
    assert {rows for rows, _ in seen} == {1}


def test_the_trunk_keeps_nothing_for_a_backward_pass() -> None:
    kept: list[tuple[int, ...]] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tuple(tensor.shape))
        return tensor

    problem = problem_of(fill(Net()), picture(), [0, 1])
    thrice(problem, "body")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        problem.activations(problem.pixels[None], "body")
        assert kept
        assert not any(shape[-2:] == (16, 16) for shape in kept)
        kept.clear()
        problem.gradients(problem.pixels[None])
        assert any(shape[-2:] == (16, 16) for shape in kept)


def test_the_classes_vmapped_are_the_classes_looped() -> None:
    model = fill(Net().double())
    looped = problem_of(model, picture(), [0, 1, 2], classes="loop")
    vmapped = problem_of(model, picture(), [0, 1, 2], classes="vmap")
    same(thrice(looped, "stem")[1], thrice(vmapped, "stem")[1], 1e-12)


def test_where_no_gradient_is_seen_nothing_is_settled() -> None:
    model = fill(Alias().double())
    with torch.no_grad():
        model.head.weight.zero_()
    problem = problem_of(model, picture(), [0])
    for found in thrice(problem, "same"):
        assert not found.gradients.any()
    assert tap_of(problem, "same").way == "unchecked"
    scores = problem.scores(torch.randn(3, 6, 16, 16), start="same")
    assert torch.equal(scores, scores[:1].expand(3, 1))
    problem.activations(problem.pixels[None])
    with torch.no_grad():
        model.head.weight.fill_(1)
    found = problem.activations(problem.pixels[None], "same")
    assert found.gradients.any()
    assert tap_of(problem, "same").way == "whole"
    assert problem.activations(problem.pixels[None]).gradients.any()


def test_a_layer_with_two_names() -> None:
    model = fill(Net())
    model.twin = model.body
    problem = problem_of(model, picture(), [0])
    same(*(problem.activations(problem.pixels[None], layer) for layer in ("body", model.twin)), 1e-6)
    found = problem.activations(problem.pixels[None], "twin")
    assert found.layer == "twin"
    assert found.gradients.any()


class Dense(Net):
    """The head joins what the layer returns with what came before it."""

    def forward(self, x: Tensor) -> Tensor:
        early = self.stem(x)[:, :2]
        late = self.body(torch.cat([early, early, early], 1))
        return self.head(torch.cat([late[:, :2], early[:, :, ::2, ::2]], 1).square().mean((2, 3)))


def test_a_head_that_joins_rows_needs_as_many_of_the_trunk() -> None:
    model = fill(Dense().double())
    problem = problem_of(model, picture(), [0, 1])
    found = problem.activations(problem.pixels[None], "body")
    rows = torch.cat([found.values, found.values * 0, found.values * 2])
    scores = problem.scores(rows, start="body")
    assert tap_of(problem, "body").head == "kept"
    assert torch.allclose(scores[0], found.scores[0], rtol=1e-12)
    assert not torch.allclose(scores[1], scores[0])


class Folded(Net):
    """Folds the rows by the number of those that came in: with one, many become one, and it does not fail."""

    def forward(self, x: Tensor) -> Tensor:
        rows = len(x)
        x = self.body(self.stem(x))
        x = x.reshape(rows, -1, 4, 8, 8).mean(1)
        return self.head(torch.tanh(x).mean((2, 3))).expand(rows, -1)


def test_a_head_that_would_mix_rows_is_found_out() -> None:
    problem = problem_of(fill(Folded().double()), picture(), [0])
    found = problem.activations(problem.pixels[None], "body")
    scores = problem.scores(torch.cat([found.values, found.values * 2]), start="body")
    assert tap_of(problem, "body").head == "kept"
    assert torch.allclose(scores[0], found.scores[0], rtol=1e-12)


def test_the_logits_of_the_picture_are_not_those_of_other_activations() -> None:
    model = fill(Net().double())
    problem = problem_of(model, picture(), [Logit(None)])
    problem.scores(torch.zeros(2, 4, 8, 8), start="body")
    assert torch.allclose(problem.logits, model(problem._input[None])[0], rtol=1e-12)
    assert problem.targets[0].index == int(problem.logits.argmax())


# -- what cannot be read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("spare", r"layer='spare' is never called.*Give the module around it"),
        ("bdy", r"layer='bdy' names no layer of this Net. Did you mean 'body'\?"),
        ("stem.weight", r"layer='stem.weight' names no layer.*'stem'"),
        ("zzz", r"layer='zzz' names no layer.*Its parts are .*'head'"),
        ("head", r"layer='head' returns \(1, 5\), which is no grid.*16 x 16.*before the pooling"),
        ("", r"layer='' names no layer"),
        (3, r"layer=3 is no layer.*dotted name"),
        (nn.Conv2d(3, 6, 3), r"layer='Conv2d' is a module, but no part of this Net.*not of a copy"),
    ],
)
def test_a_layer_that_cannot_be_read_is_named(layer: Any, message: str) -> None:
    problem = problem_of(fill(Net()), picture(), [0])
    for _ in range(2):
        with pytest.raises(InputError, match=message):
            problem.activations(problem.pixels[None], layer)
    with pytest.raises(InputError, match=r"is no batch of activations of 'body'.*\(N, 4, 8, 8\)"):
        problem.scores(torch.zeros(2, 4, 8, 7), start="body")


class Aside(Net):
    def forward(self, x: Tensor) -> Tensor:
        self.spare(torch.zeros(1, 4, 16, 16) + x.mean())
        return super().forward(x)


def test_a_layer_on_which_the_score_does_not_depend_is_named_and_never_picked() -> None:
    problem = problem_of(fill(Aside()), picture(), [0])
    with pytest.raises(InputError, match="layer='spare' returns something on which the score does not depend"):
        problem.activations(problem.pixels[None], "spare")
    assert problem.activations(problem.pixels[None]).layer == "act"
    assert not {layer.name: layer.used for layer in problem.layers()}["spare"]


def test_attention_hides_its_projection() -> None:
    model = fill(torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 24, num_classes=5))
    problem = problem_of(model, picture(32, 32), [0])
    with pytest.raises(InputError, match=r"is never called.*as attention does with its projections"):
        problem.activations(problem.pixels[None], "encoder.layers.encoder_layer_0.self_attention.out_proj")


def test_a_model_without_a_grid() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(768, 5))
    problem = problem_of(model, picture(), [0])
    with pytest.raises(ModelError, match="no layer of the model returns activations on a spatial grid"):
        problem.activations(problem.pixels[None])
    assert problem.layers() == ()


def test_a_scripted_model_says_that_its_layers_cannot_be_heard() -> None:
    problem = problem_of(torch.jit.script(fill(Net())), picture(), [0])
    with pytest.raises(InputError, match=r"never called.*ScriptModule"):
        problem.activations(problem.pixels[None], "body")
    with pytest.raises(ModelError, match="no layer of the model"):
        problem.activations(problem.pixels[None])


# -- the user's model -----------------------------------------------------------------------------------------------


def test_a_layer_is_the_module_of_the_user_and_wrappers_do_not_matter() -> None:
    model = fill(Net().double())
    plain = problem_of(model, picture(), [0])
    wanted = plain.activations(plain.pixels[None], "body")
    wrapped = nn.DataParallel(model)
    problem = problem_of(wrapped, picture(), [0])
    same(problem.activations(problem.pixels[None], model.body), wanted, 1e-12)
    inner = nn.Sequential(nn.DataParallel(model))
    problem = problem_of(inner, picture(), [0])
    for layer in ("0.body", "0.module.body", model.body):
        found = problem.activations(problem.pixels[None], layer)
        assert found.layer == "0.body"
        assert relative(found.gradients, wanted.gradients) < 1e-12
    assert problem.activations(problem.pixels[None], wrapped.module.body).layer == "0.body"


def test_the_model_is_untouched_and_its_hooks_stay_its_own() -> None:
    model = Net()
    heard: list[int] = []
    model.body.register_forward_hook(lambda *_: heard.append(1))
    model.train()
    with ModelGuard(model):
        problem = problem_of(model, picture(), [0])
        thrice(problem)
        thrice(problem, "body")
        problem.scores(torch.zeros(2, 4, 8, 8), start="body")
        problem.layers()
        with pytest.raises(InputError):
            problem.activations(problem.pixels[None], "spare")
    assert heard == []
    assert len(model.body._forward_hooks) == 1
    with problem.running():
        hooks = problem._run.do(lambda replica: [len(part._forward_hooks) for part in replica.module.modules()])
    assert sum(hooks) == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_every_type(dtype: torch.dtype) -> None:
    problem = problem_of(fill(Net()).to(dtype), picture(), [0, Probability(1)])
    first, last = thrice(problem)
    assert first.values.dtype is first.gradients.dtype is dtype
    assert first.scores.dtype is (torch.float64 if dtype is torch.float64 else torch.float32)
    assert tap_of(problem, "act").way == "cut"
    assert torch.isfinite(last.gradients).all()


def test_in_inference_mode_and_without_gradients() -> None:
    problem = problem_of(fill(Net().double()), picture(), [0])
    wanted = thrice(problem)[0]
    for mode in (torch.inference_mode(), torch.no_grad()):
        with mode:
            other = problem_of(problem.shadow.model, picture(), [0])
            same(other.activations(other.pixels[None]), wanted, 1e-12)
            assert torch.allclose(other.scores(wanted.values, start="act"), wanted.scores, rtol=1e-12)


def test_a_layer_that_returns_a_tuple() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y = self.conv(x)
            return y.mean((2, 3)), y

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair, self.head = Pair(), nn.Linear(4, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.pair(x)[1].tanh().mean((2, 3)))

    model = fill(Whole().double())
    problem = problem_of(model, picture(), [0])
    by_tuple, by_layer = thrice(problem, "pair"), thrice(problem, "pair.conv")
    for a, b in zip(by_tuple, by_layer, strict=True):
        assert relative(a.gradients, b.gradients) < 1e-12
    assert tap_of(problem, "pair").way == "cut"
    # The tensor itself is a plainer name for the same.
    assert problem.activations(problem.pixels[None]).layer == "pair.conv"


def test_a_model_that_changes_between_two_runs_is_read_as_it_is_then() -> None:
    model = fill(Net().double())
    problem = problem_of(model, picture(), [0])
    before = thrice(problem, "act")[1]
    model.half().double()
    model.add_module("more", nn.Identity())
    after = problem.activations(problem.pixels[None], "act")
    assert tap_of(problem, "act").calls == 2
    assert 0 < relative(after.gradients, before.gradients) < 1e-2
    with torch.no_grad():
        model.head.weight.mul_(2)
    assert torch.equal(problem.activations(problem.pixels[None], "act").gradients, after.gradients * 2)


def test_running_out_of_memory_halves_the_rows_and_changes_nothing() -> None:
    class Small(Net):
        def forward(self, x: Tensor) -> Tensor:
            if len(x) > 2:
                raise RuntimeError("CUDA out of memory (not really)")
            x = self.body(self.act(self.stem(x)))
            if len(x) > 2:
                raise RuntimeError("CUDA out of memory (not really)")
            return self.head(torch.tanh(x).mean((2, 3)))

    model = fill(Small().double())
    problem = problem_of(model, picture(), [0, 1], chunk=8)
    rows = torch.stack([problem.pixels * factor for factor in (1, 0.5, 0.2, 0.9, 0.7)])
    found = problem.activations(rows, "body")
    wanted = torch.cat([problem.activations(row[None], "body").gradients for row in rows])
    assert relative(found.gradients, wanted) < 1e-12
    scores = problem.scores(found.values, start="body")
    assert relative(scores, found.scores) < 1e-12
