"""The watchdog's rough count, which decides whether anybody counts exactly, and what it says in the end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from sandbox.plan.model import Limits
from sandbox.run import watchdog
from sandbox.run.watchdog import Watchdog, at_most

_HOLDS = """
import os, sys, time
held = bytearray(32 << 20)
held[::4096] = b"x" * len(held[::4096])
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(60)
"""


@pytest.fixture
def top() -> Iterator[int]:
    """A process with a child and a grandchild, the latter two with 32 MiB each."""
    more = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_HOLDS!r}])"]
    with subprocess.Popen(more, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        grandchild = int(running.stdout.readline())
        yield running.pid
        for each in psutil.Process(running.pid).children(recursive=True):
            each.kill()
        assert grandchild


def exactly(pid: int) -> tuple[int, int]:
    family = psutil.Process(pid).children(recursive=True)
    held = [each.memory_info() for each in family]
    return len(family), sum(each.rss - each.shared for each in held)


def test_the_rough_count_is_never_below_the_exact_one(top: int) -> None:
    number, memory = at_most(top)
    assert number == exactly(top)[0] == 2
    assert exactly(top)[1] <= memory
    assert memory >= 2 * (32 << 20)


def test_who_is_alone_has_nobody_and_holds_nothing() -> None:
    with subprocess.Popen(["sleep", "60"]) as running:
        assert at_most(running.pid) == (0, 0)
        running.kill()
    assert at_most(running.pid) == (0, 0)


def broken(limits: Limits, pid: int, monkeypatch: pytest.MonkeyPatch) -> str | None:
    monkeypatch.setattr(watchdog, "INTERVAL_S", 0.01)
    dog = Watchdog(limits, pid, os.getcwd())
    time.sleep(0.02)
    return dog.tick()


def test_each_limit_that_is_passed_is_told(top: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said = broken(Limits(memory_bytes=40 << 20, free_disk_bytes=0), top, monkeypatch)
    assert said is not None and said.endswith("MiB of memory in use (--memory-limit 40 MiB)")
    said = broken(Limits(processes=1, free_disk_bytes=0), top, monkeypatch)
    assert said == "2 processes at once (--process-limit 1)"


def test_limits_that_hold_are_not_counted_exactly(top: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "Process", lambda pid: pytest.fail("counted"))
    assert broken(Limits(memory_bytes=4 << 30, processes=2, free_disk_bytes=0), top, monkeypatch) is None


def test_what_is_shared_alone_breaks_no_limit(top: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _, memory = at_most(top)
    _, own = exactly(top)
    between = (memory + own) // 2
    assert own < between < memory
    assert broken(Limits(memory_bytes=between, free_disk_bytes=0), top, monkeypatch) is None
