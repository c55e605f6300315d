"""One arena with the real guard and one with a guard whose walls can be taken down."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.attack.arena import Arena
from tests.harness import ROOT, Lab, guard_binary


@pytest.fixture(autouse=True)
def each_engine(engine: str) -> None:
    """Every test here runs with each engine; see tests/engines.py."""


@pytest.fixture(scope="session")
def breakable_guard() -> Path:
    """A guard that was compiled with the switches that take single walls down; CARGO_SANDBOX_TEST_BREAKABLE names one
    that is there already."""
    if named := os.environ.get("CARGO_SANDBOX_TEST_BREAKABLE"):
        return Path(named)
    printed = subprocess.run([ROOT / "scripts" / "breakable-guard"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(printed.stdout.strip())


@pytest.fixture(scope="session")
def arena(lab: Lab) -> Arena:
    """With the real guard: what users have."""
    return Arena.make(lab, guard_binary(), breakable=False)


@pytest.fixture(scope="session")
def weak(lab: Lab, breakable_guard: Path) -> Arena:
    """With the breakable guard: for the proof that an attack succeeds once its wall is away."""
    return Arena.make(lab, breakable_guard, breakable=True)
