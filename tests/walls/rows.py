"""What each row of the probe must come to: on the bare host, inside, in the record, and with walls removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

ENGINES = ("bubblewrap",)
"""Engines that the probe and the posture test run in."""

WALLS = {
    "deny": "the guard refuses calls that no build needs, and records them",
    "filter": "the syscall filter refuses, unasked, calls whose arguments no filter can read",
    "capabilities": "no capability in the container",
    "userns": "a user namespace, whose root is nobody outside",
    "network": "a network namespace with loopback only",
    "ipc": "an IPC namespace",
    "landlock": "a Landlock domain for each build script and each rustc",
    "readonly": "sources and cargo's home are mounted read-only",
    "proc": "settings of the machine below /proc are mounted read-only",
    "hidden": "what no build needs is not mounted at all, or is mounted read-only",
    "home": "a fresh home with decoys",
    "environment": "variables by an allow-list",
    "dotenv": "an empty file in the place of each .env",
    "limits": "resource limits that can't be lifted",
}
"""Names of the walls that a test can take away (sandbox/run/test_hooks.py). `hidden` stands for `show=` and `open=`."""

NOT_REMOVABLE = {
    "pid": "the guard has to be the first process of its own namespace",
    "descriptors": "no switch gives a container more descriptors than its plan says",
    "no-new-privs": "bubblewrap sets it itself, always",
    "kernel": "the kernel does not do it for anybody",
}
"""Walls that stand in every test, and why. Their rows are shown not to be vacuous by the bare host alone."""


@dataclass(frozen=True)
class Row:
    """`inside`: how the try ends in a container. `reached`: errors that show that the try got past all walls (beside
    success), because nothing exists for it to act on. `record`: `denied KIND`, `seen KIND`, or why there is nothing.
    `opened_by`: sets of walls; the try gets through when all walls of one set are away. `fixed`: the wall of
    NOT_REMOVABLE that stops it instead. `wanted`: it is let through on purpose.
    """

    name: str
    inside: str
    record: str
    opened_by: tuple[frozenset[str], ...] = ()
    reached: tuple[str, ...] = ()
    fixed: str = ""
    wanted: bool = False

    def passes(self, answer: str) -> bool:
        """Whether an answer says that the try got through."""
        return answer == "ok" or answer in self.reached

    def open_without(self, removed: frozenset[str]) -> bool:
        """Whether it must get through with these walls away."""
        return self.wanted or any(walls <= removed for walls in self.opened_by)


def _walls(text: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(part.split("+")) for part in text.split("|"))


def _rows(names: str, inside: str, record: str, walls: str = "", reached: str = "", fixed: str = "") -> Iterator[Row]:
    opened_by = _walls(walls) if walls else ()
    for name in names.split():
        yield Row(name, inside, record, opened_by, tuple(reached.split()), fixed)


_CAPABLE = "deny+capabilities"
_INIT = "deny+capabilities+userns"

ROWS: tuple[Row, ...] = (
    *_rows("unshare-user clone-user", "EPERM", "denied namespace", "deny"),
    *_rows(
        "unshare-mount unshare-net unshare-pid unshare-ipc unshare-uts unshare-cgroup unshare-time setns clone-mount",
        "EPERM", "denied namespace", _CAPABLE,
    ),
    *_rows("clone3-user", "ENOSYS", "counted: every libc tries clone3 before clone", "filter"),
    *_rows("openat2", "ENOSYS", "counted: callers fall back to openat", "filter"),
    *_rows("mount bind", "EPERM", "denied mount", f"{_CAPABLE}+landlock"),
    *_rows("chroot fsopen open-tree mount-setattr", "EPERM", "denied mount", _CAPABLE),
    *_rows("umount", "EPERM", "denied mount", _CAPABLE, "EINVAL"),
    *_rows("pivot-root fspick move-mount", "EPERM", "denied mount", _CAPABLE, "ENOENT"),
    *_rows("fsconfig", "EPERM", "denied mount", "deny", "EINVAL"),
    *_rows("fsmount", "EPERM", "denied mount", _CAPABLE, "EBADF"),
    *_rows("handle", "EPERM", "denied handle", _INIT),
    *_rows("ptrace", "EPERM", "denied ptrace", "deny+landlock"),
    *_rows("ptrace-me", "EPERM", "denied ptrace", "deny"),
    *_rows("vm-read vm-write", "EPERM", "denied process_vm", "deny+landlock"),
    *_rows("proc-mem", "EACCES", "denied open", "landlock"),
    # CAP_PERFMON lets its holder read other processes too (Linux 6.16).
    *_rows("proc-environ", "EACCES", "seen open", "landlock|capabilities+userns"),
    *_rows("pidfd-getfd", "EPERM", "denied other", "deny+landlock"),
    *_rows("prlimit", "EPERM", "denied other", "deny"),
    *_rows("signal signal-pidfd signal-first", "EPERM", "denied kill", "deny+landlock"),
    *_rows("host-process", "no", "seen open", fixed="pid"),
    *_rows("descriptors", "no", "nothing to see: there is none", fixed="descriptors"),
    *_rows("limit-file limit-processes limit-core", "EPERM", "not asked: a process's own limits", "limits"),
    Row("memory-file", "ok", "seen memfd", wanted=True),
    *_rows("own-filter own-filter-prctl", "EPERM", "denied seccomp", "deny"),
    *_rows("hide", "EPERM", "denied dumpable", "deny"),
    *_rows("personality", "EPERM", "denied personality", "deny"),
    *_rows("shared-memory", "ENOENT", "not asked: its namespace is empty", "ipc"),
    *_rows("io-uring", "ENOSYS", "denied io_uring", "deny"),
    *_rows("io-uring-enter", "ENOSYS", "denied io_uring", "deny", "EBADF"),
    *_rows("bpf", "EPERM", "denied bpf", _INIT),
    *_rows("perf", "EPERM", "denied perf", "deny"),
    *_rows("userfaultfd", "EPERM", "denied userfaultfd", "deny"),
    *_rows("keyctl add-key", "EPERM", "denied keyctl", "deny"),
    *_rows("request-key", "EPERM", "denied keyctl", "deny", "ENOKEY"),
    *_rows("fanotify", "EPERM", "denied other", "deny"),
    *_rows("init-module", "EPERM", "denied module", _INIT, "ENOEXEC EFAULT"),
    *_rows("finit-module", "EPERM", "denied module", _INIT, "EBADF"),
    *_rows("delete-module", "EPERM", "denied module", _INIT, "ENOENT"),
    *_rows("kexec kexec-file", "EPERM", "denied module", _INIT, "EINVAL EBADF"),
    *_rows("reboot", "EPERM", "denied other", _CAPABLE, "EINVAL"),
    *_rows("host-name", "EPERM", "denied other", _CAPABLE),
    *_rows("clock kernel-log", "EPERM", "denied other", _INIT),
    *_rows("accounting", "EPERM", "denied other", _INIT, "ENOENT"),
    *_rows("swap", "EPERM", "denied mount", _INIT, "ENOENT"),
    *_rows("terminal terminal-high console", "EPERM", "denied other", "deny", "ENOTTY"),
    *_rows("i386 x32", "ENOSYS", "denied other", "deny"),
    *_rows("ports ports-some", "EPERM", "denied other", _INIT),
    *_rows("segments", "EPERM", "denied other", "deny"),
    *_rows("loopback-tcp loopback-udp", "ECONNREFUSED", "seen connect", "network"),
    *_rows("internet", "ENETUNREACH", "denied connect", "deny+network", "EINPROGRESS"),
    *_rows("dns", "ECONNREFUSED", "denied dns", "deny+network"),
    *_rows("unix-abstract", "ECONNREFUSED", "seen connect", "network+landlock"),
    *_rows("unix-path", "ENOENT", "seen connect", "home"),
    *_rows("docker", "no", "not asked: a look at a name", "hidden"),
    *_rows("raw", "EPERM", "not seen: the kernel refuses it, and the filter asks about families only", "capabilities"),
    *_rows("packet xdp", "EAFNOSUPPORT", "denied socket", _CAPABLE),
    Row("netlink", "ok", "counted: the C library lists interfaces by it, and there is loopback only", wanted=True),
    *_rows("netlink-xfrm alg vsock rxrpc bluetooth can tipc", "EAFNOSUPPORT", "denied socket", "deny"),
    *_rows("key", "EAFNOSUPPORT", "denied socket", _CAPABLE),
    *_rows("set-id-chmod set-id-fchmod set-id-fchmodat set-id-fchmodat2", "EPERM", "denied chmod", "deny"),
    *_rows("set-id-open set-id-openat set-id-creat", "EPERM", "denied open", "deny"),
    *_rows("set-id-mknod set-id-mknodat", "EPERM", "denied mknod", "deny"),
    *_rows("set-id-mkdir", "no", "seen mkdir", fixed="kernel"),
    *_rows("set-id-program", "no", "seen exec", fixed="no-new-privs"),
    *_rows("device-character device-block", "EPERM", "denied mknod", _INIT),
    *_rows("device-whiteout", "EPERM", "denied mknod", "deny"),
    *_rows("write-source write-registry", "EROFS", "denied open", "landlock+readonly"),
    *_rows("write-toolchain", "EROFS", "denied open", "landlock+hidden"),
    *_rows("write-output write-freshness", "EACCES", "denied open", "landlock"),
    *_rows("write-host", "ENOENT", "seen open", "landlock+hidden"),
    *_rows("read-host", "ENOENT", "seen open", "hidden"),
    *_rows("write-kernel-setting write-core-pattern write-sysrq", "EROFS", "denied open", "landlock+proc"),
    *_rows("write-sys", "ENOENT", "seen open", "landlock+hidden"),
    *_rows("cgroup", "ENOENT", "seen mkdir", "landlock+hidden+capabilities"),
    *_rows("home", "ENOENT", "seen open", "home"),
    *_rows("credentials", "no", "seen open", "home"),
    *_rows("dotenv", "no", "seen open", "dotenv"),
    *_rows("environment", "no", "not asked: one's own memory", "environment"),
)  # fmt: skip

BY_NAME = {row.name: row for row in ROWS}


def removals(names: Iterable[str] = BY_NAME) -> tuple[frozenset[str], ...]:
    """Sets of walls to take away: those that open one of these rows, each of their walls alone, and all but one."""
    asked = {walls for name in names for walls in BY_NAME[name].opened_by}
    alone = {frozenset({wall}) for walls in asked for wall in walls}
    all_but_one = {walls - {wall} for walls in asked for wall in walls if len(walls) > 1}
    return tuple(sorted(asked | alone | all_but_one, key=lambda walls: (len(walls), sorted(walls))))
