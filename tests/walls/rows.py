"""What each row of the probe must come to: on the bare host, inside, in the record, and with walls removed.

`BUBBLEWRAP` is the table for that engine. What is different under Docker, and why, is in `docker.py` beside this, and
`removals.py` has the tables of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

WALLS = {
    "deny": "the guard refuses calls that no build needs, and records them",
    "filter": "the guard's syscall filter refuses, unasked, calls whose arguments no filter can read",
    "inner": "the guard's syscall filter as a whole: `filter`, and whatever asks the guard",
    "outer": "the syscall filter that the daemon puts on the container, the guard included; it gives way to the guard, "
    "so it counts where the inner one is away",
    "capabilities": "no capability in the container",
    "userns": "a user namespace, whose root is nobody outside",
    "user": "root's builds run as a user whom nothing belongs to",
    "no-new-privs": "no program gives rights that its caller lacks",
    "network": "a network namespace with loopback only",
    "ipc": "an IPC namespace",
    "uts": "a name of the container's own for the machine",
    "cgroup": "a cgroup namespace",
    "landlock": "a Landlock domain for each build script and each rustc",
    "root": "the root folder is read-only",
    "readonly": "sources and cargo's home are mounted read-only",
    "below": "what lies below a place that is shown read-only is not shown, or is read-only too",
    "proc": "settings of the machine below /proc are mounted read-only",
    "masked": "what /proc tells of the machine's inside is covered, under Docker all of /sys too",
    "hidden": "what no build needs is not mounted at all, or is mounted read-only",
    "home": "a fresh home with decoys",
    "environment": "variables by an allow-list",
    "dotenv": "an empty file in the place of each .env",
    "limits": "resource limits of the build that can't be lifted",
    "container-limits": "the same limits on the whole container",
}
"""Names of the walls that a test can take away (sandbox/run/test_hooks.py). `hidden` stands for `show=` and `open=`."""

NOT_REMOVABLE = {
    "pid": "the guard has to be the first process of its own namespace, where it ends whatever it sees; without the "
    "guard it can be taken away (test_programs.py)",
    "descriptors": "no switch gives a container more descriptors than its plan says",
    "bubblewrap": "bubblewrap itself forbids new rights, always",
    "kernel": "the kernel does not do it for anybody",
}
"""Walls that stand in every test, and why. Their rows are shown not to be vacuous by the bare host alone."""


Walls = frozenset[str]


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
    opened_by: tuple[Walls, ...] = ()
    reached: tuple[str, ...] = ()
    fixed: str = ""
    wanted: bool = False

    def passes(self, answer: str) -> bool:
        """Whether an answer says that the try got through."""
        return answer == "ok" or answer in self.reached

    def open_without(self, removed: Walls) -> bool:
        """Whether it must get through with these walls away."""
        return self.wanted or any(walls <= removed for walls in self.opened_by)


def _walls(text: str) -> tuple[Walls, ...]:
    return tuple(frozenset(part.split("+")) for part in text.split("|"))


def _rows(names: str, inside: str, record: str, walls: str = "", reached: str = "", fixed: str = "") -> Iterator[Row]:
    opened_by = _walls(walls) if walls else ()
    for name in names.split():
        yield Row(name, inside, record, opened_by, tuple(reached.split()), fixed)


_CAPABLE = "deny+capabilities"
_INIT = "deny+capabilities+userns"

BUBBLEWRAP: tuple[Row, ...] = (
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
    *_rows("host-name-seen", "no", "seen open", "uts"),
    *_rows("control-group-seen", "no", "not asked: a process's own file", "cgroup"),
    *_rows("interrupts", "EACCES", "seen open", "masked"),
    *_rows("devices-seen", "ENOENT", "seen open", "hidden"),
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
    *_rows("set-id-program", "no", "seen exec", fixed="bubblewrap"),
    *_rows("device-character device-block", "EPERM", "denied mknod", _INIT),
    *_rows("device-whiteout", "EPERM", "denied mknod", "deny"),
    *_rows("write-source write-registry", "EROFS", "denied open", "landlock+readonly"),
    *_rows("write-toolchain", "EROFS", "denied open", "landlock+hidden"),
    *_rows("write-output write-freshness", "EACCES", "denied open", "landlock"),
    *_rows("write-host", "ENOENT", "seen open", "landlock+hidden"),
    *_rows("read-host", "ENOENT", "seen open", "hidden"),
    *_rows("write-kernel-setting write-core-pattern write-sysrq", "EROFS", "denied open", "landlock+proc"),
    *_rows("write-sys", "ENOENT", "seen open", "landlock+hidden"),
    *_rows("write-below", "EROFS", "denied open", "landlock+readonly"),
    *_rows("write-root", "EROFS", "denied open", "landlock+root"),
    *_rows("cgroup", "ENOENT", "seen mkdir", "landlock+hidden+capabilities"),
    *_rows("home", "ENOENT", "seen open", "home"),
    *_rows("credentials", "no", "seen open", "home"),
    *_rows("dotenv", "no", "seen open", "dotenv"),
    *_rows("environment", "no", "not asked: one's own memory", "environment"),
)  # fmt: skip
