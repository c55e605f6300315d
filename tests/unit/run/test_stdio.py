"""What was typed before the program has the keyboard is what the program reads."""

from __future__ import annotations

import os
import pty
import sys
import termios
import time
import tty
from pathlib import Path

import pytest

from sandbox.run.stdio import typed_ahead

ROOT = Path(__file__).resolve().parents[3]


def _after(keys: bytes) -> tuple[bytes, bytes]:
    """What is taken in line mode, and what raw mode gives after that."""
    keyboard, terminal = os.openpty()
    try:
        os.write(keyboard, keys)
        time.sleep(0.05)
        early = typed_ahead(terminal)
        tty.setraw(terminal, termios.TCSADRAIN)
        os.set_blocking(terminal, False)
        try:
            late = os.read(terminal, 4096)
        except BlockingIOError:
            late = b""
        return early, late
    finally:
        os.close(keyboard)
        os.close(terminal)


@pytest.mark.parametrize(
    ("keys", "early"),
    [
        (b"", b""),
        (b"\x04", b"\x04"),
        (b"one\r\x04", b"one\n\x04"),
        (b"one\ntwo\x04", b"one\ntwo\x04"),
        (b"a\n\n", b"a\n\n"),
    ],
)
def test_whole_lines_and_ends_of_file_are_taken_as_they_were_typed(keys: bytes, early: bytes) -> None:
    assert _after(keys) == (early, b"")


def test_a_line_without_its_end_waits_for_raw_mode() -> None:
    assert _after(b"done\nhalf") == (b"done\n", b"half")


_JOB = """
import os, sys
from sandbox.run.stdio import choose_stdio
child = os.fork()
if child == 0:
    if sys.argv[1] == "background":
        os.setpgid(0, 0)
    print("stdin is", choose_stdio(True).stdin, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize(("job", "stdin"), [("foreground", b"tty"), ("background", b"null")])
def test_a_job_in_the_background_leaves_the_keyboard_alone(job: str, stdin: bytes) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-P", "-c", _JOB, job], os.environ | {"PYTHONPATH": str(ROOT)})
    seen = bytearray()
    try:
        while part := os.read(terminal, 4096):
            seen += part
    except OSError:  # the other side is closed
        pass
    os.waitpid(child, 0)
    os.close(terminal)
    assert b"stdin is " + stdin in seen, bytes(seen)
