"""One lab, and the probe once an engine; what it came to is written down for docs/walls.md if that is asked for."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.attack.conftest import breakable_guard
from tests.engines import daemon_answers
from tests.harness import Lab, session
from tests.walls.removals import ENGINES
from tests.walls.trials import Trials, trials

__all__ = ["breakable_guard"]

RESULTS = "CARGO_SANDBOX_TEST_WALLS"


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with session() as made:
        yield made


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, lab: Lab) -> Iterator[str]:
    """Of all containers that this test's lab makes."""
    if request.param == "docker" and not daemon_answers():
        pytest.skip("no Docker daemon answers")
    before, lab.engine = lab.engine, str(request.param)
    yield lab.engine
    lab.engine = before


@pytest.fixture(scope="session")
def probed(lab: Lab, breakable_guard: Path) -> Iterator[Callable[[str], Trials]]:
    """The probe in an engine, which is tried once for all tests."""
    with contextlib.ExitStack() as stack:
        made: dict[str, Trials] = {}

        def in_engine(name: str) -> Trials:
            if name not in made:
                made[name] = stack.enter_context(trials(lab, breakable_guard, name))
            return made[name]

        yield in_engine
        if folder := os.environ.get(RESULTS):
            for name, one in made.items():
                Path(folder, f"{name}.json").write_text(json.dumps(one.results(), indent=1))


@pytest.fixture
def tried(probed: Callable[[str], Trials], engine: str) -> Trials:
    """The probe in this engine. CARGO_SANDBOX_TEST_WALLS names a folder for what came of it."""
    return probed(engine)
