"""The time of a work tree's last commit, from its git directory, without starting git.

A repository can make git run programs (`core.fsmonitor`, hooks); what is needed here is one object. Source of the
forms: git's Documentation/gitformat-pack.txt (pack version 2, index version 2) and gitrepository-layout.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from datetime import UTC, date, datetime
from pathlib import Path

from sandbox.cargo.files import Unreadable, read_bytes, read_text

_REF = re.compile(r"ref: (refs/[A-Za-z0-9._/-]{1,200})")
_HASH = re.compile(r"[0-9a-f]{40}", re.ASCII)
_COMMITTER = re.compile(rb"^committer [^\n]* (\d{1,12}) [+-]\d{4}$", re.MULTILINE)
_MAX_PACKS = 50
_MAX_OBJECT = 64 << 10
_COMMIT = 1
_HEADER = 8
_FANOUT = 1024


def committed(top: Path) -> date | None:
    """The day (UTC) of the commit that HEAD names. None when there is no git directory, or one that is too new, too
    unusual (linked work trees, SHA-256, reftables) or too broken to be read here."""
    git = top / ".git"
    try:
        if git.is_symlink() or not git.is_dir():
            return None
        name = _head(git)
        content = (_loose(git, name) or _packed(git, name)) if name else None
        found = _COMMITTER.search(content.partition(b"\n\n")[0]) if content else None
        return datetime.fromtimestamp(int(found[1]), UTC).date() if found else None
    except (OSError, OverflowError, ValueError, Unreadable, struct.error, zlib.error):
        return None


def _head(git: Path) -> str | None:
    text = read_text(git / "HEAD", 1000).strip()
    ref = _REF.fullmatch(text)
    if ref is None:
        return text if _HASH.fullmatch(text) else None
    if ".." in ref[1]:
        return None
    try:
        text = read_text(git / ref[1], 1000).strip()
    except FileNotFoundError:
        lines = read_text(git / "packed-refs").splitlines()
        text = next((line.partition(" ")[0] for line in lines if line.partition(" ")[2] == ref[1]), "")
    return text if _HASH.fullmatch(text) else None


def _loose(git: Path, name: str) -> bytes | None:
    try:
        content = _inflate(read_bytes(git / "objects" / name[:2] / name[2:], _MAX_OBJECT))
    except FileNotFoundError:
        return None
    kind, _, body = content.partition(b"\0")
    return body if kind.startswith(b"commit ") else None


def _packed(git: Path, name: str) -> bytes | None:
    folder = git / "objects" / "pack"
    wanted = bytes.fromhex(name)
    for index in sorted(folder.glob("*.idx"))[:_MAX_PACKS]:
        fd = os.open(index, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            offset = _offset(fd, wanted)
        finally:
            os.close(fd)
        if offset is not None:
            return _object(index.with_suffix(".pack"), offset)
    return None


def _offset(fd: int, wanted: bytes) -> int | None:
    """Where the object lies in the pack of this index, None if it does not."""
    if os.pread(fd, _HEADER, 0) != b"\xfftOc\0\0\0\2":
        return None
    fanout = struct.unpack(">256I", os.pread(fd, _FANOUT, _HEADER))
    low, high, total = (fanout[wanted[0] - 1] if wanted[0] else 0), fanout[wanted[0]], fanout[255]
    names = _HEADER + _FANOUT
    while low < high:
        middle = (low + high) // 2
        name = os.pread(fd, 20, names + 20 * middle)
        if name == wanted:
            offsets = names + 24 * total
            (offset,) = struct.unpack(">I", os.pread(fd, 4, offsets + 4 * middle))
            if offset & 1 << 31:
                place = offsets + 4 * total + 8 * (offset & (1 << 31) - 1)
                (offset,) = struct.unpack(">Q", os.pread(fd, 8, place))
            return int(offset)
        low, high = (middle + 1, high) if name < wanted else (low, middle)
    return None


def _object(pack: Path, offset: int) -> bytes | None:
    """A commit that is stored whole; git stores the newest so."""
    fd = os.open(pack, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        data = os.pread(fd, _MAX_OBJECT, offset)
    finally:
        os.close(fd)
    start = next((place for place, byte in enumerate(data[:10]) if byte < 0x80), None)
    if start is None or data[0] >> 4 & 7 != _COMMIT:
        return None
    return _inflate(data[start + 1 :])


def _inflate(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, _MAX_OBJECT)
