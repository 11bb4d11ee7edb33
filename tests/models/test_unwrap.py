"""The model inside its wrappers, and what is no model."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from saliency_widget.errors import InputError
from saliency_widget.models.unwrap import describe, unwrap


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.module = nn.Linear(2, 2)  # a name that wrappers use, too

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.module(x)
        return y


def test_wrappers_come_off_and_the_model_stays() -> None:
    model = Small()
    assert unwrap(model) is model
    assert unwrap(nn.DataParallel(model)) is model
    assert unwrap(torch.compile(model)) is model
    assert unwrap(nn.DataParallel(torch.compile(nn.DataParallel(model)))) is model  # type: ignore[arg-type]
    averaged = AveragedModel(model)
    assert unwrap(averaged) is averaged.module
    assert describe(nn.DataParallel(model)) == "Small"


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_a_script_module_keeps_its_name() -> None:
    scripted = torch.jit.trace(Small(), torch.zeros(1, 2))
    assert unwrap(scripted) is scripted
    assert describe(scripted) == "Small"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("resnet50", "timm.create_model('resnet50', pretrained=True)"),
        (Small, "Small(...)"),
        ({"weight": torch.zeros(2)}, "load_state_dict"),
        ([Small()], "Give one model"),
        (None, "is a NoneType"),
        (torch.zeros(2), "is a Tensor"),
        (lambda x: x, "torch.nn.Module whose forward"),
    ],
)
def test_what_is_no_model(model: object, words: str) -> None:
    with pytest.raises(InputError) as caught:
        unwrap(model)
    assert caught.value.argument == "model"
    assert words in str(caught.value)
