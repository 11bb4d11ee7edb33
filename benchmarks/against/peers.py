"""What a user would pick instead, each as its documentation shows it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from against.limit import on_grid
from against.models import Subject


def installed(name: str) -> bool:
    """Whether a peer is there."""
    return importlib.util.find_spec(name) is not None


# -- captum -----------------------------------------------------------------------------------------------------


def captum_saliency(subject: Subject, classes: Sequence[int]) -> Callable[[], Tensor]:
    from captum.attr import Saliency

    method = Saliency(subject.copy())

    def run() -> Tensor:
        return torch.cat(
            [method.attribute(subject.inputs.clone().requires_grad_(), target=k, abs=False) for k in classes]
        )

    return run


def captum_cam(subject: Subject, classes: Sequence[int]) -> Callable[[], Tensor]:
    from captum.attr import LayerGradCam

    model = subject.copy()
    method = LayerGradCam(model, model.get_submodule(subject.layer))

    def run() -> Tensor:
        return torch.cat([method.attribute(subject.inputs, target=k)[:, 0] for k in classes])

    return run


def captum_noise(subject: Subject, which: int, samples: int, noise: float, size: int | None) -> Callable[[], Tensor]:
    from captum.attr import NoiseTunnel, Saliency

    method = NoiseTunnel(Saliency(subject.copy()))

    def run() -> Tensor:
        return method.attribute(
            subject.inputs.clone(),
            nt_type="smoothgrad",
            nt_samples=samples,
            nt_samples_batch_size=size,
            stdevs=noise,
            target=which,
            abs=False,
        )[0]

    return run


def captum_path(subject: Subject, which: int, steps: int, size: int | None) -> Callable[[], Tensor]:
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(subject.copy())

    def run() -> Tensor:
        return method.attribute(subject.inputs, target=which, n_steps=steps, internal_batch_size=size)[0].float()

    return run


def captum_occlusion(subject: Subject, which: int, window: int, size: int = 1) -> Callable[[], Tensor]:
    from captum.attr import Occlusion

    method, shape = Occlusion(subject.copy()), (3, window, window)

    def run() -> Tensor:
        with torch.no_grad():
            return method.attribute(
                subject.inputs,
                sliding_window_shapes=shape,
                strides=shape,
                baselines=0,
                target=which,
                perturbations_per_eval=size,
            )[0, :1]

    return run


# -- pytorch-grad-cam and torch-cam -----------------------------------------------------------------------------


def grad_cam(subject: Subject, classes: Sequence[int], method: str = "GradCAM", layer: str = "") -> Callable[[], Any]:
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model = subject.copy()
    layers = [model.get_submodule(layer or subject.layer)]
    cam = getattr(pytorch_grad_cam, method)(
        model=model, target_layers=layers, reshape_transform=on_grid if subject.tokens else None
    )
    # Its progress bars cost next to nothing and are no result.
    module = importlib.import_module(type(cam).__module__)
    if hasattr(module, "tqdm"):
        module.tqdm = _Silent(module.tqdm)

    def run() -> Tensor:
        found = [cam(input_tensor=subject.inputs, targets=[ClassifierOutputTarget(k)]) for k in classes]
        return torch.from_numpy(np.concatenate(found))

    return run


class _Silent:
    """A progress bar's module whose bars pass their items on."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def tqdm(self, items: Any, **_: Any) -> Any:
        return items

    def __call__(self, items: Any, **_: Any) -> Any:
        return items


def as_grad_cam(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (K, h, w) as pytorch-grad-cam gives them: what is positive, enlarged, each from 0 to 1."""
    from pytorch_grad_cam.utils.image import scale_cam_image

    shown = [scale_cam_image(one[None].clamp(min=0).numpy(), size)[0] for one in maps.detach().float().cpu()]
    once = torch.from_numpy(np.stack(shown))
    return torch.stack([torch.from_numpy(scale_cam_image(one[None].numpy(), size)[0]) for one in once])


def torch_cam(subject: Subject, classes: Sequence[int]) -> Callable[[], Tensor]:
    from torchcam.methods import GradCAM

    model = subject.copy()
    method = GradCAM(model, subject.layer)

    def run() -> Tensor:
        found = []
        for k in classes:
            scores = model(subject.inputs)
            found.append(method(k, scores, normalized=False)[0])
        return torch.cat(found).detach()

    return run


# -- PAIR saliency ----------------------------------------------------------------------------------------------


def pair(subject: Subject, which: int, method: str, **options: Any) -> Callable[[], Tensor]:
    import saliency.core as saliency

    model = subject.copy()
    picture = subject.inputs[0].permute(1, 2, 0).cpu().numpy()

    def call(pictures: Any, call_model_args: Any = None, expected_keys: Any = None) -> dict[str, Any]:
        pixels = torch.tensor(np.asarray(pictures), dtype=torch.float32).permute(0, 3, 1, 2).to(subject.device)
        if saliency.base.OUTPUT_LAYER_VALUES in expected_keys:
            with torch.no_grad():
                return {saliency.base.OUTPUT_LAYER_VALUES: model(pixels)[:, which].cpu().numpy()}
        pixels.requires_grad_()
        (gradient,) = torch.autograd.grad(model(pixels)[:, which].sum(), pixels)
        return {saliency.base.INPUT_OUTPUT_GRADIENTS: gradient.permute(0, 2, 3, 1).cpu().numpy()}

    maker = getattr(saliency, method)()
    get = maker.GetSmoothedMask if "nsamples" in options else maker.GetMask

    def run() -> Tensor:
        return torch.from_numpy(get(picture, call, **options)).permute(2, 0, 1)

    return run


# -- the same chance for all ------------------------------------------------------------------------------------


def with_noise(run: Callable[[], Tensor], noise: Tensor) -> Callable[[], Tensor]:
    """The same, but that the peer's normal numbers are these (N, C, H, W), in their order: so its map must be ours.

    For comparing, not for timing.
    """

    def again() -> Tensor:
        left = iter(noise)

        def of_torch(_mean: Any, deviation: Tensor) -> Tensor:
            return torch.stack([next(left) for _ in range(len(deviation))]).to(deviation)

        def of_numpy(_mean: Any, _deviation: Any, _shape: Any) -> Any:
            return next(left).permute(1, 2, 0).cpu().numpy()

        with patch.object(torch, "normal", of_torch), patch.object(np.random, "normal", of_numpy):
            return run()

    return again
