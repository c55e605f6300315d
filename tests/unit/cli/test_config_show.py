"""`config show` for people: values in words, allowances with their end."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.cli.main import main

ALLOW = '[[allow]]\npackage = "{}"\nrule = "CS0103"\nreason = "once needed"\nexpires = {}\n'


def test_what_nobody_set_is_told_in_words_and_an_allowance_with_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "CARGO_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "ws"\nversion = "0.1.0"\n')
    (tmp_path / "cargo-sandbox.toml").write_text(ALLOW.format("old", "2020-01-01") + ALLOW.format("new", "2999-01-01"))
    monkeypatch.chdir(tmp_path)
    assert main(["config", "show"]) == 0
    shown = capsys.readouterr().out
    assert "time-limit = (default: 6h)\n" in shown and "audit.deny = (default)\n" in shown
    assert "allow old: rule CS0103 (once needed), expired on 2020-01-01" in shown
    assert "allow new: rule CS0103 (once needed), until 2999-01-01" in shown
