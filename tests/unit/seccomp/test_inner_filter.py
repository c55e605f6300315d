"""The checked-in filter programs do what profiles/seccomp/inner.yaml says, for every number and every ABI."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sandbox.errors import SetupError
from sandbox.plan import seccomp
from tests.unit.seccomp import simulator as sim

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "profiles" / "seccomp"
ARCHES = {"x86_64": sim.X86_64, "aarch64": sim.AARCH64}
WORDS = {
    "allow": sim.ALLOW,
    "notify": sim.NOTIFY,
    "kill": sim.KILL,
    "errno ENOSYS": sim.ENOSYS,
    "errno EPERM": sim.EPERM,
}

NOTIFIED_EVERYWHERE = """
    execve execveat openat unlinkat renameat renameat2 linkat symlinkat mkdirat fchmod fchmodat fchmodat2 fchown
    fchownat truncate mknodat setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr
    removexattrat memfd_create memfd_secret connect bind sendto sendmsg sendmmsg kill tkill tgkill rt_sigqueueinfo
    rt_tgsigqueueinfo pidfd_send_signal ptrace process_vm_readv process_vm_writev mount umount2 pivot_root chroot
    move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick mount_setattr unshare setns clone io_uring_setup
    io_uring_enter io_uring_register bpf keyctl add_key request_key userfaultfd perf_event_open pidfd_getfd
    open_by_handle_at kexec_load kexec_file_load init_module finit_module delete_module seccomp personality acct
    quotactl quotactl_fd reboot swapon swapoff sethostname setdomainname
""".split()
NOTIFIED_ON_X86 = """
    open creat unlink rmdir rename link symlink mkdir chmod chown lchown mknod fork vfork iopl ioperm
""".split()
NEVER_NOTIFIED = """
    read write pread64 pwrite64 readv writev close close_range lseek fstat newfstatat statx mmap munmap mprotect brk
    madvise futex ftruncate fallocate getdents64 readlinkat faccessat faccessat2 dup3 pipe2 wait4 waitid exit
    exit_group rt_sigaction rt_sigprocmask rt_sigreturn clock_gettime nanosleep sched_yield getrandom epoll_pwait ppoll
    landlock_create_ruleset landlock_add_rule landlock_restrict_self copy_file_range sendfile rseq set_robust_list
""".split()


def numbers(arch: str) -> dict[str, int]:
    table = json.loads((FOLDER / "syscalls.json").read_text())[arch]
    assert isinstance(table, dict)
    return table


def expected(arch: str) -> dict[int, tuple[int, dict[str, object] | None]]:
    """number -> (verdict, condition), read straight from the source without the assembler's help."""
    source = yaml.safe_load((FOLDER / "inner.yaml").read_text())
    by_name = {
        name: (WORDS[group["action"]], group.get("when"))
        for group in source["groups"].values()
        for name in group["calls"]
    }
    return {nr: by_name.get(name, (sim.ALLOW, None)) for name, nr in numbers(arch).items()}


@pytest.mark.parametrize("arch", ARCHES)
def test_every_native_number_gets_the_verdict_of_the_source(arch: str) -> None:
    program = sim.decode(seccomp.load(arch))
    rules = expected(arch)
    for nr in range(601):
        verdict, when = rules.get(nr, (sim.ENOSYS, None))
        if when is None:
            for filler in (0, 0xFFFF_FFFF_FFFF_FFFF):
                assert sim.run(program, nr, ARCHES[arch], [filler] * 6)[0] == verdict, nr
            continue
        negated = "none-of" in when
        values = when["none-of" if negated else "any-of"]
        assert isinstance(values, dict)
        for value in {*values.values(), 0, 3, 7, 0xFFFF_FFFF}:
            holds = (value in values.values()) != negated
            for upper in (0, 1, 0xFFFF_FFFF):
                args = [0x1111_1111] * 6
                args[int(str(when["arg"]))] = upper << 32 | value
                got = sim.run(program, nr, ARCHES[arch], args)[0]
                assert got == (verdict if holds else sim.ALLOW), (nr, hex(value), upper)


@pytest.mark.parametrize("arch", ARCHES)
def test_every_number_of_a_foreign_architecture_goes_to_the_guard(arch: str) -> None:
    program = sim.decode(seccomp.load(arch))
    for foreign in {sim.I386, sim.ARM, *ARCHES.values()} - {ARCHES[arch]}:
        assert {sim.run(program, nr, foreign)[0] for nr in range(601)} == {sim.NOTIFY}


