"""Which Docker daemon: its address, found as the docker program would, and a connection without the user's settings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sandbox.engine.docker_config import Daemon
from sandbox.errors import EngineUnavailable, SetupError

if TYPE_CHECKING:
    from docker.api.client import APIClient

OLDEST = (1, 41)
DEFAULT = "unix:///var/run/docker.sock"
_HINT = (
    "start the daemon (systemctl start docker), join the group docker or use rootless Docker, "
    "or say where it is with DOCKER_HOST; --engine bubblewrap needs no daemon"
)
_environment = threading.Lock()


def address(env: Mapping[str, str], home: str) -> str:
    """The daemon's address: DOCKER_HOST, else the context (DOCKER_CONTEXT, or the one in use), else the usual sockets.

    Contexts are files below `$DOCKER_CONFIG/contexts/meta`, in a folder named by the hash of the context's name
    (docs.docker.com, "Docker contexts"). Raises EngineUnavailable for a context that isn't there.
    """
    if env.get("DOCKER_HOST"):
        return env["DOCKER_HOST"]
    folder = env.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    context = env.get("DOCKER_CONTEXT") or str(_json(os.path.join(folder, "config.json")).get("currentContext") or "")
    if context and context != "default":
        name = hashlib.sha256(context.encode("utf-8", "surrogateescape")).hexdigest()
        meta = _json(os.path.join(folder, "contexts", "meta", name, "meta.json"))
        try:
            return str(meta["Endpoints"]["docker"]["Host"])
        except (KeyError, TypeError):
            raise EngineUnavailable(f"there is no Docker context {context!r}", hint="see: docker context ls") from None
    rootless = f"{env.get('XDG_RUNTIME_DIR', '')}/docker.sock"
    if not os.path.exists(DEFAULT.removeprefix("unix://")) and rootless[0] == "/" and os.path.exists(rootless):
        return f"unix://{rootless}"
    return DEFAULT


def connect(env: Mapping[str, str], home: str, timeout_s: int = 60) -> tuple[APIClient, Daemon]:
    """Connect. Raises EngineUnavailable when no daemon answers, SetupError for one that can't put up a wall, or can't
    see this machine's files."""
    from sandbox.run.test_hooks import removed_walls

    where = address(env, home)
    if not where.startswith("unix://"):
        raise SetupError(
            f"the Docker daemon at {where} can't be used",
            wall="host files",
            why="it may be on another machine, where this project and its toolchain don't lie at the same paths",
            fix="use a daemon of this machine by its socket: DOCKER_HOST=unix:///var/run/docker.sock",
        )
    path = where.removeprefix("unix://")
    try:
        with socket.socket(socket.AF_UNIX) as trial:
            trial.settimeout(timeout_s)
            trial.connect(path)
    except (OSError, ValueError) as error:
        raise EngineUnavailable(f"no Docker daemon answers at {where}: {_short(error)}", hint=_HINT) from error
    with _neutral_configuration():
        import requests
        from docker.api.client import APIClient
        from docker.errors import DockerException

        try:
            api = APIClient(base_url=where, timeout=timeout_s)
            info, api_version = api.info(), api.api_version
        except (DockerException, requests.RequestException, OSError) as error:
            raise EngineUnavailable(f"no Docker daemon answers at {where}: {_short(error)}", hint=_HINT) from error
    refused = objection(info, api_version, removed_walls(env))
    if refused is not None:
        api.close()
        raise refused
    return api, _daemon(info, api_version, os.path.realpath(path))


def objection(info: Mapping[str, object], api_version: str, without: Sequence[str] = ()) -> SetupError | None:
    """Why a daemon that gives these answers can't be used, None if it can. `without` are walls that a test removed."""
    kernel = os.uname().release
    if info.get("OSType") != "linux":
        return SetupError("the Docker daemon doesn't run Linux containers", wall="kernel surface", fix="use Linux")
    if info.get("KernelVersion") != kernel:
        return SetupError(
            f"the Docker daemon is on another machine: its kernel is {str(info.get('KernelVersion'))[:80]}",
            wall="host files",
            why=f"the kernel here is {kernel}; a daemon in a virtual machine or at the end of a tunnel doesn't see "
            "the files of this one",
            fix="use a daemon of this machine (docker context use default, unset DOCKER_HOST), or --engine bubblewrap",
        )
    missing = [words for key, words in (("MemoryLimit", "memory"), ("PidsLimit", "processes")) if not info.get(key)]
    if missing and "limits" not in without:
        return _without_limits(missing, info)
    if "name=seccomp" not in _security(info):
        return SetupError(
            "the Docker daemon has no syscall filters",
            wall="kernel surface",
            why="its kernel or runc was built without seccomp",
            fix="use another daemon or --engine bubblewrap",
        )
    if _version(api_version) < OLDEST:
        return SetupError(
            f"the Docker daemon is too old (API {api_version})",
            wall="container",
            why="before API 1.41 it can't give a container a control group namespace of its own",
            fix="use Docker 20.10 or newer, or --engine bubblewrap",
        )
    return None


def _without_limits(missing: Sequence[str], info: Mapping[str, object]) -> SetupError:
    """What to do differs (docs.docker.com/engine/security/rootless, "Limiting resources")."""
    daemon, why = "the Docker daemon", "the kernel's control groups for that are not there"
    fix = "switch them on (boot parameters cgroup_enable=memory swapaccount=1), or use --engine bubblewrap"
    if "name=rootless" in _security(info):
        daemon = "the rootless Docker daemon"
        if info.get("CgroupVersion") == "2":
            why = "systemd has not delegated these control groups to its user"
            fix = (
                "as root: systemctl edit user@.service, with the lines [Service] and Delegate=cpu memory pids; log in "
                "again and start the daemon with systemctl --user start docker; or use --engine bubblewrap"
            )
        else:
            why = "without root's rights it can use control groups of version 2 only, and this machine has version 1"
            fix = "boot with systemd.unified_cgroup_hierarchy=1, use a daemon of root's, or --engine bubblewrap"
    return SetupError(f"{daemon} can't limit {' and '.join(missing)}", wall="resources", why=why, fix=fix)


def _daemon(info: Mapping[str, object], api_version: str, path: str) -> Daemon:
    names = _security(info)
    rootless = os.stat(path).st_uid if "name=rootless" in names else None
    ipv6 = os.path.isdir("/proc/sys/net/ipv6/conf/lo")
    version = str(info.get("ServerVersion"))
    runtime = str(info.get("DefaultRuntime") or "")
    return Daemon(version, _version(api_version), path, rootless, "name=userns" in names, ipv6, runtime)


def _security(info: Mapping[str, object]) -> set[str]:
    options = info.get("SecurityOptions")
    return {str(option).partition(",")[0] for option in options} if isinstance(options, list) else set()


def _version(text: str) -> tuple[int, int]:
    """An API version as numbers; (0, 0) for what is none."""
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)


@contextlib.contextmanager
def _neutral_configuration() -> Iterator[None]:
    """The SDK reads headers, credentials and proxies from the Docker configuration; none of them is for us."""
    with _environment:
        before = os.environ.get("DOCKER_CONFIG")
        os.environ["DOCKER_CONFIG"] = "/nonexistent"
        try:
            yield
        finally:
            if before is None:
                del os.environ["DOCKER_CONFIG"]
            else:
                os.environ["DOCKER_CONFIG"] = before


def _json(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stored:
            data = json.load(stored)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _short(error: BaseException) -> str:
    return str(error)[:300]
