"""Whatever the situation, the model and the caller's settings are as they were; and what goes wrong has a name."""

from __future__ import annotations

import gc
import random
import threading
import weakref
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_widget.engine import shadow as shadow_module
from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.problem import Problem
from saliency_widget.engine.shadow import shadow_of
from saliency_widget.errors import InputError, ModelError, SaliencyError
from saliency_widget.methods.base import as_method
from saliency_widget.targets import Logit
from tests.engine.support import explain, fill, picture, plainly, problem_of, relative
from tests.engine.test_shadow import Net


class Wrapped(Net):
    """Returns its scores in some other form."""

    def __init__(self, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(super().forward(x))


@dataclass
class Output:
    logits: Tensor
    extra: int = 0


class InPlace(Net):
    def middle(self, x: Tensor) -> Tensor:
        return F.relu(self.block(F.relu_(x.mul_(2))), inplace=True)


def frozen(net: Net) -> Net:
    return net.requires_grad_(False)


def partly(net: Net) -> Net:
    net.block.bn.eval()
    net.head.weight.grad = torch.ones_like(net.head.weight)
    return net


MODELS: dict[str, Callable[[], nn.Module]] = {
    "plain": Net,
    "frozen": lambda: frozen(Net()),
    "partly in evaluation mode, with gradients": lambda: partly(Net()),
    "in place": InPlace,
    "dict": lambda: Wrapped(lambda y: {"features": y[:, :1], "logits": y}),
    "tuple": lambda: Wrapped(lambda y: (y, y[:, :1])),
    "list": lambda: Wrapped(lambda y: [y]),
    "dataclass": lambda: Wrapped(Output),
    "data parallel": lambda: nn.DataParallel(Net()),
    "compiled": lambda: torch.compile(Net(), backend="eager"),
    "averaged": lambda: torch.optim.swa_utils.AveragedModel(Net()),
}
CALLERS: dict[str, Callable[[], Any]] = {
    "plain": nullcontext,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "default device": lambda: torch.device("meta"),
    "no_grad in inference_mode": lambda: stacked(torch.inference_mode(), torch.no_grad(), torch.autocast("cpu")),
}


def stacked(*contexts: Any) -> ExitStack:
    stack = ExitStack()
    for context in contexts:
        stack.enter_context(context)
    return stack


@pytest.mark.parametrize(
    ("name", "caller", "training"),
    [
        (name, caller, True)
        for name in MODELS
        for caller in CALLERS
        if name in ("plain", "in place") or caller == "plain"
    ]
    + [("plain", caller, False) for caller in CALLERS]
    + [(name, "no_grad in inference_mode", False) for name in MODELS],
)
def test_nothing_changes(name: str, caller: str, training: bool) -> None:
    torch.manual_seed(0)
    model = fill(MODELS[name]().double())
    plain = (InPlace() if name == "in place" else Net()).double().eval()
    with torch.no_grad():
        for own, other in zip(plain.parameters(), model.parameters(), strict=True):
            own.copy_(other)
        plain.block.bn.load_state_dict(next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d)).state_dict())
    prepared = picture(8, 8)
    wanted = plainly(plain, prepared, 1, 2)
    if training and name != "partly in evaluation mode, with gradients":
        model.train()
    with ModelGuard(model), CALLERS[caller](), ModelGuard(model):
        values, _ = explain(model, prepared, 1, 2)
        assert not values.is_inference()
    assert relative(values, wanted) < 1e-12
    assert shadow_of(model).was_training is training or name.startswith("partly")


def test_a_picture_made_in_inference_mode() -> None:
    model = fill(Net().double())
    wanted = plainly(model, picture(8, 8), 1)
    with torch.inference_mode():
        prepared = picture(8, 8)
        batch = prepared.pixels[None].clone()
        found = problem_of(model, prepared, [1]).gradients(batch)[1]
    assert relative(found[0], wanted) < 1e-12


