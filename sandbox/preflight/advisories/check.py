"""The check: what advisory databases know of the packages in the lock file."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.cargo.files import Unreadable
from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.preflight.advisories import database, ignoring, words
from sandbox.preflight.advisories.matching import is_crates_io, match
from sandbox.preflight.advisories.model import Advisory, name_key
from sandbox.preflight.advisories.read import Read, read
from sandbox.preflight.model import Answer, Check, Subject, finding

_NAMED = 10
"""So many things of a kind are named one by one."""


def run(subject: Subject) -> Answer:
    """Findings CS0550 to CS0556. "not done" without a database, and also, beside findings, where a part of it that
    may concern the lock file could not be read."""
    ours = [package for package in subject.locked if is_crates_io(package.source)]
    places = database.places(subject.wishes.advisory_db, subject.env, subject.cargo_home, subject.cache)
    if not places:
        return _answer(ours, why=f"there is no advisory database: {database.HOW}")
    faults: list[str] = []
    reads: list[Read] = []
    keys = {name_key(package.name) for package in subject.locked}
    for place in places:
        try:
            reads.append(read(place, keys, subject.cache, subject.today))
        except Unreadable as error:
            faults.append(f"the advisory database {place} can't be used: {error}")
    faults += [
        f"{len(item.faults)} of {item.place} can't be read: {_some(item.faults)}" for item in reads if item.faults
    ]

    known: dict[str, list[Advisory]] = {}
    for item in reads:
        for advisory in item.advisories:
            known.setdefault(name_key(advisory.package), []).append(advisory)
    matched = match(subject.locked, known)
    if matched.unreadable:
        names = [f"{package.name} {package.version}" for package in matched.unreadable]
        faults.append(f"the version of packages that have advisories can't be read: {_some(names)}")
    held, notes, findings = ignoring.apply(
        matched.hits, subject.wishes.advisories, subject.today, whole=not faults and bool(reads)
    )
    faults += [f"nothing tells how old the advisory database {item.place} is" for item in reads if not item.dated]
    dates = [_dated(item, subject) for item in reads]
    told = [words.elsewhere(package, advisory) for package, advisory in matched.elsewhere]
    if len(told) > _NAMED:
        told[_NAMED:] = [f"{len(told) - _NAMED} more packages from elsewhere bear names that have advisories"]
    return _answer(
        ours,
        findings=(*(words.hit(hit) for hit in held), *(late for _, late in dates if late), *findings),
        why="; ".join(faults),
        notes=(*(note for note, _ in dates if note), *notes, *told),
    )


def _dated(item: Read, subject: Subject) -> tuple[str, Finding | None]:
    """A note on the database's age, and the finding if it is too old."""
    if item.dated is None:
        return "", None
    day, by = item.dated
    age = (subject.today - day).days
    limit = subject.wishes.max_age_days
    note = f"the advisory database {item.place} is of {day} ({by}), {age} day{'s' * (age != 1)} ago"
    if age <= limit:
        return note, None
    # One that only lies in its usual place nobody promised to keep fresh; a build need not speak of it.
    asked = subject.wishes.advisory_db or subject.env.get(database.VARIABLE)
    detail = f"{note}; {limit} are allowed"
    return note, finding("CS0555", None, detail, subject=str(item.place), severity=None if asked else "low")


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return "; ".join(items[:_NAMED]) + more


def _answer(
    ours: Sequence[LockedPackage], *, findings: tuple[Finding, ...] = (), why: str = "", notes: tuple[str, ...] = ()
) -> Answer:
    return Answer(
        check=CHECK.name, state="not done" if why else "done", findings=findings, why=why, notes=notes,
        looked_at=len(ours),
    )  # fmt: skip


CHECK = Check("advisories", "known vulnerable, malicious and unmaintained packages", run, fast=True)
