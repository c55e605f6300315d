"""The tier of a run: looked up in a millisecond when nothing has changed since the last time, else looked at anew.

What is kept lies in the user's own cache, out of every build's reach, under a key of everything that it depends on:
boot, kernel and its switches, the programs' identities, the Docker daemon's socket (a new one after each restart).
The walls themselves are put up and checked by each run; this is about what they are worth.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping

from sandbox.doctor.tier import ENGINES, Reason, Standing
from sandbox.errors import SandboxError, SetupError
from sandbox.plan.facts import RuntimeFacts

_FORMAT = "1"
_FILES = (
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "/proc/sys/user/max_user_namespaces",
)


def standing_of(
    engine: str,
    env: Mapping[str, str],
    cache_dir: str,
    programs: tuple[str, ...] = (),
    runtime: RuntimeFacts | None = None,
) -> Standing:
    """What an engine is worth here. Never raises: what can't be looked at is `degraded`, with the reason.

    `programs` are the files that the engine and the guard are made of; a change of one voids what is kept. `runtime` is
    the OCI runtime that the user named.
    """
    if engine not in ENGINES:
        return Standing(engine, "degraded", (Reason("", f"the doctor knows nothing of the engine {engine}"),))
    from sandbox.run.test_hooks import removed_walls

    try:
        found = _kept_or_new(engine, env, cache_dir, programs, runtime)
    except (SandboxError, OSError) as error:
        found = Standing(engine, "degraded", (Reason("", f"the host could not be looked at: {error}"),))
    removed = removed_walls(env)
    if removed:
        reason = Reason("removed-walls", f"walls were removed for a test: {', '.join(removed)}")
        found = Standing(engine, "degraded" if found.usable else "none", (*found.reasons, reason))
    return found


def _kept_or_new(
    engine: str, env: Mapping[str, str], cache_dir: str, programs: tuple[str, ...], runtime: RuntimeFacts | None
) -> Standing:
    key = f"{_key(engine, env, programs)} {runtime or ''}".rstrip()
    name = hashlib.sha256("\0".join(programs).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    path = os.path.join(cache_dir, "doctor", f"{engine}-{name}" + (f"-{runtime.name}" if runtime else ""))
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(path, encoding="utf-8") as kept:
        data = json.load(kept)
        if data["key"] == key:
            return Standing.from_json(data)
    found = _look(engine, env, runtime)
    _keep(path, found.to_json() | {"key": key})
    return found


def demand(standing: Standing, tier: str) -> None:
    """Raise SetupError with every reason when an engine doesn't reach a tier on this host."""
    if standing.reaches(tier):
        return
    reasons = [f"- {r.words}" + (f" ({r.means})" if r.means else "") for r in standing.reasons]
    fixes = [reason.fix for reason in standing.reasons if reason.fix]
    raise SetupError(
        "\n".join([f"this host is {standing.tier} with {standing.engine}, and {tier} is demanded", *reasons]),
        wall="tier",
        fix=fixes[0] if fixes else "see cargo-sandbox doctor",
    )


def _look(engine: str, env: Mapping[str, str], runtime: RuntimeFacts | None) -> Standing:
    from dataclasses import replace

    from sandbox.doctor.diagnose import diagnose, engine_with
    from sandbox.doctor.known_bad import load
    from sandbox.doctor.look import look_bubblewrap

    host = replace(look_bubblewrap(env), removed_walls=(), runtime=runtime)
    if engine == "docker":
        from sandbox.doctor.look_docker import look_docker

        host = replace(host, docker=look_docker(env))
    return diagnose(host, load(), engine_with(runtime.name) if runtime else engine).chosen


def _key(engine: str, env: Mapping[str, str], programs: tuple[str, ...]) -> str:
    from sandbox import __version__
    from sandbox.resources import profile

    system = os.uname()
    parts = [_FORMAT, __version__, engine, system.release, system.machine, str(os.getuid())]
    for name in _FILES:
        try:
            with open(name, encoding="ascii") as file:
                parts.append(file.read())
        except OSError:
            parts.append("-")
    # The same user may run us inside another container as well, where less is possible.
    with contextlib.suppress(OSError), open("/proc/self/status", "rb") as status:
        parts += [line for line in status.read().decode("ascii", "replace").splitlines() if line[:7] in _CONFINED]
    parts += [_link("/proc/self/ns/user"), _link("/proc/self/attr/current")]
    files = [*programs, str(profile("doctor/known-bad.yaml"))]
    if engine == "docker":
        from sandbox.engine.docker_daemon import address
        from sandbox.run.host import home_directory

        where = address(env, home_directory(dict(env)))
        parts.append(where)
        files.append(where.removeprefix("unix://"))
    parts += [_identity(path) for path in files]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


_CONFINED = ("CapBnd:", "NoNewPr", "Seccomp")


def _identity(path: str) -> str:
    try:
        state = os.stat(path)
    except OSError:
        return f"{path}:-"
    return f"{path}:{state.st_dev}:{state.st_ino}:{state.st_size}:{state.st_mtime_ns}:{state.st_ctime_ns}"


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _keep(path: str, data: dict[str, object]) -> None:
    """For the next time, whole or not at all; a cache that can't be written only costs time."""
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fresh = f"{path}.{os.getpid()}"
        with open(fresh, "w", encoding="utf-8") as out:
            json.dump(data, out)
        os.replace(fresh, path)