def test_a_model_made_in_inference_mode() -> None:
    with torch.inference_mode():
        model = fill(Net().double())
    plain = Net().double().eval()
    with torch.no_grad():
        for own, other in zip(
            [*plain.parameters(), *plain.buffers()], [*model.parameters(), *model.buffers()], strict=True
        ):
            own.copy_(other)
    assert relative(explain(model, picture(8, 8), 1)[0], plainly(plain, picture(8, 8), 1)) < 1e-12


def test_another_default_type_and_device() -> None:
    class Makes(Net):
        def middle(self, x: Tensor) -> Tensor:
            return self.block(x) * torch.linspace(1, 2, 8, dtype=x.dtype)

    model = fill(Makes())
    prepared = picture(8, 8)
    wanted = plainly(model, prepared, 1)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        values, _ = explain(model, prepared, 1)
        assert (torch.get_default_dtype(), torch.get_default_device()) == (torch.float64, torch.device("meta"))
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert values.dtype is torch.float32
    assert values.device.type == "cpu"
    assert relative(values, wanted) < 1e-6


# -- what goes wrong ------------------------------------------------------------------------------------------------


class Raising(Net):
    def middle(self, x: Tensor) -> Tensor:
        self.bn_input = self.block(x)
        raise KeyError("halfway")


class NeedsSize(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.view(-1, 3, 8, 9))


