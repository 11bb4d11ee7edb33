"""Every registered method is in the table, with parameters that exist."""

from __future__ import annotations

from saliency_widget.methods.base import menu
from tests.promises.table import case_of, missing, unknown_parameters


def test_every_registered_method_keeps_the_promises() -> None:
    assert not missing(), "add a Case for each of these to tests/promises/table.py"


def test_the_table_names_parameters_that_exist() -> None:
    assert not unknown_parameters()


def test_what_counts_something_has_a_budget() -> None:
    import dataclasses

    counting = {"steps", "samples", "masks"}
    for method in menu():
        if counting & {item.name for item in dataclasses.fields(method)}:
            assert case_of(method.name).budget, f"{method.name} needs a budget, for the promise about memory"
