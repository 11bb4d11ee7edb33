"""A notebook that a tool executes holds all maps that its widgets computed, and not their headers alone."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.widget.conftest import RecordingComm
from tests.widget.test_runs import SAMPLES
from tests.widget.test_widget import Shell, settle

REPOSITORY = Path(__file__).parent.parent.parent
STATE = "application/vnd.jupyter.widget-state+json"
MAKE = """import hashlib, json
import numpy as np
import saliency_widget as sw
from saliency_widget.widget import executed
from tests.widget.conftest import Small
{before}
picture = np.random.default_rng(5).integers(0, 256, (20, 24, 3)).astype(np.uint8)
w = sw.SaliencyWidget(Small(pause={pause}).eval(), picture, preprocess="none")
w"""
TELL = """with w._lock:
    maps = {one["key"]: hashlib.sha256(getattr(w, f"_slot_{one['slot']}")).hexdigest() for one in w._maps}
print(json.dumps(maps))"""


def execute(sources: list[str], pause: float) -> Any:
    """Execute a notebook as nbconvert does, with some time between two cells."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in sources])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = f"{REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    client = NotebookClient(notebook, timeout=300, on_cell_start=lambda **_: time.sleep(pause))
    client.execute(env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"})
    return notebook


def kept(notebook: Any) -> dict[str, str]:
    """The digests of the maps that the saved state holds, by the keys of their headers."""
    (ours,) = (one for one in notebook.metadata["widgets"][STATE]["state"].values() if "_maps" in one["state"])
    slots = {one["path"][0]: base64.b64decode(one["data"]) for one in ours.get("buffers", [])}
    return {
        one["key"]: hashlib.sha256(slots.get(f"_slot_{one['slot']}", b"")).hexdigest() for one in ours["state"]["_maps"]
    }


def test_the_likely_classes_are_in_a_notebook_that_a_tool_executed() -> None:
    # The first map is waited for in any case, for a second; the others take longer.
    notebook = execute([MAKE.format(before="", pause=0.4)], 0.0)
    assert len(kept(notebook)) == 5
    assert hashlib.sha256(b"").hexdigest() not in kept(notebook).values()


def test_what_was_computed_between_two_cells_is_there_at_the_end() -> None:
    before = "executed.PATIENCE = 0"
    notebook = execute([MAKE.format(before=before, pause=0.4), "1", TELL], 6.0)
    maps = json.loads(notebook.cells[-1].outputs[0].text)
    assert len(maps) == 5
    assert kept(notebook) == maps


class Other(Shell):
    """A shell that tells its events apart, with or without a name for its cells."""

    def __init__(self, named: bool) -> None:
        super().__init__()
        self.named = named
        self.heard: dict[str, list[Any]] = {}

    def register(self, event: str, callback: Any) -> None:
        self.heard.setdefault(event, []).append(callback)

    def get_parent(self) -> Any:
        return {"metadata": {"cellId": "c1"} if self.named else {}, "header": {"msg_id": f"run {self.run}"}}

    def tell(self, event: str) -> None:
        for callback in self.heard[event]:
            callback(None)


@pytest.mark.parametrize("named", [True, False])
def test_only_a_cell_that_no_page_runs_waits_and_says_again_what_was_missed(
    make: Any, model: Any, picture: Any, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    import saliency_widget as sw
    from saliency_widget.widget import executed, rerun

    shell = Other(named)
    monkeypatch.setattr(rerun, "find_shell", lambda: shell)
    monkeypatch.setattr(executed, "_listening", set())
    monkeypatch.setattr(executed, "_between", False)
    monkeypatch.setattr(executed, "PATIENCE", 0.2)
    model.pause = 0.002
    widget = make(model, picture, target=0)
    comm: RecordingComm = widget.comm
    shell.tell("post_run_cell")
    settle(widget)
    widget.class_index = 6
    widget.wait(20)
    comm.sent.clear()
    shell.tell("pre_run_cell")
    header = next(one for one in widget._maps if one["key"] == widget.shown)
    again = {name for _, data, _ in comm.sent for name in data.get("state", {})}
    again |= {path[0] for _, data, _ in comm.sent for path in data.get("buffer_paths", ())}
    assert ({"_maps", "shown", f"_slot_{header['slot']}"} <= again) is not named
    comm.sent.clear()
    shell.tell("pre_run_cell")
    assert comm.sent == [], "once is enough"
    # What takes longer than a notebook can wait for goes on after its cell.
    widget.method = sw.SmoothGrad(samples=SAMPLES)
    shell.tell("post_run_cell")
    shell.tell("post_run_cell")
    assert widget._session.current is not None
    widget.stop()
    comm.receive({"method": "request_state"})
    comm.sent.clear()
    shell.tell("pre_run_cell")
    assert comm.sent == [], "a page has it all"
