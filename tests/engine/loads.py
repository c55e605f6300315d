"""Which Python modules a command of ours loaded, told by Python itself."""

from __future__ import annotations

from tests.harness import Done

TELL = {"PYTHONPROFILEIMPORTTIME": "1"}
"""The environment that makes it tell (python(1))."""

DEAR = frozenset(("dataclasses", "inspect", "shutil", "tempfile", "socket", "logging", "asyncio", "importlib.metadata"))
"""Modules that cost a build with nothing to do several milliseconds each, or load many others."""

JUDGES = ("sandbox.behaviour", "sandbox.judge.rules", "sandbox.run.judgement", "sandbox.run.accepted")
"""What is loaded only where there is something to judge."""


def loaded(done: Done) -> set[str]:
    """All modules, also those that were looked for and not found. Raises AssertionError if none was told."""
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    names = {line.rpartition("|")[2].strip() for line in lines}
    assert "sandbox.cli.main" in names, done.shown
    return names


def judging(names: set[str]) -> set[str]:
    """Those of the modules that judge."""
    return {name for name in names if name.startswith(JUDGES)}