class InferenceInside(Net):
    def middle(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.block(x)


class InferenceAround(Net):
    def forward(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            return super().forward(x)


class Constant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.randn(1, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.scores.expand(len(x), -1)


class OneOfTwo(Constant):
    """A score that depends on the picture beside others that do not."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean((1, 2, 3))[:, None], self.scores.expand(len(x), -1)], 1)


def through_numpy(y: Tensor) -> Tensor:
    return torch.from_numpy(y.detach().numpy() * 2)


def float_of(y: Tensor) -> Tensor:
    return y.argmax(1, keepdim=True).double()


def meta(net: Net) -> Net:
    return net.to("meta")


def lazy() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))


def quantised() -> nn.Module:
    from torch.ao.quantization import quantize_dynamic

    return quantize_dynamic(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), {nn.Linear})


WRONG: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "it raises": (Raising, "KeyError.*halfway"),
    "another size": (NeedsSize, "another size"),
    "numpy": (lambda: Wrapped(through_numpy), "no gradient leads.*numpy"),
    "detach": (lambda: Wrapped(lambda y: y.detach()), "no gradient leads.*detach"),
    "the class": (lambda: Wrapped(float_of), "no gradient leads.*argmax"),
    "integers": (lambda: Wrapped(lambda y: y.argmax(1, keepdim=True)), "int64.*scores"),
    "inference inside": (InferenceInside, "inference_mode"),
    "inference around": (InferenceAround, "inference_mode"),
    "constant": (Constant, "no gradient leads"),
    "a grid": (lambda: Wrapped(lambda y: y[:, :, None, None].expand(-1, -1, 4, 4)), r"\(1, 5, 4, 4\).*mean"),
    "unflattened": (lambda: Wrapped(lambda y: y[:, :, None, None]), r"\(1, 5, 1, 1\).*flatten"),
    "tokens": (lambda: Wrapped(lambda y: y[:, None]), r"\(1, 1, 5\).*token"),
    "another batch": (lambda: Wrapped(lambda y: torch.cat([y, y])), r"\(2, 5\).*one row for each"),
    "no classes": (lambda: Wrapped(lambda y: y[:, :0]), r"\(1, 0\)"),
    "nothing": (lambda: Wrapped(lambda y: None), "NoneType"),
    "a dict without logits": (lambda: Wrapped(lambda y: {"out": y, "aux": y}), "keys out, aux"),
    "an empty tuple": (lambda: Wrapped(lambda y: ()), "tuple of 0"),
    "random": (lambda: Wrapped(lambda y: F.dropout(y, 0.5)), "random.*training=self.training"),
    "random numbers": (lambda: Wrapped(lambda y: y + torch.randn_like(y)), "random numbers.*Generator"),
    "always in training mode": (
        lambda: Wrapped(lambda y: F.batch_norm(y, torch.zeros(5), torch.ones(5), training=True)),
        "training=True",
    ),
    "meta": (lambda: meta(Net()), "meta device"),
    "lazy": (lazy, "Run the model once"),
    "quantised": (quantised, "float model"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.filterwarnings("ignore:.*")
def test_what_goes_wrong_is_named_and_changes_nothing(name: str) -> None:
    make, words = WRONG[name]
    torch.manual_seed(0)
    model = make()
    if name not in ("meta", "lazy", "quantised", "always in training mode"):
        model.double()
    model.train()
    with ModelGuard(model), torch.no_grad(), pytest.raises(ModelError, match=f"(?s){words}"):
        explain(model, picture(8, 8), 0)
    with ModelGuard(model), pytest.raises(SaliencyError):
        explain(model, picture(8, 8), 0)


@pytest.mark.parametrize("model", ["resnet", None, Net, 3])
def test_what_is_no_model(model: Any) -> None:
    with pytest.raises(InputError, match="model"):
        shadow_of(model)


def test_a_zero_gradient_and_a_constant_class_are_no_errors() -> None:
    values, _scores = explain(OneOfTwo().double(), picture(4, 4), 0, 1)
    assert (values[0] != 0).all()
    assert not values[1].any()
    dead = nn.Sequential(nn.Flatten(), nn.Linear(48, 2), nn.Threshold(1e9, 0.0)).double()
    assert not explain(dead, picture(4, 4), 1)[0].any()


def test_a_model_that_gives_nan() -> None:
    values, scores = explain(Wrapped(lambda y: y / 0 * 0).double(), picture(8, 8), 1)
    assert scores.isnan().all()
    assert values.isnan().all()


# -- the sentinel and the copy --------------------------------------------------------------------------------------

GLOBAL = nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.Dropout(0.5)).double()


class ReachesGlobal(Net):
    def middle(self, x: Tensor) -> Tensor:
        return GLOBAL(x)


class Writes(Net):
    """Keeps the norm of its weights, as networks for EEG do."""

    def middle(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.block.conv.weight.clamp_(-0.05, 0.05)
        return self.block(x)


class WritesData(Net):
    def middle(self, x: Tensor) -> Tensor:
        self.block.conv.weight.data = self.block.conv.weight.data.clamp(-0.05, 0.05)
        return self.block(x)


class Opaque:
    """Leads to a module, and cannot be rebuilt."""

    def __init__(self, inner: nn.Module) -> None:
        self.inner = inner

    def __del__(self) -> None:
        pass


def test_a_module_reached_past_the_tree_is_never_run_in_training_mode() -> None:
    model = ReachesGlobal().double()
    model.inside = GLOBAL
    GLOBAL.train()
    with ModelGuard(GLOBAL), ModelGuard(model), pytest.raises(ModelError, match="attribute of the model"):
        explain(model, picture(8, 8), 1)
    del model.inside
    with ModelGuard(GLOBAL), ModelGuard(model), pytest.raises(ModelError, match="training=True"):
        explain(model, picture(8, 8), 1)


def test_what_cannot_be_rebuilt_is_copied() -> None:
    model = fill(Net().double())
    model.opaque = Opaque(model.block)
    model.middle = lambda x: model.opaque.inner(x)
    wanted = plainly(model, picture(8, 8), 1)
    model.train()

    class Held(Net):
        def middle(self, x: Tensor) -> Tensor:
            return self.opaque.inner(x)  # type: ignore[operator]

    other = Held().double()
    other.load_state_dict(model.state_dict())
    other.opaque = Opaque(other.block)
    with ModelGuard(other):
        problem = problem_of(other, picture(8, 8), [1])
        found = problem.gradients(problem.pixels[None])[1]
    assert problem.provenance["shadow"] == shadow_of(other).kind == "copy"
    assert relative(found[0], wanted) < 1e-12
    with torch.no_grad():
        other.block.conv.weight.mul_(2)
        other.block.bn.running_mean.add_(1)
    other.eval()
    assert relative(explain(other, picture(8, 8), 1)[0], plainly(other, picture(8, 8), 1)) < 1e-12


@pytest.mark.parametrize("kind", [Writes, WritesData])
def test_a_forward_that_writes_its_weights_writes_a_copy(kind: type[Net]) -> None:
    model, other = fill(kind().double()), kind().double().eval()
    other.load_state_dict(model.state_dict())
    wanted = plainly(other, picture(8, 8), 1)
    with ModelGuard(model):
        values, _ = explain(model, picture(8, 8), 1)
    assert relative(values, wanted) < 1e-12
    assert shadow_of(model).kind == ("copy" if kind is Writes else "view")
    # The copy follows the model, and one pass does not build on another.
    with torch.no_grad():
        model.head.weight.mul_(2)
        model.block.conv.weight.add_(0.01)
    other.load_state_dict(model.state_dict())
    wanted = plainly(other, picture(8, 8), 1)
    problem = problem_of(model, picture(8, 8), [1], chunk=1)
    found = problem.gradients(torch.stack([problem.pixels] * 3))[1]
    assert all(relative(row, wanted) < 1e-12 for row in found)


def test_a_traced_model_that_drops_out_is_refused() -> None:
    model = torch.jit.trace(Net().train(), torch.rand(1, 3, 8, 8), check_trace=False)
    with ModelGuard(model), pytest.raises((ModelError, AssertionError)):
        explain(model, picture(8, 8), 1)


# -- the shadow's life ----------------------------------------------------------------------------------------------


def test_the_shadow_is_kept_and_lets_the_model_go() -> None:
    model = fill(Net())
    first = shadow_of(model)
    explain(model, picture(8, 8), 1)
    replica = first._shared.replica
    explain(model, picture(8, 8), 2)
    assert shadow_of(model)._shared.replica is replica is not None
    key, reference = id(model), weakref.ref(model)
    del first, model
    gc.collect()
    assert reference() is None
    assert key not in shadow_module._cache


NOTEBOOK = """
seen, factor = {}, 2.0
def watch(module, args, output):
    global times
    times = globals().get("times", 0) + 1
    seen["x"] = output
    return output * factor
model.block.register_forward_hook(watch)
"""


def test_a_hook_made_in_a_notebook_sees_its_variables_and_does_not_keep_them() -> None:
    variables: dict[str, Any] = {"__name__": "__main__", "model": fill(Net().double()), "big": [torch.zeros(3)]}
    plain = fill(Net().double())
    plain.load_state_dict(variables["model"].state_dict())
    exec(compile(NOTEBOOK, "<notebook>", "exec"), variables)
    wanted = plainly(plain, picture(8, 8), 1)
    for factor in (2.0, 3.0):
        variables["factor"] = factor
        assert relative(explain(variables["model"], picture(8, 8), 1)[0], factor * wanted) < 1e-12
    assert variables["seen"] == {}
    assert "times" not in variables
    reference = weakref.ref(variables.pop("model"))
    gc.collect()
    assert reference() is None


def test_an_idle_shadow_holds_no_weights() -> None:
    model = fill(Net())
    weight = weakref.ref(model.block.conv.weight.untyped_storage())
    explain(model, picture(8, 8), 1)
    replica = shadow_of(model)._shared.replica
    assert replica is not None
    assert sum(own.numel() for _, own in replica.weights.views) == 0
    del weight


def test_two_problems_run_interleaved_and_in_threads() -> None:
    model = fill(Net().double())
    wanted = [plainly(model, picture(8, 8), k)[0] for k in range(5)]
    problems = [problem_of(model, picture(8, 8), [k]) for k in range(5)]
    runs = [as_method("gradient").estimates(problem) for problem in problems]
    assert all(relative(next(run).values[0], wanted[k]) < 1e-12 for k, run in enumerate(runs))
    del runs
    found: dict[int, Tensor] = {}

    def work(k: int) -> None:
        for _ in range(5):
            found[k] = explain(model, picture(8, 8), k)[0][0]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(relative(found[k], wanted[k]) < 1e-12 for k in range(5))
    replica = shadow_of(model)._shared.replica
    assert replica is not None
    assert replica.users == 0


def test_an_unused_problem_costs_no_forward_and_keeps_the_model_alive() -> None:
    problem = Problem(shadow_of(fill(Net().double())), picture(8, 8), [Logit(1)])
    gc.collect()
    assert problem.gradients(problem.pixels[None])[1].shape == (1, 1, 3, 8, 8)


# -- randomness that no function mode sees --------------------------------------------------------------------------


class Draws(Net):
    """Scales its features by a random number."""

    def __init__(self, draw: Callable[[], float], *, always: bool = True) -> None:
        super().__init__()
        self.draw, self.always = draw, always

    def middle(self, x: Tensor) -> Tensor:
        factor = 1 + self.draw()
        return self.block(x) * (factor if self.always or self.training else 1)


class OwnGenerator(Net):
    def __init__(self, generator: Any) -> None:
        super().__init__()
        self.generator = generator

    def middle(self, x: Tensor) -> Tensor:
        if isinstance(self.generator, torch.Generator):
            return self.block(x) * torch.rand(1, generator=self.generator, dtype=x.dtype)
        return self.block(x) * float(self.generator.random())


class Coin(Net):
    def middle(self, x: Tensor) -> Tensor:
        return self.block(x.flip(-1) if random.random() < 0.5 else x)


class ScriptedDraw(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


def numpy_draw() -> float:
    return float(np.random.rand())  # noqa: NPY002


RANDOM: dict[str, Callable[[], nn.Module]] = {
    "Python": lambda: Draws(random.random),
    "numpy": lambda: Draws(numpy_draw),
    "a coin": Coin,
    "its own numpy generator": lambda: OwnGenerator(np.random.default_rng(0)),
    "its own Python generator": lambda: OwnGenerator(random.Random(0)),
    "its own torch generator": lambda: OwnGenerator(torch.Generator().manual_seed(0)),
    "dropout": lambda: Wrapped(lambda y: F.dropout(y, 0.5)),
    "torch": lambda: Wrapped(lambda y: y * torch.rand(1)),
    "inside a ScriptModule": lambda: nn.Sequential(torch.jit.script(ScriptedDraw()), Net()),
}


@pytest.mark.parametrize("name", RANDOM)
def test_a_random_forward_is_refused_and_nothing_is_drawn(name: str) -> None:
    torch.manual_seed(0)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    model = fill(RANDOM[name]().double())
    before = state_of(getattr(model, "generator", None))
    with ModelGuard(model), pytest.raises(ModelError, match=r"(?s)two passes|random"):
        explain(model, picture(8, 8), 1)
    assert state_of(getattr(model, "generator", None)) == before


def state_of(generator: Any) -> str:
    if isinstance(generator, np.random.Generator):
        return str(generator.bit_generator.state)
    if isinstance(generator, torch.Generator):
        return str(generator.get_state().tolist())
    return str(generator.getstate()) if generator is not None else ""


def test_what_is_random_in_training_alone_or_always_the_same_is_explained() -> None:
    class Seeded(Net):
        def middle(self, x: Tensor) -> Tensor:
            own = torch.Generator().manual_seed(3)
            drawn = np.random.default_rng(3).random()
            return self.block(x) * torch.rand(1, generator=own, dtype=x.dtype) * float(drawn)

    for model in (fill(Seeded().double()), fill(Draws(random.random, always=False).double())):
        wanted = plainly(model, picture(8, 8), 1)
        model.train()
        assert relative(explain(model, picture(8, 8), 1)[0], wanted) < 1e-12


def test_the_second_look_costs_one_pass_of_each_shadow() -> None:
    class Counting(Net):
        passes = 0

        def forward(self, x: Tensor) -> Tensor:
            Counting.passes += 1
            return super().forward(x)

    model = fill(Counting().double())
    for k in range(3):
        explain(model, picture(8, 8), k)
    assert Counting.passes == 4
