"""Keras 3 on the torch backend: read, explained exactly, and never changed.

Some of its layers compute in float32 whatever they are asked for, so that differences are no better than that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import saliency_widget as sw
from saliency_widget.engine.guard import ModelGuard
from saliency_widget.engine.problem import Problem
from saliency_widget.errors import InputError, ModelError
from saliency_widget.explainer import Explainer
from tests.engine.support import slope

keras = pytest.importorskip("keras")
layers = keras.layers

PICTURE = np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _in_float64() -> Iterator[None]:
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_floatx(before)
    keras.config.set_dtype_policy(before)


def body(activation: str = "tanh") -> list[Any]:
    return [
        layers.Conv2D(6, 3, strides=2, activation=activation, name="first"),
        layers.BatchNormalization(),
        layers.Dropout(0.5),
        layers.Conv2D(5, 3, activation=activation, name="last"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(4, activation="softmax", name="predictions"),
    ]


def sequential(activation: str = "tanh") -> Any:
    steps = [layers.RandomFlip(), layers.Rescaling(1 / 255), *body(activation)]
    return keras.Sequential([keras.Input((24, 32, 3)), *steps])


def functional() -> Any:
    given = keras.Input((24, 32, 3))
    x = layers.Normalization(mean=(120.0, 110.0, 100.0), variance=(3600.0, 3500.0, 3400.0))(given)
    one = layers.Conv2D(4, 3, padding="same", name="left")(x)
    x = layers.Add()([one, layers.Conv2D(4, 1, name="right")(x)]) * 0.5
    for layer in body():
        x = layer(x)
    return keras.Model(given, x)


def nested() -> Any:
    given = keras.Input((24, 32, 3))
    inner = keras.Sequential([keras.Input((24, 32, 3)), *body()[:4]], name="trunk")
    x = inner(layers.Rescaling(1 / 127.5, offset=-1)(given))
    return keras.Model(given, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


@keras.saving.register_keras_serializable("tests")
class Own(keras.Model):  # type: ignore[misc]
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.scale = layers.Rescaling(1 / 255)
        self.steps = body()

    def call(self, x: Any, training: Any = None) -> Any:
        x = self.scale(x)
        for step in self.steps:
            x = step(x, training=training) if isinstance(step, layers.Dropout) else step(x)
        return x


def subclassed() -> Any:
    model = Own()
    model(np.zeros((1, 24, 32, 3)))
    return model


def trained(make: Any) -> Any:
    """A model whose statistics are none that Keras begins with."""
    model = make()
    rng = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def by_keras(model: Any, picture: Any = PICTURE) -> Any:
    return model(np.asarray(picture, dtype=np.float64)[None], training=False)[0].detach().numpy()


@pytest.mark.parametrize("make", [sequential, functional, nested])
def test_the_preprocessing_is_read_and_the_score_is_the_models_own(make: Any) -> None:
    model = trained(make)
    explainer = Explainer(model, PICTURE)
    wanted = by_keras(model)
    found = explainer.outputs[0].numpy()
    if make is not nested:  # which ends in logits
        assert explainer.probabilities.numpy() == pytest.approx(wanted, abs=1e-12)
        found = np.exp(found) / np.exp(found).sum()
    assert found == pytest.approx(wanted, abs=1e-12)
    assert "in front" in explainer.prepared.source
    assert explainer.prepared.variable == "full-scale pixel"
    assert (explainer.prepared.picture == PICTURE).all()


@pytest.mark.parametrize("make", [sequential, functional, nested, subclassed])
def test_gradients_are_those_of_finite_differences_and_the_model_is_as_before(make: Any) -> None:
    model = trained(make)
    with ModelGuard(model):
        explainer = Explainer(
            model,
            PICTURE,
            preprocess=None
            if make is not subclassed
            else lambda p: torch.from_numpy(np.asarray(p, dtype=np.float32).transpose(2, 0, 1).copy()),
        )
        target = explainer.resolve(None)
        problem = Problem(explainer.shadow, explainer.prepared, (target,))
        direction = torch.randn(problem.pixels.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        scores, gradients = problem.gradients(torch.stack([problem.pixels, problem.pixels.flip(2)]))
        alone = problem.gradients(problem.pixels[None])[1]
        by_differences = slope(lambda batch: problem.scores(batch)[0], problem.pixels, direction, 1e-2)
    assert float((alone[0, 0] * direction).sum()) == pytest.approx(by_differences, rel=2e-3)
    assert torch.allclose(gradients[0], alone[0], rtol=0, atol=1e-5 * float(alone.abs().max()))
    assert float(scores[0, 0]) == pytest.approx(float(explainer.outputs[0, target.index]), abs=1e-9)


def test_the_score_is_the_logit_and_provenance_says_what_was_left_out() -> None:
    model = trained(sequential)
    map_ = sw.explain(model, PICTURE, target=1)
    dense, before = model.layers[-1], keras.Model(model.inputs, model.layers[-2].output)
    wanted = by_keras(before) @ dense.kernel.value.detach().numpy() + dense.bias.value.detach().numpy()
    assert map_.score == pytest.approx(float(wanted[1]), abs=1e-6)
    assert map_.probability == pytest.approx(float(by_keras(model)[1]), abs=1e-9)
    assert any("softmax at the model's end" in note for note in map_.provenance["notes"])
    assert dense.activation is keras.activations.softmax
    assert map_.provenance["model"] == "keras.src.models.sequential.Sequential"


def test_its_layers_are_listed_and_explained_by_their_names() -> None:
    model = trained(functional)
    listed = {layer.name: layer for layer in sw.layers(model, PICTURE)}
    assert listed["last"].kind == "Conv2D"
    assert listed["last"].grid == (9, 13)
    assert {"left", "first", "last"} <= set(listed)
    by_name, by_layer, auto = (
        sw.explain(model, PICTURE, method=sw.GradCAM(layer=layer)) for layer in ("last", model.get_layer("last"), None)
    )
    assert (by_name.values == by_layer.values).all()
    # Its head is pooling and a dense layer: the weights are those of the class.
    hidden = keras.Model(model.inputs, model.get_layer("last").output)(PICTURE[None].astype(float))[0].detach().numpy()
    kernel = model.layers[-1].kernel.value.detach().numpy()[:, by_name.target.index]
    wanted = np.maximum((hidden * kernel).sum(2), 0)
    assert by_name.values[0] / by_name.values.max() == pytest.approx(wanted / wanted.max(), abs=1e-5)
    assert auto.values.shape == by_name.values.shape
    inside = [layer.name for layer in sw.layers(trained(nested), PICTURE)]
    assert {"trunk.first", "trunk"} <= set(inside)  # what its last layer returns, it returns
    with pytest.raises(InputError, match="Did you mean 'last'"):
        sw.explain(model, PICTURE, method=sw.GradCAM(layer="lasst"))


@pytest.mark.parametrize("method", ["smoothgrad", "integrated_gradients", "guided_backprop", "occlusion", "lrp"])
def test_methods(method: str) -> None:
    model = trained(lambda: sequential("relu"))
    assert np.isfinite(sw.explain(model, PICTURE, method=method).values).all()


def test_weights_that_change_are_seen() -> None:
    model = trained(sequential)
    one = sw.explain(model, PICTURE, target=1)
    again = sw.explain(model, PICTURE, target=1)
    assert (one.values == again.values).all()
    model.layers[-1].set_weights([2 * weight for weight in model.layers[-1].get_weights()])
    assert sw.explain(model, PICTURE, target=1).values == pytest.approx(2 * one.values, rel=1e-5)
    statistics = next(layer for layer in model.layers if isinstance(layer, layers.BatchNormalization))
    statistics.moving_variance.assign(statistics.moving_variance * 4)
    assert not np.allclose(sw.explain(model, PICTURE, target=1).values, 2 * one.values)


def test_channels_first_models() -> None:
    given = keras.Input((3, 24, 32))
    x = layers.Conv2D(5, 3, data_format="channels_first", activation="tanh")(given)
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    model = keras.Model(given, layers.Dense(2)(x))
    map_ = sw.explain(model, torch.from_numpy(PICTURE.transpose(2, 0, 1) / 255), target=1)
    wanted = model(PICTURE.transpose(2, 0, 1)[None] / 255)[0, 1].detach()
    assert map_.score == pytest.approx(float(wanted), abs=1e-6)


def test_preprocess_input_of_the_applications() -> None:
    given = keras.Input((24, 32, 3))
    model = keras.Model(given, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(given))))
    with pytest.raises(InputError, match=r"keras\.applications"):
        sw.explain(model, PICTURE)
    explainer = Explainer(model, PICTURE, preprocess=keras.applications.resnet50.preprocess_input)
    ready = keras.applications.resnet50.preprocess_input(PICTURE.astype(np.float32))
    assert explainer.outputs[0].numpy() == pytest.approx(by_keras(model, ready), abs=1e-4)
    assert "BGR" in explainer.prepared.source or np.asarray(explainer.prepared.matrix)[0, 2] != 0
    # Another size than the model's is resized to it; a preset cannot know it, and is refused before work.
    large = np.kron(PICTURE, np.ones((3, 2, 1), dtype=np.uint8))
    assert Explainer(model, large, preprocess=keras.applications.resnet50.preprocess_input).prepared.input.shape[
        1:
    ] == (24, 32)
    with pytest.raises(InputError, match="this model takes 3 x 24 x 32"):
        sw.explain(model, PICTURE, preprocess="caffe")


def test_several_outputs_have_their_names() -> None:
    given = keras.Input((24, 32, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(given)))
    model = keras.Model(given, {"kind": layers.Dense(3)(x), "age": layers.Dense(1)(x)})
    with pytest.raises(ModelError, match=r"kind, age|age, kind"):
        sw.explain(model, PICTURE)
    map_ = sw.explain(model, PICTURE, target=sw.Score(lambda out: out["age"][:, 0], "age"))
    assert map_.score == pytest.approx(float(model(PICTURE[None].astype(float))["age"][0, 0]), abs=1e-6)


def test_a_layer_of_keras_inside_a_torch_module() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3).double()
            self.dense = layers.Dense(3)
            self.dense.build((None, 4))

        def forward(self, x: Tensor) -> Any:
            return self.dense(self.conv(x).mean((2, 3)))

    model = Mixed().eval()
    tensor = torch.from_numpy(PICTURE.transpose(2, 0, 1) / 255)
    with ModelGuard(model):
        map_ = sw.explain(model, tensor, target=1)
    assert map_.score == pytest.approx(float(model(tensor[None])[0, 1]), abs=1e-6)


def test_what_cannot_be_made_again_is_refused_with_the_way_out() -> None:
    class Closed(keras.Model):  # type: ignore[misc]
        def __init__(self, made: Any) -> None:
            super().__init__()
            self.made = made

        def call(self, x: Any) -> Any:
            return self.made(x)

    model = Closed(functional())
    model(np.zeros((1, 24, 32, 3)))
    with pytest.raises(ModelError, match=r"get_config\(\)"):
        sw.explain(model, torch.zeros(3, 24, 32))
    with pytest.raises(ModelError, match="Call it once on a picture"):
        sw.explain(Own(), torch.zeros(3, 24, 32))
