"""Notebooks that a tool executes: of a widget it keeps what its traits say while a cell runs, and nothing else.

nbclient, on which nbconvert, papermill and MyST-NB build, drops what arrives between two cells and after the last one.
So a cell that a tool runs ends when what is under way has been computed, within a limit; what came between two cells is
said again when the next one begins. A page keeps everything, and cells that are run from one are left alone.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from saliency_widget.widget import rerun

if TYPE_CHECKING:
    from saliency_widget.widget.widget import SaliencyWidget

# Seconds for which the cells of a notebook wait for one widget, all together.
PATIENCE = 20.0

_widgets: weakref.WeakKeyDictionary[SaliencyWidget, float] = weakref.WeakKeyDictionary()
_missed: weakref.WeakKeyDictionary[SaliencyWidget, set[str]] = weakref.WeakKeyDictionary()
_listening: weakref.WeakSet[Any] = weakref.WeakSet()
_between = False


def note(widget: SaliencyWidget) -> None:
    """Keep a widget's maps in the notebook that made it, whoever runs it."""
    shell = rerun.find_shell()
    if shell is None:
        return
    _widgets[widget] = PATIENCE
    if shell not in _listening:
        _listening.add(shell)
        shell.events.register("pre_run_cell", _before_cell)
        shell.events.register("post_run_cell", _after_cell)


def sent(widget: SaliencyWidget, names: Iterable[str]) -> None:
    """Traits of a widget were sent."""
    if _between and widget in _widgets:
        _missed.setdefault(widget, set()).update(names)


def heard(widget: SaliencyWidget) -> None:
    """A page spoke to a widget, and keeps what it is told."""
    _widgets.pop(widget, None)
    _missed.pop(widget, None)


def _before_cell(*_: Any) -> None:
    global _between
    _between = False
    missed = list(_missed.items())
    _missed.clear()
    if _is_run_by_tool():
        for widget, names in missed:
            with widget._lock:
                if widget.comm is not None:
                    widget.send_state(sorted(names))


def _after_cell(*_: Any) -> None:
    global _between
    if _is_run_by_tool():
        for widget, patience in list(_widgets.items()):
            started = time.monotonic()
            widget._session.rest(patience)
            _widgets[widget] = max(0.0, patience - (time.monotonic() - started))
    _between = True


def _is_run_by_tool() -> bool:
    """Whether the cell that runs in a kernel has no name, as pages give to cells."""
    try:
        return "cellId" not in rerun.find_shell().get_parent()["metadata"]
    except Exception:
        return False
