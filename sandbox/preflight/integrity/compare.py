"""Compares an unpacked package with its `.crate`, and that with the lock file's checksum, in one pass over both."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from sandbox.preflight.packages.tar import BadArchive, Entry, entries
from sandbox.preflight.packages.tree import OK_BYTES, OK_FILE, Tree

MAX_PACKED = 1 << 30
"""Largest `.crate` that is read, in bytes."""

_CHUNK = 1 << 16
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class Compared(NamedTuple):
    """What came out. `checksum` is the `.crate`'s SHA-256 in hex, empty when it could not be read. `problem` says why
    the archive is not as cargo makes them: the three lists then are empty. `size` is in unpacked bytes."""

    checksum: str
    problem: str = ""
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    size: int = 0
    files: int = 0

    @property
    def same(self) -> bool:
        """Whether no file differs."""
        return not (self.problem or self.changed or self.added or self.missing)


def compare(crate: str, top: str, folder: str, tree: Tree | None) -> Compared:
    """Reads the `.crate` whose files lie below `top` in it, and the files of `tree` in `folder` (None: not unpacked).

    Raises OSError when a file can't be read.
    """
    digest = hashlib.sha256()
    fd = os.open(crate, _OPEN)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_PACKED:
            return Compared("", f"it is no file, or larger than {MAX_PACKED} bytes")

        def more() -> bytes:
            data = os.read(fd, _CHUNK)
            digest.update(data)
            return data

        found = Compared("")
        try:
            found = _files(entries(more, status.st_size, top), folder, tree)
        except BadArchive as error:
            found = Compared("", str(error))
        while more():
            pass
    finally:
        os.close(fd)
    return found._replace(checksum=digest.hexdigest())


def _files(archive: Iterable[Entry], folder: str, tree: Tree | None) -> Compared:
    left = dict(tree.files) if tree else {}
    changed: list[str] = []
    missing: list[str] = []
    size = files = 0
    for entry in archive:
        if entry.path.rpartition("/")[2] == OK_FILE:
            continue  # cargo leaves such a file of the archive out
        size += entry.size
        files += 1
        status = left.pop(entry.path, None)
        if status is None:
            missing.append(entry.path)
        elif status.st_size != entry.size or not _equal(entry, f"{folder}/{entry.path}"):
            changed.append(entry.path)
    if tree is None:
        return Compared("", size=size, files=files)
    if OK_FILE in left and left[OK_FILE].st_size <= OK_BYTES:
        del left[OK_FILE]
    return Compared("", "", tuple(changed), (*sorted(left), *tree.odd), tuple(missing), size, files)


def _equal(entry: Entry, path: str) -> bool:
    fd = os.open(path, _OPEN)
    try:
        left = entry.size
        while left:
            wanted = entry.read(left)
            if os.read(fd, len(wanted)) != wanted:
                return False
            left -= len(wanted)
    finally:
        os.close(fd)
    return True
