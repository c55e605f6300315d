"""A live Docker container from outside: what the daemon was asked for, and what the kernel limits it to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.engine.docker import seccomp_profile
from sandbox.plan.model import Limits

Facts = dict[str, Any]

_AS_THEY_ARE = (
    "AutoRemove", "BlkioDeviceReadBps", "CapAdd", "CapDrop", "CgroupParent", "CgroupnsMode", "CpuQuota", "CpusetCpus",
    "DeviceCgroupRules", "DeviceRequests", "Devices", "Dns", "ExtraHosts", "GroupAdd", "Init", "IpcMode", "Links",
    "MaskedPaths", "NanoCpus", "NetworkMode", "OomKillDisable", "OomScoreAdj", "PidMode", "PortBindings",
    "Privileged", "PublishAllPorts", "ReadonlyPaths", "ReadonlyRootfs", "UTSMode", "UsernsMode",
    "VolumesFrom",
)  # fmt: skip
_OF_THE_COMMAND = (
    "Cmd", "Domainname", "Entrypoint", "Env", "ExposedPorts", "Hostname", "NetworkDisabled", "OpenStdin", "StdinOnce",
    "Tty", "Volumes", "WorkingDir",
)  # fmt: skip


def inspect(container: str) -> Facts:
    """What `docker inspect` says; nothing of a container that is gone."""
    printed = subprocess.run(["docker", "inspect", container], capture_output=True, check=False).stdout
    found = json.loads(printed)
    return dict(found[0]) if found else {}


def declared(found: Mapping[str, Any], plan: Mapping[str, Any]) -> Facts:
    """What the daemon says of the container, with the plan's own values told as such. Whatever is empty or missing is
    `none`: daemons differ in that."""
    host, command = found["HostConfig"], found["Config"]
    limits = Limits(**plan["limits"])
    facts = {name: host.get(name) or "none" for name in _AS_THEY_ARE}
    facts |= {name: command.get(name) or "none" for name in _OF_THE_COMMAND}
    planned = {"Memory": limits.memory_bytes, "MemorySwap": limits.memory_bytes, "PidsLimit": limits.most_processes()}
    facts |= {name: "as planned" if host[name] == value else host[name] for name, value in planned.items()}
    rlimits = {"nofile": limits.open_files, "core": 0, "fsize": limits.file_bytes}
    for one in host["Ulimits"] or ():
        fits = one["Soft"] == one["Hard"] == rlimits.get(one["Name"])
        facts[f"Ulimits, {one['Name']}"] = "as planned" if fits else [one["Soft"], one["Hard"]]
    user = f"{plan['uid']}:{plan['gid']}"
    facts |= {
        "User": "the plan's, who is not root" if command["User"] == user and plan["uid"] else command["User"],
        "Image": "made for the plan" if command["Image"].startswith("cargo-sandbox-host:") else command["Image"],
        "Labels": sorted(command["Labels"]),
        "Healthcheck": command["Healthcheck"]["Test"],
        "LogConfig": host["LogConfig"]["Type"],
        "RestartPolicy": host["RestartPolicy"]["Name"],
        "Sysctls": "as planned" if (host.get("Sysctls") or {}) == _sysctls() else host.get("Sysctls"),
        "SecurityOpt": sorted(_security(option) for option in host["SecurityOpt"] or ()),
        "Mounts": sorted({_mount(mount) for mount in host["Mounts"]}),
        "Tmpfs": sorted({_tmpfs(options) for options in host["Tmpfs"].values()}),
        "Binds": host["Binds"] or "none",
    }
    return facts


def _sysctls() -> dict[str, str]:
    """IPv6 on loopback, where this kernel has it."""
    has_it = Path("/proc/sys/net/ipv6/conf/lo").is_dir()
    return {f"net.ipv6.conf.{name}.disable_ipv6": "0" for name in ("all", "lo")} if has_it else {}


def _security(option: str) -> str:
    name, _, value = option.partition("=")
    if name == "seccomp" and value.startswith("{") and json.loads(value) == json.loads(seccomp_profile("standard")):
        return "seccomp=ours"
    return option


def _mount(mount: Mapping[str, Any]) -> str:
    """How a mount is made; daemons from API 1.44 on make all that lies below read-only, others don't show it."""
    options = mount.get("BindOptions") or {}
    below = "nothing below it" if options.get("NonRecursive") else "all below it too"
    if mount.get("ReadOnly"):
        closed = options.get("NonRecursive") or options.get("ReadOnlyForceRecursive")
        below = "nothing below it writable" if closed else "what is below it writable"
    return f"{mount['Type']} {'ro' if mount.get('ReadOnly') else 'rw'} {options.get('Propagation')}, {below}"


def _tmpfs(options: str) -> str:
    words = options.split(",")
    kept = [word for word in words if "=" not in word]
    return " ".join(kept + sorted(word.partition("=")[0] for word in words if word.startswith(("size=", "nr_inodes="))))


def control_group(pid: int, container: str, plan: Mapping[str, Any]) -> Facts:
    """Values of the control group of a process, in words that are the same for both versions (cgroups(7))."""
    limits = Limits(**plan["limits"])
    folders = _folders(pid)
    facts: Facts = {}
    for name, kind, files in (
        ("memory", "memory", ("memory.limit_in_bytes", "memory.max")),
        ("memory and swap", "memory", ("memory.memsw.limit_in_bytes", "memory.swap.max")),
        ("tasks", "pids", ("pids.max",)),
        ("processor", "cpu", ("cpu.cfs_quota_us", "cpu.max")),
    ):
        folder = folders[kind]
        if container not in str(folder):
            facts[name] = "not the container's own group"
            continue
        file = next((file for file in files if (folder / file).exists()), None)
        value = (folder / file).read_text().split()[0] if file else ""
        facts[name] = _in_words(name, file, value, limits)
    return facts


def _in_words(name: str, file: str | None, value: str, limits: Limits) -> str:
    if file is None:
        return "not counted by this kernel"
    if value in ("max", "-1"):
        return "no limit"
    if file == "memory.swap.max":
        return "as planned" if value == "0" else value
    # The kernel counts memory in pages.
    wanted = limits.most_processes() if name == "tasks" else limits.memory_bytes >> 12 << 12
    return "as planned" if int(value) == wanted else value


def _folders(pid: int) -> dict[str, Path]:
    """Where the group of each controller lies."""
    tops: dict[str, tuple[str, str]] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, place = before.split(" ")[3:5]
        kind, _, options = after.split(" ")
        if kind in ("cgroup", "cgroup2"):
            for name in options.split(",") if kind == "cgroup" else [""]:
                tops[name] = root, place
    found: dict[str, Path] = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            if name in tops:
                root, place = tops[name]
                found[name] = Path(place + (path.removeprefix(root) if root != "/" else path))
    return {name: found.get(name, found.get("", Path("/"))) for name in ("memory", "pids", "cpu")}
