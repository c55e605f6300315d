"""The Docker Engine's profile, as runc and this machine's libseccomp carry it out, does what the golden tables say."""

from __future__ import annotations

import json

import pytest

from tests.unit.seccomp import golden
from tests.unit.seccomp import simulator as sim
from tests.unit.seccomp.filters import ARCHES, FOLDER, LEVELS, inner, numbers, outer
from tests.unit.seccomp.runc import compile_profile

every_filter = pytest.mark.parametrize(("level", "arch"), [(level, arch) for level in LEVELS for arch in ARCHES])

# Newer than libseccomp 2.5, and harmless programs do without them.
NEWER = frozenset(
    "file_getattr file_setattr getxattrat listxattrat mseal open_tree_attr removexattrat rseq_slice_yield setxattrat "
    "uprobe uretprobe listns".split()
)
GUARDS_OWN = """
    seccomp prctl process_vm_readv landlock_create_ruleset landlock_add_rule landlock_restrict_self pidfd_open wait4
    epoll_create1 epoll_ctl epoll_wait signalfd4 close_range fcntl prlimit64 setsid ioctl clone execve
""".split()


@every_filter
def test_every_number_gets_its_verdict(level: str, arch: str) -> None:
    loaded, names = outer(level, arch), {nr: name for name, nr in numbers(arch).items()}
    assert loaded.missing <= NEWER, "what the machine's libseccomp does not know is refused, so it must not matter"
    words, by_arguments = golden.calls(level), {row.call for row in golden.rows()}
    for nr in range(1200):
        name = names.get(nr, "")
        if name in by_arguments:
            continue
        known = name and name not in loaded.missing
        wanted = golden.outer_verdict(name, words[name]) if known else sim.ENOSYS
        for filler in (0, 1, 0xFFFF_FFFF_FFFF_FFFF):
            assert loaded.verdict(nr, *[filler] * 6) & ~0xFF == wanted & ~0xFF, (nr, name)


@every_filter
def test_every_argument_rule_holds_at_its_edges_whatever_the_upper_halves(level: str, arch: str) -> None:
    loaded, table = outer(level, arch), numbers(arch)
    for row in golden.rows():
        for args in row.fillings() if row.call in table else ():
            verdict = loaded.verdict(table[row.call], *args) & 0xFFFF_0000
            assert verdict == row.verdicts[level][1], (row, list(map(hex, args)))


@every_filter
def test_no_call_of_another_abi_gets_in(level: str, arch: str) -> None:
    loaded = outer(level, arch)
    for foreign in {sim.I386, sim.ARM, 0, *ARCHES.values()} - {ARCHES[arch]}:
        assert {loaded.verdict(nr, arch=foreign) for nr in range(600)} == {sim.KILL_THREAD}
    if arch == "x86_64":
        assert {loaded.verdict(0x4000_0000 | nr) for nr in range(600)} == {sim.KILL_THREAD}


@every_filter
def test_what_the_guard_shall_be_asked_is_never_decided_before(level: str, arch: str) -> None:
    """Of all filters the weightiest verdict wins: kill, errno, the guard's question, trace, allow (seccomp(2))."""
    ask, container = inner(level, arch), outer(level, arch)
    for name, nr in numbers(arch).items():
        if name in container.missing:
            continue
        for args in ([0] * 6, [0x10000011] * 6, [38] * 6, [0o4755] * 6):
            if ask.verdict(nr, *args) == sim.NOTIFY:
                assert container.verdict(nr, *args) & 0xFFFF_0000 in (sim.ALLOW, sim.TRACE), name


@every_filter
def test_the_guard_itself_can_live_under_it(level: str, arch: str) -> None:
    loaded, table = outer(level, arch), numbers(arch)
    own = [name for name in GUARDS_OWN if name in table]
    assert [name for name in own if loaded.verdict(table[name], 1) != sim.ALLOW] == []
    assert loaded.verdict(table["prctl"], 4, 0) == loaded.verdict(table["seccomp"], 1, 8) == sim.ALLOW


@pytest.mark.parametrize("level", LEVELS)
def test_the_profile_avoids_what_runc_and_old_engines_misread(level: str) -> None:
    profile = json.loads((FOLDER / f"docker-{level}.json").read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO", "what is not named is refused"
    assert "architectures" not in profile and all(entry["subArchitectures"] == [] for entry in profile["archMap"])
    names = [name for rule in profile["syscalls"] if not rule.get("args") for name in rule["names"]]
    assert len(names) == len(set(names))
    for rule in profile["syscalls"]:
        args = rule.get("args", [])
        assert len({arg["index"] for arg in args}) == len(args), "runc would OR them"
        assert {arg["op"] for arg in args} <= {"SCMP_CMP_MASKED_EQ"} and all(arg["value"] < 1 << 32 for arg in args)
        assert not args or not set(rule["names"]) & set(names), "a rule without conditions would swallow it"


def test_an_engine_that_does_not_know_the_default_error_refuses_all_the_same() -> None:
    profile = json.loads((FOLDER / "docker-standard.json").read_text())
    del profile["defaultErrnoRet"]
    instructions = sim.decode(compile_profile(profile, "SCMP_ARCH_X86_64")[0])
    assert sim.run(instructions, 380, sim.X86_64)[0] == sim.EPERM
    assert sim.run(instructions, numbers("x86_64")["clone3"], sim.X86_64)[0] == sim.ENOSYS


def test_the_stand_in_for_runc_ors_conditions_on_one_argument() -> None:
    """The trap that the profile avoids: "neither 38 nor 40", written so, allows both."""
    conditions = [{"index": 0, "value": family, "op": "SCMP_CMP_NE"} for family in (38, 40)]
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
        "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": conditions}],
    }
    instructions = sim.decode(compile_profile(profile, "SCMP_ARCH_X86_64")[0])
    assert sim.run(instructions, numbers("x86_64")["socket"], sim.X86_64, [38])[0] == sim.ALLOW
