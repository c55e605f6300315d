"""A package's files, bounded. All of it is hostile: names, sizes, archives. Nothing is ever unpacked to disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sandbox.cargo.files import Unreadable, read_bytes
from sandbox.preflight.packages import tar
from sandbox.preflight.packages.tree import TooMuch, walk

MAX_CRATE = 64 << 20
"""Bytes of a `.crate` file that is read; crates.io takes 10 MiB unless asked, other registries more."""

MAX_TOTAL = 256 << 20
"""Bytes that a package's archive may unpack to: half of what cargo takes, for all of it is in memory here."""

MAX_FILES = 50_000
MAX_TEXT = 4 << 20
"""Bytes of one file that are kept for reading."""

SAMPLE = 64 << 10
"""Bytes that are kept of data that is no text."""

_PIECE = 64 << 10
_MINE = frozenset((".cargo-ok", ".cargo-checksum.json"))

Origin = Literal["crate", "unpacked", "folder"]


@dataclass(frozen=True, slots=True)
class File:
    """A file of a package: its size in bytes, the SHA-256 of its content and its beginning (`MAX_TEXT` bytes,
    `SAMPLE` of what is no text)."""

    size: int
    digest: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contents:
    """The files by path within the package. `origin` tells how far to trust it: a `crate` has the lock file's checksum,
    what lies unpacked or in a folder of its own may have been changed since."""

    origin: Origin
    files: Mapping[str, File]

    def text(self, path: str) -> str | None:
        """A file as text, with replacement characters for what is none; None where there is no such file."""
        found = self.files.get(path)
        return None if found is None else found.data.decode("utf-8", "replace").removeprefix("\ufeff")


def of_crate(path: Path, checksum: str, top: str) -> Contents:
    """What a `.crate` holds below its folder `top`. Raises FileNotFoundError, and Unreadable for one with another
    checksum, a bomb, or one that is not made as cargo makes them."""
    packed = read_bytes(path, MAX_CRATE)
    if hashlib.sha256(packed).hexdigest() != checksum:
        raise Unreadable("its checksum is not the lock file's")
    return of_archive(packed, top)


def of_archive(packed: bytes, top: str) -> Contents:
    """As `of_crate`, of bytes that were checked already. Raises Unreadable."""
    files: dict[str, File] = {}
    left, parts = MAX_TOTAL, iter((packed,))
    try:
        for entry in tar.entries(lambda: next(parts, b""), len(packed), top):
            left -= entry.size
            if len(files) >= MAX_FILES or left < 0:
                raise Unreadable(f"it has more than {MAX_FILES} files or {MAX_TOTAL} bytes")
            files[entry.path] = _file(entry.path, b"".join(iter(lambda read=entry.read: read(_PIECE), b"")))  # type: ignore[misc]
    except tar.BadArchive as error:
        raise Unreadable(f"it is no proper archive: {error}") from None
    return Contents("crate", files)


def of_folder(top: Path, origin: Origin, only: str = "") -> Contents:
    """What lies in a folder, without following links and without `target` and `.git`; `only` reads one file of it.

    Raises FileNotFoundError, Unreadable.
    """
    files: dict[str, File] = {}
    total = 0
    if not os.path.isdir(top) or os.path.islink(top):
        raise FileNotFoundError(f"no such folder: {top}")
    if only:
        if os.path.islink(top / only):
            raise Unreadable(f"its {only} is a link")
        return Contents(origin, {only: _file(only, read_bytes(top / only, MAX_TEXT))})
    try:
        tree = walk(os.fspath(top), enter=lambda path, names: _belongs(path, names, origin))
    except (TooMuch, OSError) as error:
        raise Unreadable(str(error)) from None
    found = tree.files if tree else {}
    for path in sorted(found):
        if path in _MINE:
            continue
        total += found[path].st_size
        if len(files) >= MAX_FILES or total > MAX_TOTAL:
            raise Unreadable(f"it has more than {MAX_FILES} files or {MAX_TOTAL} bytes")
        try:
            files[path] = _file(path, read_bytes(top / path, MAX_TOTAL))
        except FileNotFoundError:
            continue
    return Contents(origin, files)


def _belongs(path: str, names: Collection[str], origin: Origin) -> bool:
    """Whether a folder is of the package: one with a manifest in a tree of several is another package's."""
    return path.rpartition("/")[2] not in (".git", "target") and not (origin == "folder" and "Cargo.toml" in names)


def _file(path: str, data: bytes) -> File:
    # A zero byte is no reason to keep less of code: it could be there to hide the rest.
    opaque = b"\0" in data[:SAMPLE] and not path.endswith((".rs", ".toml"))
    return File(len(data), hashlib.sha256(data).hexdigest(), data[: SAMPLE if opaque else MAX_TEXT])
