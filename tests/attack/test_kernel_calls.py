"""The kernel's surface: calls that no build needs are refused, and each attempt is in the record with its unit."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from tests.attack.arena import Arena
from tests.attack.kernel_calls import CALLS, numbers
from tests.engines import core

pytestmark = [pytest.mark.attack, pytest.mark.engine]


@core
def test_each_call_that_no_build_needs_is_refused_and_recorded_with_its_unit(arena: Arena) -> None:
    acts = {"file": ("put", "{out}/setuid", "x")} | {name: call.act() for name, call in CALLS.items()}
    fchmod = ("fchmod", str(numbers()["fchmod"]), "4755", "{out}/setuid")
    found = arena.attack(script=acts | {"setuid-fchmod": fchmod})
    assert found.done.code == 0, found.done.shown
    assert {name: found.script.get(name) for name in CALLS} == {name: call.error for name, call in CALLS.items()}
    assert found.script["setuid-fchmod"] == "EPERM"
    for name, call in CALLS.items():
        by_name = call.name if call.kind not in ("chmod", "mknod") else None
        events = [
            event
            for event in found.select(kind=call.kind, outcome="denied")
            if event.get("call") == by_name or by_name is None
        ]
        assert events and {event["unit"] for event in events} == {found.script_unit}, (
            name,
            found.select(kind=call.kind),
        )
        assert {event["by"] for event in events} == {"guard"}, name
    assert len(found.select(kind="chmod", outcome="denied")) >= 3
    subjects = {entry["subject"] for code in ("CS0106", "CS0115") for entry in found.run.findings(code)}
    assert {entry["subject"] for entry in found.run.findings("CS0115")} == {"io_uring_setup"}
    assert {call.name for call in CALLS.values() if call.kind not in ("chmod", "mknod")} <= subjects


def test_no_file_is_born_with_a_set_id_bit(arena: Arena, weak: Arena) -> None:
    """A program of the user's, owned by the user, that runs as the user for everybody: chmod is not the only way."""
    create = str(os.O_CREAT | os.O_WRONLY)
    acts = {
        "openat": ("call", str(numbers()["openat"]), "-100", "str:{out}/born-1", create, str(0o4755)),
        "openat2": ("call", str(numbers()["openat2"]), "-100", "str:{out}/born-2", f"words:{create},{0o4755},0", "24"),
        "mknodat": ("call", str(numbers()["mknodat"]), "-100", "str:{out}/born-3", str(stat.S_IFREG | 0o6755), "0"),
    }
    if "open" in numbers():
        acts["open"] = ("call", str(numbers()["open"]), "str:{out}/born-4", create, str(0o2755))
        acts["creat"] = ("call", str(numbers()["creat"]), "str:{out}/born-5", str(0o4755))
        acts["mknod"] = ("call", str(numbers()["mknod"]), "str:{out}/born-6", str(stat.S_IFREG | 0o4755), "0")
    found = arena.attack(script=acts)
    assert found.script.pop("openat2") == "ENOSYS", "its mode lies in memory, where it may change after a look"
    assert set(found.script.values()) == {"EPERM"}, found.script
    assert len(found.select(unit=found.script_unit, outcome="denied", by="guard")) == len(acts) - 1
    assert list((arena.project.target / ".cargo-sandbox").rglob("born-*")) == []
    fallen = weak.attack(script=acts, removed=("deny",))
    assert fallen.script.pop("openat2") == "ENOSYS"
    assert all(outcome.startswith("ok") for outcome in fallen.script.values()), fallen.script
    modes = [path.stat().st_mode & 0o6000 for path in (weak.project.target / ".cargo-sandbox").rglob("born-*")]
    assert len(modes) == len(acts) - 1 and all(modes)
    weak.project.remove("target")


def test_without_the_guards_refusal_harmless_ones_of_them_succeed(weak: Arena) -> None:
    names = ("unshare-user", "add-key", "personality", "open-tree", "fanotify", "io-uring")
    acts = {name: ("call-in-child", *CALLS[name].act()[1:]) for name in names}
    found = weak.attack(script=acts, removed=("deny",))
    assert found.done.code == 0, found.done.shown
    fallen = {name for name in acts if found.script[name] == "ok:exit 0"}
    # What is left after the guard steps aside depends on the kernel's own settings; these need no privilege anywhere.
    assert {"personality", "add-key"} <= fallen, found.script
    assert not found.select(outcome="denied", call="personality")


