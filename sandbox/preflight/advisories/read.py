"""Reads of a database what is about the packages of a lock file."""

from __future__ import annotations

from collections.abc import Set
from datetime import date
from pathlib import Path
from typing import NamedTuple

from sandbox.cargo.files import Unreadable, read_text
from sandbox.preflight.advisories import age, database, index, osv, rustsec
from sandbox.preflight.advisories.model import Advisory, name_key


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
    found: list[Advisory] = []
    for file in files:
        try:
            found += _markdown(listing.top, file.path)
        except (FileNotFoundError, Unreadable) as error:
            faults.append(f"{file.path}: {error}")
    records = index.entries(listing, cache)
    for path, entry in records.items():
        if entry.fault:
            faults.append(f"{path}: {entry.fault}")
        elif not keys.isdisjoint(entry.keys):
            try:
                record = osv.parse(read_text(listing.top / path, database.MAX_JSON))
            except (FileNotFoundError, Unreadable) as error:
                faults.append(f"{path}: {error}")
                continue
            found += [item for item in record if name_key(item.package) in keys]
    return Read(place, tuple(found), tuple(faults), age.dated(listing, records.values(), today))


def _markdown(top: Path, path: str) -> tuple[Advisory, ...]:
    advisory = rustsec.parse(read_text(top / path, database.MAX_MARKDOWN))
    _, folder, name = path.split("/")
    if advisory.package != folder:
        raise Unreadable(f"it is about {advisory.package[:80]!r}, by its folder about {folder!r}")
    if name.startswith(f"{rustsec.PLACEHOLDER}.") or advisory.id == rustsec.PLACEHOLDER:
        # A draft; rustsec passes it over too.
        return ()
    if name != f"{advisory.id}.md":
        raise Unreadable(f"its id is {advisory.id[:80]!r}, by its name another")
    return (advisory,)
