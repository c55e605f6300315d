"""What is different for the rows of the probe under the Docker engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.walls.rows import Row, Walls

_BY_THE_GUARD_ALONE = frozenset(
    "own-filter vm-read prlimit hide signal signal-pidfd signal-first internet dns set-id-fchmod set-id-fchmodat2 "
    "set-id-open set-id-openat".split()
)
"""Calls that the guard itself makes, or judges by what no filter can see: the container's filter lets them pass."""

_ROOTS = frozenset(
    "write-source write-registry write-toolchain write-host write-kernel-setting write-core-pattern write-sysrq "
    "write-sys write-root write-below".split()
)
"""Files that belong to root, so only root could do it: under bubblewrap root's builds are, without any capability."""

_INSIDE = dict.fromkeys(("write-kernel-setting", "write-core-pattern", "write-toolchain"), "EACCES")
_INSIDE |= {"i386": "signal", "x32": "signal", "interrupts": "no", "devices-seen": "no"}
_OF_ROOTS_OWN = dict.fromkeys(("write-source", "write-registry"), "EACCES")
_KILLED = "not seen: the container's filter ends the caller of another ABI at once"
_OPENED_BY = {
    "i386": "deny+outer|inner+outer",
    "x32": "deny+outer|inner+outer",
    "devices-seen": "masked|hidden",
    "cgroup": "landlock+hidden+capabilities+user",
    "set-id-program": "no-new-privs+capabilities+user",
}


def on_docker(row: Row, by_root: bool) -> Row:
    """The row as it is for builds that root starts, or an ordinary user."""
    if row.name == "limit-processes" and by_root:
        # Root's builds all share one user, and the kernel counts per user.
        return Row(row.name, "ok", "not asked: a control group counts all tasks of the container", wanted=True)
    inside = _INSIDE.get(row.name) or (_OF_ROOTS_OWN.get(row.name) if by_root else "") or row.inside
    record = _KILLED if inside == "signal" else row.record
    if row.name in _OPENED_BY:
        sets = tuple(frozenset(part.split("+")) for part in _OPENED_BY[row.name].split("|"))
    else:
        sets = tuple(dict.fromkeys(one for walls in row.opened_by for one in _sets(row.name, walls)))
    if row.name == "write-below" and by_root:
        # Nobody else can mount there for the test.
        sets += (frozenset(("landlock", "below")),)
    if not by_root:
        # An ordinary user's build is his own, and so are its files.
        sets = tuple(walls - {"user"} if row.name in _ROOTS else walls for walls in sets)
    return replace(row, inside=inside, record=record, opened_by=sets, fixed="" if sets else row.fixed)


def _sets(name: str, walls: Walls) -> Iterator[Walls]:
    """What stands in the place of a set of walls: capabilities are for root only, who is nobody here without his user;
    the guard's filter and its word count alike; the container has limits and a filter of its own."""
    rest = walls - {"userns", "deny", "filter"}
    if name in _ROOTS or walls & {"capabilities", "userns"}:
        rest |= {"user"}
    if "limits" in walls:
        rest |= {"container-limits"}
    if "deny" in walls:
        yield rest | {"deny"}
        yield rest | {"inner"} | ({"outer"} if name not in _BY_THE_GUARD_ALONE else set())
    elif "filter" in walls:
        yield rest | {"filter", "outer"}
        yield rest | {"inner", "outer"}
    else:
        yield rest
