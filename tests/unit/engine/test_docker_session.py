"""Whose process stands for a container: of this machine, or of another one that the daemon's socket leads to."""

from __future__ import annotations

import os
import subprocess
import time

from sandbox.engine.docker import _has_started_since, _is_first_process


def boot_clock() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def test_only_a_process_that_began_after_we_asked_can_stand_for_a_container() -> None:
    time.sleep(0.05)
    before = boot_clock()
    with subprocess.Popen(["sleep", "5"]) as child:
        assert _has_started_since(child.pid, before)
        assert not _has_started_since(os.getpid(), before)
        child.kill()
    assert not _has_started_since(child.pid, before)
    assert not _has_started_since(2**22 + 1, 0.0)


def test_a_process_of_ours_is_no_first_process_of_a_namespace() -> None:
    assert not _is_first_process(os.getpid())
