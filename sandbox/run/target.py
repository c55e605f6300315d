"""The target dir: the one place on the host that a build may write, so it is looked at twice before it is mounted."""

from __future__ import annotations

import os

from sandbox.errors import SetupError
from sandbox.plan.secrets import is_within, secret_reason

BUILD_FOLDER = ".cargo-sandbox"
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55"


def open_target(path: str, workspace: str, homes: tuple[str, ...], cargo_home: str) -> str:
    """Create the target dir if need be and return its real path.

    A symlink on the way that the project could have planted (below the workspace) is followed only to a directory that
    is empty or that cargo itself marked as a cache (CACHEDIR.TAG). Raises SetupError for anything else.
    """
    real = os.path.realpath(path)
    reason = secret_reason(real, homes)
    if reason is None and (is_within(real, cargo_home) or is_within(cargo_home, real)):
        reason = "it is part of cargo's home"
    if reason is None and real in ("/", "/usr", "/etc", "/tmp", "/var", "/home", "/opt", "/dev", "/proc", "/sys"):
        reason = "it is a system directory"
    if reason:
        raise _refuse(path, real, reason)
    inside = is_within(os.path.abspath(path), os.path.abspath(workspace))
    expected = os.path.join(os.path.realpath(workspace), os.path.relpath(path, workspace)) if inside else real
    if inside and os.path.normpath(expected) != real and not _is_cache(real):
        raise _refuse(path, real, "the project makes it a symlink to a directory that is not cargo's")
    try:
        os.makedirs(real, exist_ok=True)
    except OSError as error:
        raise _refuse(path, real, error.strerror or "it can't be created") from error
    if not os.access(real, os.W_OK | os.X_OK) or not _writable(real):
        raise _refuse(path, real, "it can't be written by this user inside the container")
    return real


def build_dir(target: str) -> str:
    """Our own folder for intermediates inside the target dir (`cargo clean` removes it with the rest).

    Raises SetupError when something that is not a plain directory sits there.
    """
    folder = os.path.join(target, BUILD_FOLDER)
    path = os.path.join(folder, "build")
    for place in (folder, path):
        if os.path.islink(place) or (os.path.lexists(place) and not os.path.isdir(place)):
            raise _refuse(place, place, "it is not a plain directory")
        os.makedirs(place, exist_ok=True)
    return path


def _writable(path: str) -> bool:
    """Root keeps its id inside the container but not its powers, so another owner's directory is closed to it."""
    if os.geteuid() != 0:
        return True
    state = os.stat(path)
    return bool(state.st_uid == 0 or state.st_mode & 0o002 or (state.st_gid == 0 and state.st_mode & 0o020))


def _is_cache(path: str) -> bool:
    try:
        if not os.listdir(path):
            return True
        fd = os.open(os.path.join(path, "CACHEDIR.TAG"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.read(fd, len(_TAG)) == _TAG
    finally:
        os.close(fd)


def _refuse(path: str, real: str, reason: str) -> SetupError:
    shown = path if path == real else f"{path} (really {real})"
    return SetupError(
        f"the target dir {shown} can't be used: {reason}",
        wall="host files",
        why="everything below the target dir is writable for the build",
        fix="give a directory of your own with --target-dir",
    )
