"""Which packages each OSV record of a database is about, kept between runs: records are named by id, not by package."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.cargo.files import Unreadable, read_bytes, read_text
from sandbox.preflight.advisories import osv
from sandbox.preflight.advisories.database import MAX_JSON, File, Listing
from sandbox.preflight.advisories.model import name_key, text

_FORM = 1
"""Raised whenever what is kept, or how a record is read, changes."""

_MAX_KEPT = 64 << 20


class Entry(NamedTuple):
    """One record: its packages' keys, when it was last changed (ISO 8601, may be empty), why it can't be read."""

    keys: tuple[str, ...] = ()
    date: str = ""
    fault: str = ""


def entries(listing: Listing, cache: Path | None) -> dict[str, Entry]:
    """Every record by its path. Files whose inode, size and times are as before are not opened.

    What is kept in `cache` lies there under the database's path. It is a help only: where it is broken or can't be
    written, records are read again.
    """
    if not listing.records:
        return {}
    kept = _load(listing.top, cache)
    found: dict[str, Entry] = {}
    fresh = False
    for file in listing.records:
        before = kept.get(file.path)
        if before is not None and before[0] == file.state:
            found[file.path] = before[1]
        else:
            found[file.path] = _read(listing.top, file)
            fresh = True
    if cache is not None and (fresh or len(kept) != len(found)):
        _save(listing, found, cache)
    return found


def _read(top: Path, file: File) -> Entry:
    try:
        data = osv.load(read_text(top / file.path, MAX_JSON))
        if "/" not in file.path and not {"id", "affected"} & data.keys():
            # In the folder itself there may be a repository's own files (package.json and the like).
            return Entry()
        found = osv.read(data)
        day = text(data.get("modified"), "modified")[:10]
    except (FileNotFoundError, Unreadable) as error:
        return Entry(fault=str(error)[:200])
    return Entry(tuple(dict.fromkeys(name_key(item.package) for item in found)), day)


def _place(top: Path, cache: Path) -> Path:
    return cache / f"advisories-{hashlib.sha256(os.fsencode(top)).hexdigest()[:16]}.json"


def _load(top: Path, cache: Path | None) -> dict[str, tuple[tuple[int, ...], Entry]]:
    if cache is None:
        return {}
    try:
        data = json.loads(read_bytes(_place(top, cache), _MAX_KEPT))
        if data["form"] != _FORM:
            return {}
        return {path: (tuple(state), _entry(entry)) for path, (state, entry) in data["files"].items()}
    except (FileNotFoundError, Unreadable, RecursionError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _entry(value: Any) -> Entry:
    keys, day, fault = value
    if not (isinstance(keys, list) and all(isinstance(item, str) for item in (*keys, day, fault))):
        raise TypeError("not an entry")
    return Entry(tuple(keys), day, fault)


def _save(listing: Listing, found: dict[str, Entry], cache: Path) -> None:
    files = {file.path: (file.state, found[file.path]) for file in listing.records}
    fresh = ""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        fd, fresh = tempfile.mkstemp(dir=cache, prefix=".advisories-")
        with os.fdopen(fd, "w", encoding="ascii") as out:
            json.dump({"form": _FORM, "files": files}, out)
        os.replace(fresh, _place(listing.top, cache))
    except OSError:
        if fresh and os.path.exists(fresh):
            os.unlink(fresh)
