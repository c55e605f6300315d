"""The loop of a live run: frames in, bytes out, events to the record and the judge, signals and limits to the guard.

One thread, `poll(2)`, bounded memory. The guard stops reading from the build when we don't keep up, so nothing is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.engine.protocol import Session
from sandbox.errors import SetupError
from sandbox.record import record
from sandbox.run.terminal import TerminalFilter
from sandbox.run.watchdog import Watchdog
from sandbox.trace import frames

_CHUNK = 256 * 1024
_MAX_ENGINE_ERRORS = 64 * 1024
# After the guard was told to end everything it must be gone within this time, or the engine ends it.
_END_S = 10.0
# A signal that can't be handed to the guard within this time never will be: it waits for a program to read its input.
# Output that nobody takes is given up after the same time, once the build is to end.
_UNHEARD_S = 2.0
_MOST_WAITING = 1 << 20
_LACKS = "this kernel or container lacks what the wall needs (user notification >= 5.5, Landlock >= 5.13)"
_FIXES = {
    "host files": "the engine shows other files than this machine's: use a daemon that sees the same tree as you "
    "(docker context use default, unset DOCKER_HOST), or --engine bubblewrap",
    "network": "the engine did not do what it was asked for: use another Docker daemon, or --engine bubblewrap",
}


@record
class Sinks:
    """Where things go. All callables are cheap and never raise."""

    output: Callable[[int, bytes], None]
    events: Callable[[bytes], None]
    unit: Callable[[dict[str, Any]], None]
    state: Callable[[dict[str, Any]], None]
    program: Callable[[], None]
    tick: Callable[[], None]


class Ending:
    """How the container ended. `exit` is the guard's last word, None when it died without one; `broken` says who ended
    the container when it was neither the build nor we."""

    def __init__(
        self,
        exit: dict[str, Any] | None = None,
        limit: str = "",
        stopped: str = "",
        interrupted: int = 0,
        broken: str = "",
    ) -> None:
        self.exit = exit
        self.limit = limit
        self.stopped = stopped
        self.interrupted = interrupted
        self.broken = broken
        self.engine_errors = ""

    def by_others(self) -> str:
        """Who else than the build, the user and we ended it, as a sentence; empty when nobody did.

        A guard that was sent a signal from outside passes it on and has a last word all the same.
        """
        if self.interrupted or self.stopped or self.limit:
            return ""
        if self.exit is None:
            return f"the build was cut short: {self.broken}" if self.broken else ""
        number = self.exit.get("outside")
        if not number:
            return ""
        name = signal.Signals(number).name
        return f"the build was cut short: {self.broken or f'somebody sent {name} to the sandbox'}"


class Pump:
    """Runs one session, whose guard has its configuration already, to its end."""

    def __init__(
        self,
        session: Session,
        sinks: Sinks,
        watchdog: Watchdog,
        *,
        filter_stdout: bool,
        filter_stderr: bool,
    ) -> None:
        self._session = session
        self._sinks = sinks
        self._watchdog = watchdog
        self._stdin_fd: int | None = None
        self._poll = select.poll()
        self._filters = {
            1: TerminalFilter() if filter_stdout else None,
            2: TerminalFilter() if filter_stderr else None,
        }
        # The build's own terminal has put a CR before each LF already, and ours is about to do so again.
        self._doubled = {1: filter_stdout, 2: filter_stderr}
        self._decoder = frames.FrameDecoder()
        self._to_guard: deque[bytes] = deque()
        self._sent = 0
        self._input_open = False
        self._input_watched = False
        self._unheard: tuple[bytes, float] | None = None
        self._errors = bytearray()
        self._ending = Ending()
        self._quit_sent = False
        self._kill_at: Watchdog | None = None
        self._closed_stdout = {1: False, 2: False}

    def stop(self, why: str) -> None:
        """End the build at once, because of what it did."""
        if not self._ending.stopped:
            self._ending.stopped = why
        self._quit()

    def forward_input(self, fd: int) -> None:
        """From now on, what comes in on `fd` is the program's input. Not earlier: cargo reads none, and what nobody
        reads must stay for the next command of the user's script."""
        if self._stdin_fd is None:
            self._stdin_fd = fd
            self._input_open = True

    def type(self, data: bytes) -> None:
        """Give the program these bytes before what comes in next."""
        if data:
            self._queue(frames.encode_input(data))

    def run(self) -> Ending:
        """Pump until the container has ended. Raises SetupError when the guard reports a wall that can't stand."""
        with _signals(self._on_signal) as wake_fd:
            self._loop(wake_fd)
        for number in (1, 2):
            held = self._filters[number]
            if held is not None:
                self._write(number, held.finish())
        self._session.wait(_END_S)
        self._ending.broken = self._session.broken
        said = self._ending.exit
        if said is None or said.get("code") != 0:
            # The engine may tell later than the guard says its last word, or instead: the kernel takes the guard, too,
            # when memory is used up.
            self._ending.limit = self._ending.limit or self._session.limit
        self._session.kill()
        # An engine that fails says why and closes everything at once: its words may not have been read yet.
        if self._ending.exit is None:
            last = select.poll()
            last.register(self._session.stderr_fd, select.POLLIN)
            while last.poll(200) and self._engine_words():
                continue
        self._ending.engine_errors = self._errors.decode("utf-8", "replace")
        return self._ending

    def _loop(self, wake_fd: int) -> None:
        session = self._session
        os.set_blocking(session.stdin_fd, False)
        poll = self._poll
        poll.register(session.stdout_fd, select.POLLIN)
        poll.register(session.stderr_fd, select.POLLIN)
        poll.register(wake_fd, select.POLLIN)
        sending = False
        while True:
            self._watch_input()
            if bool(self._to_guard) != sending:
                sending = not sending
                if sending:
                    poll.register(session.stdin_fd, select.POLLOUT)
                else:
                    with contextlib.suppress(KeyError):
                        poll.unregister(session.stdin_fd)
            for fd, what in poll.poll(min(self._watchdog.wait_s() + 0.01, 1.0) * 1000):
                if fd == session.stdout_fd:
                    chunk = os.read(fd, _CHUNK)
                    if not chunk:
                        return
                    for kind, payload in self._decoder.feed(chunk):
                        self._frame(kind, payload)
                elif fd == session.stderr_fd:
                    if not self._engine_words():
                        poll.unregister(fd)
                elif fd == session.stdin_fd:
                    self._send(what)
                elif fd == wake_fd:
                    os.read(fd, 64)
                elif fd == self._stdin_fd:
                    self._input()
            self._sinks.tick()
            self._keep_limits()

    def _engine_words(self) -> bool:
        """Read what the engine itself says; false at its end."""
        text = os.read(self._session.stderr_fd, 4096)
        self._errors += text[: _MAX_ENGINE_ERRORS - len(self._errors)]
        return bool(text)

    def _keep_limits(self) -> None:
        broken = self._watchdog.tick() or self._session.limit
        if broken and not self._ending.limit and self._ending.exit is None:
            self._ending.limit = broken
            self._quit()
        if self._is_unheard():
            # It may have been us who stood still, on a slow disk for instance, and then it was never offered.
            self._send(0)
        if self._is_unheard() or (self._kill_at is not None and self._kill_at.tick()):
            self._session.kill()

    def _is_unheard(self) -> bool:
        return self._unheard is not None and time.monotonic() - self._unheard[1] > _UNHEARD_S

    def _watch_input(self) -> None:
        """Look at the user's input only while there is room for it."""
        wanted = self._input_open and sum(map(len, self._to_guard)) < _MOST_WAITING
        if wanted != self._input_watched and self._stdin_fd is not None:
            self._input_watched = wanted
            if wanted:
                self._poll.register(self._stdin_fd, select.POLLIN)
            else:
                self._poll.unregister(self._stdin_fd)

    def _frame(self, kind: str, payload: bytes) -> None:
        if kind == "O":
            self._output(1, payload)
        elif kind == "E":
            self._output(2, payload)
        elif kind == "V":
            self._sinks.events(payload)
        elif kind == "U":
            self._sinks.unit(_object(payload))
        elif kind == "S":
            self._sinks.state(_object(payload))
        elif kind == "P":
            self._filters = {1: None, 2: None}
            self._sinks.program()
            self._doubled = {number: cooked and _is_cooked(number) for number, cooked in self._doubled.items()}
        elif kind == "X":
            self._ending.exit = _object(payload)
            if self._ending.exit.get("full") and not self._ending.limit:
                self._ending.limit = "far too many tasks at once (--process-limit)"
        elif kind == "F":
            failure = _object(payload)
            self._session.kill()
            raise SetupError(
                f"the {failure.get('wall')} wall can't be put up: {failure.get('why')}",
                wall=str(failure.get("wall")),
                why=str(failure.get("why")),
                fix=_FIXES.get(str(failure.get("wall")), _LACKS),
            )

    def _output(self, number: int, data: bytes) -> None:
        self._sinks.output(number, data)
        if self._doubled[number]:
            data = data.replace(b"\r\n", b"\n")
        held = self._filters[number]
        self._write(number, held.feed(data) if held is not None else data)

    def _write(self, number: int, data: bytes) -> None:
        if self._closed_stdout[number]:
            return
        view = memoryview(data)
        while view:
            if not self._is_taken(number):
                self._closed_stdout[number] = True
                return
            try:
                view = view[os.write(number, view[: select.PIPE_BUF]) :]
            except BlockingIOError:
                continue
            except OSError:
                # Whoever read our output has gone; cargo would see the same and end. Finish the record first.
                self._closed_stdout[number] = True
                self._tell(frames.encode_signal(signal.SIGPIPE))
                self._quit()
                return

    def _is_taken(self, number: int) -> bool:
        """Wait until our output can be written without waiting. Meanwhile limits hold and signals are passed on; once
        the build is to end, output that nobody takes is not waited for any longer (false)."""
        poll = select.poll()
        poll.register(number, select.POLLOUT)
        ending_since: float | None = None
        while not poll.poll(200):
            self._keep_limits()
            self._send(0)
            if self._ending.interrupted or self._quit_sent:
                ending_since = ending_since or time.monotonic()
                if time.monotonic() - ending_since > _UNHEARD_S:
                    return False
        return True

    def _input(self) -> None:
        assert self._stdin_fd is not None
        try:
            data = os.read(self._stdin_fd, 65536)
        except OSError:
            data = b""
        if data:
            self._queue(frames.encode_input(data))
        else:
            self._input_open = False
            self._queue(frames.encode_input_end())

    def _send(self, what: int) -> None:
        if what & (select.POLLERR | select.POLLHUP):
            self._drop()
        while self._to_guard:
            frame = self._to_guard[0]
            try:
                self._sent += os.write(self._session.stdin_fd, frame[self._sent :])
            except BlockingIOError:
                return
            except OSError:
                self._drop()
                return
            if self._sent == len(frame):
                self._to_guard.popleft()
                self._sent = 0
                if self._unheard is not None and self._unheard[0] is frame:
                    self._unheard = None

    def _drop(self) -> None:
        """The guard has gone; nobody hears us."""
        self._to_guard.clear()
        self._sent = 0
        self._unheard = None

    def _queue(self, frame: bytes) -> None:
        self._to_guard.append(frame)

    def _tell(self, frame: bytes) -> None:
        """Queue what must not wait behind input that the program does not read."""
        if self._unheard is None:
            self._unheard = (frame, time.monotonic())
        behind = 1 if self._sent else 0
        while behind < len(self._to_guard) and self._to_guard[behind][:1] not in b"IZ":
            behind += 1
        self._to_guard.insert(behind, frame)

    def _quit(self) -> None:
        if self._quit_sent:
            return
        self._quit_sent = True
        self._tell(frames.encode_quit())
        from sandbox.plan.model import Limits

        self._kill_at = Watchdog(Limits(wall_s=_END_S, free_disk_bytes=0, processes=0), 0, "/")

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGWINCH:
            self._queue(frames.encode_window(*_terminal_size()))
        elif number == signal.SIGTSTP:
            self._queue(frames.encode_signal(signal.SIGSTOP))
            self._send(0)
            os.kill(os.getpid(), signal.SIGSTOP)
            self._queue(frames.encode_signal(signal.SIGCONT))
        elif self._ending.interrupted:
            self._quit()
        else:
            self._ending.interrupted = number
            self._tell(frames.encode_signal(number))


