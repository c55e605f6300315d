"""Asks a Docker daemon what it is. Nothing is started, pulled or changed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from sandbox.doctor.facts import Docker
from sandbox.errors import SandboxError, SetupError

_SECONDS = 10
_LIMITS = (("memory", "MemoryLimit"), ("swap", "SwapLimit"), ("pids", "PidsLimit"))


def look_docker(env: Mapping[str, str]) -> Docker:
    """The daemon that the engine would take, by the engine's own connection: what it refuses can't be used."""
    from docker.errors import DockerException
    from requests import RequestException

    from sandbox.engine.docker_daemon import connect
    from sandbox.run.host import home_directory

    try:
        api, daemon = connect(env, home_directory(dict(env)), _SECONDS)
        with contextlib.closing(api):
            version = api.version()
            return read_docker(daemon.socket, version, api.info(), _libseccomp(env, version))
    except SandboxError as refused:
        why = f": {refused.why}" if isinstance(refused, SetupError) and refused.why else ""
        return Docker(error=refused.message + why, remedy=refused.hint)
    except (DockerException, RequestException, OSError, ValueError, TypeError) as failure:
        return Docker(error=f"it doesn't answer: {' '.join(str(failure).split())[:200] or type(failure).__name__}")


def read_docker(socket: str, version: Mapping[str, Any], info: Mapping[str, Any], libseccomp: str) -> Docker:
    """Facts from the answers of `GET /version` and `GET /info`."""
    components = (part for part in _list(version, "Components") if isinstance(part, dict))
    parts = {str(part.get("Name", "")).lower(): str(part.get("Version", "")) for part in components}
    return Docker(
        socket=socket,
        version=str(version.get("Version") or ""),
        api=str(version.get("ApiVersion") or ""),
        runc=parts.get("runc", ""),
        containerd=parts.get("containerd", ""),
        libseccomp=libseccomp,
        kernel=str(info.get("KernelVersion") or ""),
        cgroup=str(info.get("CgroupVersion") or ""),
        security=tuple(map(str, _list(info, "SecurityOptions"))),
        limits=tuple(name for name, key in _LIMITS if info.get(key) is True),
        runtimes=tuple(sorted(map(str, _list(info, "Runtimes")))),
        default_runtime=str(info.get("DefaultRuntime") or ""),
        storage=str(info.get("Driver") or ""),
    )


def _list(answer: Mapping[str, Any], key: str) -> list[Any]:
    """The entries of a list, the names of an object, nothing of anything else."""
    value = answer.get(key)
    return list(value) if isinstance(value, (list, dict)) else []


def _libseccomp(env: Mapping[str, str], version: Mapping[str, Any]) -> str:
    """What the daemon's runc was built with, as `runc --version` says; empty when the runc that is found here is not
    the one of the daemon's answer (another commit)."""
    from sandbox.doctor.look import ask, which

    path = which("runc", env)
    try:
        lines = ask([path, "--version"]).splitlines() if path else []
    except (OSError, ValueError):
        return ""
    said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    commits = [
        str((part.get("Details") or {}).get("GitCommit") or "")
        for part in _list(version, "Components")
        if isinstance(part, dict) and part.get("Name") == "runc" and isinstance(part.get("Details"), dict)
    ]
    return said.get("libseccomp", "") if said.get("commit") and said.get("commit") in commits else ""
