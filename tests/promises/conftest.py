"""What all promises compare with, computed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.promises.models import make
from tests.promises.support import explain
from tests.promises.table import case_of, method_of


@pytest.fixture(scope="session")
def plain() -> Callable[[str], np.ndarray[Any, Any]]:
    """The maps of a method on the plain model of its family, in float64."""

    @cache
    def of(name: str) -> np.ndarray[Any, Any]:
        return explain(make(case_of(name).family), method_of(name))

    return of