def _object(payload: bytes) -> dict[str, Any]:
    data = json.loads(payload)
    return data if isinstance(data, dict) else {}


def _is_cooked(fd: int) -> bool:
    """Whether a terminal still works on what is written to it (raw mode while a program has it: it does not)."""
    import termios

    try:
        return bool(termios.tcgetattr(fd)[1] & termios.OPOST)
    except termios.error:
        return True


def _terminal_size() -> tuple[int, int]:
    """Rows and columns of the terminal on stderr or stdout."""
    import fcntl
    import termios

    for fd in (2, 1, 0):
        try:
            rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8))
        except OSError:
            continue
        if rows and columns:
            return rows, columns
    return 24, 80


@contextlib.contextmanager
def _signals(handler: Callable[[int], None]) -> Iterator[int]:
    """Hand the signals of a terminal to `handler`, and wake the poll through the fd that this yields."""
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGWINCH, signal.SIGTSTP)
    old_wake = signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    old = {}
    for number in numbers:
        before = signal.getsignal(number)
        if before is signal.SIG_IGN and number in (signal.SIGHUP, signal.SIGINT, signal.SIGTSTP):
            continue
        old[number] = signal.signal(number, lambda got, _frame: handler(got))
    try:
        yield read_fd
    finally:
        for number, before in old.items():
            signal.signal(number, before)
        signal.set_wakeup_fd(old_wake)
        os.close(read_fd)
        os.close(write_fd)


terminal_size = _terminal_size
