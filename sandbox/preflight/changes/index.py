"""Cargo's own cache of a registry's index: what it knew of a version when it last asked. Never asks anybody.

Format (cargo's `src/cargo/sources/registry/index/cache.rs`, cache version 3): a byte 3, the index's schema as a
little-endian u32 (at most 2 is known), then texts that end in NUL: the index's version, and for each version of the
package its number and its JSON line (the book's "Index Format"; `pubtime` is RFC 3339 and only in newer indexes).
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from sandbox.cargo.lockfile import LockedPackage
from sandbox.preflight.sources.index import place

MAX_ENTRY_FILE = 32 << 20
_CACHE_VERSION = 3
_SCHEMAS = (1, 2)
_LINE_MAX = 1 << 20
_STEP = 64 << 10


class Entry(NamedTuple):
    """What the index says of a version. `published` is None where the index gives no date."""

    yanked: bool
    published: date | None
    checksum: str


class Index:
    """The cached indexes of a cargo home. `folders` has those of each source (`Places.indexes`)."""

    def __init__(self, folders: Mapping[str, tuple[str, ...]]) -> None:
        self._folders = folders

    def find(self, package: LockedPackage) -> Entry | None:
        """The entry of a locked package; None where no cache has one for its version and checksum."""
        source, name = package.source, _path(package.name)
        if not source or name is None:
            return None
        for folder in self._folders.get(source, ()):
            entry = read(f"{folder}/.cache/{name}", package.name, package.version)
            # Without the same checksum it is another registry's, or something is being swapped: not for us to say.
            if entry is not None and package.checksum in (None, entry.checksum):
                return entry
        return None


def read(path: str, name: str, version: str) -> Entry | None:
    """The entry of a version in a cache file; None without one, or for a file of another format.

    Read from its end, where the versions are that are in use: some files have a megabyte of older ones.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or not 6 <= status.st_size <= MAX_ENTRY_FILE:
            return None
        head = os.pread(fd, 5, 0)
        if head[0] != _CACHE_VERSION or int.from_bytes(head[1:], "little") not in _SCHEMAS:
            return None
        data, start, step = b"", status.st_size, _STEP
        while start > 5:
            begin = max(5, start - step)
            data, start, step = os.pread(fd, start - begin, begin) + data, begin, step * 4
            entry = find_in(data, name, version)
            if entry is not None:
                return entry
        return None
    except OSError:
        return None
    finally:
        os.close(fd)


def find_in(data: bytes, name: str, version: str) -> Entry | None:
    """The entry of a version in a cache file's texts, the last one first; None without one."""
    wanted = version.encode("utf-8", "replace")
    if b"\0" in wanted:
        return None
    mark = b"\0" + wanted + b"\0"
    at = data.rfind(mark)
    while at >= 0:
        start = at + len(mark)
        end = data.find(b"\0", start)
        entry = _entry(data[start : min(end if end >= 0 else len(data), start + _LINE_MAX)], name, version)
        if entry is not None:
            return entry
        at = data.rfind(mark, 0, at + 1)
    return None


def _entry(line: bytes, name: str, version: str) -> Entry | None:
    try:
        table = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(table, dict) or (table.get("name"), table.get("vers")) != (name, version):
        return None
    yanked, checksum = table.get("yanked", False), table.get("cksum")
    if not isinstance(yanked, bool) or not isinstance(checksum, str):
        return None
    return Entry(yanked, _date(table.get("pubtime")), checksum)


def _date(text: object) -> date | None:
    if not isinstance(text, str):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _path(name: str) -> str | None:
    """Where an index keeps a package (the book's "Index Files"); None for a name that none could have."""
    low = name.lower()
    if not low or len(low) > 64 or not low.isascii() or not low.replace("-", "").replace("_", "").isalnum():
        return None
    return place(low)
