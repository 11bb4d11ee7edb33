"""Attention is recovered exactly, however a model spells it; what cannot be is refused with the reason."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from saliency_widget.engine import attention_writer
from saliency_widget.engine.attention import Block
from saliency_widget.engine.attention_calls import attention_weights
from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError, ModelError
from saliency_widget.targets import Logit, Probability
from tests.engine.support import fill, picture, problem_of, relative
from tests.engine.transformers import SPELLINGS, Attention, MultiHead, Small, by_hand, fused, left, method, scaled

TARGETS = [Logit(1), Probability(3)]


def small_problem(model: nn.Module, **options: Any) -> Problem:
    return problem_of(model, picture(8, 12), TARGETS, **options)


def inputs_of(problem: Problem, batch: Tensor) -> Tensor:
    return problem._model_input(batch).detach()


CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "scale": {"scale": 0.3},
    "bool": {"attn_mask": torch.rand(2, 1, 5, 5, generator=torch.Generator().manual_seed(1)) > 0.3},
    "float": {"attn_mask": torch.linspace(-2, 2, 25, dtype=torch.float64).view(5, 5)},
    "blind": {"attn_mask": torch.ones(5, 5, dtype=torch.bool).tril(-1)},
    "blind float": {"attn_mask": torch.full((5, 5), -torch.inf, dtype=torch.float64).triu()},
    "causal": {"is_causal": True},
    "grouped": {"enable_gqa": True},
}


@pytest.mark.parametrize("name", CALLS)
def test_the_weights_of_the_fused_kernel(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    options = CALLS[name]
    q, k, v = (torch.randn(2, 4, 5, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3))
    if name == "grouped":
        k, v = (one.detach()[:, :2].requires_grad_() for one in (k, v))
    weights = attention_weights(q, k, **options)
    values = v.repeat_interleave(2, dim=1) if name == "grouped" else v
    wanted = F.scaled_dot_product_attention(q, k, v, **options)
    assert torch.allclose(weights @ values, wanted, rtol=1e-12, atol=1e-14)
    direction = torch.randn(wanted.shape, generator=generator, dtype=torch.float64)
    own = torch.autograd.grad((weights @ values * direction).sum(), (q, k, v))
    assert all(bool(torch.isfinite(one).all()) for one in own)
    if not name.startswith("blind"):
        theirs = torch.autograd.grad((wanted * direction).sum(), (q, k, v))
        for one, other in zip(own, theirs, strict=True):
            assert torch.allclose(one, other, rtol=1e-10, atol=1e-13)


def test_half_precision_is_computed_in_float32() -> None:
    q, k = torch.randn(2, 1, 5, 4).bfloat16(), torch.randn(2, 1, 5, 4).bfloat16()
    weights = attention_weights(q, k)
    assert weights.dtype is torch.float32
    assert torch.allclose(weights, attention_weights(q.double(), k.double()).float(), rtol=1e-5)


MASK = torch.rand(25, 25, generator=torch.Generator().manual_seed(5)) > 0.4
MASK |= torch.eye(25, dtype=torch.bool)


@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
@pytest.mark.parametrize("name", [*SPELLINGS, "mha", "mha tnc", "mha weights"])
def test_every_spelling_gives_the_weights_and_their_gradients(name: str, mask: Tensor | None) -> None:
    plain = Small(method, mask=mask)
    model = Small(SPELLINGS.get(name, fused), mask=mask)
    if name.startswith("mha"):
        options = {"batch_first": name != "mha tnc", "need_weights": name == "mha weights"}
        model.attentions = nn.ModuleList(MultiHead(one, **options) for one in model.attentions).eval()
    problem = small_problem(model)
    batch = torch.rand(3, 3, 8, 12, dtype=torch.float64)
    weights, gradients = by_hand(plain, inputs_of(problem, batch), TARGETS)
    found = problem.attentions(batch)
    assert found.states[0].shape == (3, 3, 2, 25, 25)
    assert torch.allclose(found.states[0], weights, rtol=1e-9, atol=1e-14)
    both = problem.attentions(batch, gradients=True)
    assert len(both.states) == 2
    for k in range(2):
        assert torch.allclose(both.states[k][:, :, 0], weights, rtol=1e-9, atol=1e-14)
        assert relative(both.states[k][:, :, 1], gradients[k]) < 1e-9
    outputs = plain(inputs_of(problem, batch))
    scores = torch.stack([target.score(outputs) for target in TARGETS], dim=1)
    assert torch.allclose(both.scores, scores, rtol=1e-12)
    assert torch.allclose(found.scores, scores, rtol=1e-12)
    if mask is not None:
        assert not found.states[0][..., ~mask].any()
    assert found.tokens.fused == (3 if name in ("fused", "by_name", "mha", "mha tnc") else 0)
    assert (found.tokens.blocks, found.tokens.height, found.tokens.width, found.tokens.prefix) == (3, 4, 6, 1)
    assert found.error < 1e-12


def test_what_multiplies_the_values_counts() -> None:
    problem = small_problem(Small(scaled))
    weights, _ = by_hand(Small(method), inputs_of(problem, problem.pixels[None]), TARGETS)
    found = problem.attentions(problem.pixels[None]).states[0]
    assert torch.allclose(found, weights / 2, rtol=1e-9)


def test_causal_attention_in_a_torch_encoder() -> None:
    class Encoder(nn.Module):
        def __init__(self, causal: bool) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.embed = nn.Conv2d(3, 8, 2, 2)
            layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2)
            self.head = nn.Linear(8, 5)
            self.causal = causal

        def forward(self, x: Tensor) -> Tensor:
            x = self.embed(x).flatten(2).transpose(1, 2)
            mask = (
                nn.Transformer.generate_square_subsequent_mask(x.shape[1], x.device, x.dtype) if self.causal else None
            )
            return self.head(self.encoder(x, mask=mask, is_causal=self.causal).mean(1))

    for causal in (False, True):
        model = Encoder(causal).double().eval()
        found = small_problem(model).attentions(picture(8, 12).pixels[None])
        assert found.states[0].shape == (1, 2, 2, 24, 24)
        assert bool(found.states[0].triu(1).any()) is not causal
        assert torch.allclose(found.states[0].sum(-1), torch.ones(1, 2, 2, 24, dtype=torch.float64))
        assert (found.tokens.height, found.tokens.width, found.tokens.prefix) == (4, 6, 0)


def test_rows_and_chunks_do_not_matter() -> None:
    batch = torch.rand(5, 3, 8, 12, dtype=torch.float64)
    whole = small_problem(Small(), chunk=5).attentions(batch, gradients=True)
    for chunk in (1, 2, None):
        cut = small_problem(Small(), chunk=chunk).attentions(batch, gradients=True)
        for one, other in zip(cut.states, whole.states, strict=True):
            assert relative(one, other) < 1e-12


def test_what_is_kept_of_a_model_with_a_pooling_head() -> None:
    problem = small_problem(Small(read="pool"))
    weights = problem.attentions(problem.pixels[None]).states[0]
    both = problem.attentions(problem.pixels[None], gradients=True)
    assert both.tokens.pooled
    assert not both.read.any()
    assert both.states[1].shape == (1, 3, 2, 2, 25, 25)
    assert torch.equal(both.states[1][:, :, 0], weights)


def test_the_order_in_which_blocks_come() -> None:
    seen: list[tuple[int, bool]] = []

    def note(state: Tensor | None, block: Block) -> Tensor:
        seen.append((block.index, block.gradient is not None))
        return block.weights[:, 0, 0]

    problem = small_problem(Small())
    problem.attentions(problem.pixels[None], note)
    assert seen == [(0, False), (1, False), (2, False)]
    seen.clear()
    problem.attentions(problem.pixels[None], note, gradients=True)
    assert seen == [(2, True), (1, True), (0, True)] * 2


READS = {
    "class": [1.0, 0, 0],
    "both": [0.5, 0.5, 0],
    "mean": [0, 0, 0, *[1 / 24] * 24],
    "all": [1.0, 0, 0],
}


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("read", READS)
def test_the_tokens_that_are_read_are_measured(read: str, gradients: bool) -> None:
    problem = small_problem(Small(prefix=3, read=read))
    found = problem.attentions(problem.pixels[None], gradients=gradients)
    wanted = torch.tensor(READS[read] + [0.0] * (27 - len(READS[read])), dtype=torch.float64)
    assert found.found
    assert torch.allclose(found.read, wanted)


def test_a_head_of_zeros_tells_nothing() -> None:
    model = Small()
    with torch.no_grad():
        model.head.weight.zero_()
    found = small_problem(model).attentions(picture(8, 12).pixels[None])
    assert not found.found
    assert found.read.tolist() == [1.0] + [0.0] * 24


def test_gradients_that_the_model_switches_off() -> None:
    class Frozen(Small):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                return super().forward(x)

    for gradients in (False, True):
        plain = small_problem(Small()).attentions(picture(8, 12).pixels[None], gradients=gradients)
        frozen = small_problem(Frozen()).attentions(picture(8, 12).pixels[None], gradients=gradients)
        assert torch.equal(plain.states[0], frozen.states[0])
        assert frozen.found


def test_a_score_behind_detach_has_no_gradient() -> None:
    class Detached(Small):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach()

    problem = small_problem(Detached())
    assert not problem.attentions(problem.pixels[None]).found
    with pytest.raises(ModelError, match="no gradient leads"):
        problem.attentions(problem.pixels[None], gradients=True)


def test_a_block_behind_detach_has_the_gradient_zero() -> None:
    class Partly(Small):
        def block(self, x: Tensor, index: int) -> Tensor:
            return super().block(x.detach() if index == 2 else x, index)

    problem = small_problem(Partly())
    found = problem.attentions(problem.pixels[None], gradients=True).states[0][0, :, 1]
    assert not found[:2].any()
    assert found[2].any()


def test_checkpointing() -> None:
    plain = small_problem(Small()).attentions(picture(8, 12).pixels[None], gradients=True)
    again = small_problem(Small(checkpointing=False)).attentions(picture(8, 12).pixels[None], gradients=True)
    for one, other in zip(again.states, plain.states, strict=True):
        assert torch.equal(one, other)
    problem = small_problem(Small(checkpointing=True))
    assert torch.equal(problem.attentions(problem.pixels[None]).states[0], plain.states[0][:, :, 0])
    with pytest.raises(ModelError, match="checkpointing"):
        problem.attentions(problem.pixels[None], gradients=True)


def test_weights_that_are_not_a_number_are_not_hidden() -> None:
    model = Small()
    with torch.no_grad():
        model.attentions[1].qkv.weight.fill_(torch.nan)
    problem = small_problem(model)
    for gradients in (False, True):
        state = problem.attentions(problem.pixels[None], gradients=gradients).states[0]
        assert bool(torch.isnan(state).any())


def test_an_attention_that_is_not_the_kernels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(query: Tensor, key: Tensor, *rest: Any) -> Tensor:
        return attention_weights(query * 1.001, key, *rest)

    monkeypatch.setattr(attention_writer, "attention_weights", wrong)
    problem = small_problem(Small())
    for gradients in (False, True):
        with pytest.raises(ModelError, match="could not be recovered"):
            problem.attentions(problem.pixels[None], gradients=gradients)


class Custom(Small):
    """One block of another kind."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def block(self, x: Tensor, index: int) -> Tensor:
        if index != 1:
            return super().block(x, index)
        attention: Attention = self.attentions[1]  # type: ignore[assignment]
        q, k, v = attention.qkv(self.norms[1](x)).unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        if self.kind == "talking heads":
            weights = (q @ k.mT).softmax(-1).permute(0, 2, 3, 1)
            mixed = (weights @ x.new_tensor([[0.5, 0.5], [0.1, 0.9]])).permute(0, 3, 1, 2)
            y = mixed @ v
        elif self.kind == "left":
            y = left(q, k, v, None)
        elif self.kind == "differential":
            y = ((q @ k.mT).softmax(-1) - 0.5 * (k @ q.mT).softmax(-1)) @ v
        elif self.kind == "fused differential":
            y = F.scaled_dot_product_attention(q, k, v) - 0.5 * F.scaled_dot_product_attention(k, q, v)
        elif self.kind == "parallel":
            return super().block(x, 0) + super().block(x, 2)
        elif self.kind == "windows":
            y = F.scaled_dot_product_attention(
                *(one[:, :, 1:].unflatten(2, (4, 6)).transpose(1, 2).flatten(0, 1) for one in (q, k, v))
            )
            y = F.pad(y.unflatten(0, (-1, 4)).transpose(1, 2).flatten(2, 3), (0, 0, 1, 0))
        elif self.kind == "pooled keys":
            y = F.scaled_dot_product_attention(q, k[:, :, ::2], v[:, :, ::2])
        elif self.kind == "channels":
            y = ((q.mT @ k).softmax(-1) @ v.mT).mT
        else:
            raise AssertionError(self.kind)
        return x + attention.out(y.transpose(1, 2).flatten(2))


