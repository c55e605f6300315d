"""Asks a Docker daemon what it is. Nothing is started, pulled or changed."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from typing import Any

from sandbox.doctor.facts import Docker

_SECONDS = 10
_LIMITS = (("memory", "MemoryLimit"), ("swap", "SwapLimit"), ("pids", "PidsLimit"))


def look_docker(env: Mapping[str, str]) -> Docker:
    """The daemon that the docker client of this user would talk to: DOCKER_HOST, else the current context's."""
    from docker.errors import DockerException
    from requests import RequestException

    address = ""
    try:
        address, tls = _address(env)
        if not is_local(address):
            return Docker(address=address, error=f"{address} is another host, which can't see the files of this one")
        _knock(address)
        version, info = _answers(address, tls)
        return read_docker(address, version, info, _libseccomp(env))
    except (DockerException, RequestException, OSError, ValueError, TypeError) as failure:
        return Docker(address=address, error=_words(failure), local=is_local(address))


def _knock(address: str) -> None:
    """Raise OSError when nobody listens at a socket: the docker client would leave its own end of it open."""
    path = address.removeprefix("http+").removeprefix("unix://")
    if path == address:
        return
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(_SECONDS)
        probe.connect("/" + path.lstrip("/"))


def _answers(address: str, tls: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """`GET /version`, which any client may ask, and `GET /info` in the version of the API that the answer names.

    A client that finds the version out by itself (`version="auto"`) leaves its connection open when that fails.
    """
    from docker import APIClient

    with contextlib.closing(APIClient(base_url=address, timeout=_SECONDS, tls=tls)) as client:
        version = client.version(api_version=False)
    named = str(version.get("ApiVersion") or "")
    with contextlib.closing(APIClient(base_url=address, version=named, timeout=_SECONDS, tls=tls)) as client:
        return version, client.info()


def is_local(address: str) -> bool:
    """Whether an address leads to this host; a daemon elsewhere can't see its files."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        if parts.scheme not in ("tcp", "http", "https"):
            return parts.scheme in ("unix", "http+unix")
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def read_docker(address: str, version: Mapping[str, Any], info: Mapping[str, Any], libseccomp: str) -> Docker:
    """Facts from the answers of `GET /version` and `GET /info`."""
    components = (part for part in _list(version, "Components") if isinstance(part, dict))
    parts = {str(part.get("Name", "")).lower(): str(part.get("Version", "")) for part in components}
    return Docker(
        address=address,
        local=is_local(address),
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
    )


def _list(answer: Mapping[str, Any], key: str) -> list[Any]:
    """The entries of a list, the names of an object, nothing of anything else."""
    value = answer.get(key)
    return list(value) if isinstance(value, (list, dict)) else []


def _address(env: Mapping[str, str]) -> tuple[str, Any]:
    """Where the daemon is, and the TLS configuration of its context (False for none)."""
    if env.get("DOCKER_HOST"):
        return env["DOCKER_HOST"], False
    from docker.context import ContextAPI

    context = ContextAPI.get_context(env.get("DOCKER_CONTEXT") or None)
    host = context.Host if context is not None else ""
    return (host or "unix:///var/run/docker.sock"), (context.TLSConfig or False) if context is not None else False


def _libseccomp(env: Mapping[str, str]) -> str:
    """What runc was built with, as it says itself (`runc --version`)."""
    from sandbox.doctor.look import ask, which

    path = which("runc", env)
    if not path:
        return ""
    try:
        lines = ask([path, "--version"]).splitlines()
    except (OSError, ValueError):
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("libseccomp:")), "")


def _words(failure: Exception) -> str:
    """The innermost reason, in one line: the client wraps it several times."""
    cause: BaseException = failure
    while cause.__cause__ is not None or cause.__context__ is not None:
        cause = cause.__cause__ or cause.__context__ or cause
    said = cause.strerror if isinstance(cause, OSError) else None
    words = " ".join(str(said or cause).split())[:200]
    return f"it doesn't answer: {words or type(cause).__name__}"
