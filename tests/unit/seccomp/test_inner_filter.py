"""The guard's filters do what calls.txt and arguments.txt say, for every number and every ABI."""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import pytest

from sandbox.errors import SetupError
from sandbox.judge.catalogue import is_probe
from sandbox.plan import seccomp
from tests.unit.seccomp import golden
from tests.unit.seccomp import simulator as sim
from tests.unit.seccomp.filters import ARCHES, LEVELS, ROOT, inner, numbers

HOT = """
    read write pread64 pwrite64 readv writev close close_range lseek fstat newfstatat statx mmap munmap mprotect brk
    madvise futex ftruncate fallocate getdents64 readlinkat faccessat faccessat2 dup3 pipe2 wait4 waitid exit
    exit_group rt_sigaction rt_sigprocmask rt_sigreturn clock_gettime nanosleep sched_yield getrandom epoll_pwait ppoll
    landlock_create_ruleset landlock_add_rule landlock_restrict_self copy_file_range sendfile rseq set_robust_list
""".split()

every_filter = pytest.mark.parametrize(("level", "arch"), [(level, arch) for level in LEVELS for arch in ARCHES])


def test_the_golden_table_has_every_call_and_no_other() -> None:
    for level in LEVELS:
        assert golden.calls(level).keys() == {name for arch in ARCHES for name in numbers(arch)}


@every_filter
def test_every_number_gets_its_verdict(level: str, arch: str) -> None:
    loaded, names = inner(level, arch), {nr: name for name, nr in numbers(arch).items()}
    words = golden.calls(level)
    for nr in [*range(1200), 4095, 0x3FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF if arch == "aarch64" else 0xBFFF_FFFF]:
        name = names.get(nr, "")
        if words.get(name) == golden.BY_ARGUMENTS:
            continue
        wanted = golden.inner_verdict(words[name]) if name else sim.ENOSYS
        for filler in (0, 1, 0xFFFF_FFFF_FFFF_FFFF):
            assert loaded.verdict(nr, *[filler] * 6) == wanted, (nr, name)


@every_filter
def test_every_argument_rule_holds_at_its_edges_whatever_the_upper_halves(level: str, arch: str) -> None:
    loaded, table = inner(level, arch), numbers(arch)
    tried = [row for row in golden.rows() if row.call in table]
    assert {row.call for row in tried} >= {
        name for name, words in golden.calls(level).items() if words == golden.BY_ARGUMENTS and name in table
    }
    for row in tried:
        for args in row.fillings():
            assert loaded.verdict(table[row.call], *args) == row.verdicts[level][0], (row, list(map(hex, args)))


@every_filter
def test_the_guard_is_told_which_calls_to_refuse_and_with_what(level: str, arch: str) -> None:
    refused, table = dict(seccomp.load(arch, level).refused), numbers(arch)
    words = golden.calls(level)
    always = {nr: golden.error(words[name]) for name, nr in table.items() if words[name].startswith("refuse")}
    by_arguments = {
        table[name]: 97 if name.startswith("socket") else 1
        for name in ("clone", "ioctl", "socket", "socketpair", "personality", "seccomp", "move_pages", "migrate_pages")
    }
    assert refused == always | by_arguments


@every_filter
def test_every_call_of_a_foreign_architecture_goes_to_the_guard(level: str, arch: str) -> None:
    for foreign in {sim.I386, sim.ARM, 0, *ARCHES.values()} - {ARCHES[arch]}:
        assert {inner(level, arch).verdict(nr, arch=foreign) for nr in range(1200)} == {sim.NOTIFY}


@pytest.mark.parametrize("level", LEVELS)
def test_every_x32_call_goes_to_the_guard(level: str) -> None:
    assert {inner(level, "x86_64").verdict(0x4000_0000 | nr) for nr in range(1200)} == {sim.NOTIFY}


@every_filter
def test_hot_calls_are_allowed_without_a_look_at_their_arguments(level: str, arch: str) -> None:
    loaded = inner(level, arch)
    for name in HOT:
        verdict, steps, arguments = sim.run(loaded.instructions, numbers(arch)[name], loaded.arch, [2**64 - 1] * 6)
        assert (verdict, arguments) == (sim.ALLOW, False), name
        assert steps <= 15, name


@pytest.mark.parametrize("arch", ARCHES)
def test_strict_allows_nothing_that_standard_does_not(arch: str) -> None:
    strict, standard = inner("strict", arch), inner("standard", arch)
    probes = [(nr, [0] * 6) for nr in range(600)]
    probes += [(numbers(arch)[row.call], list(row.fillings()[0])) for row in golden.rows() if row.call in numbers(arch)]
    allowed = [(nr, args) for nr, args in probes if strict.verdict(nr, *args) == sim.ALLOW]
    assert len(allowed) > 200
    assert [one for one in allowed if standard.verdict(one[0], *one[1]) != sim.ALLOW] == []


def test_what_only_strict_refuses_is_a_mild_finding() -> None:
    standard, strict = golden.calls("standard"), golden.calls("strict")
    only = {name for name, words in strict.items() if words.startswith("refuse") and words != standard[name]}
    assert "splice" in only and [name for name in only if not is_probe({"call": name})] == []
    refused = {name for name, words in standard.items() if words.startswith("refuse")}
    assert {name for name in refused if is_probe({"call": name})} == {"io_uring_setup"}


def test_the_checked_in_files_are_what_the_source_makes() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "gen-seccomp", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_tables_agree_with_this_machines_kernel_headers() -> None:
    done = subprocess.run(
        ["cc", "-E", "-dM", "-x", "c", "-"], input="#include <asm/unistd.h>", capture_output=True, text=True, check=True
    )
    ours = numbers(platform.machine())
    theirs = {name: int(nr) for name, nr in re.findall(r"^#define __NR_(\w+) (\d+)$", done.stdout, re.MULTILINE)}
    theirs.pop("syscalls", None)
    theirs.pop("arch_specific_syscall", None)
    assert len(theirs) > 250
    differing = {name for name in theirs.keys() & ours.keys() if theirs[name] != ours[name]}
    assert differing == set()
    assert {name for name in theirs.keys() - ours.keys() if theirs[name] <= max(ours.values())} <= {"fstatat"}


def test_both_architectures_share_the_numbers_from_424_on() -> None:
    x86, arm = numbers("x86_64"), numbers("aarch64")
    assert {nr for nr in x86.values() if nr >= 424} == {nr for nr in arm.values() if nr >= 424} == set(range(424, 472))
    assert all(arm[name] == nr for name, nr in x86.items() if nr >= 424)


def test_an_architecture_without_a_filter_is_a_missing_wall() -> None:
    with pytest.raises(SetupError, match="riscv64"):
        seccomp.load("riscv64")


@pytest.mark.parametrize(
    "text",
    ["", "; nothing", "0006 00 00", "0006 00 00 zz", "0006 100 00 7fff0000", "6 0 0 0 0", "refuse 1 1", "refuse 1",
     "6 0 0 0\nrefuse 1 x"],
)  # fmt: skip
def test_a_damaged_program_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="instruction"):
        seccomp.parse(text)
