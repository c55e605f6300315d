"""A terminal for tests: a program in the foreground of a new pseudo terminal, and what it showed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

PATIENCE = max(1.0, float(os.environ.get("CARGO_SANDBOX_TEST_PATIENCE", "1")))
"""How many times as long a test waits as it says. For machines that are emulated, where all takes 20 times as long."""

_KEEP = 16 << 20


class Terminal:
    """Runs `argv` as the session leader of a pseudo terminal. `seen` is what it has shown so far (16 MiB at most),
    `total` how many bytes that were in all.

    A context manager: whatever still runs at its end is killed.
    """

    def __init__(self, argv: Sequence[str], cwd: Path, env: dict[str, str], rows: int = 24, columns: int = 80) -> None:
        self.seen = b""
        self.total = 0
        self.seconds = 0.0
        self._started = time.monotonic()
        self._master, slave = os.openpty()
        self.resize(rows, columns, tell=False)
        self.process = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)

    @property
    def pid(self) -> int:
        return self.process.pid

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)

    def resize(self, rows: int, columns: int, tell: bool = True) -> None:
        """Another size; the kernel sends SIGWINCH to the foreground group."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self._read(0)

    def type(self, keys: bytes) -> None:
        """Type keys; b"\\x03" is Ctrl-C, b"\\x04" Ctrl-D at the begin of a line."""
        os.write(self._master, keys)

    def modes(self) -> list[object]:
        """The terminal's modes as `termios.tcgetattr` gives them."""
        return termios.tcgetattr(self._master)

    def expect(self, text: bytes, timeout: float = 60.0) -> None:
        """Read until `text` has been shown. AssertionError when it does not come."""
        deadline = time.monotonic() + timeout * PATIENCE
        while text not in self.seen:
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"{text!r} was not shown, but: {self.seen[-3000:]!r}")

    def wait(self, timeout: float = 240.0) -> int:
        """Read to the end and give the exit code, negative for a signal. AssertionError after `timeout` seconds."""
        deadline = time.monotonic() + timeout * PATIENCE
        while self._read(max(0.0, deadline - time.monotonic())):
            if time.monotonic() >= deadline:
                break
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(1.0, deadline - time.monotonic()))
        if self.process.returncode is None:
            raise AssertionError(f"still running after {timeout} s, having shown: {self.seen[-3000:]!r}")
        self.seconds = time.monotonic() - self._started
        return self.process.returncode

    def _read(self, timeout: float) -> bool:
        """False when nobody has the terminal open any more."""
        if not select.select([self._master], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            return False
        self.total += len(data)
        self.seen += data[: max(0, _KEEP - len(self.seen))]
        return bool(data)
