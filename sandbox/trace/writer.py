"""Writes the record of one run. Streams, never collects; a failure to write never reaches the build."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from sandbox.trace import files
from sandbox.trace.compressed import FrameFile
from sandbox.trace.names import (
    EVENTS,
    FINDINGS,
    HEADER,
    MESSAGES,
    OUTPUT,
    PLAN,
    RESULT,
    RESULT_SCHEMA,
    RUN_SCHEMA,
    UNITS,
)

OUTPUT_MAX = 16 << 20
"""Bytes of cargo's own output that a record keeps."""

MESSAGES_MAX = 256 << 20
"""Bytes of cargo's JSON messages that a record keeps."""

_CUT_NOTE = b"\n[cargo-sandbox: the record of the output ends here, after %d MiB]\n" % (OUTPUT_MAX >> 20)
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class RunWriter:
    """The record of a run while it happens. Not thread-safe. Made by `RunStore.create`.

    No method raises for a file that can't be written: the first reason is kept in `failed`, that stream stops, the
    others go on. A record with `failed` set has a hole, so its run is incomplete.
    """

    def __init__(self, run_id: str, path: Path, now: datetime, dir_fd: int, lock_fd: int, failed: str | None) -> None:
        self.id = run_id
        self.path = path
        """The run's folder; it does not exist if it could not be made."""
        self.failed: str | None = failed
        """Why the record is not whole, in words; None if it is."""
        self.output_dropped = 0
        """Bytes of cargo's output beyond what a record keeps."""
        self.messages_dropped = 0
        """Bytes of cargo's JSON messages beyond what a record keeps."""
        self._started = now
        self._dir_fd = dir_fd
        self._lock_fd = lock_fd
        self._fds: dict[str, int] = {}
        self._frames: dict[str, FrameFile] = {}
        self._stopped: set[str] = set()
        self._messages_taken = 0
        self._closed = dir_fd < 0

    def write_header(self, header: Mapping[str, Any]) -> None:
        """Write run.json: the caller's fields plus schema, id and start time (see schema/run-v1.schema.json)."""
        stamp = {"started": self._started.isoformat(), "started_ns": _ns(self._started)}
        self._put(HEADER, files.dump({"schema": RUN_SCHEMA, "id": self.id, **stamp, **header}))

    def write_plan(self, plan: Mapping[str, Any] | bytes) -> None:
        """Write plan.json, from data or from JSON text."""
        self._put(PLAN, plan if isinstance(plan, bytes) else files.dump(plan))

    def events(self, lines: bytes) -> None:
        """Append the payload of an events frame: whole JSON lines, stored as they are."""
        self._append_frames(EVENTS, lines)

    def unit(self, line: bytes) -> None:
        """Append the payload of a unit frame: one JSON object."""
        self._append_line(UNITS, line)

    def finding(self, finding: Mapping[str, Any]) -> None:
        """Append one finding in its JSON form."""
        self._append_line(FINDINGS, files.dump(finding))

    def message(self, line: bytes) -> None:
        """Append one of cargo's JSON messages; more than 256 MiB are only counted."""
        self._messages_taken += len(line)
        if self._messages_taken > MESSAGES_MAX:
            self.messages_dropped += len(line)
        else:
            self._append_line(MESSAGES, line)

    def output(self, data: bytes) -> None:
        """Append bytes of cargo's own output as the user saw them; more than 16 MiB are only counted."""
        frame_file = self._frames.get(OUTPUT)
        taken = frame_file.taken if frame_file else 0
        room = max(OUTPUT_MAX - taken, 0)
        if room:
            self._append_frames(OUTPUT, data[:room])
        if len(data) > room:
            if not self.output_dropped:
                self._append_frames(OUTPUT, _CUT_NOTE)
            self.output_dropped += len(data) - room

    def tick(self, now: float) -> None:
        """Tell the time (monotonic seconds), a few times a second: what has waited for two seconds is written."""
        for name, frame_file in self._frames.items():
            self._try(name, frame_file.tick, now)

    def flush(self) -> None:
        """Write everything that is waiting."""
        for name, frame_file in self._frames.items():
            self._try(name, frame_file.flush)

    def finish(self, result: Mapping[str, Any]) -> None:
        """End the record: write what waits, then result.json as the last file, then let go of the run.

        To the caller's fields are added schema, id, end time and `record`: what is known to be missing.
        """
        self._end_streams()
        sizes = {"events_bytes": self._frames[EVENTS].taken if EVENTS in self._frames else 0}
        dropped = {"output_dropped": self.output_dropped, "messages_dropped": self.messages_dropped}
        record = {"failed": self.failed, **sizes, **dropped}
        now = datetime.now(self._started.tzinfo)
        stamp = {"finished": now.isoformat(), "finished_ns": _ns(now)}
        self._put(RESULT, files.dump({"schema": RESULT_SCHEMA, "id": self.id, **stamp, "record": record, **result}))
        self.close()

    def close(self) -> None:
        """Let go without a result: readers will report the run as interrupted. Safe to call twice."""
        if self._closed:
            return
        self._end_streams()
        self._closed = True
        os.close(self._dir_fd)
        if self._lock_fd >= 0:
            os.close(self._lock_fd)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end_streams(self) -> None:
        self.flush()
        for fd in self._fds.values():
            with contextlib.suppress(OSError):
                os.close(fd)
        self._fds.clear()
        self._stopped |= {EVENTS, OUTPUT, UNITS, MESSAGES, FINDINGS}

    def _fail(self, name: str, error: BaseException) -> None:
        self._stopped.add(name)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or repr(error)
        self.failed = self.failed or f"{name}: {reason}"

    def _try(self, name: str, act: Callable[..., object], *args: object) -> None:
        if name in self._stopped:
            return
        try:
            act(*args)
        except Exception as error:  # the build must not suffer from its record, whatever is wrong with it
            self._fail(name, error)

    def _put(self, name: str, data: bytes) -> None:
        if not self._closed:
            self._try(name, files.write_atomic, name, data, self._dir_fd)

    def _fd(self, name: str) -> int:
        fd = self._fds.get(name)
        if fd is None:
            fd = self._fds[name] = os.open(name, _APPEND, 0o600, dir_fd=self._dir_fd)
        return fd

    def _append_line(self, name: str, line: bytes) -> None:
        if not self._closed and line:
            self._try(name, self._write_line, name, line if line.endswith(b"\n") else line + b"\n")

    def _write_line(self, name: str, line: bytes) -> None:
        files.write_all(self._fd(name), line)

    def _append_frames(self, name: str, data: bytes) -> None:
        if not self._closed and data:
            self._try(name, self._write_frames, name, data)

    def _write_frames(self, name: str, data: bytes) -> None:
        frame_file = self._frames.get(name)
        if frame_file is None:
            frame_file = self._frames[name] = FrameFile(self._fd(name))
        frame_file.append(data)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000
