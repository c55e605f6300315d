"""Timing a command from outside."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.command import BenchError, environment, scratch_folder, succeed, tail, timed, watched

SPIN = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"


def test_the_time_of_grandchildren_counts(tmp_path: Path) -> None:
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPIN!r}], check=True)"
    done = timed([sys.executable, "-c", script], tmp_path, {}, tmp_path / "log")
    assert done.code == 0
    assert done.cpu_s >= 0.2
    assert done.wall_s >= 0.2


def test_waiting_is_wall_time_only(tmp_path: Path) -> None:
    done = timed(["sleep", "0.3"], tmp_path, {"PATH": "/usr/bin:/bin"}, tmp_path / "log")
    assert done.wall_s >= 0.3
    assert done.cpu_s < 0.3


def test_output_goes_to_the_log_and_input_is_empty(tmp_path: Path) -> None:
    log = tmp_path / "log"
    timed(["sh", "-c", "echo out; echo err >&2; cat; pwd; echo $MINE"], tmp_path, {"MINE": "yes"}, log)
    assert tail(log) == f"out\nerr\n{tmp_path}\nyes\n"


def test_only_the_end_of_a_long_log_is_shown(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 10_000 + b"\xffend")
    assert tail(tmp_path / "log", 6) == "xx\N{REPLACEMENT CHARACTER}end"


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", -9)])
def test_a_failure_is_told_with_the_command_its_code_and_its_last_words(tmp_path: Path, script: str, code: int) -> None:
    with pytest.raises(BenchError) as told:
        succeed(["sh", "-c", f"echo no luck; {script}"], tmp_path, {}, tmp_path / "log")
    assert f"ended with {code}:\nno luck" in str(told.value)
    assert str(tmp_path) in str(told.value)


def test_a_command_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="can't be started"):
        timed(["/no/such/program"], tmp_path, {}, tmp_path / "log")


def test_both_sides_get_an_environment_that_the_caller_has_no_say_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUSTFLAGS", "-C opt-level=3")
    monkeypatch.setenv("CARGO_TARGET_DIR", "/elsewhere")
    monkeypatch.setenv("CARGO_SANDBOX_DENY", "low")
    monkeypatch.setenv("CARGO_HOME", "/some/cargo")
    env = environment(tmp_path)
    assert not {"RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_SANDBOX_DENY"} & set(env)
    assert env["CARGO_HOME"] == "/some/cargo"
    assert env["CARGO_NET_OFFLINE"] == "true"
    assert env["XDG_STATE_HOME"].startswith(str(tmp_path))


def test_the_scratch_folder_goes_away_also_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(BenchError), scratch_folder(tmp_path / "new") as folder:
        (folder / "file").touch()
        raise BenchError("no")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_watched_command_tells_its_largest_memory(tmp_path: Path) -> None:
    script = "import time; data = b'x' * 60_000_000; time.sleep(0.5)"
    seconds, peaks = watched([sys.executable, "-c", script], tmp_path, {}, tmp_path / "log")
    assert seconds >= 0.5
    assert 60_000 <= peaks.orchestrator_kb <= 200_000
    assert peaks.guard_kb == 0


def test_a_watched_command_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="ended with 5:\nbroken"):
        watched(["sh", "-c", "echo broken; exit 5"], tmp_path, {}, tmp_path / "log")
