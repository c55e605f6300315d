"""The store of runs: one folder a run below `$XDG_STATE_HOME/cargo-sandbox/runs`, with retention."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.record import record
from sandbox.trace import files
from sandbox.trace.locks import is_locked, lock, open_lock
from sandbox.trace.names import ALPHABET, LOCK, PINNED, RUN_ID
from sandbox.trace.reader import RunReader, Status, StoreError
from sandbox.trace.writer import RunWriter

__all__ = ["Policy", "Pruned", "RunInfo", "RunReader", "RunStore", "RunWriter", "StoreError", "state_dir"]

_STORE_LOCK = ".lock"
_TRASH = ".trash-"
_TRIES = 64

state_dir = files.state_dir
_Runs = list["RunInfo"]
_Names = list[str]
_Taken = list["Pruned"]


@record
class RunInfo:
    """One line of the list of runs. `bytes` is the size of its files; `result` is empty unless it finished."""

    id: str
    path: Path
    created_ns: int
    status: Status
    pinned: bool
    bytes: int
    header: dict[str, Any]
    result: dict[str, Any]


@record
class Policy:
    """Which runs stay: the newest `runs`, as long as they take `bytes` in all and are younger than `days`.

    Pinned runs stay and do not count; running ones stay and count; the newest stays whatever its size. 0 turns a
    limit off.
    """

    runs: int = 100
    bytes: int = 1_000_000_000
    days: float = 30.0


@record
class Pruned:
    """A run that retention took (or would take) away, and the limit that it was over: `runs`, `bytes` or `days`."""

    run: RunInfo
    why: str


class RunStore:
    """All runs below one folder. Several processes may use it at the same time."""

    def __init__(self, base: Path | None = None) -> None:
        """`base`: the folder of runs, by default `runs` in `state_dir()`. Nothing is made until a run is."""
        self.base = state_dir() / "runs" if base is None else base

    def create(self, now: datetime) -> RunWriter:
        """Begin the record of a run that starts at `now`, which gives the date in its id.

        Never raises for the file system: if no folder can be made, the writer has `failed` set and records nothing.
        """
        run_id = _new_id(now)
        try:
            self.base.mkdir(mode=0o700, parents=True, exist_ok=True)
            base_fd = files.open_dir(self.base.resolve())
            try:
                return self._create(base_fd, now)
            finally:
                os.close(base_fd)
        except OSError as error:
            why = f"no folder for the run in {self.base}: {error.strerror or error}"
            return RunWriter(run_id, self.base / run_id, now, -1, -1, why)

    def _create(self, base_fd: int, now: datetime) -> RunWriter:
        with _store_lock(base_fd):
            for _ in range(_TRIES):
                run_id = _new_id(now)
                try:
                    os.mkdir(run_id, 0o700, dir_fd=base_fd)
                except FileExistsError:
                    continue
                dir_fd = files.open_dir(run_id, base_fd)
                try:
                    lock_fd = open_lock(LOCK, dir_fd)
                except OSError:
                    os.close(dir_fd)
                    os.rmdir(run_id, dir_fd=base_fd)
                    raise
                lock(lock_fd, wait=False)
                return RunWriter(run_id, self.base / run_id, now, dir_fd, lock_fd, None)
        raise FileExistsError(0, f"no free name among {_TRIES}")

    def ids(self) -> _Names:
        """Ids of all runs, in no particular order."""
        try:
            return [name for name in os.listdir(self.base) if RUN_ID.fullmatch(name)]
        except OSError:
            return []

    def find(self, name: str) -> str:
        """The id that is meant by an id, the beginning of one, its last four letters, or `last`. Raises StoreError."""
        ids = self.ids()
        if name == "last":
            if not ids:
                raise StoreError(f"no run has been recorded yet in {self.base}")
            return max(ids, key=lambda run_id: (self._created_ns(run_id), run_id))
        if name in ids:
            return name
        matches = sorted(run_id for run_id in ids if name and (run_id.startswith(name) or run_id[11:] == name))
        if len(matches) == 1:
            return matches[0]
        if matches:
            some = ", ".join(matches[:5]) + (", …" if len(matches) > 5 else "")
            raise StoreError(f"{len(matches)} runs are called {name!r}: {some}")
        raise StoreError(f"there is no run {name!r} in {self.base}; `cargo-sandbox runs list` names them")

    def open(self, name: str) -> RunReader:
        """Open a run by anything that `find` understands. Raises StoreError."""
        return RunReader(self.base / self.find(name))

    def list(self) -> _Runs:
        """All runs, newest first. Folders that vanish or can't be read meanwhile are left out."""
        found = []
        for run_id in self.ids():
            with contextlib.suppress(StoreError, OSError), RunReader(self.base / run_id) as run:
                found.append(_info(run))
        return sorted(found, key=lambda info: (info.created_ns, info.id), reverse=True)

    def pin(self, name: str) -> str:
        """Keep a run for ever; gives its id. Raises StoreError."""
        run_id = self.find(name)
        try:
            with _opened(self.base / run_id) as dir_fd:
                files.write_atomic(PINNED, b"", dir_fd)
        except OSError as error:
            raise StoreError(f"run {run_id} can't be pinned: {error.strerror}") from error
        return run_id

    def unpin(self, name: str) -> str:
        """Let retention have a run again; gives its id. Raises StoreError."""
        run_id = self.find(name)
        try:
            with _opened(self.base / run_id) as dir_fd:
                files.remove(PINNED, dir_fd)
        except OSError as error:
            raise StoreError(f"run {run_id} can't be unpinned: {error.strerror}") from error
        return run_id

    def prune(self, policy: Policy, now: datetime, dry_run: bool = False) -> _Taken:
        """Delete the runs that the policy does not keep, newest first; with `dry_run` only name them.

        A run that is being written is never deleted, nor one that another process is deleting.
        """
        taken = _over(policy, self.list(), int(now.timestamp() * 1e9))
        if dry_run or not taken:
            return taken
        with _opened(self.base.resolve()) as base_fd:
            done = [pruned for pruned in taken if self._claim(base_fd, pruned.run.id)]
            for name in os.listdir(base_fd):
                if name.startswith(_TRASH):
                    _remove_tree(name, base_fd)
        return done

    def _claim(self, base_fd: int, run_id: str) -> bool:
        """Move a run out of the way in one step, unless it is live or was pinned a moment ago."""
        with contextlib.suppress(OSError), _store_lock(base_fd), _opened(self.base / run_id) as dir_fd:
            if not is_locked(LOCK, dir_fd) and PINNED not in os.listdir(dir_fd):
                os.rename(run_id, f"{_TRASH}{run_id}-{os.urandom(4).hex()}", src_dir_fd=base_fd, dst_dir_fd=base_fd)
                return True
        return False

    def _created_ns(self, run_id: str) -> int:
        try:
            with RunReader(self.base / run_id) as run:
                return run.created_ns
        except StoreError:
            return 0


