"""The end of the process: its exit code, and output that nobody takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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
