"""The loop of a run, fed by an engine that only speaks: order, bounds, and the guard's failure modes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from sandbox.engine.fake import FakeEngine
from sandbox.errors import SetupError
from sandbox.plan.model import Limits, Plan
from sandbox.run import pump as run_pump
from sandbox.run.pump import Ending, Pump, Sinks
from sandbox.run.watchdog import Watchdog
from sandbox.trace.frames import encode_signal

PLAN = Plan(command=("/c",), cwd="/", mounts=(), env=(), limits=Limits(), recorded=True)


def frame(kind: str, payload: Any) -> bytes:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return struct.pack("<BI", ord(kind), len(data)) + data


class Heard:
    def __init__(self) -> None:
        self.output = bytearray()
        self.events: list[bytes] = []
        self.units: list[dict[str, Any]] = []
        self.programs = 0

    def sinks(self) -> Sinks:
        return Sinks(
            output=lambda _stream, data: self.output.extend(data),
            events=self.events.append,
            unit=self.units.append,
            state=lambda _state: None,
            program=self._program,
            tick=lambda: None,
        )

    def _program(self) -> None:
        self.programs += 1


def pumped(
    frames: bytes, heard: Heard, limits: Limits | None = None, terminal: bool = False
) -> tuple[Ending, FakeEngine]:
    engine = FakeEngine(frames)
    session = engine.start(PLAN)
    watchdog = Watchdog(limits or Limits(wall_s=30, free_disk_bytes=0), os.getpid(), "/")
    pump = Pump(session, heard.sinks(), watchdog, filter_stdout=terminal, filter_stderr=terminal)
    try:
        return pump.run(), engine
    finally:
        session.close()


def test_output_goes_out_and_events_go_to_the_record(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    heard = Heard()
    frames = frame("S", {"v": 1}) + frame("O", b"out\x1b[2J") + frame("E", b"err") + frame("V", b'{"seq":1}\n')
    ending, _ = pumped(frames + frame("U", {"unit": "u1"}) + frame("X", {"code": 0}), heard)
    captured = capfdbinary.readouterr()
    assert (captured.out, captured.err) == (b"out\x1b[2J", b"err")
    assert heard.events == [b'{"seq":1}\n']
    assert heard.units == [{"unit": "u1"}]
    assert ending.exit == {"code": 0}


def test_on_a_terminal_the_output_is_filtered_until_the_program_starts(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    heard = Heard()
    frames = frame("O", b"a\x1b[2Jb") + frame("P", b"") + frame("O", b"\x1b[2J") + frame("X", {"code": 0})
    pumped(frames, heard, terminal=True)
    assert capfdbinary.readouterr().out == b"ab\x1b[2J"
    assert heard.programs == 1
    assert heard.output == b"a\x1b[2Jb\x1b[2J"


def test_a_wall_that_the_guard_cannot_put_up_is_a_setup_error() -> None:
    with pytest.raises(SetupError) as caught:
        pumped(frame("F", {"wall": "landlock", "why": "not in this kernel"}), Heard())
    assert caught.value.exit_code == 121
    assert "landlock" in str(caught.value)


def test_a_guard_that_dies_without_a_last_word_leaves_no_exit() -> None:
    ending, _ = pumped(frame("O", b""), Heard())
    assert ending.exit is None


@pytest.mark.parametrize(("last", "limit"), [(b"", "all is used up"), (frame("X", {"code": 0}), "")])
def test_a_limit_that_is_known_only_at_the_end_is_why_a_guard_has_said_nothing(last: bytes, limit: str) -> None:
    """The kernel ends the guard, too, when the container's memory is used up; the daemon tells of it afterwards."""
    session = FakeEngine(frame("S", {"v": 1}) + last).start(PLAN)
    waited = session.wait

    def wait(timeout_s: float | None = None) -> int | None:
        session.limit = "all is used up"
        return waited(timeout_s)

    session.wait = wait  # type: ignore[method-assign]
    pump = Pump(
        session, Heard().sinks(), Watchdog(Limits(), os.getpid(), "/"), filter_stdout=False, filter_stderr=False
    )
    assert pump.run().limit == limit
    session.close()


def test_the_time_limit_tells_the_guard_to_end_everything() -> None:
    class Silent(FakeEngine):
        pass

    heard = Heard()
    engine = Silent(frame("S", {"v": 1}) * 200_000 + frame("X", {"code": 0}))
    session = engine.start(PLAN)
    pump = Pump(
        session, heard.sinks(), Watchdog(Limits(wall_s=0.001), 0, "/"), filter_stdout=False, filter_stderr=False
    )
    ending = pump.run()
    assert "time limit" in ending.limit
    session.close()


