"""What is looked at before each run, at a glance and closely: nothing that changes a map goes unseen."""

from __future__ import annotations

import gc
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from saliency_widget.engine.devices import CPU, neutral
from saliency_widget.engine.fingerprint import Fingerprint
from saliency_widget.engine.motion import Mark, Sampling
from saliency_widget.engine.pristine import as_they_were
from saliency_widget.engine.shadow import shadow_of
from saliency_widget.engine.ways import BOTH, CHANNELS_LAST, FOLDED
from saliency_widget.engine.witness import Witness
from tests.engine.support import explain, fill, picture, plainly, problem_of, relative
from tests.engine.test_shadow import Net

# -- the tree -------------------------------------------------------------------------------------------------------


class Tree(Net):
    """Has attributes of all sorts, and a part that holds nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing, self.size, self.eps = nn.Identity(), (8, 8), 1e-5
        self.other = nn.Linear(8, 5)
        self.config, self.sizes = {"a": 1, "mean": (0.5, 0.5)}, [1, 2]


def last_weight_to_the_next_part(model: Tree) -> None:
    # The parameters of the whole tree stay the same, in the same order.
    bias = model.head._parameters.pop("bias")
    model.nothing._parameters["bias"] = bias


def another_order(model: Tree) -> None:
    held = model.head._parameters
    model.head._parameters = {"bias": held["bias"], "weight": held["weight"]}  # type: ignore[assignment]


CHANGES: dict[str, Callable[[Tree], Any]] = {
    "a number": lambda m: setattr(m, "eps", 1e-6),
    "a number of a part": lambda m: setattr(m.block.bn, "eps", 1e-3),
    "a tuple": lambda m: setattr(m.stem, "stride", (2, 2)),
    "a new attribute": lambda m: setattr(m.block, "more", 1),
    "an attribute less": lambda m: delattr(m.block.drop, "p"),
    "an attribute by another name": lambda m: m.block.drop.__dict__.update(q=m.block.drop.__dict__.pop("p")),
    "a new part": lambda m: setattr(m, "head", nn.Linear(8, 5)),
    "a part more": lambda m: m.nothing.add_module("new", nn.Identity()),
    "a part less": lambda m: delattr(m, "nothing"),
    "a part that is none": lambda m: setattr(m, "nothing", None),
    "parts that change places": lambda m: m._modules.update(head=m.other, other=m.head),
    "a new parameter": lambda m: setattr(m.head, "bias", nn.Parameter(torch.ones(5))),
    "a parameter more": lambda m: m.nothing.register_parameter("new", nn.Parameter(torch.ones(1))),
    "a parameter that moves on": last_weight_to_the_next_part,
    "another order": another_order,
    "a new buffer": lambda m: setattr(m.block.bn, "running_mean", torch.ones(8)),
    "a buffer more": lambda m: m.nothing.register_buffer("new", torch.ones(1)),
    "a forward hook": lambda m: m.stem.register_forward_hook(lambda *_: None),
    "a hook before forward": lambda m: m.stem.register_forward_pre_hook(lambda *_: None),
    "a backward hook": lambda m: m.stem.register_full_backward_hook(lambda *_: None),
    "a hook before backward": lambda m: m.stem.register_full_backward_pre_hook(lambda *_: None),
    "a forward": lambda m: setattr(m.block, "forward", lambda x: x),
    "inside a dict": lambda m: m.config.update(a=2),
    "the order of a dict": lambda m: setattr(m, "config", dict(reversed(m.config.items()))),
    "inside a list": lambda m: m.sizes.append(3),
}


def tree() -> Tree:
    model = Tree()
    # As in older versions of torch.
    model.block._modules = OrderedDict(model.block._modules)  # type: ignore[assignment]
    return model


@pytest.mark.parametrize("looks", [0, 1, 3])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_the_tree_is_seen(name: str, looks: int) -> None:
    model = tree()
    found = Fingerprint(model)
    assert all(found.matches() for _ in range(looks))
    CHANGES[name](model)
    assert not found.matches()


def test_a_glance_tells_of_nearly_everything() -> None:
    model = tree()
    found = Fingerprint(model)
    assert found.matches()
    assert found._glance is not None
    assert [node.reference() for node in found._glance.rest] == [model]
    glance = found._glance
    assert glance.matches()
    assert found.matches()
    assert found._glance is glance


def test_modes_and_equal_values_change_nothing() -> None:
    model = tree()
    found = Fingerprint(model)
    for change in (model.train, model.eval, model.block.train, lambda: setattr(model.block.bn, "eps", float("1e-5"))):
        assert found.matches()
        change()
    assert found.matches()
    # Told at a glance again.
    assert found._glance is not None
    assert found._glance.matches()


def test_what_is_looked_at_is_not_kept_alive() -> None:
    model = fill(tree())
    model.block.parent = (model,)
    for _ in range(3):
        explain(model, picture(8, 8), 1)
    # Into a dictionary that was looked at when it was empty.
    model.stem.register_forward_hook(lambda *_, model=model: None)
    part, old = weakref.ref(model), weakref.ref(model.other)
    del model.other
    gc.collect()
    assert old() is None
    del model
    gc.collect()
    assert part() is None


def test_a_part_that_is_gone_is_another_even_at_the_same_address() -> None:
    model = tree()
    found = Fingerprint(model)
    assert found.matches()
    assert found.matches()
    for _ in range(20):
        # The new one often gets the address of the old one.
        del model.nothing
        model.nothing = nn.Identity()
        assert not found.matches()


# -- weights --------------------------------------------------------------------------------------------------------


class Offset(Net):
    """Reads the shape and the type of its buffer, and a square weight."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.linspace(0.1, 0.8, 8, dtype=torch.float64))
        self.square = nn.Parameter(torch.randn(8, 8, dtype=torch.float64))

    def middle(self, x: Tensor) -> Tensor:
        x = torch.einsum("nchw,cd->ndhw", self.block(x), self.square)
        return x * self.offset.sum() * self.offset.element_size()


