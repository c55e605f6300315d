"""How old a database is."""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Iterable
from datetime import date, timedelta

from sandbox.cargo.files import Unreadable, read_text
from sandbox.preflight.advisories import gitdir, rustsec
from sandbox.preflight.advisories.database import MAX_MARKDOWN, Listing
from sandbox.preflight.advisories.kept import Entry

_NAME = re.compile(r"RUSTSEC-\d{4}-\d{4,9}\.md", re.ASCII)
_NEWEST = 8
"""So many of the newest advisories are read: ids are given in order, the days on them lie a little apart."""


def dated(listing: Listing, records: Iterable[Entry], today: date) -> tuple[date, str] | None:
    """The day the database is of, and what says so; None where nothing does.

    It is the day of the last commit, if the database is git's work tree and the commit can be read without starting
    git; else the newest day on an advisory. Days to come are not believed: they would keep a database fresh for ever.
    """
    commit = gitdir.committed(listing.top)
    # Somewhere it may be tomorrow already.
    latest = today + timedelta(days=1)
    if commit is not None and commit <= latest:
        return min(commit, today), "its last commit"
    days = [day for entry in records if (day := _day(entry.date)) is not None] + _rustsec(listing)
    days = [min(day, today) for day in days if day <= latest]
    return (max(days), "its newest advisory") if days else None


def _rustsec(listing: Listing) -> list[date]:
    # Ids by year and number; a shorter number is a smaller one.
    names: list[tuple[str, int, str, str]] = []
    for folders in listing.folders.values():
        for folder in folders:
            try:
                inside = os.listdir(f"{listing.top}/crates/{folder}")
            except OSError:
                continue
            names += [
                (name[8:12], len(name), name, folder) for name in inside if len(name) >= 20 and name[:8] == "RUSTSEC-"
            ]
    days = []
    newest = heapq.nlargest(_NEWEST, (entry for entry in names if _NAME.fullmatch(entry[2])))
    for _, _, name, folder in newest:
        try:
            day = _day(rustsec.parse(read_text(f"{listing.top}/crates/{folder}/{name}", MAX_MARKDOWN)).date)
        except (FileNotFoundError, Unreadable):
            continue
        if day is not None:
            days.append(day)
    return days


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written)
    except ValueError:
        return None
