"""Other processes of the build: they can't be signalled, read, changed, limited or outlived."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.attack.arena import Acts, Arena, Attack, tag
from tests.attack.kernel_calls import numbers
from tests.engines import core
from tests.harness import processes, wait_for

pytestmark = [pytest.mark.attack, pytest.mark.engine]

NEIGHBOUR = "find:csbench-neighbour-"
OVER = "/tmp/csbench-over"
THEN: Acts = {"over": ("put", OVER, "x")}
BESIDE: Acts = {"beside": ("until", OVER), "alive": ("ids",)}
"""Acts of a neighbour that is there until the script has come to the end of its own, THEN."""
TARGETS = {"cargo": "cargo", "role": "role", "init": "init", "neighbour": NEIGHBOUR}
SIGKILL, SIGUSR1 = "9", "10"


def number(name: str) -> str:
    return str(numbers()[name])


def shots() -> Acts:
    """SIGKILL for everybody else, by each call that sends one; at last signals for groups."""
    acts: dict[str, tuple[str, ...]] = {}
    for name, who in TARGETS.items():
        pid = f"pid:{who}"
        acts |= {
            f"kill-{name}": ("kill", who, SIGKILL),
            f"tgkill-{name}": ("call", number("tgkill"), pid, pid, SIGKILL),
            f"tkill-{name}": ("call", number("tkill"), pid, SIGKILL),
            f"queue-{name}": ("call", number("rt_sigqueueinfo"), pid, SIGKILL, "buf"),
            f"tgqueue-{name}": ("call", number("rt_tgsigqueueinfo"), pid, pid, SIGKILL, "buf"),
            f"pidfd-{name}": ("pidfd-kill", number("pidfd_open"), number("pidfd_send_signal"), who, SIGKILL),
            f"sigio-{name}": ("sigio", who, SIGKILL),
        }
    return acts | {"everybody": ("kill", "-1", SIGUSR1), "group": ("kill", "0", SIGUSR1)}


def disguised() -> Acts:
    """SIGKILL for somebody else's thread under our own process's number."""
    return {
        f"{call}-{name}": ("call", number(call), "pid:self", f"pid:{who}", SIGKILL, *more)
        for call, more in (("tgkill", ()), ("rt_tgsigqueueinfo", ("buf",)))
        for name, who in TARGETS.items()
    }


@pytest.mark.parametrize("removed", [(), ("sigscope",)], ids=["scoped by Landlock", "not scoped"])
def test_a_thread_of_somebody_else_cannot_be_killed_as_one_of_our_own(weak: Arena, removed: tuple[str, ...]) -> None:
    found = weak.attack(script=disguised() | THEN, neighbour=BESIDE, removed=removed, verb=("build", "-j4"))
    assert found.done.code == 0, found.done.shown
    assert found.told("csbench-neighbour")["alive"].startswith("ok:")
    # The kernel looks for the thread in that process alone, and lets nobody else queue what says it comes from a kill.
    told = {(name.partition("-")[0], found.script[name]) for name in disguised()}
    assert told == {("tgkill", "ESRCH"), ("rt_tgsigqueueinfo", "EPERM")}


@core
def test_nobody_outside_the_unit_can_be_killed_and_each_try_is_recorded(arena: Arena) -> None:
    macro = {f"m-{name}": ("kill", who, SIGKILL) for name, who in TARGETS.items() if name != "neighbour"}
    found = arena.attack(script=shots() | THEN, macro=macro, neighbour=BESIDE, verb=("build", "-j4"))
    assert found.done.code == 0, found.done.shown
    assert found.told("csbench-neighbour")["alive"].startswith("ok:")
    for name in shots():
        allowed = ("ok", "EPERM") if name in ("everybody", "group") else ("EPERM",)
        assert found.script[name] in allowed, (name, found.script[name])
    for name in macro:
        assert found.macro[name] == "EPERM", name
    denied = found.select(kind="kill", outcome="denied", unit=found.script_unit)
    calls = {event["call"] for event in denied}
    assert calls == {"kill", "tgkill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "fcntl"}
    assert {1, found.run.units("cargo")[0]["pid"]} <= {event["target"] for event in denied}
    assert len(denied) >= 7 * len(TARGETS)
    assert found.select(kind="kill", target=-1, unit=found.script_unit), "a signal for everybody is worth a line"
    assert len(found.select(kind="kill", outcome="denied", unit=found.macro_unit)) == len(macro)


def test_either_wall_before_signals_holds_alone_and_without_both_cargo_dies(weak: Arena) -> None:
    acts = {"kill-cargo": ("kill", "cargo", SIGKILL), "kill-role": ("kill", "role", SIGKILL)}
    sigio = {"sigio-cargo": ("sigio", "cargo", SIGKILL)}
    scoped = weak.attack(script=acts, removed=("deny",))
    assert scoped.done.code == 0 and set(scoped.script.values()) == {"EPERM"}, scoped.done.shown
    refused = weak.attack(script=acts | sigio, removed=("sigscope",))
    assert refused.done.code == 0 and set(refused.script.values()) == {"EPERM"}, refused.done.shown
    fallen = weak.attack(script={"kill-cargo": acts["kill-cargo"]}, removed=("deny", "sigscope"))
    assert fallen.run.result["cargo_signal"] == 9 or fallen.done.code == 137, fallen.done.shown
    fallen = weak.attack(script=sigio, removed=("deny", "sigscope"))
    assert fallen.run.result["cargo_signal"] == 9 or fallen.done.code == 137, fallen.done.shown


def test_where_no_domain_holds_signals_a_target_cannot_change_after_the_look(weak: Arena) -> None:
    """As on kernels before 6.12, and for the user's programs everywhere: the guard alone stands between."""
    for name, words in {
        "pidfd": ("pidfd-race", number("pidfd_open"), number("pidfd_send_signal"), "cargo", SIGUSR1),
        "group": ("group-race", "cargo", SIGUSR1),
    }.items():
        found = weak.attack(script={name: words}, removed=("sigscope",))
        assert found.done.code == 0 and found.script == {name: "ok"}, found.done.shown


