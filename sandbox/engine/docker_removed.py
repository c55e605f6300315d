"""Walls of a Docker container taken down one by one, for tests only (sandbox.run.test_hooks)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sandbox.engine.docker_config import RECURSIVE_READ_ONLY, Container, Daemon
from sandbox.engine.docker_config import container as with_walls
from sandbox.plan.model import Mount, Plan
from sandbox.plan.secrets import is_within

# linux/capability.h, in the order of their numbers, as far as Docker 20.10 knows them.
_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
)  # fmt: skip

WHY = "wall removed"
"""Why a mount is there that no plan would have."""


def container(plan: Plan, daemon: Daemon, **given: Any) -> Container:
    """The container for a plan (as `docker_config.container`) without the walls in `plan.removed_walls`.

    capabilities      all of them (they work for root only), and no AppArmor profile
    outer             no syscall filter of the daemon's
    no-new-privs      not asked of the daemon; the guard's own is another
    ipc, uts, cgroup  the host's namespaces
    masked            what the daemon hides below /proc, and /sys
    proc              settings of the machine below /proc not read-only
    root              the root file system writable
    below             what is mounted below a place that is shown read-only is shown too, and is not read-only
    container-limits  no limits of the container: rlimits, memory, tasks
    pid               the host's process namespace; only without the guard, which ends all that it sees

    Other names are left to the plan and to the guard.
    """
    shown = tuple(mount for mount in plan.mounts if mount.why == WHY and _is_refused(mount, daemon))
    kept = replace(plan, mounts=tuple(mount for mount in plan.mounts if mount not in shown))
    made = with_walls(kept, daemon, **given)
    body = dict(made.body)
    host: dict[str, Any] = dict(body["HostConfig"])
    host["Mounts"] = [*host["Mounts"], *map(_shown, shown)]
    places = [mount.target for mount in shown]
    host["MaskedPaths"] = [path for path in host["MaskedPaths"] if path not in places]
    for name in plan.removed_walls:
        match name:
            case "capabilities":
                host |= {"CapAdd": _all_there_are(), "SecurityOpt": [*host["SecurityOpt"], "apparmor=unconfined"]}
            case "outer":
                host["SecurityOpt"] = [*_but(host["SecurityOpt"], "seccomp="), "seccomp=unconfined"]
            case "no-new-privs":
                host["SecurityOpt"] = _but(host["SecurityOpt"], "no-new-privileges")
            case "ipc":
                host["IpcMode"] = "host"
            case "uts":
                host["UTSMode"] = "host"
                body["Hostname"] = ""
            case "cgroup":
                host["CgroupnsMode"] = "host"
            case "masked":
                host["MaskedPaths"] = []
            case "proc":
                host["ReadonlyPaths"] = []
            case "root":
                host["ReadonlyRootfs"] = False
            case "below":
                host["Mounts"] = [mount | {"BindOptions": _open_below(daemon)} for mount in host["Mounts"]]
            case "container-limits":
                host = {key: value for key, value in host.items() if key not in ("Memory", "MemorySwap", "PidsLimit")}
                host["Ulimits"] = []
            case "pid" if not plan.recorded:
                host["PidMode"] = "host"
    return Container(body | {"HostConfig": host}, made.links)


def _all_there_are() -> list[str]:
    """Names of the capabilities that can be had on this machine, which may itself be a container of somebody's."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        [bounding] = [int(line.split()[1], 16) for line in status if line.startswith("CapBnd:")]
    return [name for bit, name in enumerate(_CAPABILITIES) if bounding >> bit & 1]


def _is_refused(mount: Mount, daemon: Daemon) -> bool:
    """Whether no plan may mount this."""
    return any(is_within(mount.target, top) for top in ("/proc", "/sys", "/dev", daemon.socket))


def _shown(mount: Mount) -> dict[str, Any]:
    """With everything that is mounted below it."""
    return {"Type": "bind", "Source": mount.source, "Target": mount.target, "ReadOnly": mount.kind == "ro"}


def _open_below(daemon: Daemon) -> dict[str, Any]:
    """As daemons make mounts if nothing is said, and newer ones if it is."""
    newer = {"ReadOnlyNonRecursive": True} if daemon.api >= RECURSIVE_READ_ONLY else {}
    return {"Propagation": "rprivate", **newer}


def _but(options: list[str], start: str) -> list[str]:
    return [option for option in options if not option.startswith(start)]
