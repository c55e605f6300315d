"""Limits that no namespace enforces: wall time, memory, number of processes, free disk (psutil, polled)."""

from __future__ import annotations

import os
import time

from sandbox.plan.model import Limits

INTERVAL_S = 2.0
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
        import psutil

        total = 0
        try:
            family = psutil.Process(self._pid).children(recursive=True)
        except psutil.Error:
            return None
        if self._limits.processes and len(family) > self._limits.processes:
            return f"{len(family)} processes at once (--process-limit {self._limits.processes})"
        if not self._limits.memory_bytes:
            return None
        for process in family:
            try:
                memory = process.memory_info()
            except psutil.Error:
                continue
            total += memory.rss - getattr(memory, "shared", 0)
        if total <= self._limits.memory_bytes:
            return None
        return f"{total >> 20} MiB of memory in use (--memory-limit {self._limits.memory_bytes >> 20} MiB)"
