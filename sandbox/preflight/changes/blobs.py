"""Data in a package that nobody can read: binary files, and text that is long runs of base64 or hexadecimal. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from sandbox.preflight.packages.contents import Contents, File

BINARY_MIN = 16 << 10
"""Bytes from which on a binary file counts: icons and small fixtures are shorter."""

ENCODED_MIN = 4 << 10
"""Letters of one encoded run, from which on it counts."""

# Pieces of an encoded text, one a line or a literal; which of them belong together is counted, for one expression over
# all of it would take quadratic time on a text that was made for that.
_PIECE = re.compile(rb"[A-Za-z0-9+/_-]{60,}={0,2}")
_BYTE = re.compile(rb"(?:0x[0-9A-Fa-f]{1,2}|\d{1,3})\s{0,2},\s{0,8}|\\x[0-9A-Fa-f]{2}")
_GAP = 12
_PICTURES = {
    b"\x89PNG\r\n": (".png", ".apng"),
    b"\xff\xd8\xff": (".jpg", ".jpeg"),
    b"GIF8": (".gif",),
    b"RIFF": (".webp",),
    b"wOF2": (".woff2",),
    b"wOFF": (".woff",),
    b"\x00\x01\x00\x00\x00": (".ttf",),
    b"OTTO": (".otf",),
    b"%PDF": (".pdf",),
}
"""How pictures, fonts and documents begin, and what their names end with: only both together let one pass."""

_ASIDE = ("tests/", "test/", "benches/", "examples/", "testdata/", "test-data/", "fuzz/", "docs/", "doc/")


class Blob(NamedTuple):
    """A file with opaque data. `aside`: it lies where data for tests and documents does. `replaced`: the old version
    had other data of the kind under the same name."""

    path: str
    size: int
    what: str
    aside: bool
    replaced: bool = False


def newly(old: Contents, new: Contents) -> tuple[Blob, ...]:
    """Opaque data that `new` carries and `old` did not, whatever its name was, the largest first. Where data for tests
    lies, what only took the place of other such data is left out."""
    known = {file.digest for file in old.files.values()}
    found = []
    for path, file in new.files.items():
        if file.digest in known:
            continue
        what = kind(path, file)
        if not what:
            continue
        before = old.files.get(path)
        replaced = before is not None and kind(path, before) == what
        aside = path.startswith(_ASIDE) or "/tests/" in path
        if not (replaced and aside):
            found.append(Blob(path, file.size, what, aside, replaced))
    return tuple(sorted(found, key=lambda blob: (blob.replaced, blob.aside, -blob.size, blob.path)))


def kind(path: str, file: File) -> str:
    """What the opaque data is, in words; empty for a file that people can read, a picture, a font, or a small one."""
    data = file.data
    if is_binary(data):
        return "binary data" if file.size >= BINARY_MIN and not _is_picture(path, data) else ""
    if file.size < ENCODED_MIN:
        return ""
    for pattern, what, gap in ((_PIECE, "encoded text", _GAP), (_BYTE, "a list of bytes", 0)):
        if _longest(pattern, data, gap) >= ENCODED_MIN:
            return what
    return ""


def _is_picture(path: str, data: bytes) -> bool:
    return any(data.startswith(magic) and path.lower().endswith(ends) for magic, ends in _PICTURES.items())


def _longest(pattern: re.Pattern[bytes], data: bytes, gap: int) -> int:
    """Bytes of the longest chain of matches with no more than `gap` bytes between two of them."""
    best = length = 0
    end = -1
    for found in pattern.finditer(data):
        length = (length if end >= 0 and found.start() - end <= gap else 0) + len(found.group())
        end, best = found.end(), max(best, length)
    return best


def is_binary(data: bytes) -> bool:
    """Whether it is no text in UTF-8. All of it counts, for what begins as text may go on as anything."""
    if b"\0" in data:
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that the end cuts is no fault.
        return error.start < len(data) - 3
    return False