def test_strict_refuses_and_records_what_standard_lets_pass(arena: Arena) -> None:
    calls = {
        "memfd_create": ("str:csbench", "0"),
        "shmget": ("0", "4096", str(0o1600)),
        "mq_open": ("str:csbench", "0", "0", "0"),
        "io_setup": ("1", "buf"),
        "splice": ("-1", "0", "-1", "0", "1", "0"),
        "get_mempolicy": ("0", "0", "0", "0", "0"),
        "name_to_handle_at": ("-100", "str:/", "buf", "buf", "0"),
    }
    acts = {name: ("call-in-child", str(numbers()[name]), *args) for name, args in calls.items()}
    refusal = {errno.ENOSYS: "ok:exit 38", errno.EOPNOTSUPP: "ok:exit 95"}
    strict = arena.attack(script=acts, options=("--seccomp", "strict"))
    assert strict.done.code == 0, "no build is stopped because of it"
    assert {strict.script[name] for name in calls} == set(refusal.values()), strict.script
    assert {event["call"] for event in strict.select(unit=strict.script_unit, outcome="denied")} == set(calls)
    assert strict.codes() == {"CS0115"}
    ring = {"io_uring": CALLS["io-uring"].act()}
    standard = arena.attack(script=acts | ring, options=())
    assert not set(refusal.values()) & {standard.script[name] for name in calls}, standard.script
    assert (standard.done.code, standard.script["io_uring"], standard.codes()) == (0, "ENOSYS", {"CS0115", "CS0251"}), (
        "libuv asks for a ring whenever cmake starts: that stops no build, nor does it without cmake, which is told"
    )


@core
def test_other_entries_into_the_kernel_are_closed_and_their_use_is_recorded(
    arena: Arena, weak: Arena, engine: str
) -> None:
    if os.uname().machine != "x86_64":
        return  # aarch64's 32-bit mode is for 32-bit programs only, which this kernel's filter ends at their first call
    acts = {"int80": ("int80", "20"), "x32": ("x32", "39"), "after": ("ids",)}
    found = arena.attack(script=acts, macro={"macro-int80": ("int80", "20")})
    if engine == "docker":
        # The daemon's filter comes first and knows one ABI, so the kernel ends the caller and asks nobody.
        without = weak.attack(script={"int80": acts["int80"]}, removed=("deny",))
        told = [found.script["int80"], found.script["x32"], found.macro["macro-int80"], without.script["int80"]]
        assert told == ["ok:signal 31"] * 4 and found.script["after"].startswith("ok:")
        return
    assert found.script["int80"] in ("ok:signal 31", "ok:exit 38", "ok:exit 1")
    assert found.script["x32"] in ("ok:signal 31", "ok:exit 38", "ok:exit 1")
    assert found.macro["macro-int80"] == found.script["int80"]
    assert found.script["after"].startswith("ok:"), "only the process that tried is ended"
    assert len(found.select(unit=found.script_unit, outcome="denied")) >= 2, "both attempts are visible"
    assert found.select(unit=found.macro_unit, outcome="denied")
    open_ = weak.attack(script={"int80": acts["int80"]}, removed=("deny",))
    assert open_.script["int80"] in ("ok:exit 0", "ok:signal 11"), "the call goes through, where the kernel has it"


def test_typing_into_the_terminal_is_refused_and_recorded(arena: Arena) -> None:
    ioctl = str(numbers()["ioctl"])
    acts = {
        "tiocsti": ("call", ioctl, "0", str(0x5412), "str:x"),
        "tioclinux": ("call", ioctl, "0", str(0x541C), "str:x"),
        "tiocsti-high": ("call", ioctl, "0", str(0x100005412), "str:x"),
    }
    found = arena.attack(script=acts)
    assert {found.script[name] for name in acts} == {"EPERM"}
    assert len(found.select(unit=found.script_unit, outcome="denied")) >= 3


def test_a_new_kind_of_clone_and_unknown_calls_do_not_exist(arena: Arena) -> None:
    unknown = str(max(numbers().values()) + 40)
    acts = {
        "clone3": ("call", str(numbers()["clone3"]), "buf", "88"),
        "unknown": ("call", unknown),
        "huge": ("call", "100000"),
    }
    found = arena.attack(script=acts)
    assert {found.script[name] for name in acts} == {"ENOSYS"}
    assert found.done.code == 0 and not found.codes()
