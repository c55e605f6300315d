"""Reads a `.crate` (a gzipped tar) piece by piece, in bounded memory, and never writes any of it.

It reads what cargo writes and refuses everything that another reader could understand in another way: cargo unpacks
with a reader of its own, and both must see the same files. Sources: POSIX.1-2017 pax, "ustar Interchange Format"; GNU
tar's manual, "Basic Tar Format"; cargo's limits in `src/sources/registry/mod.rs`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

LEAST_LIMIT = 512 << 20
RATIO = 20
"""Cargo unpacks at most 512 MiB or twenty times the packed size, whichever is more."""

MAX_ENTRIES = 200_000
_BLOCK = 512
_CHUNK = 1 << 16
"""Larger pieces are no faster: from 128 KiB on, memory for each is mapped anew."""

_MAX_NAME = 4096
_ZEROS = bytes(_BLOCK)
_SPACES = sum(b" " * 8)


class BadArchive(Exception):
    """The archive is not made as cargo makes them. The text is the reason."""


class Entry(NamedTuple):
    """A file in the archive: `path` below the package's folder. `read` gives its next bytes, up to so many."""

    path: str
    size: int
    read: Callable[[int], bytes]


class _Stream:
    """The unpacked bytes. `more` gives packed ones, `b""` at the end."""

    def __init__(self, more: Callable[[], bytes], limit: int) -> None:
        self._more = more
        self._left = limit
        self._inflate = zlib.decompressobj(31)
        self._data = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes, at most 64 KiB. Raises BadArchive when there are no so many."""
        at, end = self._at, self._at + count
        if end > len(self._data):
            parts = [self._data[at:]]
            have = len(parts[0])
            while have < count:
                parts.append(self._next())
                if not parts[-1]:
                    raise BadArchive("it is cut short")
                have += len(parts[-1])
            self._data = b"".join(parts)
            at, end = 0, count
        self._at = end
        return self._data[at:end]

    def some(self) -> bytes:
        """Whatever comes next, empty at the end."""
        if self._at < len(self._data):
            found, self._at = self._data[self._at :], len(self._data)
            return found
        return self._next()

    def _next(self) -> bytes:
        inflate = self._inflate
        while not inflate.eof:
            packed = inflate.unconsumed_tail or self._more()
            if not packed:
                raise BadArchive("it is cut short")
            try:
                data = inflate.decompress(packed, _CHUNK)
            except zlib.error as error:
                raise BadArchive(f"it is no proper gzip: {error}") from None
            self._left -= len(data)
            if self._left < 0:
                raise BadArchive("it unpacks to more than cargo allows")
            if data:
                return data
        if inflate.unused_data or self._more():
            raise BadArchive("something follows its end, which cargo does not read")
        return b""


def entries(more: Callable[[], bytes], packed_size: int, top: str) -> Iterator[Entry]:
    """The files of an archive whose packed bytes `more` gives, in order; all lie below the folder `top`.

    Raises BadArchive for links and other special entries, paths that are not plainly below `top`, one path twice, too
    much of anything, broken or ambiguous headers, and anything after the end.
    """
    stream = _Stream(more, max(LEAST_LIMIT, RATIO * packed_size))
    seen: set[str] = set()
    long_name: bytes | None = None
    for _ in range(MAX_ENTRIES):
        header = stream.take(_BLOCK)
        if header == _ZEROS:
            _end(stream, long_name)
            return
        kind, size = header[156:157], _number(header[124:136])
        _check(header)
        if kind in (b"L", b"x", b"g"):
            if long_name is not None:
                raise BadArchive("a name is given twice")
            data = _small(stream, size)
            long_name = _without_end(data) if kind == b"L" else _from_pax(data, kind == b"x")
            continue
        name = _name(header) if long_name is None else long_name
        long_name = None
        path = _path(name, top, kind)
        if path in seen:
            raise BadArchive(f"it has {path} twice")
        seen.add(path)
        if kind == b"5":
            if size:
                raise BadArchive(f"the folder {path} has content")
            continue
        left = size

        def read(count: int) -> bytes:
            nonlocal left
            count = min(count, left, _CHUNK)
            left -= count
            return stream.take(count)

        yield Entry(path, size, read)
        while left:
            read(_CHUNK)
        stream.take(-size % _BLOCK)
    raise BadArchive(f"it has more than {MAX_ENTRIES} entries")


def _end(stream: _Stream, long_name: bytes | None) -> None:
    if long_name is not None:
        raise BadArchive("it ends after a name")
    if stream.take(_BLOCK) != _ZEROS:
        raise BadArchive("something follows its end, which cargo does not read")
    while rest := stream.some():
        if rest.strip(b"\0"):
            raise BadArchive("something follows its end, which cargo does not read")


def _number(field: bytes) -> int:
    """An octal number, or a binary one when the first bit is set (GNU)."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
        if field[0] != 0x80:
            raise BadArchive("a size is absurd")
        return value
    text = field.strip(b" \0")
    if not text.isdigit() or text.strip(b"01234567"):
        raise BadArchive("a header has a bad number")
    return int(text, 8)


def _check(header: bytes) -> None:
    field = header[148:156]
    if _number(field) != sum(header) - sum(field) + _SPACES:
        raise BadArchive("a header's checksum is wrong")


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    # GNU's own format has other things where ustar has the beginning of a long name.
    if header[257:263] == b"ustar\0" and (prefix := header[345:500].partition(b"\0")[0]):
        return prefix + b"/" + name
    return name


def _small(stream: _Stream, size: int) -> bytes:
    if size > 16 * _MAX_NAME:
        raise BadArchive("a name is too long")
    return stream.take(size + -size % _BLOCK)[:size]


def _without_end(data: bytes) -> bytes:
    return data[:-1] if data.endswith(b"\0") else data


def _from_pax(data: bytes, of_entry: bool) -> bytes | None:
    """The name in a pax header, None when it has none. Raises BadArchive for keys that change anything else."""
    name = None
    while data:
        digits, found, _ = data.partition(b" ")
        length = int(digits) if found and digits.isdigit() and len(digits) < 7 else 0
        record = data[len(digits) + 1 : length]
        key, is_pair, value = record.partition(b"=")
        if not is_pair or not record.endswith(b"\n") or length > len(data):
            raise BadArchive("a pax header is broken")
        if key == b"path" and of_entry and name is None:
            name = value[:-1]
        elif key in (b"path", b"size", b"linkpath") or key.startswith(b"GNU."):
            raise BadArchive(f"a pax header sets {os.fsdecode(key)}, which readers understand in two ways")
        data = data[length:]
    return name


def _path(name: bytes, top: str, kind: bytes) -> str:
    """The path below `top`. Raises BadArchive for one that is not plainly there, and for special kinds of entries."""
    text = os.fsdecode(name[:_MAX_NAME])
    if kind not in (b"0", b"\0", b"5"):
        what = {b"1": "hard link", b"2": "symbolic link"}.get(kind, f"entry of kind {os.fsdecode(kind)!r}")
        raise BadArchive(f"it has the {what} {text}")
    if len(name) > _MAX_NAME or b"\0" in name:
        raise BadArchive(f"it has an impossible name: {text[:100]}")
    text = text.removesuffix("/") if kind == b"5" else text
    first, *rest = text.split("/")
    if kind == b"5" and first == top and not rest:
        return ""
    if first != top or not rest or any(part in ("", ".", "..") for part in rest):
        raise BadArchive(f"it has {text}, which is not plainly below {top}/")
    return "/".join(rest)