def another_type(model: Offset) -> None:
    model.offset.data = model.offset.data.float()


def turned(model: Offset) -> None:
    # At the same place in memory.
    place = model.square.data_ptr()
    model.square.data = model.square.data.t()
    assert model.square.data_ptr() == place


def written_through_numpy(model: Offset) -> None:
    model.square.detach().numpy()[0, 0] += 3


def at_the_same_place(model: Offset) -> None:
    storage = model.square.data
    model.square.data = torch.empty(0, dtype=torch.float64).set_(storage.untyped_storage(), 0, (4, 4), (8, 1))
    model.square.data = torch.cat([torch.cat([model.square.data] * 2)] * 2, 1)


MOVED: dict[str, Callable[[Offset], Any]] = {
    "a buffer that would be broadcast": lambda m: setattr(m.offset, "data", m.offset.data[:1].clone()),
    "a buffer with a dimension more": lambda m: setattr(m.offset, "data", m.offset.data.repeat(2, 1)),
    "a buffer of another type": another_type,
    "a buffer's single number": lambda m: m.offset.data[3:4].add_(1),
    "strides": turned,
    "numpy": written_through_numpy,
    "storage": at_the_same_place,
}


@pytest.mark.parametrize("name", MOVED)
def test_the_next_run_sees_tensors_as_they_are(name: str) -> None:
    torch.manual_seed(0)
    model = fill(Offset().double())
    for _ in range(3):
        before = explain(model, picture(8, 8), 1)[0]
    replica = shadow_of(model)._shared.replica
    MOVED[name](model)
    wanted = plainly(model, picture(8, 8), 1)
    assert relative(before, wanted) > 1e-3
    assert relative(explain(model, picture(8, 8), 1)[0], wanted) < 1e-12
    assert shadow_of(model)._shared.replica is replica


def marked(model: nn.Module) -> tuple[Callable[[], Mark], list[Any]]:
    views = [(weakref.ref(one), nn.Parameter(one.detach(), requires_grad=False)) for one in model.parameters()]
    sampling = Sampling()
    return lambda: Mark(views, sampling), views


def test_a_mark_sees_signs_and_nothing_where_nothing_moves() -> None:
    model = fill(Net())
    with torch.no_grad():
        model.head.bias[0] = float("nan")
    mark, _ = marked(model)
    for tensor in model.parameters():
        made = mark()
        assert not made.moved()
        # No version counter sees it, and no norm.
        tensor.data.neg_()
        assert made.moved()


def test_a_mark_looks_at_what_is_trained_by_then_and_lies_by_then() -> None:
    model = fill(Net()).requires_grad_(False)
    mark, views = marked(model)
    made = mark()
    model.stem.weight.data.neg_()
    assert not made.moved()
    model.stem.weight.requires_grad_()
    made = mark()
    model.stem.weight.data.neg_()
    assert made.moved()
    model.stem.weight.data = model.stem.weight.data[:2].contiguous()
    views[0][1].data = model.stem.weight.data
    made = mark()
    assert not made.moved()
    model.stem.weight.data.neg_()
    assert made.moved()


# -- the tensors that copies are made of ------------------------------------------------------------------------------


