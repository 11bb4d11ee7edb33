"""Convolutions with weights as oneDNN wants them: the same numbers, or PyTorch's own operators."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from saliency_widget.engine import packed
from saliency_widget.engine.packed import Kernel, Packed, can_be_packed, is_available

pytestmark = pytest.mark.skipif(not is_available(), reason="this PyTorch has no such operators")

SHAPES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "1 x 1": ({"out_channels": 8, "kernel_size": 1}, (2, 6, 9, 7)),
    "3 x 3": ({"out_channels": 8, "kernel_size": 3, "padding": 1}, (1, 6, 9, 7)),
    "a stride that leaves a rest": ({"out_channels": 4, "kernel_size": 3, "stride": 2}, (3, 6, 12, 9)),
    "a stride larger than the kernel": ({"out_channels": 4, "kernel_size": 1, "stride": 3}, (1, 6, 12, 9)),
    "two strides": ({"out_channels": 4, "kernel_size": (5, 3), "stride": (3, 1), "padding": (2, 0)}, (1, 6, 13, 9)),
    "dilated": ({"out_channels": 4, "kernel_size": 3, "dilation": 2, "padding": 2}, (1, 6, 9, 9)),
    "much padding": ({"out_channels": 4, "kernel_size": 1, "padding": 3}, (1, 6, 5, 5)),
    "depthwise": ({"out_channels": 6, "kernel_size": 3, "padding": 1, "groups": 6}, (2, 6, 9, 9)),
    "groups": ({"out_channels": 4, "kernel_size": 3, "groups": 2, "bias": False}, (1, 6, 9, 9)),
    "padding by a word": ({"out_channels": 4, "kernel_size": 3, "padding": "same"}, (1, 6, 9, 9)),
    "padding with what is there": (
        {"out_channels": 4, "kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
        (1, 6, 9, 9),
    ),
}


def pair(**options: Any) -> tuple[nn.Conv2d, nn.Conv2d]:
    """A convolution, and the same one packed."""
    torch.manual_seed(0)
    plain = nn.Conv2d(6, **options).requires_grad_(False)
    quick = nn.Conv2d(6, **options).requires_grad_(False)
    quick.load_state_dict(plain.state_dict())
    dict.__setitem__(quick._parameters, "weight", packed.packed(plain.weight.detach()))
    return plain, quick


def kernels(conv: nn.Module) -> list[Kernel | None]:
    weight = conv._parameters["weight"]
    assert isinstance(weight, Packed)
    return [*weight.kernels.values()]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", SHAPES)
def test_output_and_derivatives_are_the_same(name: str, layout: torch.memory_format) -> None:
    options, shape = SHAPES[name]
    plain, quick = pair(**options)
    found = []
    for conv in (plain, quick):
        leaf = torch.rand(shape, generator=torch.Generator().manual_seed(1)).requires_grad_()
        output = conv(leaf.contiguous(memory_format=layout))
        (first,) = torch.autograd.grad(output.square().sum(), leaf, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), leaf)
        found.append((output.detach(), first.detach(), second))
    for ours, wanted in zip(found[1], found[0], strict=True):
        assert torch.allclose(ours, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
    assert all(kernels(quick)), "the operators were used"
    assert (len(kernels(quick)) == 1) is (name != "padding by a word")


def test_the_derivative_is_vmapped() -> None:
    plain, quick = pair(out_channels=4, kernel_size=3, stride=2)
    leaf = torch.rand(2, 6, 9, 9).requires_grad_()
    directions = torch.randn(5, *plain(leaf).shape)
    found = []
    for conv in (plain, quick):
        output = conv(leaf)

        def one(direction: Tensor, output: Tensor = output) -> Tensor:
            return torch.autograd.grad(output, leaf, direction, retain_graph=True)[0]

        found.append(torch.func.vmap(one)(directions))
    assert torch.allclose(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_other_sizes_and_rows_use_the_same_weights() -> None:
    plain, quick = pair(out_channels=4, kernel_size=3, stride=2, padding=1)
    for shape in ((1, 6, 16, 16), (5, 6, 16, 16), (2, 6, 9, 30)):
        x = torch.rand(shape)
        assert torch.allclose(plain(x), quick(x), rtol=1e-4, atol=1e-5)
    assert len(kernels(quick)) == 1


def test_a_bias_of_each_call_counts() -> None:
    _, quick = pair(out_channels=4, kernel_size=1)
    x, weight = torch.rand(1, 6, 3, 3), quick._parameters["weight"]
    zero = torch.conv2d(x, weight, torch.zeros(4))
    for number in (1.0, 2.0):
        assert torch.allclose(torch.conv2d(x, weight, torch.full((4,), number)), zero + number, atol=1e-5)
    moving = torch.ones(4, requires_grad=True)
    torch.conv2d(x, weight, moving).sum().backward()
    assert moving.grad is not None


@pytest.mark.parametrize("x", [torch.rand(6, 9, 9), torch.rand(1, 6, 9, 9).double(), torch.rand(0, 6, 9, 9)])
def test_what_the_operators_are_not_made_for_is_left_to_torch(x: Tensor) -> None:
    plain, quick = pair(out_channels=4, kernel_size=3)
    if x.dtype is torch.float64:
        with pytest.raises(RuntimeError, match="type"):
            quick(x)
        return
    assert torch.equal(plain(x), quick(x))
    assert kernels(quick) == []


def test_a_picture_that_is_too_small_is_refused_in_the_words_of_torch() -> None:
    plain, quick = pair(out_channels=4, kernel_size=3)
    quick(torch.rand(1, 6, 9, 9))
    for shape in ((1, 6, 2, 2), (1, 5, 9, 9)):
        words = []
        for conv in (plain, quick):
            with pytest.raises(RuntimeError) as caught:
                conv(torch.rand(shape))
            words.append(str(caught.value))
        assert words[0] == words[1]


@pytest.mark.parametrize("wrong", ["convolved", "transposed", "raises"])
def test_operators_that_do_something_else_are_not_used(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    plain, quick = pair(out_channels=4, kernel_size=3)
    if wrong == "raises":

        def refuse(*_: Any) -> Tensor:
            raise RuntimeError("no such schema")

        monkeypatch.setattr(Kernel, "convolved", refuse)
    else:
        right = getattr(Kernel, wrong)
        monkeypatch.setattr(Kernel, wrong, lambda *given: right(*given) * 1.001)
    x = torch.rand(1, 6, 9, 9)
    assert torch.equal(plain(x), quick(x))
    assert kernels(quick) == [None]


def test_under_autocast_torch_decides() -> None:
    _, quick = pair(out_channels=4, kernel_size=3)
    with torch.autocast("cpu", torch.bfloat16):
        assert quick(torch.rand(1, 6, 9, 9)).dtype is torch.bfloat16


def test_to_all_else_it_is_the_weight() -> None:
    plain, quick = pair(out_channels=4, kernel_size=3)
    weight = quick._parameters["weight"]
    assert weight is not None
    assert torch.equal(weight * 2, plain.weight * 2)
    assert type(weight * 2) is Tensor
    assert not can_be_packed(torch.rand(3, 3))
    assert not can_be_packed(torch.rand(3, 3, 3, 3).double())
