"""An engine that replays bytes instead of running anything: for tests, ours and those of people who build on us."""

from __future__ import annotations

import os
import threading

from sandbox.engine.protocol import EngineInfo
from sandbox.plan.model import Plan


class FakeSession:
    """A session whose guard says `frames` and then ends with `status`, `broken` off by somebody."""

    def __init__(self, frames: bytes, status: int, errors: bytes, broken: str = "") -> None:
        self.pid = os.getpid()
        self.limit = ""
        self.broken = broken
        self.received = bytearray()
        self._status = status
        self._killed = False
        read_in, self.stdin_fd = os.pipe()
        self.stdout_fd, write_out = os.pipe()
        self.stderr_fd, write_err = os.pipe()
        os.write(write_err, errors[:4096])
        os.close(write_err)
        self._threads = [
            threading.Thread(target=self._speak, args=(write_out, frames), daemon=True),
            threading.Thread(target=self._listen, args=(read_in,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _speak(fd: int, frames: bytes) -> None:
        view = memoryview(frames)
        try:
            while view:
                view = view[os.write(fd, view[:65536]) :]
        except BrokenPipeError:
            return
        finally:
            os.close(fd)

    def _listen(self, fd: int) -> None:
        while chunk := os.read(fd, 65536):
            self.received += chunk
        os.close(fd)

    def begun(self) -> None:
        pass

    def poll(self) -> int | None:
        return None if self._threads[0].is_alive() else self._status

    def wait(self, timeout_s: float | None = None) -> int | None:
        self._threads[0].join(timeout_s)
        return self.poll()

    def kill(self) -> None:
        self._killed = True

    def close(self) -> None:
        for fd in (self.stdin_fd, self.stdout_fd, self.stderr_fd):
            try:
                os.close(fd)
            except OSError:
                continue
        self._threads[1].join(5)


class FakeEngine:
    """Engine `fake`: keeps the plans it was given in `plans` and its sessions in `sessions`."""

    def __init__(self, frames: bytes, status: int = 0, errors: bytes = b"", broken: str = "") -> None:
        self.info = EngineInfo("fake", "1", "fake engine")
        self.plans: list[Plan] = []
        self.sessions: list[FakeSession] = []
        self._frames, self._status, self._errors, self._broken = frames, status, errors, broken

    def owner(self, workspace: str) -> tuple[int, int]:
        return os.getuid(), os.getgid()

    def start(self, plan: Plan) -> FakeSession:
        self.plans.append(plan)
        session = FakeSession(self._frames, self._status, self._errors, self._broken)
        self.sessions.append(session)
        return session
