"""The findings that exist, by code. Codes are never reused or renumbered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sandbox.judge.model import Severity
from sandbox.record import record

KERNEL_CALLS = frozenset(
    "ptrace process_vm mount namespace io_uring bpf keyctl userfaultfd perf socket seccomp module handle dumpable "
    "personality other kill".split()
)
# A program that puts a filter on itself is careful, not hostile; the recorder can't let it.
_MILD_CALLS = frozenset({"personality", "dumpable", "kill", "seccomp"})
# Refused, but harmless programs try them and go on: libuv (cmake, node) the first one at every start, the others at the
# level `strict` only.
_PROBES = frozenset(
    "io_uring_setup splice tee vmsplice memfd_create shmget shmat shmctl shmdt semget semop semctl semtimedop msgget "
    "msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr io_setup io_destroy "
    "io_submit io_cancel io_getevents io_pgetevents mbind set_mempolicy get_mempolicy set_mempolicy_home_node "
    "name_to_handle_at".split()
)
_AF_NETLINK, _NETLINK_ROUTE = 16, 0


@record
class Entry:
    """One kind of finding: its title, default severity, severities by event kind, and what to do."""

    title: str
    severity: Severity
    help: str
    by_kind: Mapping[str, Severity] = MappingProxyType({})

    def severity_of(self, event: Mapping[str, Any] | None, role: str) -> Severity:
        """The severity for one occurrence. Programs that the user asked to run are judged one step milder than
        dependencies' build-time code."""
        severity = self.by_kind.get(str(event.get("kind")), self.severity) if event else self.severity
        if role == "program" and severity == "high":
            return "medium"
        return severity


def is_probe(event: Mapping[str, Any]) -> bool:
    """Whether a refused call is one that harmless programs try and do without."""
    args: list[int] = event.get("args") or []
    if event.get("call") == "socket" and len(args) == 3:
        return (args[0] & 0xFFFF_FFFF, args[2] & 0xFFFF_FFFF) == (_AF_NETLINK, _NETLINK_ROUTE)
    return event.get("call") in _PROBES


_NOT_YOURS = (
    "treat the package as hostile until its source explains this; do not publish or run artifacts linked from it"
)
CATALOGUE: dict[str, Entry] = {
    "CS0101": Entry("touched a decoy credential or start-up file", "critical", _NOT_YOURS),
    "CS0102": Entry(
        "tried to reach the network", "high", "fetch what the build needs beforehand; nothing left the sandbox"
    ),
    "CS0103": Entry(
        "tried to write outside its own outputs",
        "high",
        "if this package rightly writes there, allow it: --allow-write PACKAGE=PATH",
    ),
    "CS0104": Entry("ran a program that it had put into scratch space", "critical", _NOT_YOURS),
    "CS0105": Entry(
        "left a process running after its end", "high", "it was ended; a build script must wait for its children"
    ),
    "CS0106": Entry(
        "made a kernel call that is denied to builds", "high", _NOT_YOURS, dict.fromkeys(_MILD_CALLS, "medium")
    ),
    "CS0107": Entry("tried to leave the confinement of its unit", "critical", _NOT_YOURS),
    "CS0108": Entry(
        "has an output that somebody changed after it had ended",
        "critical",
        "this is whom it was done to: who did it has a finding of its own (CS0112) where the record saw it, and may be "
        "a program outside the sandbox; the build dir was made stale where it was touched; build again",
    ),
    "CS0109": Entry(
        "an output changed after its unit had ended, outside any sandboxed build",
        "medium",
        "the unit is built again; if nothing of yours writes into the build dir, find out what does",
    ),
    "CS0110": Entry(
        "read a file that another unit left in scratch space", "medium", "look at what the two units share"
    ),
    "CS0111": Entry("flooded its output", "medium", "the script was ended at the output limit"),
    "CS0112": Entry("opened another unit's output for writing", "critical", _NOT_YOURS),
    "CS0113": Entry(
        "tried to write into its own sources",
        "medium",
        "sources are read-only here, and what the script makes belongs into OUT_DIR; if it rightly writes into a "
        "folder of the workspace: --allow-write PACKAGE=FOLDER with build or check",
    ),
    "CS0114": Entry(
        "put a file that is none of its outputs among the outputs of others",
        "medium",
        "a compiler run names its outputs after its crate; look at which macro wrote this one",
    ),
    "CS0115": Entry(
        "tried a kernel call that builds do without",
        "low",
        "nothing to do when the build works: the call was answered as by a kernel that lacks it",
    ),
    "CS0116": Entry(
        "put a library where other units' programs look for theirs",
        "critical",
        _NOT_YOURS,
    ),
    "CS0117": Entry(
        "did so much that it could be judged in part only",
        "medium",
        "the record has all its events (cargo-sandbox runs path RUN); if the package rightly does so much, allow it in "
        "cargo-sandbox.toml, with the reason",
    ),
    "CS0401": Entry(
        "is new in the graph and brings code that runs while it is built",
        "medium",
        "see who wants it and read that code, then: cargo-sandbox baseline accept",
    ),
    "CS0402": Entry(
        "came to run code while it is built, which it did not before",
        "medium",
        "read what is new in it, then: cargo-sandbox baseline accept; or stay with the version that was accepted",
    ),
    "CS0403": Entry(
        "has other build-time code under the same version",
        "high",
        "a package of a registry never changes: fetch it anew and compare; your own: cargo-sandbox baseline accept",
    ),
    "CS0404": Entry(
        "has a build script that is not allowed to run",
        "high",
        "look at the script, then add the package to [build-scripts] allow in cargo-sandbox.toml",
    ),
    "CS0405": Entry(
        "is not used any more, or has expired", "low", "remove it from cargo-sandbox.toml, or set a new date"
    ),
}
