"""Every wall is tried: on the bare host the try gets through, inside it does not, and without its wall it does again.

The table of all rows is docs/walls.md.
"""

from __future__ import annotations

import os

import pytest

from tests.walls.removals import ENGINES, named, removals, rows
from tests.walls.rows import NOT_REMOVABLE, WALLS, Walls
from tests.walls.trials import LACKING, Trials

pytestmark = [pytest.mark.attack, pytest.mark.engine]

_X86_ONLY = {"i386", "x32", "ports", "ports-some", "segments"} | {
    f"set-id-{name}" for name in ("chmod", "open", "creat", "mknod")
}
_NEEDS_PRIVILEGE = {"capabilities", "userns", "user"}


def test_each_row_names_walls_that_there_are() -> None:
    both = [row for engine in ENGINES for row in rows(engine, by_root=True)]
    assert {wall for row in both for walls in row.opened_by for wall in walls} == set(WALLS)
    assert {row.fixed for row in both if row.fixed} == set(NOT_REMOVABLE)
    for row in both:
        assert bool(row.opened_by) + bool(row.fixed) + row.wanted == 1, f"{row.name} has one reason to end as it does"


def test_the_probe_and_the_table_have_the_same_rows(tried: Trials) -> None:
    names = set(tried.rows) - (_X86_ONLY if os.uname().machine != "x86_64" else set())
    assert set(tried.inside) == names
    assert set(tried.host) == names


def test_on_the_bare_host_the_tries_get_through(tried: Trials) -> None:
    """Else their failing inside would prove nothing. What this kernel, machine or user can't do is named."""
    for row in tried.rows.values():
        why = tried.not_tried(row)
        if not why or row.name in _X86_ONLY or row.fixed == "kernel":
            continue
        answer = tried.host[row.name].answer
        assert answer in LACKING, (row.name, answer)
        if answer in ("EPERM", "EACCES", "no"):
            unprivileged = any(not walls & _NEEDS_PRIVILEGE for walls in row.opened_by)
            named = row.name in ("docker", "limit-processes", "set-id-program", *_ROOT_ONLY)
            assert named or not unprivileged, f"{row.name} ends with {answer} on the bare host"


_ROOT_ONLY = () if os.geteuid() == 0 else (
    "unshare-user", "clone-user", "clone3-user", "perf", "write-kernel-setting", "write-core-pattern", "write-sysrq",
    "write-sys", "write-root", "write-toolchain", "limit-core", "ptrace", "signal-first", "key", "netlink-xfrm",
)  # fmt: skip


def test_inside_none_gets_through(tried: Trials) -> None:
    ends = {name: one.answer for name, one in tried.inside.items()}
    through = {name for name, answer in ends.items() if tried.rows[name].passes(answer)}
    assert through <= {row.name for row in tried.rows.values() if row.wanted}
    proven = {row.name: row.inside for row in tried.proven()}
    assert {name: ends[name] for name in proven} == proven


def test_inside_each_try_is_in_the_record_as_the_table_says(tried: Trials) -> None:
    wrong = {}
    for name, one in tried.inside.items():
        row = tried.rows[name]
        kind, _, what = row.record.partition(" ")
        events = [(event["kind"], event["outcome"]) for event in one.events]
        if kind == "denied":
            # What this machine lacks may also be let through to find nothing.
            fine = what in one.denied or bool(tried.not_tried(row) and events)
        elif kind == "seen":
            fine = (what, "allowed") in events
        else:
            fine = not one.denied
        if not fine:
            wrong[name] = events
    assert not wrong


_SETS = [
    pytest.param(engine, walls, id=f"{engine}-{named(walls, table)}")
    for engine, table in ((engine, rows(engine)) for engine in ENGINES)
    for walls in removals(table)
]


@pytest.mark.parametrize(("engine", "walls"), _SETS, indirect=["engine"])
def test_without_some_walls_just_what_no_other_stops_gets_through(tried: Trials, walls: Walls) -> None:
    assert tried.opened(walls) == tried.expected(walls)
