"""Runs an unrecorded plan (cargo alone) to its end and takes what it prints, with bounds."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.engine.protocol import Engine
from sandbox.errors import LimitExceeded, SetupError
from sandbox.plan.model import Plan

_MAX_OUTPUT = 512 << 20
_MAX_ERRORS = 8 << 20


@dataclass(frozen=True)
class Captured:
    """Exit status (minus the signal if it was one), standard output and standard error."""

    status: int
    out: bytes
    err: bytes


def capture(engine: Engine, plan: Plan, on_error_line: Callable[[bytes], None]) -> Captured:
    """Start the plan's container and read it to its end.

    `on_error_line` gets each line of standard error as it comes. Raises LimitExceeded after the plan's time limit,
    SetupError when it prints more than any cargo would, KeyboardInterrupt when the user interrupts.
    """
    session = engine.start(plan)
    deadline = time.monotonic() + plan.limits.wall_s if plan.limits.wall_s else None
    out, err, line = bytearray(), bytearray(), bytearray()
    open_fds = {session.stdout_fd, session.stderr_fd}
    poll = select.poll()
    for fd in open_fds:
        poll.register(fd, select.POLLIN)
    try:
        session.begun()
        while open_fds:
            for fd, _ in poll.poll(500):
                chunk = os.read(fd, 1 << 18)
                if not chunk:
                    poll.unregister(fd)
                    open_fds.discard(fd)
                elif fd == session.stdout_fd:
                    out += chunk
                else:
                    err += chunk
                    line += chunk
                    *whole, rest = line.split(b"\n")
                    line = bytearray(rest)
                    for one in whole:
                        on_error_line(bytes(one))
            if len(out) > _MAX_OUTPUT or len(err) > _MAX_ERRORS:
                raise SetupError("cargo printed without end while resolving", wall="resources", why="more than 512 MiB")
            if deadline is not None and time.monotonic() > deadline:
                raise LimitExceeded("the time limit was reached while resolving", limit="time", hint="--time-limit")
        status = session.wait()
    finally:
        session.kill()
        session.close()
    if line:
        on_error_line(bytes(line))
    assert status is not None
    if cut := session.broken or session.limit:
        raise SetupError(
            f"the container in which cargo resolves was cut short: {cut}",
            wall="container",
            why="cargo could not finish",
            fix="see what ended it, then build again",
        )
    if status == -signal.SIGINT or status == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    return Captured(status, bytes(out), bytes(err))
