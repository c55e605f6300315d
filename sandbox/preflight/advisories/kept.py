"""What was read of a database, kept between runs: which packages each OSV record is about (records are named by id, not
by package), and the advisories that were asked for, as they were understood.

It is a help only. What is kept of a file is believed while its inode, size and times are the same; where anything is
broken or can't be written, files are read again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sandbox import __version__
from sandbox.cargo.files import Unreadable, read_bytes
from sandbox.cargo.semver import Version
from sandbox.preflight.advisories.model import Advisory
from sandbox.preflight.advisories.ranges import Span, Versions

_FORM = f"1 {__version__}"
"""The number is to be raised whenever what is kept, or how an advisory or a record is read, changes."""

State = tuple[int, int, int, int]
_MAX_BYTES = 64 << 20


class Entry(NamedTuple):
    """One record: its packages' keys, when it was last changed (ISO 8601, may be empty), why it can't be read."""

    keys: tuple[str, ...] = ()
    date: str = ""
    fault: str = ""


class Kept(NamedTuple):
    """Records and advisories by path, each with the state of its file."""

    records: Mapping[str, tuple[State, Entry]]
    advisories: Mapping[str, tuple[State, tuple[Advisory, ...]]]


def load(top: Path, cache: Path | None) -> Kept:
    """What is kept of the database; nothing when there is none, or it is broken."""
    nothing = Kept({}, {})
    if cache is None:
        return nothing
    try:
        data = json.loads(read_bytes(_place(top, cache), _MAX_BYTES))
        if data["form"] != _FORM:
            return nothing
        return Kept(
            {path: (_state(state), _entry(entry)) for path, (state, entry) in data["records"].items()},
            {path: (_state(state), tuple(map(_advisory, some))) for path, (state, some) in data["advisories"].items()},
        )
    except (FileNotFoundError, Unreadable, RecursionError, ValueError, TypeError, LookupError, AttributeError):
        return nothing


def save(top: Path, cache: Path, kept: Kept) -> None:
    """Keep it, whole or not at all."""
    import tempfile

    fresh = ""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        fd, fresh = tempfile.mkstemp(dir=cache, prefix=".advisories-")
        with os.fdopen(fd, "w", encoding="ascii") as out:
            # In one go: writing in pieces would not use the compiled encoder.
            out.write(json.dumps({"form": _FORM, "records": kept.records, "advisories": kept.advisories}))
        os.replace(fresh, _place(top, cache))
    except OSError:
        if fresh and os.path.exists(fresh):
            os.unlink(fresh)


def _place(top: Path, cache: Path) -> Path:
    return cache / f"advisories-{hashlib.sha256(os.fsencode(top)).hexdigest()[:16]}.json"


def _state(value: Any) -> State:
    inode, size, changed, status = value
    return inode, size, changed, status


def _entry(value: Any) -> Entry:
    keys, day, fault = value
    return Entry(tuple(keys), day, fault)


def _advisory(value: Any) -> Advisory:
    fields = [tuple(item) if isinstance(item, list) else item for item in value]
    spans, listed, inverse = fields[3]
    fields[3] = Versions(
        tuple(
            Span(None if low is None else _version(low), low_in, None if high is None else _version(high), high_in)
            for low, low_in, high, high_in in spans
        ),
        tuple(_version(item) for item in listed),
        inverse,
    )
    return Advisory._make(fields)


def _version(value: Any) -> Version:
    major, minor, patch, release, pre = value
    return Version(major, minor, patch, release, tuple((word, number, text) for word, number, text in pre))
