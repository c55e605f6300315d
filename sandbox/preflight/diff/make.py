"""Makes the comparison: which packages changed, what of them runs at build time, who brought them."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.baseline.store import Stores
from sandbox.cargo import lockfile
from sandbox.cargo.lockfile import LockedPackage
from sandbox.errors import WorkspaceError
from sandbox.judge.model import SEVERITIES
from sandbox.preflight.changes import blobs
from sandbox.preflight.changes.content import FEW_LINES, Sides, read
from sandbox.preflight.changes.lines import changed_code, diff
from sandbox.preflight.changes.pairs import Changes, Update, compare, dependents, new_needs, plain
from sandbox.preflight.diff.behaviour import differences
from sandbox.preflight.diff.model import GROUPS, UNKNOWN, Change, Danger, LockDiff, severity_of
from sandbox.preflight.names.known import known
from sandbox.preflight.names.lookalike import is_known, well_known
from sandbox.preflight.packages.card import Card
from sandbox.preflight.packages.contents import Contents
from sandbox.preflight.packages.find import Packages
from sandbox.preflight.packages.scripts import build_files

MAX_READ = 400
"""Packages whose files are read; of the others it is told that they were not."""

MAX_BY = 10


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


class _Maker:
    def __init__(
        self, changes: Changes, before: tuple[LockedPackage, ...], after: tuple[LockedPackage, ...],
        packages: Packages, stores: Stores,
    ) -> None:  # fmt: skip
        self._changes, self._stores = changes, stores
        self._had = {one.name for one in before}
        self._users = dependents(after)
        self._packages = packages
        self._left = MAX_READ
        self._unread: list[str] = []
        self._new = {f"{one.name} {one.version}": one for one in changes.added}
        self._sides = {f"{one.new.name} {one.new.version}": self._read_both(one) for one in changes.updated}
        self._lines = {who: _lines(sides) for who, sides in self._sides.items()}

    def make(self, names: tuple[str, str]) -> LockDiff:
        changes = self._changes
        made = [self._added(one) for one in changes.added]
        made += [self._swapped(one) for one in changes.swapped]
        made += [self._updated(who, sides) for who, sides in self._sides.items()]
        made += [
            Change("removed", one.name, one.version, "", severity_of("removed"), source=one.source or "")
            for one in changes.removed
        ]
        order = {group.danger: at for at, group in enumerate(GROUPS)}
        # Within a kind: the graver first, then what is known to run code before what may.
        made.sort(key=lambda one: (order[one.danger], -_rank(one), one.runs == UNKNOWN, one.name, one.after))
        unread = sorted(set(self._unread))
        more = f" and {len(unread) - 10} more" if len(unread) > 10 else ""
        notes = (f"the files of {', '.join(unread[:10])}{more} are not on this machine",) if unread else ()
        return LockDiff(*names, tuple(made), notes)

    def _added(self, package: LockedPackage) -> Change:
        by = self._users.get(package.name, ())[:MAX_BY]
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
        found: dict[str, tuple[str, int | None, str]] = {}
        seen, waiting = {package.name}, [package.name]
        while waiting:
            name = waiting.pop()
            for who in self._users.get(name, ()):
                parent = who.partition(" ")[0]
                sides = self._sides.get(who)
                if sides is not None and _gained(sides, name):
                    lines, old = self._lines[who], sides.update.old.version
                    size = "its files are not here to see what else changed" if lines is None else _count(lines)
                    if (lines is not None and lines <= FEW_LINES) or (lines is None and sides.update.patch):
                        found[who] = who, lines, f"needs {name}, and {old} did not: {size}"
                elif who in self._new and parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        return [found[who] for who in sorted(found)]

    def _swapped(self, update: Update) -> Change:
        found = self._read(update.new)
        return Change(
            "swapped", update.new.name, update.old.version, update.new.version, severity_of("swapped"),
            runs=found[1].brings if found else UNKNOWN, source=update.new.source or "",
            why=(f"the checksum was {update.old.checksum}, it is {update.new.checksum}",),
        )  # fmt: skip

    def _updated(self, who: str, sides: Sides) -> Change:
        old, new = sides.update
        gained = tuple(name for name in new_needs(sides.update) if name not in self._had)
        why = [f"it needs {', '.join(gained)}, which is new"] if gained else []
        if plain(old.source) != plain(new.source):
            why.append(f"it comes from {new.source or 'a path'}, and came from {old.source or 'a path'}")
        runs = sides.new[1].brings if sides.new else UNKNOWN if new.source else ""
        script = _script_diff(sides)
        danger: Danger = "updated"
        if sides.old is not None and sides.new is not None:
            why += _said(sides)
            gains = sides.new[1].runs_code and not sides.old[1].runs_code
            danger = "gained-code" if gains else "changed-code" if script else "updated"
        elif runs == UNKNOWN:
            danger = "changed-code"
            why.append("whether it runs code at build time is not known")
        elif runs:
            danger = "changed-code"
            why.append(f"the files of {old.version} are not here to compare its build-time code with")
        return Change(
            danger, new.name, old.version, new.version, severity_of(danger), runs=runs, source=new.source or "",
            lines=self._lines[who], gained=gained, by=self._users.get(new.name, ())[:MAX_BY], why=tuple(why),
            script=script, behaviour=differences(self._stores, old, new),
        )  # fmt: skip

    def _read_both(self, update: Update) -> Sides:
        if update.new.source is None:
            return Sides(update, None, None)
        return Sides(update, self._read(update.old), self._read(update.new))

    def _read(self, package: LockedPackage) -> tuple[Contents, Card] | None:
        self._left -= 1
        found = read(self._packages, package) if self._left >= 0 else None
        if found is None:
            self._unread.append(f"{package.name} {package.version}")
        return found


def _gained(sides: Sides, name: str) -> bool:
    """Whether an update from elsewhere brought the dependency. What the old version could need already, by a feature
    that was off, did not come with it."""
    could = sides.old[1].needs if sides.old else frozenset()
    return bool(sides.update.new.source) and name in new_needs(sides.update) and name not in could


def _count(lines: int) -> str:
    return "no line of code changed" if not lines else f"{lines} line{'s' * (lines > 1)} of code changed"


def _lines(sides: Sides) -> int | None:
    return changed_code(sides.old[0], sides.new[0]) if sides.old and sides.new else None


def _script_diff(sides: Sides) -> tuple[str, ...]:
    """Of the files that run at build time in either version, where both are here."""
    if sides.old is None or sides.new is None or not sides.new[1].runs_code:
        return ()
    paths = {*build_files(*sides.old), *build_files(*sides.new)}
    return diff(sides.old[0], sides.new[0], sorted(paths)[:50])


def _said(sides: Sides) -> list[str]:
    """What else a reviewer should know of an update whose files are here in both versions."""
    if sides.old is None or sides.new is None:
        return []
    (old, was), (new, now) = sides.old, sides.new
    said = []
    if was.repository and not now.repository:
        said.append(f"it no longer names its repository ({was.repository[:200]})")
    elif was.repository != now.repository and was.repository:
        said.append(f"its repository was {was.repository[:200]} and is {now.repository[:200]}")
    for blob in blobs.newly(old, new)[:5]:
        said.append(f"it has come to carry {blob.path[:200]}: {blob.what}, {blob.size} bytes")
    return said


def _rank(change: Change) -> int:
    return SEVERITIES.index(change.severity)


def _locked(path: Path) -> tuple[LockedPackage, ...]:
    if not os.path.exists(path):
        raise WorkspaceError(f"there is no lock file {path}", file=str(path), hint="name two Cargo.lock files")
    return lockfile.read(path)
