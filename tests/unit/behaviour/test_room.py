"""What behaviours take of our memory is bounded, counted truly, and shared out fairly."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.behaviour import normalise, room
from sandbox.behaviour.collect import Collector
from sandbox.behaviour.facts import Facts
from sandbox.behaviour.model import Behaviour
from sandbox.behaviour.normalise import Normaliser
from sandbox.behaviour.processes import Processes
from sandbox.behaviour.profile import profile
from sandbox.behaviour.room import ALWAYS, Part, Room
from sandbox.behaviour.roots import Roots
from tests.unit.behaviour.made import Build

_MOST = 2_000


def _reads(number: int) -> dict[str, Any]:
    return {"kind": "open", "access": "read", "path": f"/usr/include/part-{number}/header.h"}


def _repeated_reads(number: int) -> dict[str, Any]:
    return _reads(number // 4)


def _long_writes(number: int) -> dict[str, Any]:
    return {"kind": "open", "access": "write", "path": f"/tmp/{number}{'ü' * 300}"}


def _renames(number: int) -> dict[str, Any]:
    return {"kind": "rename", "path": f"/tmp/made-{number}.o", "path2": f"/tmp/kept-{number}.o"}


def _execs(number: int) -> dict[str, Any]:
    return {"kind": "exec", "path": f"/usr/bin/tool-{number}", "pid": 100 + number}


def _same_execs(number: int) -> dict[str, Any]:
    return {"kind": "exec", "path": "/usr/bin/cc", "pid": 100 + number}


def _processes(number: int) -> dict[str, Any]:
    return {"kind": "open", "access": "read", "path": "/etc/hosts", "pid": 100 + number}


def _questions(number: int) -> dict[str, Any]:
    return {"kind": "dns", "dns": f"host-{number}.invalid", "outcome": "denied"}


def _events(make: Callable[[int], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    base = {"unit": "u1", "pid": 20, "start": 7_000, "parent": 2, "outcome": "allowed"}
    for number in range(1, _MOST + 1):
        yield base | {"seq": 1_000_000 + number} | make(number)


_ACTS = [_reads, _repeated_reads, _long_writes, _renames, _execs, _same_execs, _processes, _questions]


@pytest.mark.parametrize("make", _ACTS)
def test_no_act_takes_more_memory_than_is_counted(make: Callable[[int], dict[str, Any]]) -> None:
    part = Part()
    names = Normaliser(Roots({}), {}, 20)
    collector = Collector(names, Processes(20, part), Facts(part))
    # The patterns are compiled when they are first used.
    names.path("/usr/include/header.h")
    gc.collect()
    tracemalloc.start()
    try:
        for event in _events(make):
            collector.event(event)
        del event
        names.forget()
        normalise._classed_once.cache_clear()
        # Which also empties the interpreter's lists of free tuples.
        gc.collect()
        tracemalloc.reset_peak()
        waiting, _ = tracemalloc.get_traced_memory()
        facts = collector.finish({})
        del collector
        _, most = tracemalloc.get_traced_memory()
        gc.collect()
        at_last, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert facts
    # What a collector has, however little it takes in.
    once = 50_000
    assert waiting - once <= part.taken
    assert at_last - once <= part.taken
    # A table empties while facts are made of it.
    assert most - once <= 1.7 * part.taken


def test_what_finds_no_room_leaves_nothing_behind() -> None:
    facts = Facts(Part(Room(0)))
    tracemalloc.start()
    try:
        for number in range(300):
            facts.add("write", "rename", f"/tmp/{number}", detail=(("to", f"/tmp/{number}{'x' * 3_000}"),))
        gc.collect()
        now, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert facts.cut == {"write"}
    assert now < 2 * ALWAYS


def _behaviours(build: Build) -> dict[str, Behaviour]:
    return {one.key.role: one for one in build.profile().behaviours}


def test_a_unit_that_floods_leaves_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.Room.__init__, "__defaults__", (1 << 20,))
    build = Build()
    for number in range(3_000):
        build.act("open", access="write", path=f"{build.out}/{number:04}{'x' * 3_000}")
    for number in range(200):
        build.act("open", access="read", path=f"/etc/file{number}", unit="u2", pid=900)
    script, compiler = (_behaviours(build)[role] for role in ("script", "rustc"))
    assert script.cut == ("write",) and 30 < len(script.facts) < 80
    assert (len(compiler.facts), compiler.cut) == (200, ())


def test_many_units_that_flood_leave_each_other_unit_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.Room.__init__, "__defaults__", (1 << 20,))
    build = Build()
    plan, units, events = build.plan(), [], []
    for unit in range(1, 61):
        units.append({"event": "start", "unit": f"u{unit}", "role": "script", "package": f"p{unit:02}", "pid": unit})
        for number in range(20 if unit == 60 else 200):
            path = f"/etc/file{number}" + ("" if unit == 60 else "x" * 3_000)
            events.append({"seq": len(events) + 1, "unit": f"u{unit}", "kind": "open", "access": "read", "path": path})
    units += [unit | {"event": "end"} for unit in units]
    *floods, last = profile("r", plan, build.ws, units, events).behaviours
    assert all("read" in one.cut for one in floods)
    assert (len(last.facts), last.cut) == (20, ())


def test_a_part_is_never_more_than_a_share_of_what_is_left() -> None:
    whole = Room(1_000_000)
    part = Part(whole)
    while part.take(1_000):
        pass
    assert part.taken == 200_000 and whole.left == 800_000
    late = Part(Room(0))
    assert late.take(ALWAYS) and not late.take(1)
