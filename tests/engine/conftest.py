"""Failing comparisons show what differs."""

from __future__ import annotations

import pytest

from tests.engines import engine  # noqa: F401 (a fixture)

pytest.register_assert_rewrite("tests.engine.compare")
