"""Kernel calls that no build needs: their arguments here, and how the record must name them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache

from tests.harness import ROOT


@cache
def numbers() -> dict[str, int]:
    """The kernel's call numbers on this machine."""
    tables = json.loads((ROOT / "profiles/seccomp/syscalls.json").read_text())
    found: dict[str, int] = tables[os.uname().machine]
    return found


@dataclass(frozen=True)
class Call:
    """One call. `args` are csbench-actor's words; `name` in the record is the call's own, `kind` the event's."""

    name: str
    args: tuple[str, ...]
    kind: str
    error: str = "EPERM"

    def act(self) -> tuple[str, ...]:
        return ("call", str(numbers()[self.name]), *self.args)


AF_ALG, AF_VSOCK, AF_PACKET, AF_BLUETOOTH, AF_KEY = "38", "40", "17", "31", "15"
CLONE_NEWUSER, CLONE_NEWNS = str(0x10000000), str(0x20000)

# By name of the act. Arguments are valid or harmlessly wrong, should the wall be away.
CALLS: dict[str, Call] = {
    "mount": Call("mount", ("str:none", "str:/tmp", "str:tmpfs", "0", "0"), "mount"),
    "umount": Call("umount2", ("str:/csbench-nowhere", "2"), "mount"),
    "pivot-root": Call("pivot_root", ("str:/csbench-nowhere", "str:/csbench-nowhere"), "mount"),
    "chroot": Call("chroot", ("str:/csbench-nowhere",), "mount"),
    "move-mount": Call("move_mount", ("-1", "str:", "-1", "str:", "0"), "mount"),
    "open-tree": Call("open_tree", ("-100", "str:/tmp", "1"), "mount"),
    "fsopen": Call("fsopen", ("str:tmpfs", "0"), "mount"),
    "mount-setattr": Call("mount_setattr", ("-1", "str:", "0", "buf", "32"), "mount"),
    "unshare-user": Call("unshare", (CLONE_NEWUSER,), "namespace"),
    "unshare-mount": Call("unshare", (CLONE_NEWNS,), "namespace"),
    "setns": Call("setns", ("-1", "0"), "namespace"),
    "clone-newuser": Call("clone", (CLONE_NEWUSER, "0", "0", "0", "0"), "namespace"),
    "bpf": Call("bpf", ("0", "buf", "64"), "bpf"),
    "keyctl": Call("keyctl", ("0", "-3", "0"), "keyctl"),
    "add-key": Call("add_key", ("str:user", "str:csbench", "str:x", "1", "-2"), "keyctl"),
    "request-key": Call("request_key", ("str:user", "str:csbench", "0", "-2"), "keyctl"),
    "io-uring": Call("io_uring_setup", ("4", "buf"), "io_uring", "ENOSYS"),
    "io-uring-enter": Call("io_uring_enter", ("-1", "1", "0", "0", "0", "0"), "io_uring", "ENOSYS"),
    "userfaultfd": Call("userfaultfd", ("1",), "userfaultfd"),
    "perf": Call("perf_event_open", ("buf", "0", "-1", "-1", "0"), "perf"),
    "socket-alg": Call("socket", (AF_ALG, "5", "0"), "socket", "EAFNOSUPPORT"),
    "socket-vsock": Call("socket", (AF_VSOCK, "1", "0"), "socket", "EAFNOSUPPORT"),
    "socket-packet": Call("socket", (AF_PACKET, "3", "768"), "socket", "EAFNOSUPPORT"),
    "socket-bluetooth": Call("socket", (AF_BLUETOOTH, "3", "0"), "socket", "EAFNOSUPPORT"),
    "socket-key": Call("socket", (AF_KEY, "3", "2"), "socket", "EAFNOSUPPORT"),
    "socket-audit": Call("socket", ("16", "3", "9"), "socket", "EAFNOSUPPORT"),
    "seccomp": Call("seccomp", ("1", "0", "buf"), "seccomp"),
    "seccomp-by-prctl": Call("prctl", ("22", "2", "buf"), "seccomp"),
    "dumpable": Call("prctl", ("4", "0"), "dumpable"),
    "handle": Call("open_by_handle_at", ("-100", "buf", "0"), "handle"),
    "personality": Call("personality", (str(0x0400000),), "personality"),
    "init-module": Call("init_module", ("buf", "0", "str:"), "module"),
    "delete-module": Call("delete_module", ("str:csbench", "2048"), "module"),
    "kexec": Call("kexec_load", ("0", "0", "0", "0"), "module"),
    "fanotify": Call("fanotify_init", ("0", "0"), "other"),
    "pidfd-getfd": Call("pidfd_getfd", ("-1", "0", "0"), "other"),
    "acct": Call("acct", ("str:/csbench-nowhere",), "other"),
    "quotactl": Call("quotactl", ("0", "0", "0", "0"), "other"),
    "swapon": Call("swapon", ("str:/csbench-nowhere", "0"), "mount"),
    "reboot": Call("reboot", ("0", "0", "0", "0"), "other"),
    "sethostname": Call("sethostname", ("str:csbench", "7"), "other"),
    "settimeofday": Call("settimeofday", ("0", "buf"), "other"),
    "syslog": Call("syslog", ("10", "0", "0"), "other"),
    "ptrace-attach": Call("ptrace", ("16", "2", "0", "0"), "ptrace"),
    "ptrace-me": Call("ptrace", ("0", "0", "0", "0"), "ptrace"),
    "process-vm-readv": Call("process_vm_readv", ("2", "buf", "1", "buf", "1", "0"), "process_vm"),
    "process-vm-writev": Call("process_vm_writev", ("2", "buf", "1", "buf", "1", "0"), "process_vm"),
    "mknod-device": Call("mknodat", ("-100", "str:/tmp/csbench-device", str(0o020666), str(0x103)), "mknod"),
    "setuid-chmod": Call("fchmodat", ("-100", "str:{out}/setuid", str(0o4755)), "chmod"),
    "setgid-chmod": Call("fchmodat2", ("-100", "str:{out}/setuid", str(0o2755), "0"), "chmod"),
}
if os.uname().machine == "x86_64":
    CALLS |= {
        "mknod-old": Call("mknod", ("str:/tmp/csbench-device", str(0o060666), str(0x103)), "mknod"),
        "chmod-old": Call("chmod", ("str:{out}/setuid", str(0o6755)), "chmod"),
        "iopl": Call("iopl", ("3",), "other"),
        "modify-ldt": Call("modify_ldt", ("0", "buf", "64"), "other"),
    }