REASONS = {
    "talking heads": "talking heads",
    "left": "cannot be followed",
    "differential": "negative",
    "fused differential": "side by side",
    "parallel": "side by side",
    "windows": "within windows",
    "pooled keys": "25 queries for 13 keys",
    "channels": "channels",
}


@pytest.mark.parametrize("kind", REASONS)
def test_what_is_no_graph_over_tokens_is_refused_with_the_reason(kind: str) -> None:
    problem = small_problem(Custom(kind))
    problem.gradients(problem.pixels[None])
    with pytest.raises(ModelError, match=REASONS[kind]):
        problem.attentions(problem.pixels[None])


REFUSED: dict[str, tuple[Callable[[], nn.Module], int, str]] = {
    "resnet": (lambda: torchvision.models.resnet18(num_classes=10), 64, "no self-attention was found"),
    "swin": (
        lambda: timm.create_model("swin_tiny_patch4_window7_224", img_size=56, depths=(2, 2, 1, 1), num_classes=10),
        56,
        "within windows",
    ),
    "torchvision swin": (
        lambda: torchvision.models.SwinTransformer([4, 4], 12, [1, 1], [2, 2], [4, 4], num_classes=10),
        32,
        "within windows",
    ),
    "levit": (lambda: timm.create_model("levit_128s", num_classes=10), 224, "49 queries for 196 keys"),
    "cait": (lambda: timm.create_model("cait_xxs24_224", img_size=64, depth=2, num_classes=10), 64, "class attention"),
    "xcit": (lambda: timm.create_model("xcit_nano_12_p16_224", img_size=64, depth=2, num_classes=10), 64, "channels"),
    "pvt": (lambda: timm.create_model("pvt_v2_b0", num_classes=10), 64, "256 queries for 4 keys"),
    "parallel": (
        lambda: timm.create_model(
            "vit_small_patch16_18x2_224", img_size=32, depth=2, embed_dim=48, num_heads=3, num_classes=10
        ),
        32,
        "side by side",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_architectures_that_cannot_be_rolled_out(name: str) -> None:
    make, size, reason = REFUSED[name]
    problem = problem_of(fill(make()), picture(size, size), [1])
    with pytest.raises(ModelError, match=reason) as caught:
        problem.attentions(problem.pixels[None])
    assert "such as the gradient" in str(caught.value)


def test_no_target_and_a_bad_batch_are_refused() -> None:
    problem = problem_of(Small(), picture(8, 12), [])
    with pytest.raises(InputError, match="targets"):
        problem.attentions(problem.pixels[None])
    with pytest.raises(InputError, match="batch"):
        small_problem(Small()).attentions(torch.rand(3, 8, 12))


def test_a_fold_that_raises_leaves_nothing_behind() -> None:
    def broken(state: Tensor | None, block: Block) -> Tensor:
        raise ValueError("mine")

    model = Small()
    problem = small_problem(model)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ModelError, match="mine"):
        problem.attentions(problem.pixels[None], broken)
    with pytest.raises(ValueError, match="mine"):
        problem.attentions(problem.pixels[None], broken, gradients=True)
    for gradients in (False, True):
        problem.attentions(problem.pixels[None], gradients=gradients)
    assert torch.is_grad_enabled()
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
