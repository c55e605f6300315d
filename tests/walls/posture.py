"""The posture of a live container's processes, read from outside and freed of what differs from run to run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sandbox.plan.model import Limits
from tests.harness import User

_STATUS = ("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Seccomp_filters", "TracerPid", "CapInh", "CapPrm")
_STATUS += ("CapEff", "CapBnd", "CapAmb")
_LIMITED = {
    "Max core file size": "core",
    "Max file size": "file_bytes",
    "Max open files": "open_files",
    "Max processes": "processes",
}
_FLAGS = ("ro", "rw", "nosuid", "nodev", "noexec")

CLOSED = "closed to all but root"
Facts = dict[str, Any]


@dataclass(frozen=True)
class Family:
    """The processes of one container, by what they are: `guard`, `cargo`, `rustc`, `script`, `child` and the guard's
    own `rustc role` and `script role`. `plan` is the run's plan as stored."""

    found: Mapping[str, int]
    plan: Mapping[str, Any]
    user: User

    def facts(self) -> dict[str, Facts]:
        """A picture of cargo, what is different in each other process and thread, and the mounts."""
        guard = self.found["guard"]
        cargo = self._process(self.found["cargo"])
        pictures: dict[str, Facts] = {"mounts": mounts(guard, self.plan), "cargo": cargo}
        for name, pid in self.found.items():
            if name != "cargo":
                pictures[name] = _but(cargo, self._process(pid))
            own = self._thread(pid, pid)
            for thread in os.listdir(f"/proc/{pid}/task"):
                if other := _but(own, self._thread(pid, int(thread))):
                    pictures[f"{name}, a thread of it"] = other
        return pictures

    def _process(self, pid: int) -> Facts:
        """Everything of one process."""
        own = _read(pid, "cgroup") == _read("self", "cgroup")
        return self._thread(pid, pid) | {
            "namespaces": _if_open(lambda: namespaces(pid, self.found["cargo"])),
            "user map": _map(pid, "uid_map", self.user.uid),
            "group map": _map(pid, "gid_map", self.user.gid),
            "control group": "the caller's" if own else _read(pid, "cgroup"),
            "root": os.readlink(f"/proc/{pid}/root"),
            "descriptors": _if_open(lambda: descriptors(pid, self.plan)),
            "oom_score_adj": "the caller's"
            if _read(pid, "oom_score_adj") == _read("self", "oom_score_adj")
            else "other",
        }

    def _thread(self, pid: int, thread: int) -> Facts:
        """What a thread may have of its own."""
        status, ours = _status(pid, thread), _status("self", os.getpid())
        facts = {key: status.get(key, "") for key in _STATUS}
        for key, own in (("Uid", self.user.uid), ("Gid", self.user.gid)):
            facts[key] = "the caller's" if set(status[key].split()) == {str(own)} else status[key]
        more = set(status["Groups"].split()) - {str(self.user.gid), *ours["Groups"].split()}
        facts["Groups"] = "no more than the caller's" if not more else status["Groups"]
        levels = len(status["NSpid"].split()) - len(ours["NSpid"].split())
        return facts | {
            "process namespaces": f"{levels} below ours",
            "limits": limits(pid, thread, self.plan),
            "personality": _if_open(lambda: Path(f"/proc/{pid}/task/{thread}/personality").read_text().strip()),
        }


def family(orchestrator: int, plan: Mapping[str, Any], user: User) -> Family:
    """Of the container that a process of `user` started."""
    found: dict[str, int] = {}
    for child in psutil.Process(orchestrator).children(recursive=True):
        try:
            name = _what(child)
        except (psutil.Error, OSError):
            continue
        if name:
            found[name] = child.pid
    return Family(dict(sorted(found.items())), plan, user)


def _what(process: psutil.Process) -> str:
    inner = _status(process.pid, process.pid)["NSpid"].split()
    words = process.cmdline()
    if len(inner) == 1 or not words:
        return ""
    if inner[-1] in ("1", "2"):
        return {"1": "guard", "2": "cargo"}[inner[-1]]
    program = Path(os.readlink(f"/proc/{process.pid}/exe")).name
    if words[-1].startswith("600."):
        return "child"
    if "csbench_wait_consumer" in words:
        return "rustc" if program == "rustc" else "rustc role"
    if "/csbench-wait-script" in os.readlink(f"/proc/{process.pid}/cwd"):
        return "script" if program.endswith(".real") else "script role"
    return ""


