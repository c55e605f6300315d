"""Reads the record of one run, live or stored. A build's bytes are in it, so it is read as hostile data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from sandbox.errors import SandboxError
from sandbox.trace import files
from sandbox.trace.compressed import FrameReader
from sandbox.trace.locks import is_locked
from sandbox.trace.names import EVENTS, FINDINGS, HEADER, LOCK, MESSAGES, OUTPUT, PINNED, PLAN, RESULT, UNITS

LINE_MAX = 1 << 20
"""Bytes of the longest line that is read; longer ones are counted and passed over."""

RESULT_MAX = 64 << 20
"""Bytes of the largest result.json that is read: 2,000 findings about the longest names that are kept of them."""

Status = Literal["finished", "running", "interrupted"]

_READ = 256 << 10


class StoreError(SandboxError):
    """A run is missing, its name is ambiguous, or its record can't be opened."""

    exit_code = 2


class Problems:
    """What was wrong with a file that was read. Zero everywhere means that all of it was good."""

    def __init__(self) -> None:
        self.missing = self.truncated = self.damaged = False
        self.overlong = self.bad_lines = 0

    def __bool__(self) -> bool:
        return self.missing or self.truncated or self.damaged or bool(self.overlong or self.bad_lines)

    def words(self) -> list[str]:
        """Each problem in words, for a report."""
        found = {
            "missing": self.missing,
            "cut off at the end": self.truncated,
            "damaged": self.damaged,
            f"{self.overlong} lines over {LINE_MAX >> 20} MiB": self.overlong,
            f"{self.bad_lines} unreadable lines": self.bad_lines,
        }
        return [text for text, present in found.items() if present]


class RunReader:
    """A run's record. `problems` tells, per file name, what was found wrong by the iterations that have ended."""

    def __init__(self, path: Path) -> None:
        """Open the folder of a run. Raises StoreError."""
        self.path = path
        self.id = path.name
        self.problems: dict[str, Problems] = {}
        try:
            self._dir_fd = files.open_dir(path)
        except OSError as error:
            raise StoreError(f"the run's folder {path} can't be opened: {error.strerror}") from error

    def close(self) -> None:
        """Give the folder back. Safe to call twice."""
        if self._dir_fd >= 0:
            os.close(self._dir_fd)
            self._dir_fd = -1

    def __enter__(self) -> RunReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def header(self) -> dict[str, Any]:
        """run.json, or an empty object if it can't be read."""
        return files.read_object(HEADER, self._dir_fd) or {}

    @property
    def plan(self) -> dict[str, Any] | None:
        """plan.json, or None."""
        return files.read_object(PLAN, self._dir_fd)

    @property
    def result(self) -> dict[str, Any] | None:
        """result.json, or None if the run did not finish."""
        return files.read_object(RESULT, self._dir_fd, RESULT_MAX)

    @property
    def status(self) -> Status:
        """`finished`, `running` (its writer lives), or `interrupted`."""
        if self.result is not None:
            return "finished"
        return "running" if is_locked(LOCK, self._dir_fd) else "interrupted"

    @property
    def pinned(self) -> bool:
        """Whether retention leaves the run alone."""
        return exists(PINNED, self._dir_fd)

    @property
    def created_ns(self) -> int:
        """Start of the run in nanoseconds since 1970; the age of its files if the header can't be read."""
        started = self.header.get("started_ns")
        if type(started) is int and 0 < started < 1 << 63:
            return started
        for name in (LOCK, "."):
            try:
                return os.stat(name, dir_fd=self._dir_fd, follow_symlinks=False).st_mtime_ns
            except OSError:
                continue
        return 0

    def event_lines(self) -> Iterator[bytes]:
        """The events as JSON text, one a line without its end, unchecked."""
        return self._lines(EVENTS, self._pieces(EVENTS))

    def events(self) -> Iterator[dict[str, Any]]:
        """The events in the order in which they were recorded (see schema/events-v1.schema.json)."""
        return self._objects(EVENTS, self.event_lines())

    def units(self) -> Iterator[dict[str, Any]]:
        """Begin and end of the units (see schema/units-v1.schema.json)."""
        return self._objects(UNITS, self._lines(UNITS, self._plain(UNITS)))

    def findings(self) -> Iterator[dict[str, Any]]:
        """The findings, in their JSON form."""
        return self._objects(FINDINGS, self._lines(FINDINGS, self._plain(FINDINGS)))

    def messages(self) -> Iterator[bytes]:
        """Cargo's JSON messages as text, one a line; none if the user did not ask for them."""
        return self._lines(MESSAGES, self._plain(MESSAGES))

    def output(self) -> Iterator[bytes]:
        """Cargo's output, raw: never print it except through `report.render`."""
        return self._pieces(OUTPUT)

    def size(self) -> int:
        """Bytes of all the run's files."""
        total = 0
        with os.scandir(self._dir_fd) as entries:
            for entry in entries:
                total += entry.stat(follow_symlinks=False).st_size
        return total

    def _open(self, name: str) -> int | None:
        problems = self.problems[name] = Problems()
        try:
            return files.open_regular(name, self._dir_fd)
        except FileNotFoundError:
            problems.missing = True
        except OSError:
            problems.damaged = True
        return None

    def _pieces(self, name: str) -> Iterator[bytes]:
        fd = self._open(name)
        if fd is None:
            return
        try:
            frames = FrameReader(fd)
            yield from frames
            problems = self.problems[name]
            problems.truncated, problems.damaged = frames.torn, frames.damaged
        except OSError:
            self.problems[name].damaged = True
        finally:
            os.close(fd)

    def _plain(self, name: str) -> Iterator[bytes]:
        fd = self._open(name)
        if fd is None:
            return
        try:
            while part := os.read(fd, _READ):
                yield part
        except OSError:
            self.problems[name].damaged = True
        finally:
            os.close(fd)

    def _lines(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        rest = b""
        skipping = False
        for piece in pieces:
            first, newline, more = piece.partition(b"\n")
            if not newline:
                rest = b"" if skipping else rest + first
                if len(rest) > LINE_MAX:
                    rest, skipping = b"", True
                continue
            if skipping or len(rest) + len(first) > LINE_MAX:
                self.problems[name].overlong += 1
            else:
                yield rest + first
            skipping = False
            lines = more.split(b"\n")
            rest = lines.pop()
            yield from lines
        if rest or skipping:
            self.problems[name].truncated = True

    def _objects(self, name: str, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        for line in lines:
            value = files.parse_object(line)
            if value is None:
                self.problems[name].bad_lines += 1
            else:
                yield value


def exists(name: str, dir_fd: int) -> bool:
    """Whether the folder has an entry of that name."""
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except OSError:
        return False
    return True