def test_every_x32_number_goes_to_the_guard() -> None:
    program = sim.decode(seccomp.load("x86_64"))
    assert {sim.run(program, 0x4000_0000 | nr, sim.X86_64)[0] for nr in range(601)} == {sim.NOTIFY}


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("nr", [601, 4095, 0x3FFF_FFFF, 0x8000_0000])
def test_a_number_that_no_table_knows_does_not_exist(arch: str, nr: int) -> None:
    assert sim.run(sim.decode(seccomp.load(arch)), nr, ARCHES[arch])[0] == sim.ENOSYS


@pytest.mark.parametrize("arch", ARCHES)
def test_the_calls_that_the_guard_must_see_are_notified(arch: str) -> None:
    program, table = sim.decode(seccomp.load(arch)), numbers(arch)
    names = NOTIFIED_EVERYWHERE + (NOTIFIED_ON_X86 if arch == "x86_64" else [])
    assert [name for name in names if sim.run(program, table[name], ARCHES[arch])[0] != sim.NOTIFY] == []


@pytest.mark.parametrize("arch", ARCHES)
def test_hot_calls_are_allowed_without_a_look_at_their_arguments(arch: str) -> None:
    program, table = sim.decode(seccomp.load(arch)), numbers(arch)
    for name in NEVER_NOTIFIED:
        verdict, steps, arguments = sim.run(program, table[name], ARCHES[arch], [0xFFFF_FFFF_FFFF_FFFF] * 6)
        assert (verdict, arguments) == (sim.ALLOW, False), name
        assert steps <= 14, name


@pytest.mark.parametrize(
    ("call", "args", "verdict"),
    [
        ("clone3", [0, 88], sim.ENOSYS),
        ("openat2", [0xFFFF_FF9C, 0, 0, 24], sim.ENOSYS),
        ("fcntl", [0, 8], sim.NOTIFY),
        ("fcntl", [0, 0x1_0000_000F], sim.NOTIFY),
        ("fcntl", [8, 3], sim.ALLOW),
        ("ioctl", [0, 0x5412], sim.NOTIFY),
        ("ioctl", [0, 0xDEAD_BEEF_0000_5412], sim.NOTIFY),
        ("ioctl", [0, 0x541C], sim.NOTIFY),
        ("ioctl", [0, 0x1_0000_541C], sim.NOTIFY),
        ("ioctl", [0, 0x5401], sim.ALLOW),
        ("ioctl", [0x5412, 0x5413], sim.ALLOW),
        ("prlimit64", [0, 7], sim.ALLOW),
        ("prlimit64", [2, 7], sim.NOTIFY),
        ("socket", [1, 1, 0], sim.ALLOW),
        ("socket", [2, 1, 0], sim.ALLOW),
        ("socket", [10, 2, 0], sim.ALLOW),
        ("socket", [16, 3, 0], sim.NOTIFY),
        ("socket", [38, 5, 0], sim.NOTIFY),
        ("socket", [40, 1, 0], sim.NOTIFY),
        ("socket", [0x1_0000_0002, 1, 0], sim.ALLOW),
        ("socketpair", [1, 1, 0], sim.ALLOW),
        ("socketpair", [30, 1, 0], sim.NOTIFY),
        ("prctl", [22, 2], sim.NOTIFY),
        ("prctl", [0x1_0000_0016, 2], sim.NOTIFY),
        ("prctl", [4, 0], sim.NOTIFY),
        ("prctl", [0x4353_4258, 1], sim.NOTIFY),
        ("prctl", [36, 1], sim.ALLOW),
        ("prctl", [38, 1], sim.ALLOW),
        ("prctl", [15, 4], sim.ALLOW),
    ],
)
@pytest.mark.parametrize("arch", ARCHES)
def test_arguments_decide_where_the_source_says_so(arch: str, call: str, args: list[int], verdict: int) -> None:
    assert sim.run(sim.decode(seccomp.load(arch)), numbers(arch)[call], ARCHES[arch], args)[0] == verdict


def test_the_checked_in_programs_are_what_the_source_makes() -> None:
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


@pytest.mark.parametrize("text", ["", "; nothing", "0006 00 00", "0006 00 00 zz", "0006 100 00 7fff0000", "6 0 0 0 0"])
def test_a_damaged_program_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="instruction"):
        seccomp.parse(text)
