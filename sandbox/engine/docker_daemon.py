"""Which Docker daemon: its address, found as the docker program would, and a connection without the user's settings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sandbox.engine.docker_config import Daemon
from sandbox.errors import EngineUnavailable, SetupError

if TYPE_CHECKING:
    from docker.api.client import APIClient

OLDEST = (1, 41)
DEFAULT = "unix:///var/run/docker.sock"
_TIMEOUT_S = 60
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


def connect(env: Mapping[str, str], home: str) -> tuple[APIClient, Daemon]:
    """Connect. Raises EngineUnavailable when no daemon answers, SetupError when it can't see this machine's files."""
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
            trial.settimeout(_TIMEOUT_S)
            trial.connect(path)
    except (OSError, ValueError) as error:
        raise EngineUnavailable(f"no Docker daemon answers at {where}: {_short(error)}", hint=_HINT) from error
    with _neutral_configuration():
        import requests
        from docker.api.client import APIClient
        from docker.errors import DockerException

        try:
            api = APIClient(base_url=where, timeout=_TIMEOUT_S)
            info, api_version = api.info(), api.api_version
        except (DockerException, requests.RequestException, OSError) as error:
            raise EngineUnavailable(f"no Docker daemon answers at {where}: {_short(error)}", hint=_HINT) from error
    return api, _daemon(info, api_version, os.path.realpath(path))


def _daemon(info: Mapping[str, object], api_version: str, path: str) -> Daemon:
    options = info.get("SecurityOptions")
    names = {str(option).partition(",")[0] for option in options} if isinstance(options, list) else set()
    if info.get("OSType") != "linux":
        raise SetupError("the Docker daemon doesn't run Linux containers", wall="kernel surface", fix="use Linux")
    missing = [words for key, words in (("MemoryLimit", "memory"), ("PidsLimit", "pids")) if not info.get(key)]
    if missing:
        raise SetupError(
            f"the Docker daemon can't limit {' and '.join(missing)}",
            wall="resources",
            why="its control groups lack that (rootless Docker needs cgroup v2 with delegation)",
            fix="see docker info for its warnings, or use --engine bubblewrap",
        )
    if "name=seccomp" not in names:
        raise SetupError(
            "the Docker daemon has no syscall filters",
            wall="kernel surface",
            why="its kernel or runc was built without seccomp",
            fix="use another daemon or --engine bubblewrap",
        )
    major, minor = (int(number) for number in api_version.split("."))
    if (major, minor) < OLDEST:
        raise SetupError(
            f"the Docker daemon is too old (API {api_version})",
            wall="container",
            why="before API 1.41 it can't give a container a control group namespace of its own",
            fix="use Docker 20.10 or newer, or --engine bubblewrap",
        )
    rootless = os.stat(path).st_uid if "name=rootless" in names else None
    ipv6 = os.path.isdir("/proc/sys/net/ipv6/conf/lo")
    version = str(info.get("ServerVersion"))
    return Daemon(version, (major, minor), path, rootless, "name=userns" in names, ipv6)


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
