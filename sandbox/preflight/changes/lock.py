"""What the lock file and cargo's own index tell of changes: CS0530, CS0531, CS0532, CS0536 and CS0537."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.preflight.changes.index import Entry, Index
from sandbox.preflight.changes.pairs import commit, compare, dependents, plain
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.packages.places import Places

_NO_ACCEPTED = "no lock state was accepted yet: cargo-sandbox baseline accept"


def swapped(subject: Subject) -> Answer:
    """CS0532: an accepted version whose checksum is another one now."""
    if subject.accepted is None:
        return Answer("swapped", "not done", why=_NO_ACCEPTED)
    found = tuple(
        finding(
            "CS0532", update.new,
            f"its checksum was {update.old.checksum} when it was accepted and is {update.new.checksum} now",
        )
        for update in compare(subject.accepted, subject.locked).swapped
    )  # fmt: skip
    return Answer("swapped", "done", found, looked_at=len(subject.locked))


def graph(subject: Subject) -> Answer:
    """CS0530 and CS0531: what is in the graph and was not accepted so. For audits: in builds it would be noise."""
    if subject.accepted is None:
        return Answer("changes", "not done", why=_NO_ACCEPTED)
    changes = compare(subject.accepted, subject.locked)
    users = dependents(subject.locked)
    found = [finding("CS0530", one, _needed(users.get(one.name, ()))) for one in changes.added if one.source]
    for old, new in changes.updated:
        if new.source is None:
            continue
        moved = ""
        if plain(old.source) != plain(new.source):
            moved = f", from {old.source or 'a path'} instead of {new.source}"
        elif commit(old.source) != commit(new.source):
            moved = f" at commit {commit(old.source)}"
        found.append(finding("CS0531", new, f"{old.version} was accepted{moved}"))
    gone = [f"{one.name} {one.version} is no longer in the graph" for one in changes.removed]
    return Answer("changes", "done", tuple(found), notes=tuple(gone), looked_at=len(subject.locked))


def yanked(subject: Subject) -> Answer:
    """CS0536: versions that their owner, or the registry's, has withdrawn, as far as cargo's index cache knows."""
    entries, answer = _entries(subject, "yanked")
    if answer is not None:
        return answer
    found = [
        finding("CS0536", one, f"cargo's index says that {one.version} was yanked")
        for one, entry in entries.items()
        if entry is not None and entry.yanked
    ]
    return _told("yanked", entries, found, "cargo's index cache does not know")


def fresh(subject: Subject) -> Answer:
    """CS0537: versions that have not been out for as long as the project wants (`[audit] cooldown_days`)."""
    days = subject.wishes.cooldown_days
    if days <= 0:
        return Answer("fresh", "done", notes=("no cooldown is wanted: [audit] cooldown-days",))
    entries, answer = _entries(subject, "fresh")
    if answer is not None:
        return answer
    accepted = {(one.name, one.version, one.checksum) for one in subject.accepted or ()}
    found: list[Finding] = []
    dated: Entries = {}
    for one, entry in entries.items():
        if (one.name, one.version, one.checksum) in accepted:
            continue
        dated[one] = entry if entry is not None and entry.published is not None else None
        if entry is None or entry.published is None:
            continue
        age = (subject.today - entry.published).days
        if age < days:
            when = f"{max(age, 0)} days ago" if age != 1 else "a day ago"
            found.append(finding("CS0537", one, f"published {when} ({entry.published}); {days} days are wanted"))
    answer = _told("fresh", dated, found, "the index gives no date for")
    # A cooldown that nobody can check is none: what has no date may be of today.
    return replace(answer, state="not done", why="; ".join(answer.notes), notes=()) if answer.notes else answer


Entries = dict[LockedPackage, Entry | None]


def _entries(subject: Subject, check: str) -> tuple[Entries, Answer | None]:
    if subject.cargo_home is None:
        return {}, Answer(check, "not done", why="no cargo home is known")
    places = Places(subject.cargo_home, subject.config)
    sources = sorted({one.source for one in subject.locked if one.source})
    entries = _read(tuple((source, places.indexes(source)) for source in sources), subject.locked)
    if entries and not any(entries.values()):
        return {}, Answer(check, "not done", why="cargo's index cache has nothing on these packages")
    return entries, None


@lru_cache(maxsize=1)
def _read(folders: tuple[tuple[str, tuple[str, ...]], ...], locked: tuple[LockedPackage, ...]) -> Entries:
    """Kept, for two checks ask the same."""
    index = Index(dict(folders))
    return {one: index.find(one) for one in locked if one.source and not one.source.startswith("git+")}


def _told(check: str, entries: Entries, found: list[Finding], lacking: str) -> Answer:
    missing = [one for one, entry in entries.items() if entry is None]
    if entries and len(missing) == len(entries):
        return Answer(check, "not done", why=f"{lacking} any of these packages")
    names = ", ".join(f"{one.name} {one.version}" for one in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    notes = (f"{lacking} {names}{more}",) if missing else ()
    return Answer(check, "done", tuple(found), notes=notes, looked_at=len(entries) - len(missing))


def _needed(users: tuple[str, ...]) -> str:
    if not users:
        return "nothing in the graph needs it"
    more = f" and {len(users) - 3} more" if len(users) > 3 else ""
    return f"needed by {', '.join(users[:3])}{more}"