def _over(policy: Policy, runs: list[RunInfo], now_ns: int) -> list[Pruned]:
    taken = []
    count = total = 0
    for info in runs:
        if info.pinned:
            continue
        count += 1
        total += info.bytes
        if info.status == "running":
            continue
        if policy.runs and count > policy.runs:
            why = "runs"
        elif policy.bytes and total > policy.bytes and count > 1:
            why = "bytes"
        elif policy.days and now_ns - info.created_ns > policy.days * 86400e9:
            why = "days"
        else:
            continue
        count -= 1
        total -= info.bytes
        taken.append(Pruned(info, why))
    return taken


def _info(run: RunReader) -> RunInfo:
    result = run.result
    status: Status = run.status if result is None else "finished"
    return RunInfo(
        run.id, run.path, run.created_ns, status, run.pinned, run.size(), run.header, {} if result is None else result
    )


def _new_id(now: datetime) -> str:
    return f"{now:%Y-%m-%d}-" + "".join(ALPHABET[byte % len(ALPHABET)] for byte in os.urandom(4))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = files.open_dir(path)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _store_lock(base_fd: int) -> Iterator[None]:
    fd = open_lock(_STORE_LOCK, base_fd)
    try:
        lock(fd)
        yield
    finally:
        os.close(fd)


def _remove_tree(name: str, dir_fd: int) -> None:
    import shutil

    with contextlib.suppress(OSError):
        shutil.rmtree(name, dir_fd=dir_fd)
