"""Looks at this host: the kernel, a container of bubblewrap's, programs, disk. The only part that starts anything.

Programs are asked for their version with an empty environment and `/` as directory, so that nothing of the project
that the user stands in has a say.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.doctor.facts import NAMESPACES, Bubblewrap, Host, Kernel, Probe, Program
from sandbox.engine.bubblewrap import Bubblewrap as BubblewrapEngine
from sandbox.errors import SandboxError
from sandbox.guard import guard
from sandbox.plan.model import Limits, Mount, Plan
from sandbox.plan.mounts import GUARD
from sandbox.run import test_hooks
from sandbox.run.host import directories, system_entries

PATIENCE_S = 20.0
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def look(env: Mapping[str, str]) -> Host:
    """All facts, the slow ones included. Raises SetupError without a guard or a home directory."""
    from dataclasses import replace

    from sandbox.doctor.look_docker import look_docker

    host = look_bubblewrap(env)
    state_dir = directories(dict(env))[0]
    free_bytes, free_inodes = _free(state_dir)
    return replace(
        host, docker=look_docker(env), programs=programs(env), state_dir=state_dir, free_bytes=free_bytes,
        free_inodes=free_inodes,
    )  # fmt: skip


def look_bubblewrap(env: Mapping[str, str]) -> Host:
    """What the bubblewrap engine's tier needs, and no more. Raises SetupError without a guard."""
    binary = guard.find(env)
    return Host(
        kernel=look_kernel(binary),
        bubblewrap=try_bubblewrap(binary),
        python=".".join(map(str, sys.version_info[:3])),
        uid=os.getuid(),
        own_namespaces={name: _link(f"/proc/self/ns/{name}") for name in NAMESPACES},
        removed_walls=test_hooks.removed_walls(env),
    )


def look_kernel(binary: Path) -> Kernel:
    """The kernel, and what the guard gets from it outside of any container."""
    system = os.uname()
    probe, error = None, ""
    try:
        probe = read_probe(ask([str(binary), "probe"]))
    except (OSError, ValueError, subprocess.SubprocessError) as failure:
        error = str(failure)
    return Kernel(
        release=system.release,
        machine=system.machine,
        bare=probe,
        bare_error=error,
        yama=_sysctl("kernel/yama/ptrace_scope"),
        userns_clone=_sysctl("kernel/unprivileged_userns_clone"),
        apparmor_userns=_sysctl("kernel/apparmor_restrict_unprivileged_userns"),
        max_userns=_sysctl("user/max_user_namespaces"),
        cgroup=_cgroup(),
    )


def try_bubblewrap(binary: Path) -> Bubblewrap:
    """Start the smallest container that the engine makes, by the engine itself, and look at it from inside."""
    from sandbox.run.capture import capture

    try:
        engine = BubblewrapEngine()
    except SandboxError:
        return Bubblewrap()
    program = engine.program
    try:
        version = engine.version()
        done = capture(engine, probe_plan(binary), lambda line: None)
        if done.status != 0:
            words = done.err.decode("utf-8", "replace").strip()
            return Bubblewrap(program, version, error=words[-300:] or f"it ended with {done.status}")
        return Bubblewrap(program, version, read_probe(done.out.decode("utf-8", "replace")))
    except (OSError, ValueError, SandboxError) as failure:
        return Bubblewrap(program, error=str(failure))


def probe_plan(binary: Path) -> Plan:
    """A container with the system, the guard, and nothing else; `guard probe` runs in it."""
    mounts = [
        Mount("symlink", entry.path, entry.link) if entry.link else Mount("ro", entry.path, entry.path)
        for entry in system_entries()
        if not entry.path.startswith("/etc/")
    ]
    mounts += [Mount("proc", "/proc"), Mount("dev", "/dev"), Mount("tmpfs", "/tmp", size=1 << 20)]
    mounts.append(Mount("ro", GUARD, str(binary)))
    return Plan(
        command=(GUARD, "probe"),
        cwd="/",
        mounts=tuple(mounts),
        env=(),
        limits=Limits(wall_s=PATIENCE_S),
        recorded=False,
    )


def read_probe(text: str) -> Probe:
    """What `guard probe` printed. Raises ValueError for anything else."""
    data: dict[str, Any] = json.loads(text)
    if not isinstance(data, dict) or data.get("v") != 1:
        raise ValueError(f"not the guard's words: {text[:200]!r}")
    flags = ("sizes_fit", "new_listener", "answered", "continued", "wait_killable", "sync_wakeup", "close_range",
             "filter", "no_new_privs", "confined", "subreaper")  # fmt: skip
    return Probe(
        landlock=int(data["landlock"]),
        capabilities=int(data["capabilities"] or "0", 16),
        bounding=int(data["bounding"] or "0", 16),
        namespaces={name: str(data.get(name, "")) for name in NAMESPACES},
        kernel=str(data["kernel"]),
        interfaces=tuple(sorted(map(str, data["interfaces"]))),
        why=str(data.get("why", "")),
        **{name: data[name] is True for name in flags},
    )


def host_interfaces() -> tuple[str, ...]:
    """Names of the network interfaces out here, sorted, as the guard tells them from within (proc(5))."""
    lines = Path("/proc/net/dev").read_text("utf-8", "replace").splitlines()[2:]
    return tuple(sorted(line.partition(":")[0].strip() for line in lines if ":" in line))


def programs(env: Mapping[str, str]) -> tuple[Program, ...]:
    """cargo (of the toolchain that is the default outside of any project), rustup, git."""
    from sandbox.cargo import toolchain

    try:
        cargo = str(toolchain.find(None, env, Path("/")).cargo)
    except SandboxError:
        cargo = ""
    found = [("cargo", cargo, "-V"), ("rustup", which("rustup", env), "-V"), ("git", which("git", env), "--version")]
    return tuple(Program(name, path, version(path, flag) if path else "") for name, path, flag in found)


def which(name: str, env: Mapping[str, str]) -> str:
    """A program of the system, else of the caller's PATH (absolute directories only); empty when there is none."""
    own = ":".join(part for part in env.get("PATH", "").split(":") if part.startswith("/"))
    return shutil.which(name, path=_SYSTEM_PATH) or shutil.which(name, path=own) or ""


def version(path: str, flag: str) -> str:
    """The version in a program's first line; empty when it says none."""
    try:
        words = ask([path, flag]).splitlines()[0].split()
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return ""
    return next((word for word in words if word[:1].isdigit()), "")


def ask(command: Sequence[str]) -> str:
    """What a program prints. Raises OSError, SubprocessError, ValueError for a status other than 0."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, cwd="/", env={}, timeout=PATIENCE_S, check=False
    )
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip()
        raise ValueError(f"{command[0]} ended with {done.returncode}: {words[-200:]}")
    return done.stdout.decode("utf-8", "replace")


def _sysctl(name: str) -> int | None:
    try:
        return int(Path("/proc/sys", name).read_text("ascii"))
    except (OSError, ValueError):
        return None


def _cgroup() -> str:
    """Which control groups are mounted where everybody looks for them (cgroups(7))."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return "v2"
    if os.path.exists("/sys/fs/cgroup/unified/cgroup.controllers"):
        return "hybrid"
    return "v1" if os.path.isdir("/sys/fs/cgroup/memory") or os.path.isdir("/sys/fs/cgroup/pids") else ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _free(path: str) -> tuple[int, int]:
    """Bytes and inodes that are free for this user where `path` is or will be."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    state = os.statvfs(path)
    return state.f_bavail * state.f_frsize, state.f_favail
