"""Seals: what a unit's outputs looked like when it ended, in the text form that `guard seals` reads.

One line an output: `ino<TAB>size<TAB>mtime_ns<TAB>ctime_ns<TAB>sha256 or -<TAB>path`. In a path a backslash, a control
character and every byte that is not UTF-8 are written as `\\xHH`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from sandbox.errors import SandboxError
from sandbox.trace.texts import Text, text

_ESCAPED = re.compile(r"[\x00-\x1f\\\x7f\udc80-\udcff]")
_DIGEST = re.compile("[0-9a-f]{64}|-")
_NUMBER = re.compile(rb"-?[0-9]+")
_UNESCAPED = re.compile(rb"\\x([0-9a-fA-F]{2})")
_TIMEOUT_S = 600.0

What = Literal["changed", "missing"]


class SealError(SandboxError):
    """The seals could not be checked: the guard is missing or failed. Nothing may be believed then."""

    exit_code = 121


class SealBreak(NamedTuple):
    """An output that is no longer what its unit left. `path` may hold undecodable bytes (surrogateescape)."""

    key: str
    path: str
    what: What


class SealCheck(NamedTuple):
    """What a check found: broken seals, and the new times of outputs (by escaped path) that hold all the same, as they
    stand in a seal: mtime, tab, ctime."""

    broken: list[SealBreak]
    moved: dict[str, str]


def seal_text(outputs: Iterable[Mapping[str, Any]]) -> str:
    """The seals of a unit from the `outputs` of its end record; what is malformed there raises ValueError."""
    lines = []
    for output in outputs:
        try:
            ino, size, mtime, ctime = (int(output[name]) for name in ("ino", "size", "mtime_ns", "ctime_ns"))
            digest, path = output.get("sha256") or "-", escape(output["path"])
            path.encode()
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"an output of a unit is malformed: {error!r}") from error
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"an output of a unit has a malformed digest: {digest!r}")
        lines.append(f"{ino}\t{size}\t{mtime}\t{ctime}\t{digest}\t{path}\n")
    return "".join(lines)


def escape(path: Text) -> str:
    """A path as it is stored in records, in the escaped form. Raises ValueError if it is no string of a record."""
    plain = text(path)
    if not plain:
        raise ValueError("no path")
    return _ESCAPED.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", plain)


def unescape(path: bytes) -> str:
    """The inverse of `escape`, with surrogateescape for bytes that are not UTF-8."""
    return _UNESCAPED.sub(lambda match: bytes((int(match[1], 16),)), path).decode("utf-8", "surrogateescape")


def with_times(seals: str, moved: Mapping[str, str]) -> str:
    """The seals of a unit with new times (by escaped path; mtime, tab, ctime) in place of the old ones."""
    lines = seals.split("\n")
    for index, line in enumerate(lines):
        fields = line.split("\t")
        if fields[-1] in moved:
            fields[2:4] = moved[fields[-1]].split("\t")
            lines[index] = "\t".join(fields)
    return "\n".join(lines)


def check_seals(guard: Path | str, seals: Mapping[str, str], linked: Container[str] = ()) -> SealCheck:
    """Let `guard seals` compare the files with the seals (text by key). Raises SealError."""
    lines = "".join(seals.values()).encode()
    if not lines:
        return SealCheck([], {})
    import subprocess

    command = [str(guard), "seals"]
    try:
        done = subprocess.run(command, input=lines, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SealError(f"the seals of the build's outputs can't be checked: {error}") from error
    if done.returncode:
        words = done.stderr[:400].decode("utf-8", "backslashreplace").strip() or f"status {done.returncode}"
        raise SealError(f"the seals of the build's outputs can't be checked: {guard} seals: {words}")
    broken: dict[str, What] = {}
    moved: dict[str, str] = {}
    for line in done.stdout.split(b"\n")[:-1]:
        what, _, path = line.partition(b"\t")
        word, *times = what.split(b" ")
        if word in (b"moved", b"linked") and path and len(times) == 2 and all(map(_NUMBER.fullmatch, times)):
            if word == b"moved" or unescape(path) in linked:
                moved[path.decode()] = b"\t".join(times).decode()
            else:
                broken[unescape(path)] = "changed"
            continue
        if what not in (b"changed", b"missing") or not path:
            raise SealError(f"{guard} seals gave an answer that is not understood: {line[:80]!r}")
        broken[unescape(path)] = cast(What, what.decode())
    return SealCheck(_owners(broken, seals) if broken else [], moved)


def _owners(broken: Mapping[str, What], seals: Mapping[str, str]) -> list[SealBreak]:
    found = []
    for key, lines in seals.items():
        for line in lines.split("\n")[:-1]:
            path = unescape(line.rpartition("\t")[2].encode())
            if path in broken:
                found.append(SealBreak(key, path, broken[path]))
    if len({item.path for item in found}) < len(broken):
        raise SealError("the guard reports a broken seal that was not asked for")
    return found
