"""The user's streams: which of them are a terminal, and raw mode while the user's own program runs."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable, Iterator

from sandbox.plan.model import Stdio


def choose_stdio(programs: bool) -> Stdio:
    """How the build's streams are made: a terminal where ours is one, so that cargo shows progress and colours."""
    out, err = os.isatty(1), os.isatty(2)
    stdin = "null"
    if programs and _is_open(0):
        stdin = "tty" if os.isatty(0) and (out or err) else "pipe"
        if os.isatty(0) and not _has_the_keyboard(0):
            # A job in the background (`cargo-sandbox run &`) would be stopped as soon as it touched the terminal.
            stdin = "null"
    rows, columns = 24, 80
    if out or err:
        from sandbox.run.pump import terminal_size

        rows, columns = terminal_size()
    return Stdio(stdin, "tty" if out else "pipe", "tty" if err else "pipe", rows, columns)


_END_OF_FILE = b"\x04"
_MOST_TYPED = 64 << 10


@contextlib.contextmanager
def raw_terminal(stdio: Stdio) -> Iterator[Callable[[], bytes]]:
    """Yields a function that hands the keyboard to the program (raw mode) and gives what was typed before; the old
    mode comes back at the end."""
    if stdio.stdin != "tty":
        yield lambda: b""
        return
    import termios
    import tty

    def hand_over() -> bytes:
        early = typed_ahead(0)
        tty.setraw(0, termios.TCSADRAIN)
        return early

    before = termios.tcgetattr(0)
    try:
        yield hand_over
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def typed_ahead(fd: int) -> bytes:
    """The lines that wait in a terminal which is still in line mode, with Ctrl-D as the key that it was.

    Raw mode would give a Ctrl-D that was typed earlier as NUL (the kernel's n_tty keeps an end of file so). A line that
    is not ended yet is left to raw mode.
    """
    found = bytearray()
    while len(found) < _MOST_TYPED and select.select([fd], [], [], 0)[0]:
        try:
            line = os.read(fd, 4096)
        except OSError:
            break
        found += line if line.endswith(b"\n") else line + _END_OF_FILE
    return bytes(found)


def _has_the_keyboard(fd: int) -> bool:
    """Whether we are the job that the terminal's keys go to; also true where that can't be said."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
