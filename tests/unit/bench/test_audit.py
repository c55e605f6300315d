"""`scripts/bench audit`, on a small home."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest
from benchmarks import audit, cli
from benchmarks.command import BenchError, environment
from benchmarks.report import Report

from sandbox.preflight.checks import fast_checks
from tests.unit.preflight.integrity.homes import Home


def measured(tmp_path: Path, packages: int) -> Report:
    home = Home(tmp_path).unpack()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    report = Report("audit", {}, {})
    options = argparse.Namespace(rounds=1, packages=packages, db=None, cargo_home=home.base / "home")
    audit.run(options, scratch, environment(scratch), report)
    return report


def test_it_is_on_the_command_line() -> None:
    options = cli.parser().parse_args(["audit", "--packages", "40"])
    assert (options.packages, options.rounds, options.db) == (40, 5, None)


def test_it_times_real_audits(tmp_path: Path) -> None:
    report = measured(tmp_path, 1)
    assert len(report.rows) == 4 and all(spread.median > 0 for _, spread, _ in report.rows)
    assert [one.name for one in report.thresholds] == ["fast checks", "audit without sources"]


def test_too_few_packages_are_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="has 1 packages, and 2 are wanted"):
        measured(tmp_path, 2)


def test_an_audit_in_which_a_check_failed_is_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks = (
        "import sys\nfrom sandbox.cli.main import main\nfrom sandbox.preflight.packages import places\n"
        "places.Places.indexes = None\nsys.exit(main(sys.argv[1:]))"
    )
    monkeypatch.setattr(audit, "cargo_sandbox", lambda: [sys.executable, "-c", breaks])
    with pytest.raises(BenchError, match=r"what failed is not measured: .*yanked: this is our bug: TypeError"):
        measured(tmp_path, 1)


def test_an_audit_that_leaves_no_report_is_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "cargo_sandbox", lambda: ["true"])
    with pytest.raises(BenchError, match="left no report"):
        measured(tmp_path, 1)


def test_what_it_calls_fast_is_what_builds_make() -> None:
    assert audit.FAST.split(",") == [check.name for check in fast_checks()]
