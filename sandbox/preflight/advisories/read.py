"""Reads of a database what is about the packages of a lock file."""

from __future__ import annotations

from collections.abc import Set
from datetime import date
from pathlib import Path
from typing import NamedTuple

from sandbox.cargo.files import Unreadable, read_text
from sandbox.preflight.advisories import age, database, index, kept, osv, rustsec
from sandbox.preflight.advisories.model import Advisory, name_key

_MOST = 5000
"""Most files whose advisories are kept."""


class Read(NamedTuple):
    """The advisories, what could not be read (path and reason), and the day the database is of with what says so."""

    place: Path
    advisories: tuple[Advisory, ...]
    faults: tuple[str, ...]
    dated: tuple[date, str] | None


def read(place: Path, keys: Set[str], cache: Path | None, today: date) -> Read:
    """The advisories on packages with these keys (`name_key`). Raises Unreadable when it is no database.

    A single broken advisory is a fault: it might have been about any of these packages.
    """
    listing = database.look(place)
    files, odd = database.markdown(listing, sorted(keys))
    faults = [*listing.odd, *odd]
    before = kept.load(listing.top, cache)
    records = index.entries(listing, before.records)
    for path, (_, entry) in records.items():
        if entry.fault:
            faults.append(f"{path}: {entry.fault}")
    files += [file for file in listing.records if not keys.isdisjoint(records[file.path][1].keys)]
    read_now: dict[str, tuple[kept.State, tuple[Advisory, ...]]] = {}
    for file in files:
        known = before.advisories.get(file.path)
        same = known is not None and known[0] == file.state
        try:
            read_now[file.path] = known if known is not None and same else (file.state, _file(listing.top, file.path))
        except (FileNotFoundError, Unreadable) as error:
            faults.append(f"{file.path}: {error}")
    after = kept.Kept(records, {**before.advisories, **read_now})
    if cache is not None and after != before:
        # Of other lock files' packages something is kept too, unless it got to be far more than a database holds.
        some = after if len(after.advisories) <= _MOST else kept.Kept(records, read_now)
        kept.save(listing.top, cache, some)
    found = tuple(one for _, some in read_now.values() for one in some if name_key(one.package) in keys)
    return Read(place, found, tuple(faults), age.dated(listing, (entry for _, entry in records.values()), today))


def _file(top: Path, path: str) -> tuple[Advisory, ...]:
    if path.endswith(".json"):
        return osv.parse(read_text(f"{top}/{path}", database.MAX_JSON))
    advisory = _markdown(top, path)
    # A draft; rustsec passes it over too.
    return () if advisory.id == rustsec.PLACEHOLDER else (advisory,)


def _markdown(top: Path, path: str) -> Advisory:
    advisory = rustsec.parse(read_text(f"{top}/{path}", database.MAX_MARKDOWN))
    _, folder, name = path.split("/")
    if advisory.package != folder:
        raise Unreadable(f"it is about {advisory.package[:80]!r}, by its folder about {folder!r}")
    if name != f"{advisory.id}.md" and not name.startswith(f"{rustsec.PLACEHOLDER}."):
        raise Unreadable(f"its id is {advisory.id[:80]!r}, by its name another")
    return advisory
