"""The user's streams: which of them are a terminal, and raw mode while the user's own program runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from sandbox.plan.model import Stdio


def choose_stdio(programs: bool) -> Stdio:
    """How the build's streams are made: a terminal where ours is one, so that cargo shows progress and colours."""
    out, err = os.isatty(1), os.isatty(2)
    stdin = "null"
    if programs and _is_open(0):
        stdin = "tty" if os.isatty(0) and (out or err) else "pipe"
    rows, columns = 24, 80
    if out or err:
        from sandbox.run.pump import terminal_size

        rows, columns = terminal_size()
    return Stdio(stdin, "tty" if out else "pipe", "tty" if err else "pipe", rows, columns)


@contextlib.contextmanager
def raw_terminal(stdio: Stdio) -> Iterator[Callable[[], None]]:
    """Yields a function that hands the keyboard to the program (raw mode); the old mode comes back at the end."""
    if stdio.stdin != "tty":
        yield lambda: None
        return
    import termios
    import tty

    before = termios.tcgetattr(0)
    try:
        yield lambda: tty.setraw(0, termios.TCSADRAIN)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
