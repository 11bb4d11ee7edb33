"""The quick ways to compute: the same function, and only where that is so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.engine import deciding, ways
from saliency_widget.engine.shadow import shadow_of
from saliency_widget.engine.ways import (
    BOTH,
    CHANNELS_LAST,
    FOLDED,
    FOLDED_PACKED,
    PACKED,
    PLAIN,
    WAYS,
    WORTH_IT,
)
from saliency_widget.errors import InputError
from tests.engine.support import explain, fill, picture, problem_of, relative


class Act(nn.BatchNorm2d):
    """A normalisation with an activation behind it, which calls the function, as timm's do."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu_(
            F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.1, self.eps)
        )


class Net(nn.Module):
    """Convolutions of every sort: before a normalisation, before an activation, used twice, looked at."""

    def __init__(self, look: Callable[[Tensor], Any] | None = None) -> None:
        super().__init__()
        self.look = look
        self.first, self.norm1 = nn.Conv2d(3, 8, 3, 2, 1, bias=False), Act(8)
        self.second, self.norm2 = nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.BatchNorm2d(8)
        self.third, self.norm3 = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8, affine=False)
        self.lone, self.head = nn.Conv2d(8, 6, 3), nn.Linear(6, 5)
        fill(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.first(x))
        y = self.second(x)
        z = x + F.silu(self.norm2(y))
        if self.look is not None:
            z = z + self.look(y)
        # The result of this one is normalised after an activation.
        z = self.norm3(torch.tanh(self.third(z)))
        return self.head(F.silu(self.lone(z)).mean((2, 3)))


def way_of(model: nn.Module, **options: Any) -> Any:
    problem = problem_of(model, picture(), [0], **options)
    with problem.running():
        problem.gradients(problem.pixels[None])
        problem.gradients(problem.pixels[None])
        return problem._way, problem.provenance


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "method", [sw.Gradient(), sw.GradCAM(layer="norm2"), sw.GradCAM(layer="second"), sw.Occlusion()]
)
def test_every_way_is_the_same_function(way: str, method: Any) -> None:
    model = Net().double().eval()
    explain(model, picture())
    wanted = [*method.estimates(problem_of(model, picture(), [0, 3], fast=False))][-1]
    found = [*method.estimates(problem_of(model, picture(), [0, 3], fast=way))][-1]
    assert relative(found.values, wanted.values) < 1e-12
    assert torch.allclose(found.scores, wanted.scores, rtol=1e-12)


def test_what_goes_into_a_normalisation_alone_is_folded() -> None:
    way, told = way_of(Net().eval(), fast=FOLDED)
    assert way.folded == {"first": "norm1", "second": "norm2"}
    assert (told["way"], told["way_chosen"]) == (FOLDED, "asked")


@pytest.mark.parametrize(
    "look", [lambda y: y, lambda y: y.detach(), lambda y: torch.stack([y, y])[0], lambda y: y.mul(2)]
)
def test_what_is_also_used_elsewhere_is_not_folded(look: Callable[[Tensor], Tensor]) -> None:
    model = Net(look).double().eval()
    assert way_of(model, fast=FOLDED)[0].folded == {"first": "norm1"}
    explain(model, picture())
    assert relative(explain(model, picture(), fast=FOLDED)[0], explain(model, picture(), fast=False)[0]) < 1e-12


@pytest.mark.parametrize("way", [way for way in WAYS if way != PLAIN])
@pytest.mark.parametrize(
    "where", ["first.weight", "norm1.weight", "norm2.running_var", "lone.weight", "norm3.running_mean"]
)
def test_copies_follow_weights_that_no_version_counter_sees(way: str, where: str) -> None:
    model = Net().double().eval()
    for _ in range(2):
        before = explain(model, picture(), fast=way)[0]
    tensor = model.get_submodule(where.partition(".")[0]).state_dict(keep_vars=True)[where.partition(".")[2]]
    tensor.data.view(-1)[0] += 0.3
    found = explain(model, picture(), fast=way)[0]
    assert relative(found, before) > 1e-6
    assert relative(found, explain(model, picture(), fast=False)[0]) < 1e-12


def test_the_shadow_is_as_it_was_after_a_way() -> None:
    model = Net().eval()
    with sw.ModelGuard(model):
        explain(model, picture(), fast=BOTH)
        explain(model, picture(), fast=BOTH)
    replica = shadow_of(model)._shared.replica
    assert replica is not None
    assert type(replica.module.norm1.running_mean) is Tensor
    assert replica.module.first.bias is None


def measured(monkeypatch: pytest.MonkeyPatch, model: nn.Module, seconds: dict[str, float], **options: Any) -> Any:
    """What is decided if each way took so long."""
    clock, on = [0.0], [PLAIN]
    forward = deciding._gradient

    def gradient(shadow: Any, replica: Any, row: Any, way: Any) -> Tensor:
        clock[0] += seconds[way.name]
        on[0] = way.name
        return forward(shadow, replica, row, way)

    monkeypatch.setattr(deciding, "_gradient", gradient)
    monkeypatch.setattr(deciding, "_now", lambda row: clock[0])
    return way_of(model, **options)


QUICK = {PLAIN: 1.0, CHANNELS_LAST: 0.9, PACKED: 0.8, FOLDED: 0.5, BOTH: 0.7, FOLDED_PACKED: 0.6}


