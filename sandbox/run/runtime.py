"""What the guard can do in an OCI runtime that the user named: tried in a container once, then kept.

A stale answer can't weaken anything unseen: where more was promised than the runtime has, the guard refuses to start
(121); where less was promised, the verdict is `incomplete` all the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from sandbox.cli.options import Settings
from sandbox.engine.protocol import Engine
from sandbox.errors import RecordIncomplete, SetupError
from sandbox.guard import guard
from sandbox.plan.facts import RuntimeFacts
from sandbox.plan.runtime import fit
from sandbox.run.host import directories

_FORMAT = "1"


def look_at(engine: Engine, env: Mapping[str, str]) -> RuntimeFacts | None:
    """The engine's named runtime as the guard finds it; None when none was named.

    Raises SetupError for a runtime that runs no container, or where no filter stands.
    """
    info = engine.info
    if not info.runtime:
        return None
    binary = guard.find(env)
    path, key = _place(info.runtime, info.runtime_is, binary, env)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(path, encoding="utf-8") as kept:
        data = json.load(kept)
        if data["key"] == key:
            return RuntimeFacts(**data["facts"])
    from sandbox.doctor.look_runtime import look

    found = look(engine, info.runtime, binary)
    fit(found)
    # A cache that can't be written only costs time.
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fresh = f"{path}.{os.getpid()}"
        with open(fresh, "w", encoding="utf-8") as out:
            json.dump({"key": key, "facts": vars(found)}, out)
        os.replace(fresh, path)
    return found


def forget(engine: Engine, env: Mapping[str, str]) -> None:
    """The guard could not do there what was kept: the next look is a new one."""
    info = engine.info
    if info.runtime:
        with contextlib.suppress(OSError):
            os.unlink(_place(info.runtime, info.runtime_is, guard.find(env), env)[0])


def demand(runtime: RuntimeFacts | None, settings: Settings) -> None:
    """Raise before anything is built what would be said afterwards: SetupError under --strict, RecordIncomplete under
    --require-complete, for a runtime in which the record can't be whole."""
    missing = fit(runtime).missing
    if not missing or not (settings.strict or settings.require_complete):
        return
    words = "\n".join(["nothing was built: the record would not be whole", *(f"- {reason}" for reason in missing)])
    left_out = "--strict" if settings.strict else "--require-complete"
    fix = f"leave out --runtime, or {left_out}: the build then stands behind that runtime's wall, without a record"
    if settings.strict:
        raise SetupError(words, wall="record", fix=fix)
    raise RecordIncomplete(words, hint=fix)


def _place(name: str, known: str, binary: Path, env: Mapping[str, str]) -> tuple[str, str]:
    """Where an answer is kept, and the key of everything that it depends on."""
    state = os.stat(binary)
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
        parts = (_FORMAT, boot.read(), os.getuid(), known, str(binary), state.st_ino, state.st_size, state.st_ctime_ns)
    key = hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()
    daemon = hashlib.sha256(known.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return os.path.join(directories(dict(env))[1], "runtimes", f"{name}-{daemon}"), key