def looks() -> Acts:
    """Reading and changing other processes."""
    acts: dict[str, tuple[str, ...]] = {}
    for name, who in TARGETS.items():
        acts |= {
            f"{name}-mem": ("proc", who, "mem"),
            f"{name}-environ": ("proc", who, "environ"),
            f"{name}-fd": ("proc", who, "fd"),
            f"{name}-maps": ("proc", who, "maps"),
            f"{name}-root": ("proc", who, "root"),
            f"{name}-exe": ("proc", who, "exe"),
            f"{name}-auxv": ("proc", who, "auxv"),
            f"{name}-map-files": ("proc", who, "map_files"),
            f"{name}-ptrace": ("ptrace", "16", who),
            f"{name}-seize": ("ptrace", str(0x4206), who),
            f"{name}-readv": ("vm", number("process_vm_readv"), who),
            f"{name}-writev": ("vm", number("process_vm_writev"), who),
        }
    return acts


@core
def test_no_other_process_can_be_read_or_traced(arena: Arena) -> None:
    macro = {f"m-{name}": words for name, words in looks().items() if not name.startswith("neighbour")}
    found = arena.attack(script=looks() | THEN, macro=macro, neighbour=BESIDE, verb=("build", "-j4"))
    assert found.done.code == 0, found.done.shown
    told = found.script | found.macro
    assert {name: told.get(name) for name in (*looks(), *macro) if told.get(name) not in ("EPERM", "EACCES")} == {}
    cargo = found.run.units("cargo")[0]["pid"]
    for unit in (found.script_unit, found.macro_unit):
        assert {cargo, 1} <= {event["target"] for event in found.select(kind="ptrace", unit=unit, outcome="denied")}
        assert {event["call"] for event in found.select(kind="process_vm", unit=unit)} == {
            "process_vm_readv",
            "process_vm_writev",
        }
        assert [event for event in found.select(kind="open", unit=unit) if str(event["path"]) == f"/proc/{cargo}/mem"]
    assert "CS0106" in found.codes("csbench-script") and "CS0106" in found.codes("csbench-consumer")


def test_without_landlock_and_refusals_cargos_memory_is_open(weak: Arena) -> None:
    acts = {
        name: words
        for name, words in looks().items()
        if name in ("cargo-mem", "cargo-environ", "cargo-fd", "cargo-readv")
    }
    held = weak.attack(script=acts, removed=("deny",))
    assert set(held.script.values()) <= {"EPERM", "EACCES"}, "Landlock alone holds"
    fallen = weak.attack(script=acts, removed=("deny", "landlock"))
    # The address that is read is ours: EFAULT says that the kernel went and looked there.
    assert all(fallen.script[name].startswith(("ok", "EFAULT")) for name in acts), fallen.script


def limits() -> Acts:
    """What a process of the same user may do to another one without a signal: take its resources away."""
    acts: dict[str, tuple[str, ...]] = {}
    for name, who in {"cargo": "cargo", "role": "role", "init": "init"}.items():
        pid = f"pid:{who}"
        # RLIMIT_NOFILE is 7, RLIMIT_CPU 0; the new limit is a buffer of zeros.
        acts |= {
            f"nofile-{name}": ("call", number("prlimit64"), pid, "7", "buf", "0"),
            f"cpu-{name}": ("call", number("prlimit64"), pid, "0", "buf", "0"),
        }
    return acts


