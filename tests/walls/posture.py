"""The posture of a live container's processes, read from outside and freed of what differs from run to run."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sandbox.plan.facts import BUILDER
from sandbox.plan.model import Limits
from tests.engines import containers_of
from tests.walls.container import control_group, declared, inspect
from tests.walls.mounts import mounts, open_places

_STATUS = ("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Seccomp_filters", "TracerPid", "CapInh", "CapPrm")
_STATUS += ("CapEff", "CapBnd", "CapAmb")
_LIMITED = {
    "Max core file size": "core",
    "Max file size": "file_bytes",
    "Max open files": "open_files",
    "Max processes": "processes",
}

CLOSED = "closed to all but root"
Facts = dict[str, Any]


@dataclass(frozen=True)
class Family:
    """The processes of one container, by what they are: `guard`, `cargo`, `rustc`, `script`, `child` and the guard's
    own `rustc role` and `script role`. `plan` is the run's plan as stored, `maker` the process that the first one
    inherits from (the orchestrator, or the daemon's shim), `container` what Docker says of it."""

    found: Mapping[str, int]
    plan: Mapping[str, Any]
    maker: int
    container: Mapping[str, Any] | None = None

    def facts(self) -> dict[str, Facts]:
        """A picture of cargo, what is different in each other process and thread, the mounts, and Docker's words."""
        guard = self.found["guard"]
        cargo = self._process(self.found["cargo"])
        tree = mounts(guard, self.plan, self.container is not None)
        pictures: dict[str, Facts] = {"mounts": tree, "cargo": cargo}
        pictures["the machine below /proc"] = {"not covered": sorted(open_places(guard))}
        if self.container is not None:
            pictures["Docker's words"] = declared(self.container, self.plan)
            pictures["control group"] = control_group(guard, self.container["Id"], self.plan)
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
        return self._thread(pid, pid) | {
            "namespaces": _if_open(lambda: namespaces(pid, self.found["cargo"])),
            "user map": _map(pid, "uid_map", self.plan["uid"]),
            "group map": _map(pid, "gid_map", self.plan["gid"]),
            "control group": self._control_group(pid),
            "root": _if_open(lambda: os.readlink(f"/proc/{pid}/root")),
            "descriptors": _if_open(lambda: descriptors(pid, self.plan)),
            "interfaces": sorted(line.split(":")[0].strip() for line in _read(pid, "net/dev").splitlines()[2:]),
            "oom_score_adj": self._oom_score_adj(pid),
        }

    def _control_group(self, pid: int) -> str:
        group = _read(pid, "cgroup")
        if self.container is None:
            return "the caller's" if group == _read("self", "cgroup") else group
        return "the container's" if group == _read(self.found["guard"], "cgroup") else group

    def _oom_score_adj(self, pid: int) -> str:
        """Docker gives each container 0 when nothing else is said, whatever its own is."""
        own = _read(pid, "oom_score_adj").strip()
        ours = "0" if self.container else _read("self", "oom_score_adj").strip()
        return "as usual" if own == ours else own

    def _thread(self, pid: int, thread: int) -> Facts:
        """What a thread may have of its own."""
        status, ours = _status(pid, thread), _status("self", os.getpid())
        facts = {key: status.get(key, "") for key in _STATUS}
        for key, own in (("Uid", self.plan["uid"]), ("Gid", self.plan["gid"])):
            facts[key] = "the plan's" if set(status[key].split()) == {str(own)} else status[key]
        inherited = set() if self.container else set(_status(self.maker, self.maker)["Groups"].split())
        more = set(status["Groups"].split()) - {str(self.plan["gid"])} - inherited
        facts["Groups"] = "no more than the plan's and the caller's" if not more else status["Groups"]
        levels = len(status["NSpid"].split()) - len(ours["NSpid"].split())
        return facts | {
            "process namespaces": f"{levels} below ours",
            "limits": limits(pid, thread, self.maker, self.plan),
            "personality": _if_open(lambda: Path(f"/proc/{pid}/task/{thread}/personality").read_text().strip()),
        }


def family(orchestrator: int, plan: Mapping[str, Any], engine: str) -> Family | None:
    """Of the container that a process has started; None before there is one."""
    container, top = None, psutil.Process(orchestrator)
    if engine == "docker":
        started = [one for one in map(inspect, containers_of(orchestrator)) if one and one["State"]["Pid"]]
        if len(started) != 1:
            return None
        container = started[0]
        try:
            # The daemon's shim has one container, and orphans of no other come to it.
            top = psutil.Process(psutil.Process(container["State"]["Pid"]).ppid())
        except psutil.NoSuchProcess:
            return None
    found: dict[str, int] = {}
    for member in top.children(recursive=True):
        try:
            name = _what(member)
        except (psutil.Error, OSError):
            continue
        if name:
            found[name] = member.pid
    return Family(dict(sorted(found.items())), plan, top.pid, container)


def _what(process: psutil.Process) -> str:
    inner = _status(process.pid, process.pid)["NSpid"].split()
    words = process.cmdline()
    if len(inner) == 1 or not words:
        return ""
    if inner[-1] == "1":
        return "guard"
    program = Path(os.readlink(f"/proc/{process.pid}/exe")).name
    if program == "cargo":
        return "cargo"
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


def limits(pid: int, thread: int, maker: int, plan: Mapping[str, Any]) -> dict[str, str]:
    """Those that the plan sets, and others that differ from the maker's, whose soft ones a process may raise."""
    inherited, found = _limits(maker, maker), {}
    planned = {name: 2 * f"{plan['limits'].get(key, 0)} " for name, key in _LIMITED.items()}
    planned["Max processes"] = 2 * f"{Limits(**plan['limits']).most_processes()} "
    if plan["uid"] == BUILDER:
        # Root's builds share that user, and the kernel counts per user: the control group has the limit.
        planned["Max processes"] = inherited["Max processes"]
    for name, value in _limits(pid, thread).items():
        if name in planned and value == planned[name].strip():
            found[name] = "as planned"
        elif name in planned or value != inherited[name]:
            found[name] = "inherited" if value.split()[1] == inherited[name].split()[1] else value
    return found


def _limits(pid: int, thread: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/task/{thread}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): " ".join(line[26:68].split()) for line in lines}