@pytest.fixture(params=[True, False], ids=["oneDNN", "no oneDNN"])
def packs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether weights can be packed."""
    monkeypatch.setattr(deciding, "is_available", lambda: request.param)
    return bool(request.param)


def test_the_quickest_is_taken(monkeypatch: pytest.MonkeyPatch, packs: bool) -> None:
    monkeypatch.setattr(deciding, "_CHANCE", 100.0)
    _, told = measured(monkeypatch, Net().eval(), QUICK, fast=True)
    assert (told["way"], told["way_chosen"]) == (FOLDED, "measured")
    seconds = {**QUICK, PACKED: 0.4, CHANNELS_LAST: 0.3}
    wanted = PACKED if packs else CHANNELS_LAST
    assert measured(monkeypatch, Net().eval(), seconds, fast=True)[1]["way"] == wanted


@pytest.mark.usefixtures("packs")
def test_what_is_hardly_quicker_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "_CHANCE", 100.0)
    assert measured(monkeypatch, Net().eval(), {**dict.fromkeys(QUICK, 0.97), PLAIN: 1.0}, fast=True)[1]["way"] == PLAIN


def test_what_is_less_exact_is_not_taken(monkeypatch: pytest.MonkeyPatch, packs: bool) -> None:
    exact = deciding._outputs

    def outputs(shadow: Any, replica: Any, rows: Any, way: Any) -> list[Tensor]:
        off = 1e-6 if way.name == FOLDED else 0.0
        return [one * (1 + off) for one in exact(shadow, replica, rows, way)]

    monkeypatch.setattr(deciding, "_outputs", outputs)
    monkeypatch.setattr(deciding, "_CHANCE", 5.0)
    wanted = FOLDED_PACKED if packs else BOTH
    assert measured(monkeypatch, Net().eval(), QUICK, fast=True)[1]["way"] == wanted


def test_a_map_that_is_another_is_not_taken(monkeypatch: pytest.MonkeyPatch, packs: bool) -> None:
    forward = deciding._gradient

    def gradient(shadow: Any, replica: Any, row: Any, way: Any) -> Tensor:
        return forward(shadow, replica, row, way) * (2 if way.name == FOLDED else 1)

    monkeypatch.setattr(deciding, "_gradient", gradient)
    monkeypatch.setattr(deciding, "_CHANCE", 100.0)
    wanted = FOLDED_PACKED if packs else BOTH
    assert measured(monkeypatch, Net().eval(), QUICK, fast=True)[1]["way"] == wanted


def test_a_small_kernel_is_rounded_so_that_what_it_is_off_adds_up_to_nothing() -> None:
    product = torch.rand(64, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = ways._rounded(product, torch.float32).double()
    ulp = torch.finfo(torch.float32).eps
    assert bool(((found - product).abs() <= ulp * product.amax()).all())
    off, usual = ((one - product).sum((1, 2, 3)).abs().mean() for one in (found, product.float().double()))
    assert off < usual / 2
    large = torch.rand(4, 8, 3, 3, dtype=torch.float64)
    assert torch.equal(ways._rounded(large, torch.float32), large.float())


@pytest.mark.parametrize("model", [Net().double(), nn.Sequential(nn.Flatten(), nn.Linear(768, 3))])
def test_nothing_is_measured_where_nothing_can_be_gained(model: nn.Module) -> None:
    assert way_of(model.eval(), fast=True)[1]["way"] == PLAIN


def test_nothing_is_measured_of_few_or_small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(
        "saliency_widget.engine.deciding.decide", lambda *_: calls.append(1) or deciding.Decision(PLAIN, "")
    )
    model, large = Net().eval(), picture(64, 64)
    for _ in range(5):
        explain(model, large)
    assert not calls
    problem = problem_of(model, large, [0])
    problem.gradients(problem.pixels.expand(WORTH_IT, -1, -1, -1))
    explain(model, picture())
    assert not calls
    for _ in range(3):
        explain(model, large)
    assert calls == [1]


def test_a_way_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="fast"):
        sw.explain(Net().eval(), torch.rand(3, 16, 16), fast="quickly")


def test_a_map_says_how_it_was_computed_and_is_made_again_so() -> None:
    model, image = Net().eval(), torch.rand(3, 16, 16)
    sw.explain(model, image, target=0)
    found = sw.explain(model, image, target=0, fast=BOTH)
    assert found.provenance["way"] == BOTH
    again = sw.reproduce(found.provenance, model, image)
    assert again.identical
    assert not again.differs


def test_copies_of_ways_that_are_not_taken_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "_CHANCE", 100.0)
    model = Net().eval()
    measured(monkeypatch, model, QUICK, fast=True)
    replica = shadow_of(model)._shared.replica
    assert replica is not None
    assert [*replica._ways] == [FOLDED]


def test_forward_passes_count_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(
        "saliency_widget.engine.deciding.decide", lambda *_: calls.append(1) or deciding.Decision(PLAIN, "")
    )
    model, large = Net().eval(), picture(64, 64)
    problem = problem_of(model, large, [0])
    problem.scores(problem.pixels.expand(3 * WORTH_IT, -1, -1, -1))
    problem.scores(problem.pixels[None])
    assert calls == [1]


@pytest.mark.parametrize("folds", [True, False])
def test_of_a_large_model_few_copies_are_made_to_compare(
    monkeypatch: pytest.MonkeyPatch, packs: bool, folds: bool
) -> None:
    monkeypatch.setattr(deciding, "_LARGE", 100)
    monkeypatch.setattr(deciding, "_CHANCE", 100.0)
    model = Net().eval() if folds else nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Conv2d(4, 5, 3), Mean()).eval()
    measured(monkeypatch, model, QUICK, fast=True)
    replica = shadow_of(model)._shared.replica
    assert replica is not None
    (decision,) = replica.decisions.values()
    quick = {(True, True): FOLDED_PACKED, (True, False): PACKED, (False, True): BOTH, (False, False): CHANNELS_LAST}
    assert {*decision.seconds} == {PLAIN, quick[packs, folds]}
    assert decision.way != PLAIN


class Mean(nn.Module):
    """Global average pooling."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))
