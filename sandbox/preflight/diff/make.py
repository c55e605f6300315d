"""Makes the comparison: which packages changed, what of them runs at build time, who brought them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from sandbox.baseline.store import Stores
from sandbox.cargo import lockfile
from sandbox.cargo.lockfile import LockedPackage
from sandbox.errors import WorkspaceError
from sandbox.judge.model import SEVERITIES
from sandbox.preflight.changes import blobs
from sandbox.preflight.changes.content import FEW_LINES, read
from sandbox.preflight.changes.lines import changed_code, changed_files, diff
from sandbox.preflight.changes.pairs import Changes, Update, compare, new_needs, plain, users
from sandbox.preflight.diff.behaviour import differences
from sandbox.preflight.diff.model import GROUPS, UNKNOWN, Change, Danger, LockDiff, severity_of
from sandbox.preflight.names.known import known
from sandbox.preflight.names.lookalike import is_known, well_known
from sandbox.preflight.packages.card import Card
from sandbox.preflight.packages.contents import Contents
from sandbox.preflight.packages.find import ABSENT, Packages
from sandbox.preflight.packages.scripts import build_files
from sandbox.preflight.sources.source import clip

MAX_READ = 400
"""Packages whose files are read; of the others it is told that they were not."""

MAX_BY = 10
MAX_NAMED = 10
"""Packages that a note names."""

MAX_FILES = 50
"""Changed files of one package whose diff is shown."""


def run(old: Path, new: Path, packages: Packages, stores: Stores | None = None) -> LockDiff:
    """Compare two lock files. Raises WorkspaceError for one that is missing or broken."""
    before, after = _locked(old), _locked(new)
    return of(before, after, packages, stores, names=(str(old), str(new)))


def of(
    before: tuple[LockedPackage, ...],
    after: tuple[LockedPackage, ...],
    packages: Packages,
    stores: Stores | None = None,
    names: tuple[str, str] = ("", ""),
) -> LockDiff:
    """As `run`, of what was read."""
    return _Maker(compare(before, after), before, after, packages, stores or Stores()).make(names)


class _Compared(NamedTuple):
    """What is kept of an update: never the files, which are large. `old` and `new` are None, and the rest is empty,
    where the files could not be read; `changed` says whether its build-time code differs."""

    update: Update
    old: Card | None = None
    new: Card | None = None
    lines: int | None = None
    changed: bool = False
    script: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


class _Maker:
    def __init__(
        self, changes: Changes, before: tuple[LockedPackage, ...], after: tuple[LockedPackage, ...],
        packages: Packages, stores: Stores,
    ) -> None:  # fmt: skip
        self._changes, self._stores = changes, stores
        self._had = {one.name for one in before}
        self._users = users(after)
        self._packages = packages
        self._left = MAX_READ
        self._over = 0
        self._unread: dict[LockedPackage, str] = {}
        self._new = frozenset(changes.added)
        self._compared = {one.new: self._compare(one) for one in changes.updated}

    def make(self, names: tuple[str, str]) -> LockDiff:
        changes = self._changes
        made = [self._added(one) for one in changes.added]
        made += [self._swapped(one) for one in changes.swapped]
        made += [self._updated(one) for one in self._compared.values()]
        made += [
            Change("removed", one.name, one.version, "", severity_of("removed"), source=one.source or "")
            for one in changes.removed
        ]
        order = {group.danger: at for at, group in enumerate(GROUPS)}
        # Within a kind: the graver first, then what is known to run code before what may.
        made.sort(key=lambda one: (order[one.danger], -_rank(one), one.runs == UNKNOWN, one.name, one.after))
        return LockDiff(*names, tuple(made), self._notes())

    def _notes(self) -> tuple[str, ...]:
        """What was not looked at, and why: nothing of it is called harmless."""
        absent = sorted({f"{one.name} {one.version}" for one, why in self._unread.items() if why == ABSENT})
        broken = sorted({f"{one.name} {one.version}: {why}" for one, why in self._unread.items() if why != ABSENT})
        more = f" and {len(absent) - MAX_NAMED} more" if len(absent) > MAX_NAMED else ""
        notes = [f"the files of {', '.join(absent[:MAX_NAMED])}{more} are not on this machine"] if absent else []
        notes += broken[:MAX_NAMED]
        if len(broken) > MAX_NAMED:
            notes.append(f"{len(broken) - MAX_NAMED} more packages can't be read")
        if self._over:
            notes.append(f"{self._over} more packages were not looked into: it is done for {MAX_READ} at most")
        return tuple(notes)

    def _added(self, package: LockedPackage) -> Change:
        by = self._by(package.name)
        if package.source is None:
            here = ("it lies in the workspace",)
            return Change("new", package.name, "", package.version, severity_of("new"), by=by, why=here)
        found = self._read(package)
        runs = found[1].brings if found else UNKNOWN
        danger: Danger = "new-code" if runs else "new"
        severity = severity_of(danger)
        strange = not is_known(package, known())
        like = well_known().find(package.name) if strange else None
        why = [like.sentence(package.name)] if like else []
        if like is not None and like.severity == "high":
            danger, severity = "new-code", "high"
        for who, lines, sentence in self._bringers(package) if runs else ():
            danger = "smuggled"
            sure = strange and lines is not None and runs != UNKNOWN
            severity = "high" if sure or severity == "high" else "medium"
            why.append(f"{who} {sentence}")
        script = diff(None, found[0], build_files(*found)[:5]) if found and found[1].script else ()
        return Change(
            danger, package.name, "", package.version, severity, runs=runs, source=package.source, by=by,
            why=tuple(why), script=script,
        )  # fmt: skip

    def _bringers(self, package: LockedPackage) -> list[tuple[str, int | None, str]]:
        """Updates that changed little else and through which the new package came, over other new ones too: who, how
        many lines of code changed (None: not known), and that in words."""
        found: dict[LockedPackage, tuple[str, int | None, str]] = {}
        seen, waiting = {package.name}, [package.name]
        while waiting:
            name = waiting.pop()
            for who in self._users.get(name, ()):
                one = self._compared.get(who)
                if one is not None and _gained(one, name):
                    lines, patch = one.lines, one.update.patch
                    size = "its files are not here to see what else changed" if lines is None else _count(lines)
                    if (lines is not None and lines <= FEW_LINES) or (lines is None and patch):
                        sentence = f"needs {name}, and {one.update.old.version} did not: {size}"
                        found[who] = f"{who.name} {who.version}", lines, sentence
                elif who in self._new and who.name not in seen:
                    seen.add(who.name)
                    waiting.append(who.name)
        return sorted(found.values(), key=lambda item: item[0])

    def _swapped(self, update: Update) -> Change:
        found = self._read(update.new)
        return Change(
            "swapped", update.new.name, update.old.version, update.new.version, severity_of("swapped"),
            runs=found[1].brings if found else UNKNOWN, source=update.new.source or "",
            why=(f"the checksum was {update.old.checksum}, it is {update.new.checksum}",),
        )  # fmt: skip

    def _updated(self, one: _Compared) -> Change:
        old, new = one.update
        gained = tuple(name for name in new_needs(one.update) if name not in self._had)
        why = [f"it needs {', '.join(gained)}, which is new"] if gained else []
        if plain(old.source) != plain(new.source):
            why.append(f"it comes from {new.source or 'a path'}, and came from {old.source or 'a path'}")
        runs = one.new.brings if one.new else UNKNOWN if new.source else ""
        danger: Danger = "updated"
        if one.old is not None and one.new is not None:
            why += one.said
            gains = one.new.runs_code and not one.old.runs_code
            danger = "gained-code" if gains else "changed-code" if one.changed else "updated"
        elif runs == UNKNOWN:
            danger = "changed-code"
            why.append("whether it runs code at build time is not known")
        elif runs:
            danger = "changed-code"
            why.append(f"the files of {old.version} are not here to compare its build-time code with")
        return Change(
            danger, new.name, old.version, new.version, severity_of(danger), runs=runs, source=new.source or "",
            lines=one.lines, gained=gained, by=self._by(new.name), why=tuple(why), script=one.script,
            behaviour=differences(self._stores, old, new),
        )  # fmt: skip

    def _by(self, name: str) -> tuple[str, ...]:
        return tuple(sorted(f"{who.name} {who.version}" for who in self._users.get(name, ())))[:MAX_BY]

    def _compare(self, update: Update) -> _Compared:
        """Reads both versions, and lets their files go when they are compared."""
        if update.new.source is None:
            return _Compared(update)
        old, new = self._read(update.old), self._read(update.new)
        if old is None or new is None:
            return _Compared(update, old[1] if old else None, new[1] if new else None)
        return _Compared(update, old[1], new[1], changed_code(old[0], new[0]), *_script_diff(old, new), _said(old, new))

    def _read(self, package: LockedPackage) -> tuple[Contents, Card] | None:
        if not self._left:
            self._over += 1
            return None
        self._left -= 1
        found = read(self._packages, package)
        if found is None:
            self._unread[package] = clip(self._packages.why(package))
        return found


def _gained(one: _Compared, name: str) -> bool:
    """Whether an update from elsewhere brought the dependency. What the old version could need already, by a feature
    that was off, did not come with it."""
    could = one.old.needs if one.old else frozenset()
    return bool(one.update.new.source) and name in new_needs(one.update) and name not in could


def _count(lines: int) -> str:
    return "no line of code changed" if not lines else f"{lines} line{'s' * (lines > 1)} of code changed"


def _script_diff(old: tuple[Contents, Card], new: tuple[Contents, Card]) -> tuple[bool, tuple[str, ...]]:
    """Whether any of the files differs that run at build time in either version, and what can be shown of that."""
    if not new[1].runs_code:
        return False, ()
    changed = changed_files(old[0], new[0], (*build_files(*old), *build_files(*new)))
    more = (f"… {len(changed) - MAX_FILES} more files changed",) if len(changed) > MAX_FILES else ()
    return bool(changed), (*diff(old[0], new[0], changed[:MAX_FILES]), *more)


def _said(old: tuple[Contents, Card], new: tuple[Contents, Card]) -> tuple[str, ...]:
    """What else a reviewer should know of an update whose files are here in both versions."""
    was, now = old[1].repository, new[1].repository
    said = []
    if was and not now:
        said.append(f"it no longer names its repository ({was[:200]})")
    elif was != now and was:
        said.append(f"its repository was {was[:200]} and is {now[:200]}")
    for blob in blobs.newly(old[0], new[0])[:5]:
        how = "has other data than before in" if blob.replaced else "has come to carry"
        said.append(f"it {how} {blob.path[:200]}: {blob.what}, {blob.size} bytes")
    return tuple(said)


def _rank(change: Change) -> int:
    return SEVERITIES.index(change.severity)


def _locked(path: Path) -> tuple[LockedPackage, ...]:
    if not os.path.exists(path):
        raise WorkspaceError(f"there is no lock file {path}", file=str(path), hint="name two Cargo.lock files")
    return lockfile.read(path)
