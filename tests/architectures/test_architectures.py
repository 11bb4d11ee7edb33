"""Architectures of each library, as they are, and the page that says which were tried."""

from __future__ import annotations

import pytest

from tests.architectures.facts import PAGE, find, page
from tests.architectures.models import CASES, KERAS, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_the_gradient_is_exact_and_the_page_says_so(case: Case) -> None:
    facts = find(case)
    assert facts.by_the_map == pytest.approx(facts.by_differences, rel=1e-5)
    assert facts.by_the_map != 0
    assert facts.alone_and_in_a_batch < (1e-4 if case.library == KERAS else 1e-8)  # which computes in float32
    assert facts.row in PAGE.read_text("utf-8").splitlines(), "run: make docs"


def test_the_page_has_these_rows_and_no_others() -> None:
    text = PAGE.read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert text == page(rows), "run: make docs"
    assert [row.split(" | ")[1] for row in rows] == [case.name for case in CASES]
