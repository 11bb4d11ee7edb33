"""Guided backprop and deconvolution: every spelling of a rectifier, or a refusal."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.rectifiers import RectifierRules, guided
from saliency_widget.errors import ModelError
from saliency_widget.methods.base import Method
from saliency_widget.methods.guided import Deconvolution, GuidedBackprop
from tests.engine.support import fill, picture, plainly, problem_of, relative

PICTURE = picture(12, 12, matrix="identity")
METHODS = [GuidedBackprop(), Deconvolution()]


class Net(nn.Module):
    """Two rectifiers, one after a pooling, spelled as asked."""

    def __init__(self, rectify: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.rectify = rectify
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = self.pool(self.rectify(self.first(x)))
        return self.head(self.rectify(self.second(h)).mean((2, 3)))


def _twice(x: Tensor) -> Tensor:
    nn.ReLU(inplace=True)(x)  # what it returns is ignored
    return x


def _view(x: Tensor) -> Tensor:
    x[:, :4].clamp_(min=0)
    x.narrow(1, 4, 4).clamp_min_(0)
    return x


RELU: dict[str, Callable[[Tensor], Tensor]] = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": nn.ReLU(inplace=True),
    "nn.ReLU ignored": _twice,
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "F.relu in place, positional": lambda x: F.relu(x, True),
    "F.relu_": F.relu_,
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "x.relu": lambda x: x.relu(),
    "x.relu_": lambda x: x.relu_(),
    "input=": lambda x: F.relu(input=x),
    "aten": torch.ops.aten.relu,
    "aten, overload": torch.ops.aten.relu.default,
    "clamp": lambda x: x.clamp(min=0),
    "clamp, positional": lambda x: torch.clamp(x, 0.0),
    "clamp, tensor": lambda x: torch.clamp(x, min=torch.zeros((), dtype=x.dtype)),
    "clamp_": lambda x: x.clamp_(min=0),
    "clamp_min": lambda x: torch.clamp_min(x, 0),
    "x.clamp_min_": lambda x: x.clamp_min_(0.0),
    "clip": lambda x: x.clip(0),
    "threshold": lambda x: F.threshold(x, 0, 0),
    "nn.Threshold in place": nn.Threshold(0.0, 0.0, inplace=True),
    "torch.threshold_": lambda x: torch.threshold_(x, 0, 0),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "max": lambda x: torch.max(x, torch.tensor(0.0, dtype=x.dtype)),
    "hardtanh": lambda x: F.hardtanh(x, 0.0, 1e9),
    "views": _view,
}
RELU6: dict[str, Callable[[Tensor], Tensor]] = {
    "nn.ReLU6": nn.ReLU6(),
    "nn.ReLU6 in place": nn.ReLU6(inplace=True),
    "F.relu6": F.relu6,
    "F.relu6 in place": lambda x: F.relu6(x, inplace=True),
    "hardtanh": lambda x: F.hardtanh(x, 0, 6),
    "hardtanh_": lambda x: F.hardtanh_(x, 0.0, 6.0),
    "nn.Hardtanh": nn.Hardtanh(0.0, 6.0),
    "clamp": lambda x: x.clamp(0, 6),
    "clamp_": lambda x: torch.clamp_(x, min=0, max=6.0),
    "aten": torch.ops.aten.hardtanh.default,
}


class Reference(torch.autograd.Function):
    """The rules, written down once more: for an out of place rectifier between 0 and ``top``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, top: float, masked: bool) -> Tensor:
        ctx.mask = (x > 0) & (x < top) if masked else torch.ones_like(x, dtype=torch.bool)
        return x.clamp(0, top)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return torch.where(ctx.mask, torch.where(gradient > 0, gradient, 0), 0), None, None


def net(rectify: Callable[[Tensor], Tensor], scale: float = 1.0) -> Net:
    torch.manual_seed(0)
    model = fill(Net(rectify).double())
    assert isinstance(model, Net)
    with torch.no_grad():
        model.first.weight.mul_(scale)
    return model


def mapped(model: nn.Module, method: Method, *targets: int, **options: Any) -> tuple[Tensor, Tensor, dict[str, Any]]:
    *_, last = method.estimates(problem_of(model, PICTURE, targets or (1,), **options))
    assert last.final
    return last.values, last.scores, last.quality[0]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("spelling", RELU)
def test_every_spelling_of_relu(spelling: str, method: Method) -> None:
    masked = isinstance(method, GuidedBackprop)
    expected = plainly(net(lambda x: Reference.apply(x, 1e300, masked)), PICTURE, 1)
    model = net(RELU[spelling])
    values, scores, quality = mapped(model, method)
    assert relative(values, expected) < 1e-12
    assert relative(values, plainly(model, PICTURE, 1)) > 0.1
    assert torch.equal(scores[0], problem_of(model, PICTURE, [1]).logits[1])
    count = 4 if spelling == "views" else 2
    assert quality == {"rectifiers": f"{count} of {count} nonlinearities"}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("spelling", RELU6)
