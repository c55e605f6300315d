"""`scripts/bench integrity`, on a small home."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from benchmarks import cli, integrity
from benchmarks.command import BenchError
from benchmarks.report import Report

from tests.unit.preflight.integrity.homes import FILES, Home


def measured(home: Home, scratch: Path) -> Report:
    report = Report("integrity", {}, {})
    options = argparse.Namespace(rounds=2, cargo_home=home.base / "home")
    integrity.run(options, scratch, {}, report)
    return report


def test_it_is_on_the_command_line() -> None:
    options = cli.parser().parse_args(["integrity"])
    assert (options.rounds, options.cargo_home) == (3, None)


def test_it_gives_a_speed_and_a_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrity, "_LEAST_MB", 0.0)
    report = measured(Home(tmp_path).unpack(), tmp_path / "scratch")
    assert [label for label, _, _ in report.rows] == [
        "all files read and compared", "unpacked bytes", "unpacked bytes, per second of one core",
        "nothing changed since",
    ]  # fmt: skip
    assert report.details["packages"] == 1 and len(report.details["cold_s"]) == 2


def test_too_little_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="0 MB"):
        measured(Home(tmp_path).unpack(), tmp_path / "scratch")


def test_a_home_that_was_changed_is_no_measurement(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack({**FILES, "build.rs": b""})
    with pytest.raises(BenchError, match="not as cargo left it"):
        measured(home, tmp_path / "scratch")
