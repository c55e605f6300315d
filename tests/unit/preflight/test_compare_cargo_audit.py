"""`scripts/compare-cargo-audit` tells equal from different; the program it asks is played by a script here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.preflight.advisory_files import CRATES_IO, put

SCRIPT = Path(__file__).parents[3] / "scripts" / "compare-cargo-audit"
ID = "RUSTSEC-2099-0001"


def item(identifier: str, version: str = "1.2.0") -> dict[str, Any]:
    return {"advisory": {"id": identifier}, "package": {"name": "csbench-bad", "version": version}}


LOCK = f'version = 4\n[[package]]\nname = "csbench-bad"\nversion = "1.2.0"\nsource = "{CRATES_IO}"\n'


def compare(top: Path, report: str, code: int = 1, text: str = LOCK) -> subprocess.CompletedProcess[str]:
    """Compare with a cargo-audit that prints the report, whatever it is asked, on a lock file of that text."""
    put(top / "db", ID, "csbench-bad")
    put(top / "db", "RUSTSEC-2099-0002", "csbench-bad", informational="unsound")
    lock = top / "Cargo.lock"
    lock.write_text(text)
    program = top / "cargo-audit"
    program.write_text(f"#!/bin/sh\ncat '{top}/report'\nexit {code}\n")
    program.chmod(0o755)
    (top / "report").write_text(report)
    command = [sys.executable, str(SCRIPT), "--db", str(top / "db"), "--cargo-audit", str(program), str(lock)]
    return subprocess.run(command, capture_output=True, text=True)


def report(vulnerabilities: list[dict[str, Any]], **warnings: list[dict[str, Any]]) -> str:
    return json.dumps({"vulnerabilities": {"list": vulnerabilities}, "warnings": warnings})


def test_the_same_advisories_are_equal(tmp_path: Path) -> None:
    done = compare(tmp_path, report([item(ID)], unsound=[item("RUSTSEC-2099-0002")]))
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 different matches: equal" in done.stdout


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (report([item(ID)]), "only we: unsound RUSTSEC-2099-0002 csbench-bad 1.2.0"),
        (report([item(ID), item("RUSTSEC-2099-0003")], unsound=[item("RUSTSEC-2099-0002")]), "only cargo-audit: "),
        (report([item(ID, "1.2.1")], unsound=[item("RUSTSEC-2099-0002")]), "only cargo-audit: "),
        (report([item("RUSTSEC-2099-0002")], unsound=[item(ID)]), "only cargo-audit: unsound"),
    ],
)
def test_anything_else_is_a_difference(tmp_path: Path, said: str, told: str) -> None:
    done = compare(tmp_path, said)
    assert done.returncode == 1
    assert told in done.stdout


@pytest.mark.parametrize(("said", "code"), [("", 1), ("{}", 0), ("[]", 0), (report([]), 2)])
def test_a_program_that_failed_is_no_comparison(tmp_path: Path, said: str, code: int) -> None:
    assert compare(tmp_path, said, code).returncode == 2


def test_a_lock_file_that_can_not_be_read_is_no_comparison(tmp_path: Path) -> None:
    done = compare(tmp_path, report([item(ID)]), text="[[package]")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
