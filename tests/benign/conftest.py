"""The standing third, built once for all tests with an engine."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def each_engine(engine: str) -> None:
    """Every test here runs with each engine; see tests/engines.py."""
