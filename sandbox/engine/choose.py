"""Which engine: the named one, or with `auto` the first that can put up every wall on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

from sandbox.engine.protocol import Engine
from sandbox.errors import EngineUnavailable, SandboxError, SetupError, UsageError

if TYPE_CHECKING:
    from sandbox.engine.bubblewrap import Bubblewrap

NAMES = ("auto", "bubblewrap", "docker")
_MOST_MARKS = 100
# What the build's container needs of bwrap; --size is the newest of these options (0.7).
_TRIAL = (
    "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-net", "--cap-drop", "ALL",
    "--ro-bind", "/", "/", "--size", "65536", "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev", "--", "true",
)  # fmt: skip


def choose(name: str, runtime: str, image: str, cache_dir: str) -> Engine:
    """The engine `name`; `runtime` and `image` are for Docker alone.

    Raises EngineUnavailable when a named engine isn't there, SetupError when `auto` finds none, UsageError for a
    runtime or an image without Docker.
    """
    only = "--runtime" if runtime else "--image" if image else ""
    if only and name == "bubblewrap":
        raise UsageError(f"{only} is for Docker", hint=f"add --engine docker, or leave {only} out")
    if name == "bubblewrap":
        return _bubblewrap("")
    if name == "docker":
        return _docker(runtime, image, "")
    if only:
        return _docker(runtime, image, f"{only} asks for it")
    try:
        engine = _bubblewrap("it can put up every wall here")
        _try_bubblewrap(engine.program, cache_dir)
        return engine
    except SandboxError as error:
        first = error
    try:
        return _docker("", "", first.message)
    except SandboxError as second:
        raise SetupError(
            "no engine can put up every wall here",
            wall="container",
            why=f"bubblewrap: {first.message}; docker: {second.message}",
            fix=f"bubblewrap: {first.hint}; docker: {second.hint}",
        ) from second


def _bubblewrap(why: str) -> Bubblewrap:
    from sandbox.engine.bubblewrap import Bubblewrap

    return Bubblewrap(why=why)


def _docker(runtime: str, image: str, why: str) -> Engine:
    from sandbox.engine.docker import Docker

    return Docker(runtime, image, why)


def _try_bubblewrap(program: str, cache_dir: str) -> None:
    """Make an empty container once for each boot, user, bwrap and container around us. Raises EngineUnavailable when
    that fails."""
    mark = os.path.join(cache_dir, "engines", _trial_key(program))
    if os.path.exists(mark):
        return
    done = subprocess.run([program, *_TRIAL], capture_output=True, env={"PATH": "/usr/bin:/bin"}, cwd="/", check=False)
    if done.returncode != 0:
        from sandbox.engine.bwrap_failures import HINT, explain

        words = done.stderr.decode("utf-8", "replace").strip()
        failure = explain(words)
        last = (words.splitlines() or ["without a word"])[-1][:200]
        told = f"{last}: {failure.why}" if failure else last
        raise EngineUnavailable(f"bwrap can't make a container ({told})", hint=failure.fix if failure else HINT)
    folder = os.path.dirname(mark)
    with contextlib.suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        # Each boot and each container around us leaves one.
        if len(left := os.listdir(folder)) >= _MOST_MARKS:
            for name in left:
                os.unlink(os.path.join(folder, name))
        with open(mark, "xb"):
            pass


def _trial_key(program: str) -> str:
    state = os.stat(program)
    # A cache may be shared with containers in which nothing was tried yet.
    around = " ".join(os.readlink(f"/proc/self/ns/{name}") for name in ("user", "mnt"))
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
        text = f"{program} {state.st_ino} {state.st_size} {state.st_ctime_ns} {os.getuid()} {around} {boot.read()}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]
