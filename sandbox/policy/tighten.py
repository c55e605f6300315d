"""What is tighter, setting by setting: with `--untrusted` a tree's file may go that way only."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from sandbox.plan.model import Limits

_LEVELS = ("never", "critical", "high", "medium", "low")

NEUTRAL = frozenset({"quiet", "pin", "report", "policy"})
"""Settings that are no wall and no judgement. They still are not an untrusted tree's to make: they write files of its
choosing, fill the disk, or hide a line."""


def no_looser(field: str, before: Any, after: Any) -> bool:
    """Whether `after` allows nothing that `before` does not. A field that has no order has to stay equal."""
    if before == after:
        return True
    order = _ORDERS.get(field)
    return order is not None and order(after) >= order(before)


def neutral(field: str) -> bool:
    """Whether a change of it makes nothing weaker or stronger."""
    return field in NEUTRAL


def _ceiling(default: Callable[[], float], zero_is_default: bool = False) -> Callable[[Any], float]:
    """Less is tighter. 0 is no limit, or the default where that is what it means."""

    def order(value: Any) -> float:
        if value is None or (value == 0 and zero_is_default):
            value = default()
        return -float(value) if value else -float("inf")

    return order


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _floor(value: Any) -> float:
    return float(Limits().free_disk_bytes if value is None else value)


_ORDERS: dict[str, Callable[[Any], float]] = {
    "deny": lambda value: _LEVELS.index(value),
    "on_violation": lambda value: ("report", "kill").index(value),
    "seccomp": lambda value: ("standard", "strict").index(value),
    "require_complete": bool,
    "locked_baseline": bool,
    "strict": bool,
    "deny_build_scripts": bool,
    "time_limit_s": _ceiling(lambda: Limits().wall_s),
    "memory_limit": _ceiling(lambda: _memory() * 9 // 10),
    "process_limit": _ceiling(lambda: Limits().processes),
    "tmp_size": _ceiling(lambda: _memory() // 4, zero_is_default=True),
    "min_free_disk": _floor,
}
