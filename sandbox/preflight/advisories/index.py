"""Which packages each OSV record of a database is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sandbox.cargo.files import Unreadable, read_text
from sandbox.preflight.advisories import osv
from sandbox.preflight.advisories.database import MAX_JSON, File, Listing
from sandbox.preflight.advisories.kept import Entry, State
from sandbox.preflight.advisories.model import name_key, text


def entries(listing: Listing, kept: Mapping[str, tuple[State, Entry]]) -> dict[str, tuple[State, Entry]]:
    """Every record by its path. Files that are as they were when they were `kept` are not opened."""
    found: dict[str, tuple[State, Entry]] = {}
    for file in listing.records:
        before = kept.get(file.path)
        same = before is not None and before[0] == file.state
        found[file.path] = before if before is not None and same else (file.state, _read(listing.top, file))
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
