"""Limits don't care what the wall clock says; a record that rests on it says when it was set back."""

from __future__ import annotations

import time

import pytest

from sandbox.plan.model import Limits
from sandbox.run.clock import Clock
from sandbox.run.watchdog import Watchdog

YEAR_S = 365 * 86400


@pytest.mark.parametrize("jump_s", [-YEAR_S, -3600, YEAR_S])
def test_a_time_limit_neither_ends_early_nor_late_when_the_clock_jumps(
    monkeypatch: pytest.MonkeyPatch, jump_s: int
) -> None:
    wall, steady = time.time(), time.monotonic()
    watchdog = Watchdog(Limits(wall_s=100, processes=0, free_disk_bytes=0), 0, "/")
    monkeypatch.setattr(time, "time", lambda: wall + jump_s)
    monkeypatch.setattr(time, "time_ns", lambda: int((wall + jump_s) * 1e9))
    monkeypatch.setattr(time, "monotonic", lambda: steady + 50)
    assert watchdog.tick() is None
    monkeypatch.setattr(time, "monotonic", lambda: steady + 101)
    assert "the time limit of 100 s is over" in (watchdog.tick() or "")


@pytest.mark.parametrize(("jump_s", "said"), [(-0.5, False), (0, False), (YEAR_S, False), (-2, True), (-YEAR_S, True)])
def test_a_clock_that_was_set_back_is_told(monkeypatch: pytest.MonkeyPatch, jump_s: float, said: bool) -> None:
    wall, steady = time.time_ns(), time.monotonic_ns()
    monkeypatch.setattr(time, "time_ns", lambda: wall)
    monkeypatch.setattr(time, "monotonic_ns", lambda: steady)
    clock = Clock()
    monkeypatch.setattr(time, "time_ns", lambda: wall + int((10 + jump_s) * 1e9))
    monkeypatch.setattr(time, "monotonic_ns", lambda: steady + int(10e9))
    words = clock.why_unsure()
    assert (words is not None) is said
    assert words is None or f"set back by {-jump_s:.0f} s" in words