def descriptors(pid: int, plan: Mapping[str, Any]) -> list[str]:
    """What each open descriptor is, without numbers for those above 2: programs choose them as they like. What is open
    for a moment only (the guard reads /proc) is not held."""
    looks = [_open_now(pid)]
    for _ in range(3):
        time.sleep(0.01)
        looks.append(_open_now(pid))
    held = set.intersection(*(set(look.items()) for look in looks))
    found = []
    for number, target in sorted(held):
        kind = re.sub(r":\[.*|\(deleted\)", "", target).strip()
        for name, top in (("$TARGET", plan["target_dir"]), ("$CARGO_HOME", dict(plan["env"])["CARGO_HOME"])):
            # Which of its files cargo holds open is its own affair.
            kind = f"{name}/…" if kind.startswith(f"{top}/") else kind
        found.append(f"{number} {kind}" if number < 3 else kind)
    return found[:3] + sorted(set(found[3:]))


def _open_now(pid: int) -> dict[int, str]:
    found = {}
    for number in map(int, os.listdir(f"/proc/{pid}/fd")):
        with contextlib.suppress(FileNotFoundError):
            found[number] = os.readlink(f"/proc/{pid}/fd/{number}")
    return found


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
    if _read(pid, name) == _read("self", name):
        return ["the host's"]
    lines = [line.split() for line in _read(pid, name).splitlines()]
    return [f"{'own' if int(a) == own else a} is {'own' if int(b) == own else b}, {n}" for a, b, n in lines]


def _status(pid: int | str, thread: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/task/{thread}/status").read_text().splitlines()
    pairs = (line.partition(":")[::2] for line in lines)
    return {key: " ".join(value.split()) for key, value in pairs}


def _read(pid: int | str, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()
