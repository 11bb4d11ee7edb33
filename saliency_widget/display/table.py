"""Which maps stand where in a grid, and what its rows and columns are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saliency_widget.display.view import Drawable
from saliency_widget.display.words import one_line
from saliency_widget.errors import InputError

_WAY = (
    "Give a list of Attributions, a list of such lists (rows), or a dict: {row: [...]}, {row: {column: ...}} or "
    "{column: Attribution}."
)
_MOST = 400


@dataclass(frozen=True, eq=False)
class Table:
    """The maps by row and column; None where there is none. ``rows`` and ``columns`` are empty where not named."""

    cells: list[list[Drawable | None]]
    rows: list[str]
    columns: list[str]

    @property
    def all(self) -> list[Drawable]:
        """All maps, row by row."""
        return [one for row in self.cells for one in row if one is not None]


def table_of(given: Any) -> Table:
    """What :func:`~saliency_widget.display.grid.plot_grid` takes, as rows of equal length.

    Raises
    ------
    InputError
        There are no attributions in it, something else is, or they are too many.
    """
    rows: list[str] = []
    columns: list[str] = []
    if isinstance(given, Mapping):
        values = list(given.values())
        if values and all(_is_map(one) for one in values):
            cells, columns = [values], [one_line(name, 120) for name in given]
        else:
            rows = [one_line(name, 120) for name in given]
            if values and all(isinstance(one, Mapping) for one in values):
                names = list(dict.fromkeys(name for one in values for name in one))
                columns = [one_line(name, 120) for name in names]
                cells = [[one.get(name) for name in names] for one in values]
            else:
                cells = [_row(one) for one in values]
    elif isinstance(given, Iterable) and not isinstance(given, (str, bytes)):
        values = list(given)
        nested = any(isinstance(one, (list, tuple, Mapping)) for one in values)
        cells = [_row(one) for one in values] if nested else [_row(values)]
    else:
        raise InputError("attributions", given, f"is a {type(given).__name__}", _WAY)
    longest = max(map(len, cells), default=0)
    for one in (one for row in cells for one in row):
        if one is not None and not _is_map(one):
            raise InputError("attributions", one, "is no Attribution", _WAY)
    if not any(one is not None for row in cells for one in row):
        raise InputError("attributions", given, "holds no Attribution", _WAY)
    if longest * len(cells) > _MOST:
        raise InputError("attributions", longest * len(cells), "are too many for one figure", f"Give {_MOST} at most.")
    return Table([[*row, *[None] * (longest - len(row))] for row in cells], rows, columns)


def _row(given: Any) -> list[Any]:
    if isinstance(given, Mapping):
        return list(given.values())
    if isinstance(given, (list, tuple)):
        return list(given)
    return [given]


def _is_map(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("values", "image", "target", "method", "score", "unit"))


# What a map is told from others by, in the order in which it is said.
_FACTS: dict[str, Callable[[Any], Any]] = {
    "method": lambda one: (one.method.label, str(dict(one.method.parameters))),
    "target": lambda one: one.target.text,
    "model": lambda one: _provenance(one, "model", "weights_sha256"),
    "image": lambda one: one.image.tobytes(),
}


def _provenance(one: Any, *names: str) -> tuple[Any, ...]:
    told = getattr(one, "provenance", {})
    return tuple(told.get(name) for name in names)


def _said(fact: str, one: Any, everyone: Sequence[Any]) -> str:
    """One fact of a map in words, which tell it from the same fact of the others."""
    if fact == "target":
        return one_line(one.target.text, 120)
    if fact == "method":
        label = one_line(one.method.label, 80)
        alike = [other for other in everyone if other.method.label == one.method.label]
        told = dict(one.method.parameters)
        differing = [
            name for name in told if any(dict(other.method.parameters).get(name) != told[name] for other in alike)
        ]
        more = ", ".join(f"{name} {one_line(told[name], 24)}" for name in differing)
        return f"{label} ({more})" if more else label
    different = list(dict.fromkeys(_FACTS[fact](other) for other in everyone))
    place = different.index(_FACTS[fact](one)) + 1
    if fact == "model":
        names = {str(name).rpartition(".")[2] for name, _ in different}
        own = str(_FACTS[fact](one)[0]).rpartition(".")[2]
        return one_line(own, 60) if len(names) == len(different) else f"model {place}"
    return f"image {place}"


def names_of(table: Table) -> tuple[list[str], list[str], dict[int, str], str]:
    """Names of rows and columns, what else is to be said of each map, and what all have in common."""
    everyone = table.all
    rows = [[one for one in row if one is not None] for row in table.cells]
    columns = [[row[j] for row in table.cells if row[j] is not None] for j in range(len(table.cells[0]))]
    of_rows: list[list[str]] = [[] for _ in rows]
    of_columns: list[list[str]] = [[] for _ in columns]
    of_cells: dict[int, list[str]] = {id(one): [] for one in everyone}
    common: list[str] = []
    for fact, value in _FACTS.items():
        if len({value(one) for one in everyone}) == 1:
            if fact in ("method", "target"):
                common.append(_said(fact, everyone[0], everyone))
        elif len(columns) > 1 and all(len({value(one) for one in line}) <= 1 for line in columns):
            _name(of_columns, columns, fact, everyone)
        elif len(rows) > 1 and all(len({value(one) for one in line}) <= 1 for line in rows):
            _name(of_rows, rows, fact, everyone)
        else:
            for one in everyone:
                of_cells[id(one)].append(_said(fact, one, everyone))
    row_names = table.rows or [", ".join(names) for names in of_rows]
    column_names = table.columns or [", ".join(names) for names in of_columns]
    return row_names, column_names, {key: ", ".join(names) for key, names in of_cells.items()}, ", ".join(common)


def _name(names: list[list[str]], lines: Sequence[Sequence[Any]], fact: str, everyone: Sequence[Any]) -> None:
    for own, line in zip(names, lines, strict=True):
        if line:
            own.append(_said(fact, line[0], everyone))