class Deaf:
    """A session whose guard reads nothing and says `said`, and ends only when it is killed."""

    def __init__(self, said: bytes = b"") -> None:
        self.pid, self.limit, self.broken = os.getpid(), "", ""
        self._stdin, self.stdin_fd = os.pipe()
        self.stdout_fd, self._stdout = os.pipe()
        self.stderr_fd, self._stderr = os.pipe()
        os.write(self._stdout, said)
        self.killed = False
        self.told = b""

    def end_when_told(self) -> None:
        """As a guard that listens after all."""

        def listen() -> None:
            self.told = os.read(self._stdin, 16)
            self.kill()

        threading.Thread(target=listen).start()

    def poll(self) -> int | None:
        return -9 if self.killed else None

    def wait(self, timeout_s: float | None = None) -> int | None:
        return self.poll()

    def kill(self) -> None:
        if not self.killed:
            self.killed = True
            os.close(self._stdout)
            os.close(self._stderr)

    def close(self) -> None:
        for fd in (self.stdin_fd, self.stdout_fd, self.stderr_fd, self._stdin):
            os.close(fd)


def _interrupted_after(seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def test_a_limit_that_the_engine_tells_of_after_the_last_word_counts() -> None:
    session = FakeEngine(frame("X", {"code": 101})).start(PLAN)
    session.limit = "the memory of the container is used up"
    watchdog = Watchdog(Limits(wall_s=30, free_disk_bytes=0), os.getpid(), "/")
    try:
        ending = Pump(session, Heard().sinks(), watchdog, filter_stdout=False, filter_stderr=False).run()
    finally:
        session.close()
    assert ending.limit == "the memory of the container is used up" and ending.exit == {"code": 101}


@pytest.mark.parametrize(
    ("exit_frame", "broken", "words"),
    [
        ({"code": 0}, "", ""),
        ({"signal": 15}, "", ""),
        ({"signal": 15, "outside": 15}, "", "somebody sent SIGTERM to the sandbox"),
        ({"signal": 15, "outside": 15}, "the daemon has gone away", "the daemon has gone away"),
        ({"code": 0}, "the daemon has gone away", ""),
        (None, "the daemon has gone away", "the daemon has gone away"),
        (None, "", ""),
    ],
)
def test_who_else_ended_a_build_is_told_unless_it_was_over(
    exit_frame: dict[str, int] | None, broken: str, words: str
) -> None:
    session = FakeEngine(frame("X", exit_frame) if exit_frame else b"", broken=broken).start(PLAN)
    watchdog = Watchdog(Limits(wall_s=30, free_disk_bytes=0), os.getpid(), "/")
    try:
        ending = Pump(session, Heard().sinks(), watchdog, filter_stdout=False, filter_stderr=False).run()
    finally:
        session.close()
    assert ending.by_others() == (f"the build was cut short: {words}" if words else "")
    ending.interrupted = 2
    assert ending.by_others() == "", "the user was first"


def test_an_interrupt_ends_a_run_whose_program_reads_none_of_an_endless_input() -> None:
    session = Deaf()
    pump = Pump(session, Heard().sinks(), Watchdog(Limits(wall_s=30), 0, "/"), filter_stdout=False, filter_stderr=False)
    endless = os.open("/dev/zero", os.O_RDONLY)
    pump.forward_input(endless)
    timer = _interrupted_after(0.3)
    before, began = time.process_time(), time.monotonic()
    try:
        ending = pump.run()
    finally:
        timer.join()
        session.close()
        os.close(endless)
    assert (ending.interrupted, ending.limit, session.killed) == (signal.SIGINT, "", True)
    assert time.process_time() - before < 0.5 * (time.monotonic() - began), "it waits, it does not spin"


def test_an_interrupt_reaches_the_guard_although_we_stood_still_when_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it was offered to the guard, the disk made us wait for longer than the guard is given."""
    monkeypatch.setattr(run_pump, "_UNHEARD_S", 0.1)
    session = Deaf()
    session.end_when_told()
    sinks = replace(Heard().sinks(), tick=lambda: time.sleep(0.3))
    pump = Pump(session, sinks, Watchdog(Limits(wall_s=30), 0, "/"), filter_stdout=False, filter_stderr=False)
    timer = _interrupted_after(0.1)
    try:
        ending = pump.run()
    finally:
        timer.join()
        session.close()
    assert ending.interrupted == signal.SIGINT and session.told == encode_signal(signal.SIGINT)


def test_an_interrupt_ends_a_run_whose_output_nobody_takes() -> None:
    session = Deaf(frame("O", b"x" * 40_000))
    session.end_when_told()
    reader, writer = os.pipe()
    os.write(writer, b"y" * (fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) - 4096))
    kept = os.dup(1)
    os.dup2(writer, 1)
    pump = Pump(session, Heard().sinks(), Watchdog(Limits(wall_s=30), 0, "/"), filter_stdout=False, filter_stderr=False)
    timer = _interrupted_after(0.3)
    try:
        ending = pump.run()
    finally:
        os.dup2(kept, 1)
        for fd in (kept, reader, writer):
            os.close(fd)
        timer.join()
        session.kill()
        session.close()
    assert ending.interrupted == signal.SIGINT and not ending.limit


def test_the_last_words_of_an_engine_that_fails_at_once_are_kept() -> None:
    for _ in range(20):
        engine = FakeEngine(b"", 1, b"bwrap: no such place\n")
        session = engine.start(PLAN)
        pump = Pump(session, Heard().sinks(), Watchdog(Limits(), 0, "/"), filter_stdout=False, filter_stderr=False)
        session.wait(5)
        assert pump.run().engine_errors == "bwrap: no such place\n"
        session.close()
