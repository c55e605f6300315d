"""Limits that no namespace enforces: wall time, memory, number of processes, free disk (polled).

Psutil says how much is in use, and is asked once a rough count, which is never below its own, comes to more than is
allowed: it looks at every process twice, which was a fifth of all that a build cost us.
"""

from __future__ import annotations

import os
import time

from sandbox.plan.model import Limits

INTERVAL_S = 2.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
FREE_FILES = 10_000
"""Files that must still be possible at the target dir; on a small file system a twentieth of all."""


class Watchdog:
    """Ask `tick` about every `INTERVAL_S`; it says which limit is broken, or None. Times are monotonic seconds."""

    def __init__(self, limits: Limits, pid: int, disk_path: str) -> None:
        self._limits = limits
        self._pid = pid
        self._disk = disk_path
        self._deadline = time.monotonic() + limits.wall_s if limits.wall_s else None
        self._next = time.monotonic() + INTERVAL_S

    def wait_s(self) -> float:
        """Seconds until `tick` has something to look at."""
        now = time.monotonic()
        due = self._next if self._deadline is None else min(self._next, self._deadline)
        return max(0.0, due - now)

    def tick(self) -> str | None:
        """The broken limit as a sentence, or None."""
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline:
            return f"the time limit of {self._limits.wall_s:g} s is over (--time-limit)"
        if now < self._next:
            return None
        self._next = now + INTERVAL_S
        return self._disk_low() or self._too_big()

    def _disk_low(self) -> str | None:
        if not self._limits.free_disk_bytes:
            return None
        try:
            state = os.statvfs(self._disk)
        except OSError:
            return None
        free = state.f_bavail * state.f_frsize
        if free < self._limits.free_disk_bytes:
            return f"only {free >> 20} MiB of disk are left at the target dir (--min-free-disk)"
        # A file system that makes inodes as it needs them reports none at all.
        if state.f_favail < min(FREE_FILES, state.f_files // 20):
            return f"only {state.f_favail} files more can be made at the target dir (--min-free-disk)"
        return None

    def _too_big(self) -> str | None:
        number, memory = at_most(self._pid)
        most, bytes_most = self._limits.processes, self._limits.memory_bytes
        if (not most or number <= most) and (not bytes_most or memory <= bytes_most):
            return None
        import psutil

        total = 0
        try:
            family = psutil.Process(self._pid).children(recursive=True)
        except psutil.Error:
            return None
        if most and len(family) > most:
            return f"{len(family)} processes at once (--process-limit {most})"
        if not bytes_most:
            return None
        for process in family:
            try:
                held = process.memory_info()
            except psutil.Error:
                continue
            total += held.rss - getattr(held, "shared", 0)
        if total <= bytes_most:
            return None
        return f"{total >> 20} MiB of memory in use (--memory-limit {bytes_most >> 20} MiB)"


def at_most(pid: int) -> tuple[int, int]:
    """How many processes descend from this one, and the bytes that are resident in them, what they share counted for
    each. One look at every process of the machine: proc_pid_stat(5), fields 4 and 24."""
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            fd = os.open(f"/proc/{name}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fields = os.read(fd, 4096).rpartition(b")")[2].split()
            parent, pages[int(name)] = int(fields[1]), int(fields[21])
            children.setdefault(parent, []).append(int(name))
        except (OSError, IndexError, ValueError):
            continue
        finally:
            os.close(fd)
    found, left = 0, list(children.get(pid, ()))
    held = 0
    while left:
        one = left.pop()
        found += 1
        held += pages[one]
        left += children.pop(one, ())
    return found, held * _PAGE
