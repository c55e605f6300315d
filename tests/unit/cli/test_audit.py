"""`cargo-sandbox audit` on a lock file alone: what it takes, what it refuses, and which severity makes it fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.cli.main import main
from sandbox.judge.model import Severity
from sandbox.preflight import checks
from sandbox.preflight.model import Answer, Check, Subject, finding
from tests.unit.preflight.trees import LOCK, locked


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a lock file, with nobody's policy and with one check that knows `csbench-evil`."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "CARGO_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("CARGO_SANDBOX_DENY", "CARGO_SANDBOX_ADVISORY_DB", "CARGO_SANDBOX_REPORT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Cargo.lock").write_text(LOCK + locked("csbench-evil", "1.0.0"))
    monkeypatch.chdir(tmp_path)
    plant(monkeypatch, "high")
    return tmp_path


def plant(monkeypatch: pytest.MonkeyPatch, severity: Severity) -> None:
    def look(subject: Subject) -> Answer:
        found = [finding("CS0551", one, "\x1b[2J", severity=severity) for one in subject.locked if "evil" in one.name]
        return Answer("planted", "done", tuple(found), looked_at=len(subject.locked))

    monkeypatch.setattr(checks, "all_checks", lambda: (Check("planted", "a list", look, fast=True),))


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"], ["--nonsense"], ["--lock"], ["--deny", "sometimes"], ["--only", "none"], ["--", "x"],
        ["--lock", "Cargo.lock", "--manifest-path", "Cargo.toml"], ["--report", "x.unknown"],
    ],
)  # fmt: skip
def test_what_is_not_understood_is_told(here: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(["audit", *words]) == 2
    assert "= help: " in capsys.readouterr().err


def test_a_lock_file_is_looked_at_with_chains_and_nothing_of_it_reaches_the_terminal(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "--lock", "Cargo.lock"]) == 120
    out = capsys.readouterr().out
    assert "error[CS0551]: package csbench-evil 1.0.0 has a known vulnerability" in out
    assert "Audit violation: 1 of 1 check done, 2 packages, 1 finding (1 high)" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("before", "after", "policy", "code"),
    [
        ([], [], "", 0),
        ([], ["--deny", "medium"], "", 120),
        (["--deny", "medium"], [], "", 120),
        (["--deny", "medium"], ["--deny", "high"], "", 0),
        ([], [], 'deny = "medium"\n', 120),
        ([], [], '[audit]\ndeny = "medium"\n', 120),
        ([], [], 'deny = "medium"\n[audit]\ndeny = "high"\n', 0),
        (["--deny", "high"], [], '[audit]\ndeny = "medium"\n', 0),
    ],
)
def test_the_nearest_word_on_severity_counts(
    here: Path, monkeypatch: pytest.MonkeyPatch, before: list[str], after: list[str], policy: str, code: int
) -> None:
    plant(monkeypatch, "medium")
    (here / "XDG_CONFIG_HOME" / "cargo-sandbox").mkdir(parents=True)
    (here / "XDG_CONFIG_HOME" / "cargo-sandbox" / "config.toml").write_text(policy)
    assert main([*before, "audit", "--lock", "Cargo.lock", *after]) == code


@pytest.mark.parametrize(
    "text",
    ["version = 99", "[[package]]\nname = 3", "\x00", "package = 3", "[" * 5000, 'version = 4\n[[package]]\nname="a"'],
)
def test_a_lock_file_that_can_not_be_read_is_a_clear_error(
    here: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (here / "bad.lock").write_text(text)
    assert main(["audit", "--lock", "bad.lock"]) == 101
    assert "the lock file" in capsys.readouterr().err


def test_a_lock_file_that_is_not_there_is_no_clean_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--lock", "none.lock"]) == 101
    assert "there is no lock file" in capsys.readouterr().err


def test_an_allowance_of_the_user_s_takes_a_finding_away_and_is_shown(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    allow = '[[allow]]\npackage = "csbench-evil"\nrule = "CS0551"\nreason = "not reached"\n'
    (here / "XDG_CONFIG_HOME" / "cargo-sandbox").mkdir(parents=True)
    (here / "XDG_CONFIG_HOME" / "cargo-sandbox" / "config.toml").write_text(allow)
    assert main(["audit", "--lock", "Cargo.lock"]) == 0
    out = capsys.readouterr().out
    assert "allowed by policy: 1 finding\n  CS0551 csbench-evil 1.0.0: allowed by" in out
    assert "not reached" in out


def test_a_critical_finding_takes_the_checksum_of_what_was_looked_at(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, "critical")
    allow = '[[allow]]\npackage = "csbench-evil"\nrule = "CS0551"\nreason = "for study"\n'
    file = here / "XDG_CONFIG_HOME" / "cargo-sandbox" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(allow)
    assert main(["audit", "--lock", "Cargo.lock"]) == 120
    file.write_text(f'{allow}checksum = "{"b" * 64}"\n')
    assert main(["audit", "--lock", "Cargo.lock"]) == 120
    file.write_text(f'{allow}checksum = "{"a" * 64}"\n')
    assert main(["audit", "--lock", "Cargo.lock"]) == 0


def test_json_and_reports_are_written_beside_each_other(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--report", "a.sarif", "--report", "markdown:b", "--report", "c.json", "--report", "terminal:d"]
    assert main(["audit", "--lock", "Cargo.lock", "--json", *words]) == 120
    data = json.loads(capsys.readouterr().out)
    assert json.loads((here / "c.json").read_text()) == data
    assert [one["code"] for one in data["findings"]] == ["CS0551"]
    assert "CS0551" in (here / "b").read_text()
    assert "error[CS0551]" in (here / "d").read_text()
    assert json.loads((here / "a.sarif").read_text())["runs"][0]["results"][0]["ruleId"] == "CS0551"
    # The line of its version in the lock file.
    assert data["findings"][0]["location"] == {"file": "Cargo.lock", "line": 9}


def test_a_report_that_can_not_be_written_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--lock", "Cargo.lock", "--report", "none/x.json"]) == 2
    assert "can't be written" in capsys.readouterr().err
