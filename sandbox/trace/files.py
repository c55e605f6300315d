"""Small file operations that follow no symbolic link inside a folder of ours and open nothing but plain files."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
_DIR_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_dir(path: str | Path, dir_fd: int | None = None) -> int:
    """File descriptor of a folder; its last component must not be a symbolic link. Raises OSError."""
    return os.open(path, _DIR_FLAGS, dir_fd=dir_fd)


def open_regular(name: str, dir_fd: int) -> int:
    """File descriptor of a regular file, for reading. Raises OSError, also for links, pipes and devices."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", name)
    return fd


def read_small(name: str, dir_fd: int, limit: int) -> bytes | None:
    """A whole file, or None if it is missing, is not a plain file or is larger than `limit` bytes."""
    try:
        fd = open_regular(name, dir_fd)
    except OSError:
        return None
    try:
        parts: list[bytes] = []
        left = limit + 1
        while left > 0 and (part := os.read(fd, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
        return b"".join(parts) if left > 0 else None
    except OSError:
        return None
    finally:
        os.close(fd)


def read_object(name: str, dir_fd: int, limit: int = 8 << 20) -> dict[str, Any] | None:
    """A file's JSON object, or None if there is none that can be read."""
    data = read_small(name, dir_fd, limit)
    return None if data is None else parse_object(data)


def parse_object(data: bytes) -> dict[str, Any] | None:
    """A JSON object from untrusted bytes; None for anything else, however it is broken."""
    try:
        value = _DECODER.decode(data.decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte. Raises OSError; then a part may have been written."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_atomic(name: str, data: bytes, dir_fd: int, mode: int = 0o600) -> None:
    """Put a file in place whole: readers see the old one or the new one. Raises OSError and leaves no debris."""
    write_atomic_parts(name, (data,), dir_fd, mode)


def write_atomic_parts(name: str, parts: Iterable[bytes], dir_fd: int, mode: int = 0o600) -> None:
    """The same for what comes in parts, of which one at a time is in memory; the old file may be read for them."""
    temporary = f".{name}.{os.getpid()}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    remove(temporary, dir_fd)
    fd = os.open(temporary, flags, mode, dir_fd=dir_fd)
    try:
        try:
            for part in parts:
                write_all(fd, part)
        finally:
            os.close(fd)
        os.rename(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except BaseException:
        remove(temporary, dir_fd)
        raise


def remove(name: str, dir_fd: int) -> None:
    """Unlink a file if it is there; failures other than its absence raise OSError."""
    try:
        os.unlink(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return


def dump(value: object) -> bytes:
    """Compact JSON with a final newline. Undecodable bytes of a string (surrogateescape) survive as JSON escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"


def state_dir(environ: dict[str, str] | os._Environ[str] | None = None) -> Path:
    """Our folder for state: `$XDG_STATE_HOME/cargo-sandbox`, or `~/.local/state/cargo-sandbox`.

    A relative `XDG_STATE_HOME` is ignored, as the XDG Base Directory Specification asks, and a relative `HOME` too: the
    record would lie in the project.
    """
    env = os.environ if environ is None else environ
    base = env.get("XDG_STATE_HOME", "")
    home = env.get("HOME", "")
    if base.startswith("/"):
        return Path(base) / "cargo-sandbox"
    return Path(home if home.startswith("/") else _listed_home()) / ".local/state/cargo-sandbox"


def _listed_home() -> str:
    """The home that the user database knows; a place that can't be made for a user that it does not know."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/nonexistent"
