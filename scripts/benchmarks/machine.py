"""What a figure was measured on: without this, a number means nothing a week later."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.command import ROOT


def facts(env: Mapping[str, str]) -> dict[str, Any]:
    """Kernel, processor, memory, and the version of everything that takes part. What can't be found out is None."""
    from sandbox import __version__

    cargo = shutil.which("cargo", path=env["PATH"])
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _field(Path("/proc/cpuinfo"), "model name"),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "load_average": os.getloadavg()[0],
        "versions": {
            "cargo-sandbox": __version__,
            "commit": _says(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], env),
            "python": platform.python_version(),
            "cargo": _says(["cargo", "-V"], env),
            "rustc": _says(["rustc", "-V"], env),
            "bubblewrap": _says(["bwrap", "--version"], env),
            "strace": _says(["strace", "-V"], env),
            "guard": _guard_digest(env),
        },
        "cargo_path": cargo,
        "cargo_is_rustup_proxy": cargo is not None and Path(cargo).resolve().name.startswith("rustup"),
    }


def words(machine: Mapping[str, Any]) -> str:
    """The machine in one line."""
    versions = machine["versions"]
    memory = f"{machine['memory_bytes'] / 2**30:.0f} GiB"
    return (
        f"Linux {machine['kernel']}, {machine['cores']} cores ({machine['processor']}), {memory}, {versions['cargo']}"
    )


def busy(machine: Mapping[str, Any]) -> str | None:
    """A warning when something else was running before we began."""
    load, cores = machine["load_average"], machine["cores"]
    if load <= 0.25 * cores:
        return None
    return f"the machine was not idle (load average {load:.2f} on {cores} cores): these figures are not for quoting"


def storage_driver(env: Mapping[str, str]) -> str:
    """What keeps the containers' files of the Docker daemon; empty when it does not say."""
    return _says(["docker", "info", "--format", "{{.Driver}}"], env) or ""


def toolchain_cargo(env: Mapping[str, str]) -> str | None:
    """The toolchain's own cargo, which the sandbox runs; `cargo` on PATH is often rustup's proxy for it."""
    sysroot = _says(["rustc", "--print", "sysroot"], env)
    path = Path(sysroot or "/", "bin", "cargo")
    return str(path) if path.is_file() else None


def _says(command: list[str], env: Mapping[str, str]) -> str | None:
    """The first line that a command prints. It runs in `/`: no project may have a say in a version."""
    try:
        done = subprocess.run(command, cwd="/", env=dict(env), capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout.splitlines() or [None])[0] if done.returncode == 0 else None


def _guard_digest(env: Mapping[str, str]) -> str | None:
    from sandbox.errors import SandboxError
    from sandbox.guard import guard

    try:
        return guard.digest(guard.find(env), env["XDG_CACHE_HOME"])
    except SandboxError:
        return None


def _field(path: Path, name: str) -> str | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)
