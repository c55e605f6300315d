"""A plan as the Docker Engine wants to hear it: the body of `POST /containers/create`. Pure.

Field names and meanings: Docker Engine API, ContainerCreate (docs.docker.com/reference/api/engine). The body is our own
instead of the SDK's, which knows neither masked paths nor recursively read-only mounts, and would add the proxies (with
their passwords) of the caller's Docker configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.errors import InternalError, SetupError
from sandbox.plan.model import Mount, Plan
from sandbox.plan.mounts import GUARD
from sandbox.plan.secrets import is_within
from sandbox.record import record

RECURSIVE_READ_ONLY = (1, 44)
"""First API version that can make a mount read-only with everything below it (Docker 25)."""

_RUNC = ("runc", "io.containerd.runc.v2")
_INODES = 1 << 20
_SHM = "/dev/shm"
_SMALL = 64 << 20
# The daemon's own list (moby, daemon/pkg/oci/defaults.go), and all of /sys, which nothing that compiles needs.
_MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys",
)  # fmt: skip
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@record
class Daemon:
    """What the mapping needs to know of a daemon.

    `api` is the version of its API, `socket` the path of its socket. `rootless_uid` is the user that a rootless daemon
    runs as, else None; `remapped` tells that containers have other ids than the host (userns-remap); `ipv6` whether
    the kernel speaks that. `runtime` is the OCI runtime that it takes when none is named.
    """

    version: str
    api: tuple[int, int]
    socket: str = ""
    rootless_uid: int | None = None
    remapped: bool = False
    ipv6: bool = True
    runtime: str = ""


@record
class Container:
    """`body` for the API; `links` are symlinks (path on the host, where to) to make in a writable mount before."""

    body: dict[str, Any]
    links: tuple[tuple[str, str], ...]


def container(
    plan: Plan, daemon: Daemon, *, image: str, profile: str, labels: Mapping[str, str], runtime: str = ""
) -> Container:
    """The container for a plan. `image` names the root file system, `profile` is the JSON of the outer syscall filter.

    Raises SetupError for a plan that this daemon can't put up, InternalError for one that no plan may ask for.
    """
    if plan.network and plan.recorded and "network" not in plan.removed_walls:
        raise InternalError("a container that runs crates' code may have no network")
    mounts = effective(plan)
    _refuse_unknown_places(mounts, daemon)
    if plan.image:
        _refuse_links(mounts)
    uid, gid = inside_ids(plan, daemon)
    host: dict[str, Any] = {
        "AutoRemove": True,
        "Binds": [],
        "CapAdd": [],
        "CapDrop": ["ALL"],
        "CgroupnsMode": "private",
        "Devices": [],
        "IpcMode": "private",
        "Init": False,
        "LogConfig": {"Type": "none", "Config": {}},
        "MaskedPaths": list(_MASKED),
        "Mounts": [_bind(mount, daemon) for mount in mounts if mount.kind in ("ro", "rw")],
        "NetworkMode": "host" if plan.network else "none",
        "PidMode": "",
        "Privileged": False,
        "PublishAllPorts": False,
        "ReadonlyPaths": list(_READ_ONLY),
        "ReadonlyRootfs": True,
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "SecurityOpt": ["no-new-privileges:true", f"seccomp={profile}"],
        # The daemon switches IPv6 off even on loopback, which tests of programs use.
        "Sysctls": {f"net.ipv6.conf.{name}.disable_ipv6": "0" for name in ("all", "lo")}
        if daemon.ipv6 and not plan.network
        else {},
        "Tmpfs": {mount.target: _tmpfs(mount, uid, gid) for mount in (*mounts, *_between(mounts))
                  if mount.kind == "tmpfs"},
        "Ulimits": _ulimits(plan),
        "UTSMode": "",
        "UsernsMode": "host" if daemon.remapped else "",
    }  # fmt: skip
    if plan.limits.memory_bytes:
        host |= {"Memory": plan.limits.memory_bytes, "MemorySwap": plan.limits.memory_bytes}
    if plan.limits.processes:
        host["PidsLimit"] = plan.limits.most_processes()
    if plan.limits.cpus:
        host["NanoCpus"] = round(plan.limits.cpus * 1e9)
    if runtime:
        host["Runtime"] = runtime
    command = [GUARD, "init"] if plan.recorded else list(plan.command)
    body = {
        "AttachStderr": True,
        "AttachStdin": plan.recorded,
        "AttachStdout": True,
        "Cmd": command[1:],
        "Entrypoint": command[:1],
        "Env": [] if plan.recorded else [f"{name}={value}" for name, value in plan.env],
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": host,
        "Hostname": "build",
        "Image": image,
        "Labels": dict(labels),
        "NetworkDisabled": _is_left_to_runc(plan, runtime or daemon.runtime),
        "OpenStdin": plan.recorded,
        "StdinOnce": plan.recorded,
        "Tty": False,
        "User": f"{uid}:{gid}",
        "WorkingDir": "/" if plan.recorded else plan.cwd,
    }
    return Container(body, _links(mounts))


def effective(plan: Plan) -> tuple[Mount, ...]:
    """The plan's mounts, the last one for each place: the daemon takes them in the order of their depth.

    Without `/proc` and `/dev`, which the daemon makes itself. Shared memory it would make too, but without a limit of
    how many files are in it.
    """
    own = (mount for mount in plan.mounts if mount.kind not in ("proc", "dev"))
    return tuple({mount.target: mount for mount in own}.values())


def inside_ids(plan: Plan, daemon: Daemon) -> tuple[int, int]:
    """The plan's ids as they are inside. A rootless daemon's own user is 0 there, and there is nobody else."""
    if daemon.rootless_uid is None:
        return plan.uid, plan.gid
    if plan.uid != daemon.rootless_uid:
        raise SetupError(
            f"the rootless Docker daemon belongs to uid {daemon.rootless_uid}, the build to {plan.uid}",
            wall="host files",
            why="in its containers no other user's files can be used",
            fix="run as the user who started the daemon, or point DOCKER_HOST at your own",
        )
    return 0, 0


def holder(path: str, mounts: tuple[Mount, ...]) -> Mount | None:
    """The innermost mount that `path` lies in, not counting one at the path itself."""
    around = [m for m in mounts if m.kind in ("ro", "rw", "tmpfs") and m.target != path and is_within(path, m.target)]
    return max(around, key=lambda mount: len(mount.target), default=None)


def _is_left_to_runc(plan: Plan, runtime: str) -> bool:
    """Whether runc alone makes the network namespace, with loopback and nothing else in it.

    With network mode `none` the daemon has runc start a second dockerd in the namespace that has no network to connect
    there: 0.2 s of each start. What other runtimes do with a namespace that nobody has prepared is not known.
    """
    return not plan.network and runtime in _RUNC


def _bind(mount: Mount, daemon: Daemon) -> dict[str, Any]:
    """Before Docker 25 a mount is read-only without what is mounted below it, so that isn't shown at all."""
    options: dict[str, Any] = {"Propagation": "rprivate", "NonRecursive": True}
    if mount.kind == "ro" and daemon.api >= RECURSIVE_READ_ONLY:
        options = {"Propagation": "rprivate", "ReadOnlyForceRecursive": True}
    return {
        "Type": "bind",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.kind == "ro",
        "BindOptions": options,
    }


