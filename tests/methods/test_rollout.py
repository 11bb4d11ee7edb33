"""Rollouts with exact answers, and on the transformers of timm, torchvision and Hugging Face."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.methods.base import Estimate, Method
from saliency_widget.methods.rollout import AttentionRollout, GradientRollout
from saliency_widget.models.preprocess import Prepared
from saliency_widget.targets import Logit, Probability, Target
from tests.engine.support import fill, picture, problem_of, relative
from tests.engine.transformers import Small, by_hand, fused, method

PICTURE, TALL = picture(8, 12), picture(32, 32)


def rolled(model: nn.Module, own: Method, *targets: Target | int, prepared: Prepared = PICTURE) -> Estimate:
    (estimate,) = own.estimates(problem_of(model, prepared, targets or (1,)))
    assert estimate.final
    assert estimate.done == estimate.total == 1
    return estimate


def hand(model: Small, *targets: Target) -> tuple[np.ndarray, np.ndarray]:
    """(blocks, heads, T, T) and (K, blocks, heads, T, T)."""
    problem = problem_of(model, PICTURE, targets)
    weights, gradients = by_hand(model, problem._model_input(problem.pixels[None]).detach(), list(targets))
    return weights[0].numpy(), gradients[:, 0].numpy()


def read_row(matrix: np.ndarray, read: str, prefix: int) -> np.ndarray:
    rows = {"class": [0], "all": [0], "both": [0, 1], "mean": list(range(prefix, len(matrix)))}[read]
    return matrix[rows].mean(0)[prefix:].reshape(4, 6)


@pytest.mark.parametrize("read", ["class", "both", "mean", "all"])
@pytest.mark.parametrize(
    ("fusion", "residual", "start"), [("mean", 0.5, 0), ("max", 0.5, 0), ("min", 0.25, 0), ("mean", 0, 1)]
)
def test_rollout_by_hand(read: str, fusion: str, residual: float, start: int) -> None:
    model = Small(method, prefix=2, read=read)
    weights, _ = hand(model, Logit(1))
    matrix = np.eye(26)
    for block in weights[start:]:
        mixed = residual * np.eye(26) + (1 - residual) * getattr(block, fusion)(0)
        matrix = mixed / mixed.sum(1, keepdims=True) @ matrix
    own = AttentionRollout(fusion, residual, start)
    found = rolled(model, own).values
    assert found.shape == (1, 1, 4, 6)
    np.testing.assert_allclose(found[0, 0], read_row(matrix, read, 2), rtol=1e-12)
    np.testing.assert_allclose(rolled(Small(prefix=2, read=read), own).values, found, rtol=1e-9)


@pytest.mark.parametrize("read", ["class", "both", "mean", "all"])
@pytest.mark.parametrize("start", [0, 2])
def test_gradient_rollout_by_hand(read: str, start: int) -> None:
    model = Small(method, prefix=2, read=read)
    targets = [Logit(1), Probability(3), Logit(4)]
    weights, gradients = hand(model, *targets)
    estimate = rolled(Small(prefix=2, read=read), GradientRollout(start), *targets)
    assert estimate.values.shape == (3, 1, 4, 6)
    for k in range(3):
        matrix = np.eye(26)
        for block, gradient in zip(weights[start:], gradients[k, start:], strict=True):
            matrix = matrix + np.maximum(block * gradient, 0).mean(0) @ matrix
        wanted = read_row(matrix - np.eye(26), read, 2)
        np.testing.assert_allclose(estimate.values[k, 0], wanted, rtol=1e-9, atol=1e-15)
    alone = rolled(Small(prefix=2, read=read), GradientRollout(start), targets[2])
    assert torch.allclose(alone.values[0], estimate.values[2], rtol=1e-12)


def test_a_pooling_head_weighs_the_tokens_by_hand() -> None:
    targets = [Logit(1), Probability(3)]
    weights, gradients = hand(Small(method, prefix=1, read="pool"), *targets)
    matrix = np.eye(25)
    for block in weights[:3]:
        matrix = (0.5 * np.eye(25) + 0.5 * block.mean(0)) @ matrix
    wanted = (weights[3].mean(0)[0] @ matrix)[1:].reshape(4, 6)
    for spelling in (fused, method):
        estimate = rolled(Small(spelling, prefix=1, read="pool"), AttentionRollout())
        np.testing.assert_allclose(estimate.values[0, 0], wanted, rtol=1e-9)
        assert estimate.quality[0]["read_from"] == "pooling head"
        assert estimate.quality[0]["blocks"] == 3
    found = rolled(Small(prefix=1, read="pool"), GradientRollout(), *targets).values
    for k in range(2):
        helps = np.maximum(weights * gradients[k], 0).mean(1)
        matrix = np.eye(25)
        for block in helps[:3]:
            matrix = matrix + block @ matrix
        np.testing.assert_allclose(found[k, 0], (helps[3][0] @ matrix)[1:].reshape(4, 6), rtol=1e-9)


@pytest.mark.parametrize("own", [AttentionRollout(), GradientRollout()], ids=lambda own: own.name)
def test_a_pooling_head_that_is_not_used_does_not_count(own: Method) -> None:
    unused, plain = Small(read="unused"), Small()
    unused.load_state_dict(plain.state_dict(), strict=False)
    estimate = rolled(unused, own)
    assert estimate.quality[0]["read_from"] == "token 0"
    assert torch.equal(estimate.values, rolled(plain, own).values)


def test_uniform_attention_is_shared_out_evenly() -> None:
    model = Small(prefix=1)
    with torch.no_grad():
        for one in model.attentions:
            one.qkv.weight[:16].zero_()
            one.qkv.bias[:16].zero_()
    found = rolled(model, AttentionRollout()).values
    # Of the class token's share 1, an eighth stays on the residual path; the rest goes evenly to 25 tokens.
    assert torch.allclose(found, torch.full_like(found, (1 - 0.5**3) / 25), rtol=1e-12)


def test_plain_rollout_is_the_same_for_every_class_and_says_so() -> None:
    estimate = rolled(Small(), AttentionRollout(), 1, Probability(3))
    assert torch.equal(estimate.values[0], estimate.values[1])
    assert [quality["class_specific"] for quality in estimate.quality] == [False, False]
    assert "same for every class" in AttentionRollout.summary.lower()
    other = rolled(Small(), GradientRollout(), 1, 3)
    assert relative(other.values[0], other.values[1]) > 0.1
    assert all(quality["class_specific"] for quality in other.quality)


def test_shares_of_all_tokens_sum_to_one() -> None:
    for fusion in ("mean", "max", "min"):
        found = rolled(_timm("vit_relpos_small_patch16_224").double().eval(), AttentionRollout(fusion), prepared=TALL)
        assert found.quality[0]["prefix_tokens"] == 0
        assert found.values.sum().item() == pytest.approx(1, rel=1e-12)
        assert rolled(Small(prefix=3), AttentionRollout(fusion)).values.sum().item() < 1


def test_a_token_that_attends_to_nothing_is_no_division() -> None:
    blind = torch.ones(25, 25, dtype=torch.bool)
    blind[3] = False
    model = Small(mask=blind)
    found = rolled(model, AttentionRollout(residual=0)).values
    assert bool(torch.isfinite(found).all())
    assert found.any()
    assert bool(torch.isfinite(rolled(model, GradientRollout()).values).all())


def test_what_a_map_says_of_itself() -> None:
    quality = rolled(Small(prefix=2, read="both"), GradientRollout()).quality[0]
    assert quality["blocks"] == 3
    assert quality["grid"] == "4 x 6"
    assert quality["prefix_tokens"] == 2
    assert quality["read_from"] == "token 0 and 1"
    assert quality["recovered"] == "3 of 3 attentions from a fused kernel"
    assert quality["output_error"] < 1e-12
    patches = rolled(Small(method, prefix=4, read="mean"), AttentionRollout()).quality[0]
    assert patches["read_from"] == "mean of 24 patches"
    assert patches["recovered"] == "0 of 3 attentions from a fused kernel"
    lost = Small()
    nn.init.zeros_(lost.head.weight)
    assert "assumed" in rolled(lost, AttentionRollout()).quality[0]["read_from"]
    assert not rolled(lost, GradientRollout()).values.any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: AttentionRollout("median"),
        lambda: AttentionRollout(residual=1),
        lambda: AttentionRollout(residual=-0.1),
        lambda: AttentionRollout(residual=float("nan")),
        lambda: AttentionRollout(residual="half"),  # type: ignore[arg-type]
        lambda: AttentionRollout(start_layer=-1),
        lambda: GradientRollout(start_layer=True),
        lambda: GradientRollout(start_layer=1.0),  # type: ignore[arg-type]
    ],
)
def test_bad_parameters_are_refused(make: Callable[[], Method]) -> None:
    with pytest.raises(sw.InputError, match=r"head_fusion|residual|start_layer"):
        make()


@pytest.mark.parametrize("own", [AttentionRollout(start_layer=3), GradientRollout(start_layer=3)])
def test_a_start_beyond_the_last_block_is_refused(own: Method) -> None:
    with pytest.raises(sw.InputError, match="which has 3"):
        rolled(Small(), own)


def _timm(name: str, **options: Any) -> nn.Module:
    options = {"img_size": 32, "depth": 2, "embed_dim": 48, "num_heads": 3, "num_classes": 10, **options}
    return timm.create_model(name, **options)


def _hf(name: str, **options: Any) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{name}Config")
    suffix = "WithTeacher" if options.pop("teacher", False) else ""
    sizes = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 64}
    sizes |= {"image_size": 32, "patch_size": 8}
    if name in ("Siglip", "CLIP"):
        return getattr(transformers, f"{name}ForImageClassification")(config(vision_config=sizes, num_labels=10))
    return getattr(transformers, f"{name}ForImageClassification{suffix}")(config(**sizes | options, num_labels=10))


# How it is made; size of the picture; grid, tokens in front, what it is read from.
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int], str, int, str]] = {
    "timm vit": (lambda: _timm("vit_tiny_patch16_224", patch_size=8), (32, 32), "4 x 4", 1, "token 0"),
    "timm vit wide": (
        lambda: _timm("vit_tiny_patch16_224", patch_size=8, img_size=(24, 40)),
        (24, 40),
        "3 x 5",
        1,
        "token 0",
    ),
    "timm registers": (lambda: _timm("vit_small_patch14_reg4_dinov2", img_size=56), (56, 56), "4 x 4", 5, "token 0"),
    "timm registers, pooled": (
        lambda: _timm("vit_medium_patch16_reg4_gap_256", img_size=(32, 48)),
        (32, 48),
        "2 x 3",
        4,
        "mean of 6 patches",
    ),
    "timm distilled": (
        lambda: _timm("deit_tiny_distilled_patch16_224", patch_size=8),
        (32, 32),
        "4 x 4",
        2,
        "token 0 and 1",
    ),
    "timm beit": (lambda: _timm("beit_base_patch16_224"), (32, 32), "2 x 2", 1, "mean of 4 patches"),
    "timm dinov3": (lambda: _timm("vit_small_patch16_dinov3"), (32, 32), "2 x 2", 5, "mean of 4 patches"),
    "timm siglip": (lambda: _timm("vit_base_patch16_siglip_224"), (32, 32), "2 x 2", 0, "pooling head"),
    "timm naflex": (
        lambda: _timm("naflexvit_base_patch16_gap", img_size=None),
        (48, 64),
        "3 x 4",
        4,
        "mean of 12 patches",
    ),
    "torchvision": (
        lambda: torchvision.models.VisionTransformer(32, 8, 2, 3, 48, 96, num_classes=10),
        (32, 32),
        "4 x 4",
        1,
        "token 0",
    ),
    "hf vit": (lambda: _hf("ViT"), (32, 32), "4 x 4", 1, "token 0"),
    "hf vit wide": (lambda: _hf("ViT", image_size=(24, 40)), (24, 40), "3 x 5", 1, "token 0"),
    "hf deit": (lambda: _hf("DeiT"), (32, 32), "4 x 4", 2, "token 0"),
    "hf distilled": (lambda: _hf("DeiT", teacher=True), (32, 32), "4 x 4", 2, "token 0 and 1"),
    "hf dinov2": (lambda: _hf("Dinov2"), (32, 32), "4 x 4", 1, "token 0"),
    "hf registers": (lambda: _hf("Dinov2WithRegisters"), (32, 32), "4 x 4", 5, "token 0"),
    "hf beit": (lambda: _hf("Beit"), (32, 32), "4 x 4", 1, "mean of 16 patches"),
    "hf siglip": (lambda: _hf("Siglip"), (32, 32), "4 x 4", 0, "mean of 16 patches"),
    "hf clip": (lambda: _hf("CLIP"), (32, 32), "4 x 4", 1, "mean of 16 patches"),
}


def _eager(model: nn.Module) -> nn.Module:
    """The same model with its attention written as softmax and matmul."""
    twin = copy.deepcopy(model)
    if hasattr(twin, "set_attn_implementation"):
        twin.set_attn_implementation("eager")
    for part in twin.modules():
        if getattr(part, "fused_attn", False) is True:
            part.fused_attn = False
    return twin


@pytest.mark.parametrize("name", MODELS)
def test_transformers_of_the_libraries(name: str) -> None:
    make, size, grid, prefix, read = MODELS[name]
    torch.manual_seed(0)
    model = fill(make().double())
    prepared = picture(*size)
    for own in (AttentionRollout(), GradientRollout()):
        estimate = rolled(model, own, 1, 7, prepared=prepared)
        height, width = map(int, grid.split(" x "))
        assert estimate.values.shape == (2, 1, height, width)
        quality = estimate.quality[0]
        assert (quality["grid"], quality["prefix_tokens"], quality["read_from"]) == (grid, prefix, read)
        assert quality["blocks"] == 2
        assert quality["recovered"].startswith(str(2 + (name == "timm siglip")))
        assert bool((estimate.values >= 0).all())
        assert estimate.values.any()
        # Hugging Face's eager attention takes its softmax in float32, whatever the model's type.
        written = rolled(_eager(model), own, 1, 7, prepared=prepared)
        assert relative(written.values, estimate.values) < (1e-5 if name.startswith("hf") else 1e-9)
        if name != "torchvision":
            assert written.quality[0]["recovered"].startswith("0 of")


def test_the_attentions_are_those_that_hugging_face_returns() -> None:
    model = fill(_eager(_hf("Dinov2WithRegisters")).double())
    problem = problem_of(model, picture(32, 32), [0])
    wanted = model(problem._model_input(problem.pixels[None]), output_attentions=True).attentions
    found = problem.attentions(problem.pixels[None]).states[0]
    assert torch.allclose(found, torch.stack(wanted, dim=1).detach(), rtol=1e-6)


@pytest.mark.parametrize("own", [AttentionRollout(), GradientRollout()], ids=lambda own: own.name)
def test_the_model_is_untouched(own: Method) -> None:
    model = fill(_hf("ViT"))
    model.train()
    before, implementation = copy.deepcopy(model.config.to_dict()), model.config._attn_implementation
    state = torch.get_rng_state()
    with sw.ModelGuard(model):
        values = rolled(model, own, 1, 7, prepared=picture(32, 32)).values
    assert model.config.to_dict() == before
    assert model.config._attn_implementation == implementation == "sdpa"
    assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        assert torch.equal(rolled(model, own, 1, 7, prepared=picture(32, 32)).values, values)
    with torch.inference_mode():
        assert torch.equal(rolled(model, own, 1, 7, prepared=picture(32, 32)).values, values)


def test_targets_share_the_forward_passes() -> None:
    passes: list[int] = []

    class Counting(Small):
        def forward(self, x: Tensor) -> Tensor:
            passes.append(len(x))
            return super().forward(x)

    problem = problem_of(Counting(), PICTURE, [0, 1, 2, 3])
    problem.outputs(problem.pixels[None])
    for own in (AttentionRollout(), GradientRollout()):
        passes.clear()
        list(own.estimates(problem))
        assert passes == [1, 1]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("own", [AttentionRollout(), GradientRollout()], ids=lambda own: own.name)
def test_it_computes_in_the_models_type(own: Method, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = fill(_timm("vit_tiny_patch16_224", patch_size=8).double())
    exact = rolled(model, own, prepared=picture(32, 32)).values
    estimate = rolled(model.to(dtype), own, prepared=picture(32, 32))
    assert estimate.values.dtype is (torch.float64 if dtype is torch.float64 else torch.float32)
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5}.get(dtype, 0.05)
    assert relative(estimate.values.double(), exact) < tolerance


def test_an_attribution_names_its_unit_and_its_one_channel() -> None:
    model = fill(_timm("vit_tiny_patch16_224", patch_size=8))
    image = torch.rand(3, 32, 32)
    plain = sw.explain(model, image, target=1, method="attention-rollout")
    assert isinstance(plain, sw.Attribution)
    assert plain.values.shape == (1, 4, 4)
    assert plain.unit == "share of attention"
    assert plain.channels == ("map",)
    assert plain.quality["class_specific"] is False
    weighted = sw.explain(model, image, target=[1, 2], method=sw.GradientRollout())
    assert isinstance(weighted, list)
    assert [one.unit for one in weighted] == ["relevance (no unit)"] * 2
    gradient = sw.explain(model, image, target=1)
    assert isinstance(gradient, sw.Attribution)
    assert gradient.unit.startswith("logit per")


@pytest.mark.parametrize("own", ["attention-rollout", "gradient-rollout"])
def test_a_convolutional_net_is_refused_with_a_sentence(own: str) -> None:
    model = torchvision.models.resnet18(num_classes=10).eval()
    with pytest.raises(sw.ModelError, match="convolutional net has none"):
        sw.explain(model, torch.rand(3, 64, 64), target=1, method=own)


def test_weights_that_move_lead_to_one_snapshot() -> None:
    model = Small()

    class Moving(AttentionRollout):
        def _fold(self, state: Tensor | None, block: Any) -> Tensor:
            if not moved:
                moved.append(1)
                with torch.no_grad():
                    model.head.weight.add_(1)
            return super()._fold(state, block)

    moved: list[int] = []
    problem = problem_of(model, PICTURE, [1])
    (estimate,) = Moving().estimates(problem)
    assert problem.provenance["shadow"] == "snapshot"
    assert torch.equal(estimate.values, rolled(model, AttentionRollout()).values)
