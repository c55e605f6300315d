"""Lists the files of an unpacked package, without following any link."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import NamedTuple

MAX_FILES = 200_000
MAX_DEPTH = 128
OK_FILE = ".cargo-ok"
"""What cargo writes beside a package's files when all of them are unpacked; empty, `ok` or `{"v":1}`."""

OK_BYTES = 64
"""A larger one is not cargo's."""


class TooMuch(Exception):
    """More files or folders than any package has. The text says what."""


class Tree(NamedTuple):
    """`files` are regular ones by path below the folder; `odd` are links and other things that no package has."""

    files: dict[str, os.stat_result]
    odd: tuple[str, ...]

    def stamp(self, *more: object) -> str:
        """Equal only while no file was added, removed, replaced or written to: a file's change time moves with every
        write to it, and nothing but the system's clock sets it."""
        digest = hashlib.sha256(repr(more).encode("utf-8", "surrogateescape"))
        for path in sorted(self.files):
            digest.update(f"\0{path}\0{identity(self.files[path])}".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def newest(self) -> int:
        """When the last change of any file was, in nanoseconds since 1970; 0 without files."""
        return max((status.st_ctime_ns for status in self.files.values()), default=0)


def identity(status: os.stat_result) -> tuple[int, int, int, int, int]:
    """What tells one state of a file from another without reading it."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def walk(top: str, skip: str = "", enter: Callable[[str, Collection[str]], bool] | None = None) -> Tree | None:
    """What lies below a folder, but for `skip` in it; None when there is none. Raises TooMuch and OSError.

    `enter` is asked for each folder below, with its path and the names in it, whether it belongs to the tree.
    """
    try:
        if not stat.S_ISDIR(os.lstat(top).st_mode):
            return Tree({}, ("the folder itself is no folder",))
    except (FileNotFoundError, NotADirectoryError):
        return None
    files: dict[str, os.stat_result] = {}
    odd: list[str] = []
    folders = [("", 0)]
    count = 0
    while folders:
        below, depth = folders.pop()
        if depth > MAX_DEPTH:
            raise TooMuch(f"folders are nested more than {MAX_DEPTH} deep")
        with os.scandir(f"{top}/{below}") as found:
            entries = list(islice(found, MAX_FILES - count + 1))
            if enter is not None and below and not enter(below[:-1], [entry.name for entry in entries]):
                continue
            for entry in entries:
                if below + entry.name == skip:
                    continue
                count += 1
                if count > MAX_FILES:
                    raise TooMuch(f"it has more than {MAX_FILES} files")
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    files[below + entry.name] = status
                elif stat.S_ISDIR(status.st_mode):
                    folders.append((f"{below}{entry.name}/", depth + 1))
                else:
                    odd.append(below + entry.name)
    return Tree(files, tuple(sorted(odd)))


def listed(words: Iterable[tuple[str, Iterable[str]]], most: int = 200) -> tuple[str, ...]:
    """`WORD PATH` for every path, word by word, with an end."""
    lines = [f"{word} {path}" for word, paths in words for path in sorted(paths)]
    return (*lines[:most], f"… and {len(lines) - most} more") if len(lines) > most else tuple(lines)
