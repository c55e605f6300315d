"""What was typed before the program has the keyboard is what the program reads."""

from __future__ import annotations

import os
import termios
import time
import tty

import pytest

from sandbox.run.stdio import typed_ahead


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
