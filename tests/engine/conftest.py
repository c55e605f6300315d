"""Failing comparisons show what differs."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.engine.compare")


@pytest.fixture(autouse=True)
def each_engine(engine: str) -> None:
    """Every test here runs with each engine; see tests/engines.py."""
