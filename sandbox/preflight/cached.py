"""The answers of the fast checks, kept for as long as nothing that they rest on has changed.

Builds import this for every command, so it imports next to nothing, and what it reads is looked at by size and times.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.record import record
from sandbox.trace import files

_MAX_BYTES = 4 << 20
_MAX_ENTRIES = 50_000


@record
class Fast:
    """What the fast checks come to: findings as JSON, sentences on what failed, and for each check whether it was
    done (`done`, `not done: why`), for the run's header."""

    findings: tuple[dict[str, Any], ...] = ()
    holes: tuple[str, ...] = ()
    checks: dict[str, str] = {}  # noqa: RUF012 - never changed


def digest(parts: Iterable[str]) -> str:
    """One key for all that an answer rests on."""
    made = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        made.update(b"%d:" % len(data) + data)
    return made.hexdigest()


def content(path: str) -> str:
    """The digest of a file's content; of what can't be read, that it can't."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        return f"unreadable {error.errno}"
    with os.fdopen(fd, "rb") as stream:
        try:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            return f"unreadable {error.errno}"


def database(folder: str) -> str:
    """The state of an advisory database. Of a clone, folders and the files on top of `.git` are looked at: git makes
    each file that it changes anew. Of any other folder all files are."""
    clone = os.path.isdir(os.path.join(folder, ".git"))
    return tree(folder, folders_only=clone)


def tree(folder: str, folders_only: bool = False) -> str:
    """The state of all that lies below a folder by name, size and times; with `folders_only` of folders two levels
    deep, which tell what was added, removed or replaced in them. What is too large to be looked at has no state that
    comes twice."""
    lines = sorted(_folders(folder) if folders_only else _files(folder))
    if len(lines) > _MAX_ENTRIES:
        return os.urandom(16).hex()
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def load(path: str, key: str) -> Fast | None:
    """The kept answers for this key; None when there are none, or the file is broken."""
    try:
        with open(path, "rb") as stored:
            data = json.loads(stored.read(_MAX_BYTES))
        if data["key"] != key:
            return None
        found = Fast(tuple(data["findings"]), tuple(data["holes"]), data["checks"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    good = all(isinstance(one, dict) for one in found.findings) and isinstance(found.checks, dict)
    return found if good and all(isinstance(one, str) for one in found.holes) else None


def keep(path: str, key: str, fast: Fast) -> None:
    """Keep answers for the next time, unless they are too many to be read again; where that can't be done it only
    costs time."""
    data = files.dump({"key": key, **vars(fast)})
    if len(data) > _MAX_BYTES:
        return
    folder, name = os.path.split(path)
    with contextlib.suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        dir_fd = files.open_dir(folder)
        try:
            # What a build left that was killed here. One that writes at this moment keeps nothing then.
            for left in os.listdir(dir_fd):
                if left.startswith(f".{name}.") and left.endswith(".new"):
                    files.remove(left, dir_fd)
            files.write_atomic(name, data, dir_fd)
        finally:
            os.close(dir_fd)


def _folders(folder: str) -> Iterator[str]:
    git = os.path.join(folder, ".git")
    for name in ("HEAD", "index", "ORIG_HEAD", "FETCH_HEAD", "packed-refs"):
        yield _state(os.path.join(git, name))
    for top in ("", "crates", "rust"):
        place = os.path.join(folder, top) if top else folder
        yield _state(place)
        try:
            names = os.listdir(place)
        except OSError:
            continue
        for name in sorted(names):
            yield _state(os.path.join(place, name))


def _state(path: str) -> str:
    try:
        state = os.stat(path)
    except OSError as error:
        return f"{path}:{error.errno}"
    return f"{path}:{state.st_ino}:{state.st_size}:{state.st_mtime_ns}:{state.st_ctime_ns}"


def _files(folder: str) -> Iterator[str]:
    """Everything that is no folder, and folders that can't be read; empty folders tell nothing."""
    waiting, seen = [folder], 0
    while waiting and seen <= _MAX_ENTRIES:
        place = waiting.pop()
        try:
            with os.scandir(place) as found:
                entries = list(found)
        except OSError as error:
            yield f"{place}:{error.errno}"
            continue
        seen += len(entries) + 1
        for entry in entries:
            try:
                if not entry.is_dir(follow_symlinks=False):
                    state = entry.stat()
                    yield f"{entry.path}:{state.st_ino}:{state.st_size}:{state.st_mtime_ns}:{state.st_ctime_ns}"
                elif entry.name != "__pycache__":
                    waiting.append(entry.path)
            except OSError as error:
                yield f"{entry.path}:{error.errno}"
    if seen > _MAX_ENTRIES:
        # A walk that was cut short tells nothing; `tree` sees it by the number of lines.
        yield from ("",) * (_MAX_ENTRIES + 1)