@core
def test_no_other_process_can_be_starved(arena: Arena) -> None:
    found = arena.attack(script=limits() | {"own": ("call", number("prlimit64"), "0", "7", "0", "buf")}, macro=limits())
    assert found.done.code == 0, found.done.shown
    assert {found.script[name] for name in limits()} == {"EPERM"}
    assert {found.macro[name] for name in limits()} == {"EPERM"}
    assert found.script["own"] == "ok:0"
    assert len(found.select(call="prlimit64", outcome="denied", unit=found.script_unit)) == len(limits())


def test_without_the_guards_refusal_cargo_is_starved(weak: Arena) -> None:
    acts = {"cpu": limits()["cpu-cargo"], "sleep": ("sleep", "200")}
    found = weak.attack(script=acts, removed=("deny",))
    assert found.done.code != 0 and "CS0106" not in found.codes(), found.done.shown


def test_only_the_three_standard_descriptors_reach_a_build_script(arena: Arena) -> None:
    """cargo-sandbox is started with an open secret and more; a plain cargo passes them on to its build scripts."""
    secret = arena.project.home / "secret"
    secret.write_text("csbench secret")
    shell = f"exec 7<'{secret}' 8>&2 9<'{arena.project.home}'; exec \"$@\""
    careless = replace(arena.project.user, prefix=("sh", "-c", shell, "sh"))
    leaky = replace(arena, project=replace(arena.project, user=careless))
    found = leaky.attack(script={"fds": ("fds",)}, macro={"macro-fds": ("fds",)})
    assert found.done.code == 0, found.done.shown
    assert found.script["fds"] == "ok", found.script
    assert str(arena.project.home) + " " not in found.macro["macro-fds"] and str(secret) not in found.macro["macro-fds"]
    without = leaky.plain(script={"fds": ("fds",)})
    assert f"7={secret}" in without.stdout + without.stderr, "without a sandbox the secret is there"


def survivors(word: str) -> Acts:
    """A process that ran away from its script: two forks, a session of its own, no descriptors."""
    return {"daemon": ("daemon", word, "trap '' TERM HUP; sleep 2.9"), "plain": ("daemon", f"{word}-2", "sleep 2.8")}


@core
def test_what_a_script_or_a_macro_leaves_behind_is_found_recorded_and_ended(arena: Arena) -> None:
    words = {"script": tag("csbench-daemon-s"), "rustc": tag("csbench-daemon-m")}
    found = arena.attack(script=survivors(words["script"]), macro=survivors(words["rustc"]))
    assert found.done.code == 0, found.done.shown
    wait_for(lambda: not any(map(processes, words.values())), 1, "the end of the daemons")
    for role, package in (("script", "csbench-script"), ("rustc", "csbench-consumer")):
        end = found.unit_record(role, package)["end"]
        left = {" ".join(survivor["argv"]) for survivor in end["survivors"]}
        assert {name for name in left if name.endswith(words[role])}, left
        assert f"{words[role]}-2" in " ".join(left)
        assert "CS0105" in found.codes(package)


def test_without_that_wall_they_live_on_beside_the_build(weak: Arena) -> None:
    acts = {"daemon": ("daemon", tag("csbench-daemon-k"), "sleep 2.7"), "sleep": ("ids",)}
    found = weak.attack(script=acts, removed=("kill",))
    assert found.unit_record("script", "csbench-script")["end"]["survivors"] == []
    wait_for(lambda: not processes(tag("csbench-daemon-k")), 1, "the end of the container with all that is in it")


def test_a_chain_of_processes_that_forks_faster_than_it_is_killed_ends_too(arena: Arena) -> None:
    found = arena.attack(script={"chain": ("fork-chain", tag("csbench-chain"), "1000")})
    assert found.script["chain"] == "ok:exit 0"
    assert "CS0105" in found.codes("csbench-script")
    wait_for(lambda: not processes(tag("csbench-chain")), 1, "the end of the chain")


def test_a_role_that_is_told_to_end_takes_its_unit_along(arena: Arena) -> None:
    """The processes of a build that is over are gone, even those that ignore every signal they can."""
    word = tag("csbench-stubborn")
    found: Attack = arena.attack(script={"stubborn": ("daemon", word, "trap '' 1 2 3 13 15; sleep 2.6")})
    assert found.done.code == 0
    assert not processes(word)
