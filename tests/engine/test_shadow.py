"""The shadow computes what the model computes, and nothing leads from it back to the model.

Each case is a way in which a module can be reached, or can keep something, that a shallow copy of the tree misses.
"""

from __future__ import annotations

import copy
import functools
import threading
import types
import weakref
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.shadow import shadow_of
from tests.engine.support import explain, fill, picture, plainly, problem_of, relative

SIZE = 8


class Block(nn.Module):
    """Has everything that a run in training mode would betray."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.drop = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.drop(F.gelu(self.bn(self.conv(x))))


class Net(nn.Module):
    """A stem, whatever a case puts between, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(3, 8, 3, padding=1), Block(), nn.Linear(8, 5)

    def middle(self, x: Tensor) -> Tensor:
        return self.block(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.middle(self.stem(x)).mean((2, 3)))


class BoundMethod(Net):
    def __init__(self) -> None:
        super().__init__()
        self.forward = self.other  # type: ignore[method-assign]

    def other(self, x: Tensor) -> Tensor:
        return 2 * Net.forward(self, x)


class Partial(Net):
    def __init__(self) -> None:
        super().__init__()
        self.middle = functools.partial(Partial.apply, self, times=2)  # type: ignore[method-assign]

    def apply(self, x: Tensor, times: int) -> Tensor:  # type: ignore[override]
        for _ in range(times):
            x = self.block(x)
        return x


class Lambda(Net):
    def __init__(self) -> None:
        super().__init__()
        self.middle = lambda x: self.block(self.block(x))  # type: ignore[method-assign]


class Default(Net):
    def __init__(self) -> None:
        super().__init__()
        block = self.block

        def middle(x: Tensor, block: nn.Module = block, *, again: Any = [block]) -> Tensor:  # noqa: B006
            return again[0](block(x))

        self.middle = middle  # type: ignore[method-assign]


class WeakParent(Net):
    def __init__(self) -> None:
        super().__init__()
        self.child = Child(weakref.ref(self))

    def middle(self, x: Tensor) -> Tensor:
        return self.child(x)


class WeakProxy(WeakParent):
    def __init__(self) -> None:
        Net.__init__(self)
        self.child = Child((weakref.proxy(self),))


class TupleParent(WeakParent):
    def __init__(self) -> None:
        Net.__init__(self)
        self.child = Child((self,))


class Child(nn.Module):
    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.parent, tuple):
            return self.parent[0].block(x)
        return self.parent().block(x)


Pair = namedtuple("Pair", "first second")


class MyList(list):  # type: ignore[type-arg]
    extra: Any = None


class Hidden(Net):
    """Modules that no registration knows of."""

    def __init__(self, wrap: Callable[[nn.Module], Any], take: Callable[[Any], nn.Module]) -> None:
        super().__init__()
        self.held, self.take = wrap(self.block), take
        del self.block

    def middle(self, x: Tensor) -> Tensor:
        return self.take(self.held)(x)


@dataclass(frozen=True)
class Frozen:
    inner: Any


class Slots:
    __slots__ = ("__private", "inner")

    def __init__(self, inner: Any) -> None:
        self.inner = self.__private = inner


class Plain:
    def __init__(self, inner: Any) -> None:
        self.inner, self.lock = inner, threading.Lock()

    def run(self, x: Tensor) -> Tensor:
        return self.inner(x)


def my_list(block: nn.Module) -> MyList:
    made = MyList([1])
    made.extra = block
    return made


HIDDEN = {
    "list": (lambda b: [b], lambda h: h[0]),
    "dict": (lambda b: {"b": [b]}, lambda h: h["b"][0]),
    "ordered dict": (lambda b: OrderedDict(b=b), lambda h: h["b"]),
    "tuple": (lambda b: (1, (b,)), lambda h: h[1][0]),
    "namedtuple": (lambda b: Pair(0, b), lambda h: h.second),
    "set": (lambda b: {b}, lambda h: next(iter(h))),
    "list subclass": (my_list, lambda h: h.extra),
    "dict key": (lambda b: {b: 1}, lambda h: next(iter(h))),
    "plain object": (Plain, lambda h: h.inner),
    "method of a plain object": (lambda b: Plain(b).run, lambda h: h),
    "slots": (Slots, lambda h: h.inner),
    "frozen dataclass": (Frozen, lambda h: h.inner),
    "namespace": (lambda b: types.SimpleNamespace(b=b), lambda h: h.b),
    "weak value": (lambda b: (b, weakref.WeakValueDictionary(b=b)), lambda h: h[1]["b"]),
    "module method": (lambda b: b.forward, lambda h: h),
    "lru cache": (lambda b: functools.lru_cache(lambda: b), lambda h: h()),
}