def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    return {
        "short": drawn(40),
        "short and square": drawn(8, 5, 1, 1),
        "long": drawn(64, 32, 3, 3),
        "very long": drawn(512, 512, 1, 1),
        "channels last": drawn(64, 32, 3, 3).contiguous(memory_format=torch.channels_last),
        "odd": drawn(67, 89),
        "with gaps": drawn(200, 100)[:, ::2],
        "turned": drawn(100, 120).t(),
        "beside another": drawn(8193)[1:].view(64, 128),
        "in float64": drawn(80, 100).double(),
        "in half precision": drawn(80, 120).half(),
    }


def one_number(flat: Tensor, i: int, j: int) -> None:
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[flat.element_size()]
    flat[i : i + 1].view(bits).add_(1)


def two_signs(flat: Tensor, i: int, j: int) -> None:
    flat[[i, j]] = -flat[[i, j]]


def exchanged(flat: Tensor, i: int, j: int) -> None:
    flat[[i, j]] = flat[[j, i]]


def by_opposite_amounts(flat: Tensor, i: int, j: int) -> None:
    flat[i] += 1
    flat[j] -= 1


HIDDEN_CHANGES: dict[str, Callable[[Tensor, int, int], None]] = {
    "the last bit of one number": one_number,
    "a sign": lambda flat, i, j: flat[i : i + 1].neg_(),
    "two signs": two_signs,
    "two that change places": exchanged,
    "two by opposite amounts": by_opposite_amounts,
}


@pytest.mark.parametrize("change", HIDDEN_CHANGES)
@pytest.mark.parametrize("name", tensors())
def test_a_witness_sees_what_norms_do_not(name: str, change: str) -> None:
    tensor = tensors()[name]
    others = [torch.ones(10), torch.ones(70, 100)]
    strides = sorted(((step, size) for size, step in zip(tensor.shape, tensor.stride(), strict=True)), reverse=True)
    generator = torch.Generator().manual_seed(1)
    for distance in (1, 2, 3, 4, 8, 16, 31, 32, 64, 128, 256, 512, 1024, 4096):
        witness = Witness([others[0], tensor, others[1]])
        assert witness.still([others[0], tensor, others[1]])
        whole = tensor.clone()
        # In the order in which it lies in memory.
        flat = tensor.as_strided((tensor.numel(),), (1,)) if min(strides)[0] == 1 and _dense(tensor) else None
        count = tensor.numel() if flat is None else len(flat)
        if distance >= count:
            continue
        i = int(torch.randint(count - distance, (1,), generator=generator))
        if flat is None:
            numbers = tensor.reshape(-1).clone()
            HIDDEN_CHANGES[change](numbers, i, i + distance)
            tensor.data.copy_(numbers.view(tensor.shape))
        else:
            HIDDEN_CHANGES[change](flat, i, i + distance)
        assert not witness.still([others[0], tensor, others[1]])
        tensor.data.copy_(whole)
        assert witness.still([others[0], tensor, others[1]])


def _dense(tensor: Tensor) -> bool:
    return (
        tensor.numel() == sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True)) + 1
    )


def test_a_witness_reads_bits() -> None:
    tensor = torch.zeros(100, 100)
    tensor[0, 0] = float("nan")
    witness = Witness([tensor])
    assert witness.still([tensor.clone()])
    tensor[5, 5] = -0.0
    assert not witness.still([tensor])


def test_a_witness_sees_rows_and_columns_that_change_places() -> None:
    tensor = torch.randn(64, 96, 3, 3)
    witness = Witness([tensor])
    for dim in (0, 1, 2, 3):
        assert not witness.still([tensor.flip(dim)])
        assert not witness.still([tensor.roll(1, dim)])
    assert not witness.still([-tensor])


@pytest.mark.parametrize(
    "other",
    [
        lambda a: a.double(),
        lambda a: a.half(),
        lambda a: a.view(100, 80),
        lambda a: a.reshape(-1),
        lambda a: torch.cat([a, a]),
    ],
)
def test_a_witness_of_tensors_that_lie_otherwise(other: Callable[[Tensor], Tensor]) -> None:
    tensor = torch.ones(80, 100)
    witness = Witness([tensor])
    assert witness.still([tensor])
    assert not witness.still([other(tensor)])


