"""Two states of a lock file, package by package: what came, what went, what became another version. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sandbox.cargo import semver
from sandbox.cargo.lockfile import LockedPackage

Locked = tuple[LockedPackage, ...]


class Update(NamedTuple):
    """A package in its accepted version and the one that replaces it."""

    old: LockedPackage
    new: LockedPackage

    @property
    def patch(self) -> bool:
        """Whether it is the smallest kind of update: nobody looks twice at it."""
        return semver.is_patch(self.old.version, self.new.version)


class Changes(NamedTuple):
    """From one state to another, each in order of name and version. `swapped`: the same version of the same source
    with another checksum, which no honest registry makes. Packages of the workspace itself (without source) count
    too."""

    added: Locked
    removed: Locked
    updated: tuple[Update, ...]
    swapped: tuple[Update, ...]

    @property
    def any(self) -> bool:
        """Whether anything differs."""
        return any(self)


def plain(source: str | None) -> str:
    """Where a package comes from, without the revision; empty for a path. Both of crates.io's indexes are one."""
    text = (source or "").partition("#")[0].partition("?")[0]
    return (
        "registry+https://github.com/rust-lang/crates.io-index" if text.endswith("+https://index.crates.io/") else text
    )


def commit(source: str | None) -> str:
    """The commit that a git source is fixed to; empty for another source."""
    return source.rpartition("#")[2] if source and source.startswith("git+") and "#" in source else ""


def compare(old: Iterable[LockedPackage], new: Iterable[LockedPackage]) -> Changes:
    """The changes. Of several versions of a name each new one is paired with the nearest that is gone."""
    before, after = _by_identity(old), _by_identity(new)
    swapped, gone, come = [], [], []
    for key, package in after.items():
        known = before.get(key)
        if known is None:
            come.append(package)
        elif known.checksum and package.checksum and known.checksum != package.checksum:
            swapped.append(Update(known, package))
        elif commit(known.source) != commit(package.source):
            # Another commit of the same version.
            gone.append(known)
            come.append(package)
    gone += [package for key, package in before.items() if key not in after]
    updated, added, removed = _pair(gone, come)
    return Changes(_sorted(added), _sorted(removed), tuple(sorted(updated, key=_key_of_update)), tuple(swapped))


def new_needs(update: Update) -> tuple[str, ...]:
    """Names that the new version depends on and the old one did not, as the lock files say."""
    before = {reference.partition(" ")[0] for reference in update.old.dependencies}
    after = (reference.partition(" ")[0] for reference in update.new.dependencies)
    return tuple(sorted({name for name in after if name not in before}))


def users(locked: Iterable[LockedPackage]) -> dict[str, Locked]:
    """Who needs a package of some name."""
    found: dict[str, list[LockedPackage]] = {}
    for package in locked:
        for name in dict.fromkeys(reference.partition(" ")[0] for reference in package.dependencies):
            found.setdefault(name, []).append(package)
    return {name: tuple(those) for name, those in found.items()}


def dependents(locked: Iterable[LockedPackage]) -> dict[str, tuple[str, ...]]:
    """As `users`, in words: `NAME VERSION`, sorted."""
    return {name: tuple(sorted(f"{one.name} {one.version}" for one in those)) for name, those in users(locked).items()}


def _by_identity(packages: Iterable[LockedPackage]) -> dict[tuple[str, str, str], LockedPackage]:
    return {(one.name, one.version, plain(one.source)): one for one in packages}


def _pair(gone: list[LockedPackage], come: list[LockedPackage]) -> tuple[list[Update], Locked, Locked]:
    """The same name and source first; then the same name from another source."""
    updates: list[Update] = []
    left = {id(one): one for one in gone}
    waiting = sorted(come, key=_key)
    for same_source in (True, False):
        still = []
        by_name: dict[str, list[LockedPackage]] = {}
        for one in left.values():
            by_name.setdefault(one.name, []).append(one)
        for package in waiting:
            those = [
                one
                for one in by_name.get(package.name, ())
                if id(one) in left and (not same_source or plain(one.source) == plain(package.source))
            ]
            if not those:
                still.append(package)
                continue
            nearest = _nearest(those, package.version)
            del left[id(nearest)]
            updates.append(Update(nearest, package))
        waiting = still
    return updates, tuple(waiting), tuple(left.values())


def _nearest(those: list[LockedPackage], version: str) -> LockedPackage:
    """The highest that is not above the version, else the lowest."""
    ordered = sorted(those, key=_key)
    below = [one for one in ordered if semver.key(one.version) <= semver.key(version)]
    return below[-1] if below else ordered[0]


def _key(package: LockedPackage) -> tuple[str, tuple[bool, semver.Version, str], str]:
    return package.name, semver.key(package.version), plain(package.source)


def _key_of_update(update: Update) -> tuple[str, tuple[bool, semver.Version, str], str]:
    return _key(update.new)


def _sorted(packages: Iterable[LockedPackage]) -> Locked:
    return tuple(sorted(packages, key=_key))
