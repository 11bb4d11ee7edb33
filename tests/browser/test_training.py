"""A training loop runs in a cell while somebody looks: no map is of two states of the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.browser.page import Widget, until
from tests.lab import Lab

# Its gradient is the number of the class at every pixel, exactly, whatever the weight is; but not where the weight
# was one thing in the middle of a pass and another at its end. The training sets it to powers of two.
MODEL = """
import json, os, time, torch
import saliency_widget as sw
from tests.hosts.subject import LABELS

class Twice(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
    def forward(self, x):
        first = x * self.weight
        time.sleep(0.01)
        whole = (first / self.weight).sum((1, 2, 3))
        return whole[:, None] * torch.arange(1.0, 11.0)

model = Twice().eval()
w = sw.SaliencyWidget(model, torch.rand(3, 16, 16), preprocess="none", labels=LABELS, method=sw.SmoothGrad(samples=12),
    sign="signed", reduction="0")
w
"""
TRAIN = """
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
steps = 0
while not os.path.exists({go!r}):
    # To 1, 2, 4, ... 64, and back to 1.
    aim = 2.0 ** (steps % 7)
    model.weight.grad = model.weight.detach() - aim
    optimizer.step()
    assert model.weight.item() == aim, "what was trained is what is there"
    steps += 1
    # The first step of an optimizer imports half of torch.
    if steps == 5:
        open({running!r}, "w").close()
    time.sleep(0.003)
model.weight.data.fill_(0.125)
steps
"""
# Each value that is read out, from the first to the last.
RECORD = """(field) => {
  window.__values = new Set();
  const note = () => window.__values.add(field.getAttribute("data-value"));
  note();
  new MutationObserver(note).observe(field, { attributes: true });
}"""


def test_each_map_that_is_shown_while_a_cell_trains_is_of_one_state_of_the_weights(
    open_warm: Callable[[list[str]], Lab], tmp_path: Path
) -> None:
    running, go = tmp_path / "running", tmp_path / "go"
    lab = open_warm([MODEL, TRAIN.format(running=str(running), go=str(go)), "0"])
    assert "Traceback" not in lab.run(0)
    widget = Widget(lab.cell(0).locator(".jp-OutputArea"))
    widget.threshold.wait_for()
    widget.field("value").evaluate(RECORD)
    said: list[bool] = []
    try:
        lab.start(1)
        until(lab.page, running.exists, 60)
        # Those that the model finds likely were computed before it was trained, the others while it is.
        for label in ("gnu", "ant", "hen", "bee"):
            widget.choose(label)
            widget.wait_until_shown(label)
            widget.frames()
            said.append("weights" in widget.field("state").inner_text())
    finally:
        go.touch()
    lab.wait_until_idle()
    # Where the machine lets the training wait, no step falls into a map; but not so four times.
    assert any(said), "weights that changed while a map was computed are not told of"
    text = lab.text(1)
    assert int(text) > 20, "it went on training meanwhile"
    values = set(lab.page.evaluate("[...window.__values]"))
    assert values <= {str(float(number)).removesuffix(".0") for number in range(1, 11)}, "no pass saw two weights"
    assert {"1", "2", "7", "8"} <= values
    # Of those weights there is nothing now, and that is said.
    lab.ask(2, "w.class_index = 5; w.wait()")
    assert lab.ask(2, "print('JSON' + json.dumps(model.weight.tolist()))") == [0.125]
