"""What stands between a command line and the started container: Python's time goes into loading modules."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.engine.loads import DEAR

START = "sandbox.cli.main, sandbox.cli.options, sandbox.run.build, sandbox.engine.bubblewrap"
LATER = "sandbox.run.ledger, sandbox.run.live"
OF_A_STARTED_RUN = (
    "sandbox.run.live", "sandbox.run.ledger", "sandbox.trace.ledger", "sandbox.judge", "sandbox.report",
    "sandbox.doctor.standing", "sandbox.baseline", "sandbox.behaviour", "zstandard",
)  # fmt: skip
NEVER = ("sandbox.behaviour", "sandbox.judge.rules", "sandbox.cli.baseline", "sandbox.trace.events", "psutil", "yaml")


def loaded(modules: str) -> set[str]:
    """What is loaded when these are, in a Python without anybody's start-up hooks."""
    command = [
        sys.executable,
        "-S",
        "-c",
        f"import sys; sys.path[:] = {sys.path!r}; import {modules}; print(*sys.modules)",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def found(names: set[str], unwanted: tuple[str, ...]) -> set[str]:
    return {name for name in names if any(name == bad or name.startswith(f"{bad}.") for bad in unwanted)}


def test_before_the_container_starts_nothing_is_loaded_that_only_a_started_run_needs() -> None:
    names = loaded(START)
    assert names & DEAR == set()
    assert found(names, OF_A_STARTED_RUN) == set()


@pytest.mark.parametrize("modules", [START, f"{START}, {LATER}"])
def test_a_build_loads_no_dear_module_and_nothing_that_only_judges(modules: str) -> None:
    names = loaded(modules)
    assert names & DEAR == set()
    assert found(names, NEVER) == set()
