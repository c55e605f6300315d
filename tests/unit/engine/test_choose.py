"""Which engine is taken, and what is said when none can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.engine.choose import choose
from sandbox.errors import EngineUnavailable, SetupError, UsageError
from tests.engines import broken_bwrap


@pytest.fixture(autouse=True)
def no_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")


def working_bwrap(folder: Path) -> Path:
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\necho tried >>{folder}/tries\n")
    program.chmod(0o755)
    return program


def test_auto_takes_a_bubblewrap_that_works_and_tries_it_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = working_bwrap(tmp_path)
    monkeypatch.setattr("sandbox.engine.bubblewrap._on_path", lambda: str(program))
    for _ in range(2):
        engine = choose("auto", "", "", str(tmp_path / "cache"))
        assert (engine.info.name, engine.info.why) == ("bubblewrap", "it can put up every wall here")
    assert (tmp_path / "tries").read_text() == "tried\n"


def test_marks_of_trials_do_not_pile_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sandbox.engine.bubblewrap._on_path", lambda: str(working_bwrap(tmp_path)))
    marks = tmp_path / "cache" / "engines"
    marks.mkdir(parents=True)
    for number in range(100):
        (marks / str(number)).touch()
    choose("auto", "", "", str(tmp_path / "cache"))
    assert len(list(marks.iterdir())) == 1


def test_without_any_engine_both_reasons_and_both_remedies_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sandbox.engine.bubblewrap._on_path", lambda: str(broken_bwrap(tmp_path)))
    with pytest.raises(SetupError) as caught:
        choose("auto", "", "", str(tmp_path / "cache"))
    assert caught.value.exit_code == 121
    assert "Permission denied" in caught.value.why and "no Docker daemon answers" in caught.value.why
    assert "AppArmor takes the rights" in caught.value.why
    assert "AppArmor" in caught.value.hint and "DOCKER_HOST" in caught.value.hint


def test_a_named_engine_that_is_not_there_is_not_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="Docker"):
        choose("docker", "", "", str(tmp_path))
    monkeypatch.setattr("sandbox.engine.bubblewrap._on_path", lambda: "")
    with pytest.raises(EngineUnavailable, match="bubblewrap"):
        choose("bubblewrap", "", "", str(tmp_path))


def test_a_runtime_means_docker(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="Docker"):
        choose("auto", "runsc", "", str(tmp_path))
    with pytest.raises(UsageError, match="--runtime"):
        choose("bubblewrap", "runsc", "", str(tmp_path))
