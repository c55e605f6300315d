"""Reads small files that a stranger may have written: regular files only, with a size limit, without ever blocking."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

MAX_BYTES = 8 << 20
"""Largest manifest, lock file or configuration that is read, in bytes."""


class Unreadable(Exception):
    """The file is there and can't be used. The text is the reason, without the path."""


def read_bytes(path: Path | str, limit: int = MAX_BYTES) -> bytes:
    """The content of a regular file (symbolic links are followed).

    Raises FileNotFoundError when there is none, and Unreadable for any other kind of file, a file larger than `limit`
    bytes, or a refusal of the system. A FIFO or device is never waited for.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        # As for cargo, what can't even be looked at (a circle of links, an impossible name) is not there.
        if not os.path.exists(path):
            raise FileNotFoundError(f"no such file: {path}") from None
        raise Unreadable(_reason(error)) from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("not a regular file")
        if status.st_size > limit:
            raise Unreadable(f"larger than {limit} bytes")
        with open(fd, "rb", closefd=False) as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise Unreadable(_reason(error)) from None
    finally:
        os.close(fd)
    if len(data) > limit:
        raise Unreadable(f"larger than {limit} bytes")
    return data


def read_text(path: Path | str, limit: int = MAX_BYTES) -> str:
    """As `read_bytes`, decoded as UTF-8; a byte order mark is dropped, as cargo does. Raises the same."""
    try:
        return read_bytes(path, limit).decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 at byte {error.start}") from None


def load_toml(path: Path | str, limit: int = MAX_BYTES) -> dict[str, Any]:
    """The tables of a TOML 1.1 file (what cargo reads). Raises as `read_text`; bad TOML is Unreadable too."""
    return parse_toml(read_text(path, limit))


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML 1.1 text. Raises Unreadable for bad TOML, which includes absurd nesting and numbers."""
    import tomli

    try:
        return tomli.loads(text)
    except (RecursionError, ValueError) as error:
        raise Unreadable(f"invalid TOML: {error}") from None


def below(path: Path | str, top: Path | str) -> bool:
    """True when `path` is `top` or lies below it, by name alone."""
    path, top = os.fspath(path), os.fspath(top)
    return path == top or top == "/" or path.startswith(top + "/")


def stays_below(path: Path | str, top: Path | str) -> bool:
    """True when `path`, with all symbolic links followed, is still `top` or below it.

    A file that is shown to a build by its name alone must pass this: a link of the tree could lead to a secret. False
    for what can be no path at all (a NUL in it): it is nowhere.
    """
    try:
        return below(os.path.realpath(path), os.path.realpath(top))
    except ValueError:
        return False


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
