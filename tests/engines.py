"""The same test with each engine.

@on_both
def test_something(lab): ...        # once with bubblewrap, once with docker
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Lab

ENGINES = ("bubblewrap", "docker")
on_both = pytest.mark.parametrize("engine", ENGINES, indirect=True)
on_docker = pytest.mark.parametrize("engine", ["docker"], indirect=True)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest, lab: Lab) -> Iterator[str]:
    """The engine of this test, and of no other."""
    before = lab.engine
    lab.engine = getattr(request, "param", before)
    if lab.engine == "docker" and not daemon_answers():
        pytest.skip("no Docker daemon answers")
    yield lab.engine
    lab.engine = before


def broken_bwrap(folder: Path) -> Path:
    """A bwrap that may not make user namespaces, as on Ubuntu 24.04."""
    program = folder / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    program.chmod(0o755)
    return program


def daemon_answers() -> bool:
    """Whether there is a daemon to test with."""
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def containers() -> list[dict[str, str]]:
    """All containers of ours, whoever started them: id, state, labels as text."""
    command = ["docker", "ps", "--all", "--no-trunc", "--filter", "label=cargo-sandbox.owner", "--format", "{{json .}}"]
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    return [json.loads(line) for line in printed.splitlines()]


def containers_of(pid: int) -> list[str]:
    """Ids of the containers that the process `pid` has started."""
    return [found["ID"] for found in containers() if f" {pid} " in found["Labels"]]
