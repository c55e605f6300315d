"""Reads objects of a git repository's folder in our own process, each one checked against its name (SHA-1).

Git itself is not asked: it runs what the repository's own settings name. Source of the formats: git's documentation,
"gitformat-pack" and "gitformat-index".
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from typing import NamedTuple

from sandbox.cargo.files import Unreadable, read_bytes

MAX_OBJECT = 64 << 20
_MAX_PACKS = 4_000
_MAX_CHAIN = 4_096
_MAX_MADE = 1 << 30
"""Bytes that the steps of one chain of deltas may make, all together."""

_CHUNK = 1 << 14
_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_BY_OFFSET, _BY_NAME = 6, 7


class Link(NamedTuple):
    """One line of a tree: `mode` is octal text (`100644`, `120000` a link, `160000` a submodule), `name` in hex."""

    mode: str
    path: str
    name: str


class Objects:
    """The objects below one `objects` folder, as files and in packs."""

    def __init__(self, folder: str) -> None:
        """Raises Unreadable when there are absurdly many packs."""
        self._folder = folder
        try:
            names = sorted(name for name in os.listdir(f"{folder}/pack") if name.endswith(".idx"))
        except OSError:
            names = []
        if len(names) > _MAX_PACKS:
            raise Unreadable(f"more than {_MAX_PACKS} packs")
        self._packs = [f"{folder}/pack/{name.removesuffix('.idx')}" for name in names]

    def read(self, name: str) -> tuple[str, bytes]:
        """Kind and content of an object. Raises Unreadable when it is not there or is not what its name says."""
        kind, data = self._loose(name) or self._packed(name)
        if hashlib.sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest() != name:
            raise Unreadable(f"the object {name} is not what its name says")
        return kind, data

    def tree_of(self, commit: str) -> str:
        """The name of a commit's tree. Raises Unreadable."""
        kind, data = self.read(commit)
        line = data.partition(b"\n")[0]
        if kind != "commit" or not line.startswith(b"tree ") or len(line) != 45:
            raise Unreadable(f"{commit} is no commit")
        return line[5:].decode("ascii", "replace")

    def links(self, tree: str) -> list[Link]:
        """The lines of a tree. Raises Unreadable."""
        kind, data = self.read(tree)
        found = []
        at = 0
        while kind == "tree" and at < len(data):
            end = data.find(b"\0", at)
            mode, space, path = data[at : max(end, at)].partition(b" ")
            if not space or path in (b"", b".", b"..", b".git") or b"/" in path or end + 21 > len(data):
                raise Unreadable(f"the tree {tree} is broken")
            found.append(Link(mode.decode("ascii", "replace"), os.fsdecode(path), data[end + 1 : end + 21].hex()))
            at = end + 21
        if kind != "tree":
            raise Unreadable(f"{tree} is no tree")
        return found

    def _loose(self, name: str) -> tuple[str, bytes] | None:
        try:
            packed = read_bytes(f"{self._folder}/{name[:2]}/{name[2:]}", MAX_OBJECT)
        except FileNotFoundError:
            return None
        try:
            data = zlib.decompressobj().decompress(packed, MAX_OBJECT)
        except zlib.error:
            raise Unreadable(f"the object {name} is broken") from None
        head, _, content = data.partition(b"\0")
        return head.partition(b" ")[0].decode("ascii", "replace"), content

    def _packed(self, name: str) -> tuple[str, bytes]:
        wanted = bytes.fromhex(name)
        for pack in self._packs:
            try:
                offset = _find(f"{pack}.idx", wanted)
                if offset is not None:
                    return self._entry(f"{pack}.pack", f"{pack}.idx", offset)
            except (OSError, struct.error, zlib.error, IndexError) as error:
                raise Unreadable(f"the pack {pack} is broken: {error}") from None
        raise Unreadable(f"there is no object {name}")

    def _entry(self, pack: str, index: str, offset: int | None) -> tuple[str, bytes]:
        """Follows deltas to their base, and builds the object from there."""
        changes: list[bytes] = []
        left = MAX_OBJECT
        fd = os.open(pack, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            for _ in range(_MAX_CHAIN):
                if offset is None or offset < 12:
                    raise Unreadable(f"the pack {pack} is broken: a base is missing")
                kind, size, start = _header(fd, offset)
                if kind in _KINDS:
                    data = _inflate(fd, start, size)
                    left = _MAX_MADE
                    for change in reversed(changes):
                        data = _changed(data, change)
                        left -= len(data)
                        if left < 0:
                            raise Unreadable(f"the pack {pack} has a chain of deltas that makes too much")
                    return _KINDS[kind], data
                if kind == _BY_OFFSET:
                    distance, start = _distance(fd, start)
                    base: int | None = offset - distance
                elif kind == _BY_NAME:
                    base, start = _find(index, os.pread(fd, 20, start)), start + 20
                else:
                    raise Unreadable(f"the pack {pack} is broken: kind {kind}")
                left -= size
                if left < 0:
                    raise Unreadable(f"the pack {pack} has a chain of deltas of more than {MAX_OBJECT} bytes")
                changes.append(_inflate(fd, start, size))
                offset = base
        finally:
            os.close(fd)
        raise Unreadable(f"the pack {pack} has a chain of more than {_MAX_CHAIN} deltas")


def _find(index: str, name: bytes) -> int | None:
    """Where a pack has an object, by its index (version 2); None when it has not."""
    fd = os.open(index, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if os.pread(fd, 8, 0) != b"\xfftOc\0\0\0\x02":
            raise Unreadable(f"{index} is an index of another version")
        fan = struct.unpack(">256I", os.pread(fd, 1024, 8))
        low, high, count = fan[name[0] - 1] if name[0] else 0, fan[name[0]], fan[255]
        while low < high:
            middle = (low + high) // 2
            found = os.pread(fd, 20, 1032 + 20 * middle)
            if found == name:
                offset: int = struct.unpack(">I", os.pread(fd, 4, 1032 + 24 * count + 4 * middle))[0]
                if offset & 0x80000000:
                    large = 1032 + 28 * count + 8 * (offset & 0x7FFFFFFF)
                    offset = struct.unpack(">Q", os.pread(fd, 8, large))[0]
                return offset
            low, high = (middle + 1, high) if found < name else (low, middle)
        return None
    finally:
        os.close(fd)


def _header(fd: int, offset: int) -> tuple[int, int, int]:
    """Kind, size and where the content begins."""
    head = os.pread(fd, 16, offset)
    kind, size, shift, at = head[0] >> 4 & 7, head[0] & 15, 4, 0
    while head[at] & 0x80:
        at += 1
        size |= (head[at] & 0x7F) << shift
        shift += 7
    if size > MAX_OBJECT:
        raise Unreadable(f"an object of {size} bytes")
    return kind, size, offset + at + 1


def _distance(fd: int, offset: int) -> tuple[int, int]:
    head = os.pread(fd, 16, offset)
    value, at = head[0] & 0x7F, 0
    while head[at] & 0x80:
        at += 1
        value = (value + 1) << 7 | head[at] & 0x7F
    return value, offset + at + 1


def _inflate(fd: int, offset: int, size: int) -> bytes:
    inflate = zlib.decompressobj()
    parts: list[bytes] = []
    left = size
    while not inflate.eof:
        packed = inflate.unconsumed_tail
        if not packed:
            packed = os.pread(fd, _CHUNK, offset)
            offset += len(packed)
        if not packed:
            break
        parts.append(inflate.decompress(packed, left + 1))
        left -= len(parts[-1])
        if left < 0:
            break
    if left:
        raise Unreadable("an object has another size than it says")
    return b"".join(parts)


def _changed(base: bytes, change: bytes) -> bytes:
    """Applies one delta."""
    from_size, at = _size(change, 0)
    to_size, at = _size(change, at)
    if from_size != len(base) or to_size > MAX_OBJECT:
        raise Unreadable("a delta is for another object")
    parts: list[bytes] = []
    made = 0
    while at < len(change) and made <= to_size:
        code = change[at]
        at += 1
        if code & 0x80:
            start = length = 0
            for bit in range(4):
                if code >> bit & 1:
                    start |= change[at] << 8 * bit
                    at += 1
            for bit in range(3):
                if code >> 4 + bit & 1:
                    length |= change[at] << 8 * bit
                    at += 1
            part = base[start : start + (length or 0x10000)]
        else:
            part = change[at : at + code]
            at += code
        parts.append(part)
        made += len(part)
    if made != to_size:
        raise Unreadable("a delta makes another size than it says")
    return b"".join(parts)


def _size(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
        if shift > 63:
            raise Unreadable("a delta's size is absurd")
