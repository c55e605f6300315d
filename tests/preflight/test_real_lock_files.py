"""Real lock files are benign input: ours, and those that packages in the cargo home were published with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.cargo import config
from sandbox.cargo.files import Unreadable
from sandbox.cargo.homes import cargo_home
from sandbox.cargo.lockfile import parse
from sandbox.errors import SandboxError
from sandbox.judge.model import at_least
from sandbox.preflight import run
from sandbox.preflight.checks import fast_checks
from sandbox.preflight.model import Wishes
from sandbox.preflight.subject import of_lock
from tests.harness import ROOT

_MOST = 60
_OURS = sorted([*ROOT.glob("examples/*/Cargo.lock"), ROOT / "sandbox/guard/Cargo.lock"])


def _published() -> list[Path]:
    """Lock files of packages, the largest first: those are programs'."""
    top = cargo_home(dict(os.environ), Path.cwd()) / "registry/src"
    found = [path for path in top.glob("*/*/Cargo.lock") if "csbench" not in str(path)]
    return sorted(found, key=lambda path: -path.stat().st_size)[:_MOST]


def _findings(path: Path) -> list[str]:
    nowhere = Path("/nonexistent")
    subject = of_lock(path, config.load(nowhere, nowhere), {}, Wishes(advisory_db="/nonexistent"), None)
    outcomes = run.make([check for check in fast_checks() if check.name != "advisories"], subject)
    assert not [one for one in outcomes if one.failed]
    return [f"{one.code} {one.severity} {one.package}: {one.detail}" for one in run.findings(outcomes)
            if at_least(one.severity, "high")]  # fmt: skip


@pytest.mark.parametrize("path", _OURS, ids=lambda path: path.parent.name)
def test_nothing_in_our_own_lock_files_is_grave(path: Path) -> None:
    assert _findings(path) == []


def test_nothing_in_published_lock_files_is_grave() -> None:
    found = {}
    for path in _published():
        try:
            parse(path.read_text())
        except (Unreadable, SandboxError, UnicodeDecodeError):
            continue  # a test file of its package, broken on purpose
        found[path.parent.name] = _findings(path)
    assert {name: lines for name, lines in found.items() if lines} == {}
