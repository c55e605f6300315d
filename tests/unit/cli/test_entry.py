"""The end of the process: its exit code, and output that nobody takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.cli.main import main

ROOT = Path(__file__).resolve().parents[3]


def started(*words: str, stdout: Any = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-P", "-m", "sandbox", *words], env=env, stdout=stdout, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip


def test_what_was_printed_arrives_whole() -> None:
    done = started("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("1 our bug\n")


@pytest.mark.parametrize(("words", "code"), [(("--version",), 0), (("nonsense",), 2), ((), 2)])
def test_the_code_is_that_of_the_command(words: tuple[str, ...], code: int) -> None:
    assert started(*words).returncode == code


@pytest.mark.parametrize("words", ["--version", "--help"])
def test_output_that_finds_no_room_is_a_failure(words: str) -> None:
    with open("/dev/full", "w") as full:
        assert started(words, stdout=full).returncode == 1


@pytest.mark.parametrize("words", ["--version", "--help"])
def test_a_reader_who_has_gone_is_told_as_by_other_programs(words: str) -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    with os.fdopen(write_fd, "w") as pipe:
        done = started(words, stdout=pipe)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_output_without_a_character_shows_its_number() -> None:
    code = "from sandbox.cli import main; main._fill_closed_streams(); print('a\\u2026')"
    env = os.environ | {"PYTHONIOENCODING": "ascii:strict", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-P", "-c", code], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "a\\u2026\n"), done.stderr


def test_a_failure_of_our_own_is_printed_without_what_moves_the_cursor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> int:
        raise ValueError("\x1b[2Jgone")

    monkeypatch.delenv("CARGO_SANDBOX_DEBUG", raising=False)
    monkeypatch.setattr("sandbox.cli.main._dispatch", fail)
    assert main(["build"]) == 1
    assert "\\x1b[2Jgone" in capsys.readouterr().err


def test_an_event_number_of_any_length_is_a_usage_error() -> None:
    assert started("explain", "last#" + "9" * 5000).returncode == 2
