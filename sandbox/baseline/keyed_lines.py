"""A file of JSON lines that have a key each, of which the last one counts. It is read and made anew line by line, since
it may be larger than the memory that we may take."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sandbox.trace import files

_HEAD = b'{"key":"'
_HEAD_MAX = 64 << 10
_DECODER = json.JSONDecoder()


class Place(NamedTuple):
    """Where a line stands: bytes from the beginning, and bytes with its newline."""

    offset: int
    length: int


class Index(NamedTuple):
    """`lines` in all, and the last one of each key."""

    places: dict[str, Place]
    lines: int


def index(fd: int, limit: int) -> Index:
    """The lines of an open file; of one larger than `limit` bytes none. What has no key is passed over. A line that was
    cut off behind its key is still its key's last one: what stood there before is not what it says. Raises OSError."""
    places: dict[str, Place] = {}
    lines = offset = 0
    if os.fstat(fd).st_size > limit:
        return Index(places, 0)
    with open(fd, "rb", closefd=False) as stream:
        stream.seek(0)
        for line in stream:
            if line != b"\n":
                lines += 1
                key = _key(line)
                if key is not None:
                    places[key] = Place(offset, len(line))
            offset += len(line)
    return Index(places, lines)


def read_at(fd: int, place: Place) -> bytes:
    """One line, whose file must not have changed. Raises OSError, also when it has become shorter."""
    parts, offset, left = [], place.offset, place.length
    while left:
        part = os.pread(fd, left, offset)
        if not part:
            raise OSError("the file became shorter while it was read")
        parts.append(part)
        offset += len(part)
        left -= len(part)
    return b"".join(parts)


def whole_lines(fd: int, places: Iterable[Place]) -> Iterator[bytes]:
    """These lines, each with its newline, one at a time. Raises OSError."""
    for place in places:
        line = read_at(fd, place)
        yield line if line.endswith(b"\n") else line + b"\n"


def _key(line: bytes) -> str | None:
    """The key of a line as `files.dump` writes it, key first: no need to parse megabytes for it."""
    if line.startswith(_HEAD):
        try:
            key, _ = _DECODER.raw_decode(line[: len(_HEAD) + _HEAD_MAX].decode("utf-8", "replace"), len(_HEAD) - 1)
        except ValueError:
            return None
    else:
        key = (files.parse_object(line) or {}).get("key")
    return key if isinstance(key, str) else None
