"""Each rule that looks at an argument, tried live: with values it lets pass and with values it does not, next to each
other, and with garbage where the kernel does not look (the method of Firecracker's seccomp tests)."""

from __future__ import annotations

import errno
import os

import pytest

from tests.attack.arena import Arena
from tests.attack.kernel_calls import numbers
from tests.engines import core
from tests.unit.seccomp import golden
from tests.unit.seccomp import simulator as sim

pytestmark = [pytest.mark.attack, pytest.mark.engine]

REFUSED_WITH = {"socket": errno.EAFNOSUPPORT, "socketpair": errno.EAFNOSUPPORT}
ON_PATHS = ("open", "openat", "chmod", "fchmod", "fchmodat", "fchmodat2", "creat", "mknod", "mknodat")
"""They need a path; what becomes of it is tried below and in test_kernel_calls.py. `fcntl` needs an owner:
test_processes.py."""

GARBAGE = (0, 0xDEAD_BEEF << 32)
CLONE_VM, REPORT = 0x100, 0x4353_4258


def live_rows() -> list[golden.Row]:
    """Rows that can be tried harmlessly: no shared memory with a child that has no stack, no word to the guard."""
    return [
        row
        for row in golden.rows()
        if row.call in numbers()
        and row.call not in (*ON_PATHS, "fcntl")
        and not (row.call == "clone" and (row.args[0] or 0) & CLONE_VM)
        and row.args[0] != REPORT
    ]


def refused(row: golden.Row, level: str) -> bool:
    """Whether the guard refuses the row: all of these that it is asked about."""
    return row.verdicts[level][0] == sim.NOTIFY


def acts(rows: list[golden.Row]) -> dict[str, tuple[str, ...]]:
    return {
        f"{index}-{at}": (
            "call-in-child",
            str(numbers()[row.call]),
            # prctl's options are an int, its arguments are not.
            *(str((0 if row.call == "prctl" and place else upper) | (arg or 0)) for place, arg in enumerate(row.args)),
        )
        for index, row in enumerate(rows)
        for at, upper in enumerate(GARBAGE)
    }


@core
@pytest.mark.parametrize("level", ["standard", "strict"])
def test_each_argument_rule_refuses_and_records_its_values_and_lets_their_neighbours_pass(
    arena: Arena, level: str
) -> None:
    rows = live_rows()
    quiet = ("--deny", "never", "--on-violation", "report", "--seccomp", level)
    found = arena.attack(script=acts(rows), options=quiet)
    assert found.done.code == 0, found.done.shown
    denied = found.select(unit=found.script_unit, outcome="denied")
    recorded = [(event.get("call"), [value & 0xFFFF_FFFF for value in event.get("args") or ()]) for event in denied]
    expected = 0
    for index, row in enumerate(rows):
        outcomes = {found.script[f"{index}-{at}"] for at in range(len(GARBAGE))}
        error = REFUSED_WITH.get(row.call, errno.EPERM)
        seen = [
            args
            for call, args in recorded
            if call == row.call and all(want in (None, got) for want, got in zip(row.args, args, strict=False))
        ]
        if refused(row, level):
            expected += len(GARBAGE)
            assert outcomes == {f"ok:exit {error}"}, row
            assert len(seen) >= len(GARBAGE), row
        else:
            assert not seen, row
            assert f"ok:exit {error}" not in outcomes or row.call in ("ioctl", "prctl", "prlimit64"), row
    assert len(denied) == expected, "one event for each refused call, and none for any other"


def test_without_the_refusal_the_same_values_pass(weak: Arena) -> None:
    tried = [row for row in live_rows() if refused(row, "standard")]
    found = weak.attack(script=acts(tried), removed=("deny",))
    # What stays refused is the kernel's own doing, which depends on the machine; these need nothing.
    for call, first in (("personality", 0x400000), ("socket", 16), ("seccomp", 4), ("ioctl", None)):
        row = next(row for row in tried if row.call == call and first in (None, row.args[0]))
        outcome = found.script[f"{tried.index(row)}-1"]
        assert outcome not in ("ok:exit 1", "ok:exit 97"), (row, outcome)
    assert not found.select(unit=found.script_unit, outcome="denied")


@core
def test_a_mere_place_makes_no_file_and_every_use_of_it_is_seen(arena: Arena) -> None:
    """O_PATH is the one open that nobody is asked about. The kernel passes over the other flags beside it."""
    decoy, openat = f"{arena.project.home}/.netrc", str(numbers()["openat"])
    makes = os.O_PATH | os.O_CREAT | os.O_TRUNC | os.O_WRONLY
    acts = {
        "held": ("call", openat, "-100", f"str:{decoy}", str(os.O_PATH)),
        "made": ("call", openat, "-100", "str:{out}/csbench-made", str(makes), str(0o644)),
        "temporary": ("call", openat, "-100", "str:{out}", str(os.O_PATH | os.O_TMPFILE | os.O_RDWR), str(0o644)),
        "emptied": ("call", openat, "-100", f"str:{decoy}", str(makes), str(0o644)),
    }
    only = arena.attack(script=acts)
    assert (only.done.code, only.run.findings()) == (0, []), only.done.shown
    assert only.script["made"] == "ENOENT" and only.script["held"].startswith("ok:"), only.script
    assert not list((arena.project.target / ".cargo-sandbox").rglob("csbench-made"))
    opened = [event.get("path") for event in only.select(unit=only.script_unit, kind="open")]
    assert decoy not in opened and not [path for path in opened if path and path.endswith("csbench-made")]
    uses = {"read": ("path-fd", decoy), "below": ("openat-path", f"{arena.project.home}/.aws", "credentials")}
    used = arena.attack(script=uses)
    subjects = {entry["subject"] for entry in used.run.findings("CS0101")}
    assert subjects == {decoy, f"{arena.project.home}/.aws/credentials"}, used.done.shown