class Wide(nn.Module):
    """With a weight that is too long to be kept whole."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 48, 3, padding=1), nn.BatchNorm2d(48)
        self.second, self.lone = nn.Conv2d(48, 48, 3, padding=1), nn.Conv2d(48, 5, 1)
        self.last = nn.BatchNorm2d(48)
        fill(self)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.first(x)))
        return self.lone(torch.relu(self.last(self.second(x)))).mean((2, 3))


def by_numpy(flat: Tensor) -> None:
    flat.numpy()[7] += 0.5


def by_fused(weight: nn.Parameter) -> None:
    weight.grad = torch.ones_like(weight)
    torch.optim.SGD([weight], lr=0.01, fused=True).step()


def by_step(weight: nn.Parameter) -> None:
    weight.grad = torch.ones_like(weight)
    torch.optim.SGD([weight], lr=0.01).step()


WRITES: dict[str, Callable[[nn.Parameter], Any]] = {
    "a single number": lambda w: w.data.view(-1)[123:124].add_(0.5),
    "a sign": lambda w: w.data.view(-1)[123:124].neg_(),
    "two that change places": lambda w: exchanged(w.data.view(-1), 124, 122),
    "numpy": lambda w: by_numpy(w.detach().view(-1)),
    "a fused optimiser": by_fused,
    "an optimiser": by_step,
}


@pytest.mark.parametrize("way", [FOLDED, BOTH, CHANNELS_LAST])
@pytest.mark.parametrize("name", WRITES)
def test_copies_follow_whatever_is_written(name: str, way: str) -> None:
    model = Wide().double().eval()
    for _ in range(3):
        before = explain(model, picture(), fast=way)[0]
    WRITES[name](model.second.weight)
    found = explain(model, picture(), fast=way)[0]
    assert relative(found, before) > 1e-9
    assert relative(found, plainly(model, picture(), 0)) < 1e-11


def test_copies_are_not_made_anew_where_nothing_changes() -> None:
    model = Wide().double().eval()
    made = []
    for _ in range(4):
        explain(model, picture(), fast=BOTH)
        replica = shadow_of(model)._shared.replica
        assert replica is not None
        made.append(replica._ways.get(BOTH))
    assert made[1] is made[2] is made[3] is not None


# -- the picture ------------------------------------------------------------------------------------------------------


def test_a_picture_is_brought_to_the_model_once() -> None:
    model, prepared = fill(Net().double()), picture(8, 8)
    first, second = problem_of(model, prepared, [1]), problem_of(model, prepared, [2])
    assert first.pixels is second.pixels
    model.float()
    assert problem_of(model, prepared, [1]).pixels.dtype is torch.float32
    model.double()
    wanted = problem_of(model, prepared, [1]).pixels.clone()
    # Whoever writes into it spoils no problem that is made later.
    problem_of(model, prepared, [1]).pixels.zero_()
    assert torch.equal(problem_of(model, prepared, [1]).pixels, wanted)
    prepared.pixels.mul_(0.5)
    assert torch.equal(problem_of(model, prepared, [1]).pixels, wanted / 2)


# -- what a pass leaves behind ----------------------------------------------------------------------------------------


def test_containers_are_put_back_where_their_values_moved_from_one_into_the_next() -> None:
    one, two = {"a": 1, "b": 2}, {"c": 3}
    restore = as_they_were([one, two, [1]])
    two_values = {"b": one.pop("b"), **two}
    two.clear()
    two.update(two_values)
    restore()
    assert (one, two) == ({"a": 1, "b": 2}, {"c": 3})
    one["a"] = 5
    restore()
    assert one == {"a": 1, "b": 2}


def test_a_hook_of_one_part_of_the_shadow_is_no_hook_of_another() -> None:
    model = fill(Net().double())
    problem = problem_of(model, picture(8, 8), [1])
    wanted = problem.gradients(problem.pixels[None])[1]
    given = problem.given_to("head")
    assert given is not None
    assert given.shape == (1, 8)
    replica = shadow_of(model)._shared.replica
    assert replica is not None
    handle = replica.module.head.register_forward_hook(lambda m, a, k, y: y, with_kwargs=True, always_call=True)
    with problem.running():
        assert torch.equal(problem.gradients(problem.pixels[None])[1], wanted)
    handle.remove()
    assert not any(part._forward_hooks_with_kwargs for part in replica.module.modules())


def test_a_forward_that_leaves_gradients_off_leaves_its_callers_on() -> None:
    for before in (True, False):
        with torch.set_grad_enabled(before), neutral(CPU):
            assert torch.is_grad_enabled()
            torch._C._set_grad_enabled(False)
        with torch.set_grad_enabled(before):
            with neutral(CPU):
                torch._C._set_grad_enabled(False)
            assert torch.is_grad_enabled() is before
    with torch.device("meta"), neutral(CPU):
        assert torch.ones(1).device == CPU
    with torch.inference_mode(), neutral(CPU):
        assert not torch.ones(1).is_inference()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64, torch.complex128])
def test_bits_are_compared_in_every_type(dtype: torch.dtype) -> None:
    numbers = torch.zeros(5, dtype=dtype)
    kept = Witness([numbers])
    assert kept.still([numbers.clone()])
    assert not kept.still([-numbers])
    nothing = torch.full((5,), float("nan"), dtype=dtype)
    assert Witness([nothing]).still([nothing.clone()])