def test_every_spelling_of_relu6(spelling: str, method: Method) -> None:
    rectify = RELU6[spelling]
    if spelling == "aten":
        rectify = lambda x: torch.ops.aten.hardtanh.default(x, 0, 6)  # noqa: E731
    masked = isinstance(method, GuidedBackprop)
    expected = plainly(net(lambda x: Reference.apply(x, 6.0, masked), 20), PICTURE, 1)
    values, _, quality = mapped(net(rectify, 20), method)
    assert relative(values, expected) < 1e-12
    assert quality == {"rectifiers": "2 of 2 nonlinearities"}


@pytest.mark.parametrize("spelling", ["F.relu", "torch.relu", "x.relu", "x.relu_"])
def test_captum_returns_the_gradient_where_no_module_rectifies(spelling: str) -> None:
    captum = pytest.importorskip("captum.attr")
    model, given = net(RELU[spelling]), PICTURE.input.double()[None]
    gradient = plainly(model, PICTURE, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = captum.GuidedBackprop(model).attribute(given, target=1)
    assert relative(theirs, gradient) < 1e-12
    values, *_ = mapped(model, GuidedBackprop())
    assert relative(values, gradient) > 0.1


@pytest.mark.parametrize("inplace", [False, True])
def test_equals_captum_where_modules_rectify(inplace: bool) -> None:
    captum = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    model = fill(timm.create_model("resnet18", num_classes=7).double())
    for part in model.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = inplace
    prepared = picture(32, 32, matrix="identity")
    given = prepared.input.double()[None]
    for theirs, ours in ((captum.GuidedBackprop, GuidedBackprop()), (captum.Deconvolution, Deconvolution())):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = theirs(model).attribute(given, target=3)
        *_, last = ours.estimates(problem_of(model, prepared, [3]))
        assert relative(last.values, expected) < 1e-6
        assert last.quality[0] == {"rectifiers": "17 of 17 nonlinearities"}


def test_deconvolution_does_not_know_the_picture_without_pooling() -> None:
    model = net(F.relu)
    model.pool = nn.AvgPool2d(2)
    found = []
    for seed in (0, 1):
        problem = problem_of(model, picture(12, 12, matrix="identity", seed=seed), [1])
        *_, last = Deconvolution().estimates(problem)
        found.append(last.values)
    assert torch.equal(found[0], found[1])


def test_several_targets_share_one_forward() -> None:
    model = net(F.relu)
    seen: list[int] = []

    class Counting(Net):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(len(x))
            return super().forward(x)

    counting = Counting(F.relu).double()
    counting.load_state_dict(model.state_dict())
    problem = problem_of(counting, PICTURE, [0, 1, 4])
    problem.outputs(problem.pixels[None])
    seen.clear()
    *_, last = GuidedBackprop().estimates(problem)
    assert seen == [1, 1]  # a plain one, and one with the rule, whatever the number of targets
    for k, target in enumerate((0, 1, 4)):
        assert relative(last.values[k], mapped(model, GuidedBackprop(), target)[0][0]) < 1e-12


@pytest.mark.parametrize("spelling", ["F.relu", "nn.ReLU in place", "views", "clamp_"])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_vmap_equals_the_loop(spelling: str, method: Method) -> None:
    looped, *_ = mapped(net(RELU[spelling]), method, 0, 1, 2, classes="loop")
    problem = problem_of(net(RELU[spelling]), PICTURE, (0, 1, 2), classes="vmap")
    *_, last = method.estimates(problem)
    assert problem.provenance["classes"] == "vmap"
    assert relative(last.values, looped) < 1e-12


def test_rows_do_not_depend_on_the_chunk() -> None:
    found = []
    for chunk in (1, 2, 5):
        problem = problem_of(net(nn.ReLU(inplace=True)), PICTURE, [0, 2], chunk=chunk)
        rows = torch.stack([problem.pixels.roll(k, 2) for k in range(5)])
        found.append(problem.gradients(rows, RectifierRules(guided))[1])
    assert found[0].shape == (5, 2, 3, 12, 12)
    assert relative(found[1], found[0]) < 1e-12
    assert relative(found[2], found[0]) < 1e-12


def test_other_nonlinearities_keep_their_derivative_and_are_named() -> None:
    model = net(F.relu)
    model.pool = nn.Sequential(nn.Hardswish(), nn.GELU(), nn.Hardsigmoid(), nn.PReLU())
    model.double()
    *_, quality = mapped(model, GuidedBackprop())
    assert quality == {
        "rectifiers": "2 of 6 nonlinearities",
        "unchanged": "1 hardswish, 1 gelu, 1 hardsigmoid, 1 prelu",
    }


@pytest.mark.parametrize(
    ("name", "quality"),
    [
        ("tf_efficientnet_lite0", {"rectifiers": "33 of 33 nonlinearities"}),
        ("mobilenetv2_100", {"rectifiers": "35 of 35 nonlinearities"}),
        (
            "mobilenetv3_large_100",
            {"rectifiers": "19 of 48 nonlinearities", "unchanged": "21 hardswish, 8 hardsigmoid"},
        ),
    ],
)
def test_real_architectures(name: str, quality: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=4)
    with ModelGuard(model):
        *_, last = GuidedBackprop().estimates(problem_of(model, picture(32, 32), [1]))
    assert last.quality[0] == quality
    assert last.values.abs().sum() > 0


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("rectify", [nn.GELU(), nn.LeakyReLU(), nn.Hardtanh(), nn.Identity(), lambda x: x.clamp(min=1)])
def test_a_model_without_a_rectifier_is_refused(rectify: Callable[[Tensor], Tensor], method: Method) -> None:
    with pytest.raises(ModelError, match=r"no rectifier.*'gradient'"):
        mapped(net(rectify), method)


@pytest.mark.parametrize("others", [True, False])
def test_a_script_module_hides_its_rectifiers_and_is_refused(others: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hidden = torch.jit.script(nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU()).double())
    model = net(F.relu if others else nn.Identity())
    model.pool = hidden
    total = 3 if others else 1
    with pytest.raises(ModelError, match=rf"1 of the model's {total} rectifiers.*ScriptModule"):
        mapped(model, GuidedBackprop())


def test_a_script_module_without_a_rectifier_may_stay() -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(8)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(x)

    inner = fill(Inner().double())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(inner)
    model, plain = net(F.relu), net(F.relu)
    model.pool, plain.pool = scripted, inner
    values, _, quality = mapped(model, GuidedBackprop())
    assert relative(values, mapped(plain, GuidedBackprop())[0]) < 1e-12
    assert quality["rectifiers"] == "2 of 2 nonlinearities"


def test_a_rectifier_of_weights_is_none_of_the_picture() -> None:
    class Positive(Net):
        def forward(self, x: Tensor) -> Tensor:
            h = F.relu(F.conv2d(x, F.relu(self.first.weight), self.first.bias))
            return self.head(h.mean((2, 3)))

    *_, quality = mapped(fill(Positive(F.relu).double()), GuidedBackprop())
    assert quality == {"rectifiers": "1 of 1 nonlinearities"}


def test_scores_that_the_rules_would_change_are_refused() -> None:
    class Aware(Net):
        def forward(self, x: Tensor) -> Tensor:
            modes = [type(mode).__name__ for mode in torch.overrides._get_current_function_mode_stack()]
            return super().forward(x) + len(set(modes) - {"Sentinel", "Exact"})

    problem = problem_of(fill(Aware(F.relu).double()), PICTURE, [0])
    problem.outputs(problem.pixels[None])
    with pytest.raises(ModelError, match="other scores"):
        list(GuidedBackprop().estimates(problem))


def test_the_rule_holds_through_no_grad() -> None:
    class Frozen(Net):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                return super().forward(x)

    expected, *_ = mapped(net(F.relu), GuidedBackprop())
    model = Frozen(F.relu).double()
    model.load_state_dict(net(F.relu).state_dict())
    values, _, quality = mapped(model.eval(), GuidedBackprop())
    assert relative(values, expected) < 1e-12
    assert quality == {"rectifiers": "2 of 2 nonlinearities"}


@pytest.mark.parametrize("classes", ["loop", "vmap"])
def test_a_checkpoint_would_recompute_without_the_rule_and_is_refused(classes: str) -> None:
    class Checkpointed(Net):
        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(super().forward, x, use_reentrant=False)

    with pytest.raises(ModelError, match="checkpointing off"):
        mapped(Checkpointed(F.relu).double().eval(), GuidedBackprop(), 0, 1, classes=classes)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_the_callers_mode_makes_no_difference(mode: Callable[[], Any]) -> None:
    expected, *_ = mapped(net(nn.ReLU(inplace=True)), GuidedBackprop())
    model = net(nn.ReLU(inplace=True))
    with mode():
        assert torch.equal(mapped(model, GuidedBackprop())[0], expected)


def test_not_a_number_is_not_hidden() -> None:
    model = net(F.relu)
    with torch.no_grad():
        model.second.weight[0] = torch.nan
    values, scores, _ = mapped(model, GuidedBackprop())
    assert values.isnan().any()
    assert scores.isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_type_of_the_model(dtype: torch.dtype) -> None:
    values, *_ = mapped(net(nn.ReLU6()).to(dtype), GuidedBackprop())
    assert values.dtype == dtype
    assert torch.isfinite(values).all()


def test_the_model_is_untouched_and_let_go() -> None:
    model = net(nn.ReLU(inplace=True)).train()
    with ModelGuard(model):
        mapped(model, GuidedBackprop())
        with pytest.raises(ModelError):
            mapped(net(nn.GELU()), GuidedBackprop())
    assert not torch.overrides._get_current_function_mode_stack()
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
