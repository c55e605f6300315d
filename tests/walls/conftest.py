"""One lab, and the probe once an engine; what it came to is written down for docs/walls.md if that is asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.conftest import breakable_guard
from tests.harness import Lab, session
from tests.walls.rows import ENGINES
from tests.walls.trials import Trials, trials

__all__ = ["breakable_guard"]

RESULTS = "CARGO_SANDBOX_TEST_WALLS"


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with session() as made:
        yield made


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def tried(lab: Lab, breakable_guard: Path, engine: str) -> Iterator[Trials]:
    """The probe in this engine. CARGO_SANDBOX_TEST_WALLS names a folder for what came of it."""
    with trials(lab, breakable_guard, engine) as made:
        yield made
        if folder := os.environ.get(RESULTS):
            Path(folder, f"{engine}.json").write_text(json.dumps(made.results(), indent=1))
