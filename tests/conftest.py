"""Fixtures for all tests that run real builds; see tests/harness.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import harness


@pytest.fixture(scope="session")
def lab() -> Iterator[harness.Lab]:
    """The folder of this session, with a cache that all its runs share."""
    with harness.session() as made:
        yield made


@pytest.fixture(scope="session")
def ordinary(lab: harness.Lab) -> harness.User:
    """Somebody without any privilege."""
    return harness.ordinary_user(lab)