def namespaces(pid: int, cargo: int) -> dict[str, str]:
    """Each namespace: the host's, the container's (that of cargo) or another one."""
    found = {}
    for kind in sorted(os.listdir(f"/proc/{pid}/ns")):
        own, host, first = (os.readlink(f"/proc/{who}/ns/{kind}") for who in (pid, "self", cargo))
        found[kind] = "host's" if own == host else "container's" if own == first else "another"
    return found


def limits(pid: int, thread: int, plan: Mapping[str, Any]) -> dict[str, str]:
    """Those that the plan sets, and others that differ from the caller's, whose soft ones a process may raise."""
    ours, found = _limits(os.getpid(), os.getpid()), {}
    planned = {name: plan["limits"].get(key, 0) for name, key in _LIMITED.items()}
    planned["Max processes"] = Limits(processes=planned["Max processes"]).most_processes()
    for name, value in _limits(pid, thread).items():
        if name in planned and value == f"{planned[name]} {planned[name]}":
            found[name] = "as planned"
        elif name in planned or value != ours[name]:
            found[name] = "the caller's" if value.split()[1] == ours[name].split()[1] else value
    return found


def _limits(pid: int, thread: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/task/{thread}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): " ".join(line[26:68].split()) for line in lines}


def descriptors(pid: int, plan: Mapping[str, Any]) -> list[str]:
    """What each open descriptor is, without numbers for those above 2: programs choose them as they like."""
    found = []
    for number in sorted(map(int, os.listdir(f"/proc/{pid}/fd"))):
        kind = re.sub(r":\[.*|\(deleted\)", "", os.readlink(f"/proc/{pid}/fd/{number}")).strip()
        for name, top in (("$TARGET", plan["target_dir"]), ("$CARGO_HOME", dict(plan["env"])["CARGO_HOME"])):
            # Which of its files cargo holds open is its own affair.
            kind = f"{name}/…" if kind.startswith(f"{top}/") else kind
        found.append(f"{number} {kind}" if number < 3 else kind)
    return found[:3] + sorted(set(found[3:]))


def mounts(pid: int, plan: Mapping[str, Any]) -> dict[str, list[str]]:
    """Flags of the mounts by what the plan says of each; mounts that it does not name, by their place."""
    planned = {mount["target"]: mount for mount in plan["mounts"]}
    # Of several mounts in one place, the last covers the others.
    by_place = {line.split(" ")[4]: line for line in _read(pid, "mountinfo").splitlines()}
    found: dict[str, set[str]] = {}
    for escaped, line in by_place.items():
        before, _, after = line.partition(" - ")
        flags, spread = before.split(" ")[5].split(","), before.split(" ")[6:]
        place = escaped.encode().decode("unicode_escape")
        kind, _, options = after.split(" ")[:3]
        mount = planned.get(place)
        name = f"{mount['kind']} {mount['why'] or place}" if mount else place
        shown = [flag for flag in _FLAGS if flag in flags]
        if kind in ("tmpfs", "proc", "devpts", "mqueue", "sysfs", "cgroup2"):
            shown.append(kind)
        if kind == "tmpfs" and mount and mount["kind"] == "tmpfs":
            shown.append("sized" if re.search(r"\bsize=", options) else "unsized")
        shown += ["spreads" for word in spread if word.startswith("shared")]
        found.setdefault(name, set()).add(" ".join(shown))
    return {name: sorted(found[name]) for name in sorted(found)}


def differences(golden: Mapping[str, Any], found: Mapping[str, Any], path: Sequence[str] = ()) -> Iterable[str]:
    """A line for each value that is not as expected."""
    for key in sorted({*golden, *found}):
        here = (*path, key)
        want, have = golden.get(key), found.get(key)
        if isinstance(want, dict) and isinstance(have, dict):
            yield from differences(want, have, here)
        elif want != have and not (have == CLOSED and os.geteuid() != 0):
            yield f"{' / '.join(here)}: expected {want!r}, found {have!r}"


def _if_open(read: Callable[[], Any]) -> Any:
    """The guard is not dumpable: of it even its own user may not see everything, only root."""
    try:
        return read()
    except PermissionError:
        return CLOSED


def _but(base: Facts, facts: Facts) -> Facts:
    """What is not the same."""
    return {key: value for key, value in facts.items() if value != base.get(key)}


def _map(pid: int, name: str, own: int) -> list[str]:
    lines = [line.split() for line in _read(pid, name).splitlines()]
    return [f"{'own' if int(a) == own else a} is {'own' if int(b) == own else b}, {n}" for a, b, n in lines]


def _status(pid: int | str, thread: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/task/{thread}/status").read_text().splitlines()
    pairs = (line.partition(":")[::2] for line in lines)
    return {key: " ".join(value.split()) for key, value in pairs}


def _read(pid: int | str, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()
