"""A cell that is run again leaves one widget, not one for each run.

ipywidgets refers to every widget strongly, so a widget whose output was replaced would otherwise live, and keep its
maps and its model, until the kernel ends.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saliency_widget.widget.widget import SaliencyWidget

# How deep the user's containers are searched: a list of widgets, a dictionary of lists of them.
_DEEP = 3


class _Cell:
    """What one execution of a cell made."""

    def __init__(self, execution: str) -> None:
        self.execution = execution
        self.made: list[weakref.ref[SaliencyWidget]] = []


_cells: dict[str, _Cell] = {}
_earlier: list[weakref.ref[SaliencyWidget]] = []
_listening: weakref.WeakSet[Any] = weakref.WeakSet()


def note(widget: SaliencyWidget) -> None:
    """Remember which cell made a widget; what earlier runs of that cell made is closed when the cell has ended.

    What the user can still reach by a name is left alone. The history of outputs (``Out``, ``_``) is no such name.
    """
    shell = find_shell()
    cell, execution = _running(shell)
    if cell is None:
        return
    known = _cells.get(cell)
    if known is None or known.execution != execution:
        if known is not None:
            _earlier.extend(known.made)
        known = _cells[cell] = _Cell(execution)
    known.made.append(weakref.ref(widget))
    if shell not in _listening:
        _listening.add(shell)
        # After the cell and not now: its own names still point to what it made the last time.
        shell.events.register("post_run_cell", _after_cell)


def _after_cell(*_: Any) -> None:
    waiting, _earlier[:] = list(_earlier), []
    widgets = [widget for reference in waiting if (widget := reference()) is not None]
    shell = find_shell()
    if not widgets or shell is None:
        return
    held = _reachable(shell.user_ns)
    for widget in widgets:
        if id(widget) not in held:
            widget.close()
        else:
            _earlier.append(weakref.ref(widget))


def _reachable(names: Mapping[str, Any]) -> set[int]:
    """Ids of what the user's names and containers hold."""
    found: set[int] = set()
    level = [value for name, value in list(names.items()) if not name.startswith("_") and name not in ("In", "Out")]
    for _ in range(_DEEP):
        found.update(map(id, level))
        level = [item for value in level for item in _items(value) if id(item) not in found]
    return found | set(map(id, level))


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    # Boxes of ipywidgets and the user's own objects.
    children = getattr(value, "children", None) if "ipywidgets" in type(value).__module__ else None
    if children is not None:
        return list(children)
    own = getattr(value, "__dict__", None)
    return list(own.values()) if type(value).__module__ == "__main__" and isinstance(own, dict) else []


def find_shell() -> Any:
    """The notebook's shell; None where there is none."""
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()


def _running(shell: Any) -> tuple[str | None, str]:
    """The cell that is running and the name of this run; None where the host does not tell."""
    try:
        parent = shell.get_parent()
        cell = parent["metadata"]["cellId"]
        execution = parent["header"]["msg_id"]
    except Exception:
        return None, ""
    return (cell, str(execution)) if isinstance(cell, str) else (None, "")