def _tmpfs(mount: Mount, uid: int, gid: int) -> str:
    runs = "noexec" if mount.target == _SHM else "exec"  # as the daemon makes it itself
    limits = f"size={mount.size or _SMALL},nr_inodes={_INODES}"
    return f"rw,nosuid,nodev,{runs},{limits},mode={mount.mode:o},uid={uid},gid={gid}"


def _between(mounts: tuple[Mount, ...]) -> tuple[Mount, ...]:
    """The folders between a home and what is mounted in it, as file systems of their own: runc would make them
    as root's, and cargo has to write beside its registry."""
    found: dict[str, Mount] = {}
    taken = {mount.target for mount in mounts}
    for mount in mounts:
        top = holder(mount.target, mounts)
        if top is None or top.why not in ("fresh home", "fresh cargo home"):
            continue
        place = mount.target.rpartition("/")[0]
        while place not in taken and place != top.target:
            found[place] = Mount("tmpfs", place, size=top.size, mode=0o755, why=top.why)
            place = place.rpartition("/")[0]
    return tuple(found.values())


def _ulimits(plan: Plan) -> list[dict[str, Any]]:
    """Those of the whole container; the guard sets the build's own again."""
    found = {"nofile": plan.limits.open_files, "core": 0}
    if plan.limits.file_bytes:
        found["fsize"] = plan.limits.file_bytes
    return [{"Name": name, "Soft": most, "Hard": most} for name, most in found.items()]


def _links(mounts: tuple[Mount, ...]) -> tuple[tuple[str, str], ...]:
    """Symlinks that lie in a writable mount: where they are on the host, and where they point to."""
    found = []
    for mount in mounts:
        top = holder(mount.target, mounts) if mount.kind == "symlink" else None
        if top is None:
            continue
        if top.kind != "rw":
            raise SetupError(
                f"a symlink at {mount.target} can't be repeated in a Docker container",
                wall="host files",
                why=f"it would lie in {top.target}, which is made when the container starts",
                fix=f"use the real path, {mount.source}, or --engine bubblewrap",
            )
        found.append((top.source + mount.target[len(top.target) :], mount.source))
    return tuple(found)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_links(mounts: tuple[Mount, ...]) -> None:
    """Only an image that is made for the plan has the plan's symlinks."""
    for mount in mounts:
        if mount.kind == "symlink" and holder(mount.target, mounts) is None:
            raise SetupError(
                f"a symlink at {mount.target} can't be repeated in an image",
                wall="host files",
                why="the image is shown as it is",
                fix=f"use the real path, {mount.source}, or leave --image out",
            )


def _refuse_unknown_places(mounts: tuple[Mount, ...], daemon: Daemon) -> None:
    for mount in mounts:
        own = any(is_within(mount.target, top) for top in ("/proc", "/sys", "/dev")) and mount.target != _SHM
        if own or mount.target == "/":
            raise InternalError(f"nothing may be mounted at {mount.target}")
        if not _is_text(mount.target + mount.source):
            raise SetupError(
                f"{mount.target} can't be named to the Docker daemon",
                wall="secrets" if mount.why in ("masked", "decoy") else "host files",
                why="its name is not UTF-8, and the daemon's API takes nothing else",
                fix="rename it, or use --engine bubblewrap",
            )
        if mount.kind not in ("ro", "rw") or not daemon.socket:
            continue
        if is_within(daemon.socket, mount.source) or is_within(mount.source, daemon.socket):
            raise SetupError(
                f"{mount.source} can't be shown to a build: it holds the Docker daemon's socket",
                wall="host files",
                why="whoever reaches that socket is root on this machine",
                fix="leave that directory out (--allow-read)",
            )