class Slotted(Net):
    __slots__ = ("factor",)

    def __init__(self) -> None:
        super().__init__()
        self.factor = self.block

    def middle(self, x: Tensor) -> Tensor:
        return self.factor(x)


class NeedsArgument(Net):
    def __new__(cls, config: Any) -> NeedsArgument:
        made = super().__new__(cls)
        made.marker = config["marker"]
        return made

    def __init__(self, config: Any) -> None:
        marker = self.marker
        super().__init__()
        self.marker = marker


class NoTrain(Net):
    def train(self, mode: bool = True) -> NoTrain:
        if not mode:
            raise NotImplementedError("never")
        return super().train(mode)


class BiasCache(Net):
    """As LeViT: what is computed from the weights in evaluation mode is kept until training."""

    def __init__(self) -> None:
        super().__init__()
        self.biases = nn.Parameter(torch.randn(8))
        self.attention_bias_cache: dict[str, Tensor] = {}

    def middle(self, x: Tensor) -> Tensor:
        if self.training:
            bias = self.biases.square()
        else:
            if "cpu" not in self.attention_bias_cache:
                self.attention_bias_cache["cpu"] = self.biases.square()
            bias = self.attention_bias_cache["cpu"]
        return self.block(x * bias[:, None, None])


class Observer(Net):
    """Writes into a buffer, a counter, a list and a dictionary at each forward."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.full((8,), 5.0))
        self.count, self.seen, self.last = 0, [], {}

    def middle(self, x: Tensor) -> Tensor:
        x = self.block(x) + self.low.sum() * 0.01 + self.count
        self.low += 1
        self.count += 1
        self.seen.append(x)
        self.last["x"] = x
        self.new = x
        return x


class Config(Net):
    """Changes its own configuration."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Plain({"scale": 2.0})

    def middle(self, x: Tensor) -> Tensor:
        scale = self.config.inner["scale"]
        self.config.inner["scale"] = 100.0
        return self.block(x) * scale


class Shared(Net):
    """One module used twice, and tied weights."""

    def __init__(self) -> None:
        super().__init__()
        self.again = self.block
        self.other = nn.Conv2d(8, 8, 3, padding=1)
        self.other.weight = self.block.conv.weight

    def middle(self, x: Tensor) -> Tensor:
        return self.other(self.again(self.block(x)))


class NumpyState(Net):
    def __init__(self) -> None:
        super().__init__()
        import numpy as np

        self.table = np.ones(3)

    def middle(self, x: Tensor) -> Tensor:
        self.table += 1
        return self.block(x) * float(self.table[0])


def with_hooks(kind: str) -> Net:
    net = Net()
    if kind == "prune":
        prune.l1_unstructured(net.block.conv, "weight", 0.5)
    elif kind == "old weight norm":
        torch.nn.utils.weight_norm(net.block.conv)
    elif kind == "old spectral norm":
        torch.nn.utils.spectral_norm(net.block.conv)
    elif kind == "weight norm":
        parametrizations.weight_norm(net.block.conv)
    elif kind == "spectral norm":
        parametrizations.spectral_norm(net.block.conv)
    elif kind == "orthogonal":
        parametrizations.orthogonal(net.block.conv)
    elif kind == "changing hook":
        net.block.register_forward_hook(lambda module, args, output: output * 2)
        net.block.register_forward_pre_hook(lambda module, args, kwargs: ((args[0] * 3,), {}), with_kwargs=True)
    return net


def accelerated() -> nn.Module:
    """What accelerate's hooks do to a module."""

    class Hook:
        def __init__(self) -> None:
            self.calls = 0

        def pre_forward(self, module: nn.Module, *args: Any) -> tuple[Any, ...]:
            self.calls += 1
            return args

    net = Net()
    old = net.block.forward
    net.block._hf_hook, net.block._old_forward = Hook(), old

    def new_forward(module: Any, *args: Any) -> Any:
        return module._old_forward(*module._hf_hook.pre_forward(module, *args))

    net.block.forward = functools.update_wrapper(functools.partial(new_forward, net.block), old)
    return net


