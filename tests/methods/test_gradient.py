"""The gradient at a blurred picture, and the gradient times the picture."""

from __future__ import annotations

import pytest
import torch

from saliency_widget.attribution import Attribution
from saliency_widget.errors import InputError
from saliency_widget.explainer import explain
from saliency_widget.methods.blur import gaussian_blur
from saliency_widget.methods.gradient import Gradient, InputXGradient
from tests.engine.support import fill, picture, problem_of, relative
from tests.engine.test_exact import Convolutional, Linear
from tests.methods.support import Constant, Quadratic, last, model_of_pixels


def test_the_gradient_at_a_blurred_picture_is_that_of_the_quadratic_there() -> None:
    model, prepared = Quadratic(2, 12), picture(12, 12, matrix="identity")
    problem = problem_of(model, prepared, [0, 1])
    found = last(Gradient(blur=2.5), problem)
    # The variable is the pixel; the input is the pixel plus the offset.
    there = gaussian_blur(problem.pixels, 2.5) - problem.pixels + prepared.input.double()
    assert torch.allclose(found.values, model.a.detach() * there, rtol=1e-9)
    plain = last(Gradient(), problem_of(model, prepared, [0, 1]))
    assert torch.equal(found.scores, plain.scores)
    blurred = model(there[None])[0]
    assert [quality["blurred_score"] for quality in found.quality] == pytest.approx(blurred.tolist(), rel=1e-9)
    assert plain.quality == ({}, {})


def test_of_a_linear_model_the_blur_changes_nothing() -> None:
    model, prepared = Linear().double(), picture(4, 4)
    assert torch.allclose(
        last(Gradient(3), problem_of(model, prepared, [2])).values,
        last(Gradient(), problem_of(model, prepared, [2])).values,
        rtol=1e-12,
    )


@pytest.mark.parametrize("blur", [-1, float("nan"), "2", True])
def test_what_is_no_blur_is_refused(blur: object) -> None:
    with pytest.raises(InputError, match="blur="):
        Gradient(blur=blur)  # type: ignore[arg-type]


def test_input_x_gradient_sums_to_the_logit_of_a_net_without_biases() -> None:
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 8, 3, bias=False), torch.nn.ReLU(), torch.nn.Flatten()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(8 * 36, 4, bias=False)).double()
    prepared = picture(8, 8, matrix="identity")
    # Pixels that are the model's input.
    own = type(prepared)(**{**vars(prepared), "pixels": prepared.input.double(), "offset": 0 * prepared.offset})
    found = last(InputXGradient(), problem_of(model, own, [0, 3]))
    assert torch.allclose(found.values.sum((1, 2, 3)), found.scores, rtol=1e-9)


def test_input_x_gradient_is_the_peers() -> None:
    attr = pytest.importorskip("captum.attr")
    model, prepared = fill(Convolutional().double()), picture(12, 12)
    problem = problem_of(model, prepared, [1, 4])
    found = last(InputXGradient(), problem)
    for k, target in enumerate((1, 4)):
        peer = attr.InputXGradient(model_of_pixels(model, prepared)).attribute(problem.pixels[None].clone(), target)
        assert relative(found.values[k], peer.detach()[0]) < 1e-6


def test_zero_stays_zero() -> None:
    for method in (Gradient(2), InputXGradient()):
        found = last(method, problem_of(Constant(), picture(4, 4), [0]))
        assert not found.values.any()


def test_half_precision_is_multiplied_in_float32() -> None:
    model, prepared = fill(Convolutional().bfloat16()), picture(12, 12)
    assert last(InputXGradient(), problem_of(model, prepared, [0])).values.dtype is torch.float32
    assert last(Gradient(1), problem_of(model, prepared, [0])).values.dtype is torch.bfloat16


def test_units() -> None:
    for method, unit in ((InputXGradient(), "logit"), (Gradient(2), "logit per input unit")):
        found = explain(fill(Convolutional()), torch.rand(3, 12, 12), target=0, method=method)
        assert isinstance(found, Attribution)
        assert found.unit == unit