def compiled_forward() -> nn.Module:
    net = Net()
    net.block.forward = torch.compile(net.block.forward, backend="eager")
    return net


def compiled_call() -> nn.Module:
    net = Net()
    net.compile(backend="eager")
    return net


def compiled_child() -> nn.Module:
    net = Net()
    net.block = torch.compile(net.block, backend="eager")
    return net


def traced_graph() -> nn.Module:
    return torch.fx.symbolic_trace(Net())


def exported() -> nn.Module:
    return torch.export.export(Net().eval(), (torch.rand(1, 3, SIZE, SIZE),)).module()


def scripted_child() -> nn.Module:
    net = Net()
    net.block = torch.jit.script(net.block)
    return net


class Stopped(Net):
    """A frozen trunk under no_grad."""

    def middle(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.block(x)

    def plain(self) -> nn.Module:
        other = Net().double()
        other.load_state_dict(self.state_dict())
        return other


CASES: dict[str, Callable[[], nn.Module]] = {
    "plain": Net,
    "bound method": BoundMethod,
    "partial": Partial,
    "lambda": Lambda,
    "default": Default,
    "weakref": WeakParent,
    "weak proxy": WeakProxy,
    "tuple to the parent": TupleParent,
    **{f"hidden in {name}": functools.partial(Hidden, *how) for name, how in HIDDEN.items()},
    "slots": Slotted,
    "__new__ with arguments": lambda: NeedsArgument({"marker": 1}),
    "overridden train": NoTrain,
    "bias cache": BiasCache,
    "shared": Shared,
    **{
        name: functools.partial(with_hooks, name)
        for name in (
            "prune",
            "old weight norm",
            "old spectral norm",
            "weight norm",
            "spectral norm",
            "orthogonal",
            "changing hook",
        )
    },
    "accelerate": accelerated,
    "compiled forward": compiled_forward,
    "compiled call": compiled_call,
    "compiled child": compiled_child,
    "compiled": lambda: torch.compile(Net(), backend="eager"),
    "data parallel": lambda: nn.DataParallel(Net()),
    "data parallel inside": lambda: nn.Sequential(nn.DataParallel(Net())),
    "fx": traced_graph,
    "script child": scripted_child,
    "script": lambda: torch.jit.script(Net()),
}


def prepared_model(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = CASES[name]().double()
    hidden_blocks(model)
    return fill(model)


def set_modes(model: nn.Module, training: bool) -> None:
    for part in [*model.modules(), *hidden_blocks(model)]:
        part.training = training


def hidden_blocks(model: nn.Module) -> list[nn.Module]:
    """The blocks that no registration knows of."""
    held = model.__dict__.get("held")
    if held is None:
        return []
    found: Any = model.take(held)  # type: ignore[operator]
    if isinstance(found, types.MethodType):
        found = getattr(found.__self__, "inner", found.__self__)
    return list(found.double().modules())


def expected(model: nn.Module, *targets: int) -> Tensor:
    """Plain autograd in evaluation mode, without compile wrappers and with modes set by hand."""
    set_modes(model, False)
    values = plainly(model, picture(SIZE, SIZE), *targets)
    for part in model.modules():
        if hasattr(part, "attention_bias_cache"):
            part.attention_bias_cache = {}
    set_modes(model, True)
    return values


@pytest.mark.parametrize("name", CASES)
def test_the_shadow_is_the_model_and_the_model_stays_as_it_was(name: str) -> None:
    model = prepared_model(name)
    if name.startswith("compiled"):
        torch._dynamo.reset()
        plain = {"compiled": model._orig_mod} if name == "compiled" else {}
        wanted = expected(plain.get(name, model), 1, 3)
    else:
        wanted = expected(model, 1, 3)
    blocks = hidden_blocks(model)
    with ModelGuard(model), ModelGuard(blocks[0]) if blocks else ModelGuard(model):
        values, _ = explain(model, picture(SIZE, SIZE), 1, 3)
    assert relative(values, wanted) < 1e-9
    assert shadow_of(model).kind == "view"
    # The weights move, and the next run sees it, whether the shadow is kept or not.
    with torch.no_grad():
        for parameter in {*model.parameters(), *(p for b in blocks[:1] for p in b.parameters())}:
            parameter.mul_(1.01)
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean += 0.1
    if name.startswith("compiled"):
        torch._dynamo.reset()
    wanted = expected(getattr(model, "_orig_mod", model), 1, 3)
    values, _ = explain(model, picture(SIZE, SIZE), 1, 3)
    assert relative(values, wanted) < 1e-9


@pytest.mark.parametrize("name", [name for name in CASES if "script" not in name])
def test_nothing_but_the_shadows_weights_is_used(name: str) -> None:
    """Each parameter of the shadow, made NaN, makes the scores NaN: none is computed with an original."""
    model = prepared_model(name)
    problem = problem_of(model, picture(SIZE, SIZE), [1])
    with problem.running():
        problem.outputs(problem.pixels[None])
        replica = problem._run.replica
        assert replica is not None
        originals = [tensor.detach().clone() for tensor in model.parameters()]
        views = [own for _, own in replica.weights.views]
        assert len(views) >= len(originals)
        used = 0
        for own in views:
            kept = own.data
            own.data = torch.full_like(kept, float("nan"))
            with replica.computing() as module, torch.no_grad():
                used += bool(module(problem._input[None]).isnan().any())
            own.data = kept
        # A pruned weight's original and old weight norm's parts are used, too: everything is.
        assert used == len(views)
    assert all(torch.equal(a, b) for a, b in zip(originals, model.parameters(), strict=True))


def test_containers_and_configs_written_by_the_forward_are_the_shadows() -> None:
    for kind in (Observer, Config, NumpyState):
        model, clean = fill(kind().double()), fill(kind().double())
        clean.load_state_dict(model.state_dict())
        wanted = plainly(clean, picture(SIZE, SIZE), 1)
        model.train()
        problem = problem_of(model, picture(SIZE, SIZE), [1], chunk=1)
        with ModelGuard(model):
            # Each pass starts from the state the user's model is in, however many were before.
            for _ in range(3):
                found = problem.gradients(torch.stack([problem.pixels] * 2))[1]
                assert relative(found[0, 0], wanted[0]) < 1e-12
                assert torch.equal(found[0], found[1])
            if isinstance(model, Config):
                assert model.config.inner["scale"] == 2.0
            if isinstance(model, NumpyState):
                assert model.table[0] == 1


def test_a_long_vocabulary_costs_little_and_is_followed() -> None:
    model = fill(Net().double())
    model.vocabulary = {f"word {k}": k for k in range(50_000)}
    model.middle = lambda x: model.block(x) * model.vocabulary["word 1"]
    problem = problem_of(model, picture(SIZE, SIZE), [1])
    found = problem.gradients(problem.pixels[None])[1]
    replica = problem.shadow._shared.replica
    problem.gradients(problem.pixels[None])
    assert problem.shadow._shared.replica is replica
    model.vocabulary["word 1"] = 3
    assert relative(problem.gradients(problem.pixels[None])[1], found) > 0.1


FEATURES: dict[str, Tensor] = {}
COUNTER = 0
FACTOR = 1.0
KEPT: list[Tensor] = []


def global_hook(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    global COUNTER
    COUNTER += 1
    FEATURES["x"] = output
    remember(output)
    return output * FACTOR


def remember(output: Tensor) -> None:
    KEPT.append(output)


class Recorder:
    def __init__(self) -> None:
        self.features: list[Tensor] = []

    def hook(self, module: nn.Module, args: Any, output: Tensor) -> None:
        self.features.append(output)
        output.register_hook(self.on_gradient)

    def on_gradient(self, gradient: Tensor) -> None:
        self.features.append(gradient)


def test_a_users_hooks_run_but_write_into_copies() -> None:
    global FACTOR
    model = fill(Net().double())
    local: dict[str, Tensor] = {}
    count = 0

    def closure_hook(module: nn.Module, args: Any, output: Tensor) -> None:
        nonlocal count
        count += 1
        local["x"] = output

    recorder = Recorder()
    for hook in (global_hook, closure_hook, recorder.hook):
        model.block.register_forward_hook(hook)
    model.block.register_full_backward_hook(lambda module, inputs, outputs: (inputs[0] * 100,))
    problem = problem_of(model, picture(SIZE, SIZE), [1, 2], classes="vmap")
    with ModelGuard(model):
        found = problem.gradients(problem.pixels[None])[1]
    assert not FEATURES
    assert not KEPT
    assert not local
    assert not recorder.features
    assert COUNTER == count == 0
    assert "backward hooks were left out" in problem.provenance["notes"][0]
    # What the hook returns is part of the model, and so is what it reads.
    FACTOR = 3.0
    try:
        threefold = problem_of(model, picture(SIZE, SIZE), [1, 2]).gradients(problem.pixels[None])[1]
    finally:
        FACTOR = 1.0
    plain = Net().double().eval()
    plain.load_state_dict(model.state_dict())
    assert relative(found[0], plainly(plain, picture(SIZE, SIZE), 1, 2)) < 1e-12
    assert relative(threefold, 3 * found) < 1e-12


def test_hooks_of_the_whole_process_stay_out() -> None:
    seen: list[Any] = []
    hooks = [
        torch.nn.modules.module.register_module_forward_hook(lambda *args: seen.append(args)),
        torch.nn.modules.module.register_module_forward_pre_hook(lambda *args: seen.append(args)),
        torch.nn.modules.module.register_module_full_backward_hook(lambda *args: seen.append(args)),
    ]
    model = fill(with_hooks("changing hook").double())
    try:
        values, _ = explain(model, picture(SIZE, SIZE), 1)
        problem = problem_of(model, picture(SIZE, SIZE), [1], chunk=1)
        problem.gradients(torch.stack([problem.pixels] * 3))
    finally:
        for hook in hooks:
            hook.remove()
    assert not seen
    assert relative(values, plainly(model, picture(SIZE, SIZE), 1)) < 1e-12
    assert relative(explain(model, picture(SIZE, SIZE), 1)[0], values) == 0


def test_checkpointing_of_either_form_is_switched_off() -> None:
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=4).double().eval()
    wanted = plainly(model, picture(32, 32), 1)
    model.set_grad_checkpointing(True)
    model.train()
    assert relative(explain(model, picture(32, 32), 1)[0], wanted) < 1e-12


def test_gradients_switched_off_inside_the_model_are_switched_on_and_it_says_so() -> None:
    model = fill(Stopped().double())
    problem = problem_of(model, picture(SIZE, SIZE), [1])
    with ModelGuard(model), torch.no_grad():
        found = problem.gradients(problem.pixels[None])[1]
    assert relative(found[0], plainly(model.plain().eval(), picture(SIZE, SIZE), 1)) < 1e-12
    assert "torch.no_grad" in problem.provenance["notes"][0]
    again = problem_of(model, picture(SIZE, SIZE), [1])
    assert torch.equal(again.gradients(problem.pixels[None])[1], found)
    assert again.provenance["notes"] == problem.provenance["notes"]


def test_constants_made_without_gradients_need_no_note() -> None:
    class Masked(Net):
        def middle(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                mask = torch.linspace(0, 1, SIZE, dtype=x.dtype)
            return self.block(x * mask)

    model = fill(Masked().double())
    problem = problem_of(model, picture(SIZE, SIZE), [1])
    found = problem.gradients(problem.pixels[None])[1]
    assert relative(found[0], plainly(model, picture(SIZE, SIZE), 1)) < 1e-12
    assert problem.provenance["notes"] == []


def test_an_exported_program() -> None:
    torch.manual_seed(0)
    model = exported()
    with ModelGuard(model):
        values, _ = explain(model, picture(SIZE, SIZE), 1)
    wanted = plainly(model, picture(SIZE, SIZE), 1)
    assert relative(values, wanted) < 1e-5


def test_accelerates_own_hooks() -> None:
    accelerate = pytest.importorskip("accelerate")
    net = fill(Net().double())
    wanted = plainly(net, picture(SIZE, SIZE), 1)
    model = accelerate.dispatch_model(net, {"": "cpu"}, force_hooks=True).train()
    with ModelGuard(model):
        values, _ = explain(model, picture(SIZE, SIZE), 1)
    assert relative(values, wanted) < 1e-12


def test_levit_keeps_its_cache_and_its_training() -> None:
    torch.manual_seed(0)
    model = timm.create_model("levit_128s", num_classes=5).double().eval()
    prepared = picture(224, 224)
    first, _ = explain(model, prepared, 1)
    assert all(not part.attention_bias_cache for part in model.modules() if hasattr(part, "attention_bias_cache"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "attention_biases" in name:
                parameter.normal_()
    after, _ = explain(model, prepared, 1)
    fresh, _ = explain(copy.deepcopy(model), prepared, 1)
    assert relative(after, fresh) < 1e-9
    assert relative(after, first) > 0.01
