"""Which advisories are about which locked packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sandbox.cargo import semver
from sandbox.cargo.lockfile import LockedPackage
from sandbox.preflight.advisories.model import KINDS, Advisory, name_key
from sandbox.preflight.sources.source import parse

_RUSTSEC = "RUSTSEC-"


class Hit(NamedTuple):
    """A package and what is known of it: advisories that are one and the same by their aliases, the worst first."""

    package: LockedPackage
    advisories: tuple[Advisory, ...]

    @property
    def names(self) -> frozenset[str]:
        """Every id and alias, in lower case."""
        return frozenset(name.lower() for item in self.advisories for name in (item.id, *item.aliases))


class Matched(NamedTuple):
    """`elsewhere` are packages that an advisory would be about if they came from where its package comes from;
    `unreadable` are packages with advisories whose version is none."""

    hits: tuple[Hit, ...] = ()
    elsewhere: tuple[tuple[LockedPackage, Advisory], ...] = ()
    unreadable: tuple[LockedPackage, ...] = ()


def match(locked: Iterable[LockedPackage], advisories: Mapping[str, Sequence[Advisory]]) -> Matched:
    """Match packages with advisories (by `name_key`), as cargo-audit does: by name, version and source; withdrawn
    advisories count for nothing. A package with neither registry nor repository (a path) is nobody's but the
    project's."""
    hits: list[Hit] = []
    elsewhere: list[tuple[LockedPackage, Advisory]] = []
    unreadable: list[LockedPackage] = []
    for package in locked:
        known = [item for item in advisories.get(name_key(package.name), ()) if not item.withdrawn]
        if not known:
            continue
        version = semver.parse(package.version)
        if version is None:
            unreadable.append(package)
            continue
        about = [item for item in known if item.versions.affects(version)]
        here = [item for item in about if _same_source(item.source, package.source)]
        elsewhere += [(package, item) for item in about if item not in here]
        hits += [Hit(package, group) for group in _groups(here)]
    return Matched(tuple(hits), tuple(elsewhere), tuple(unreadable))


def is_crates_io(source: str | None) -> bool:
    """Whether a lock file's source is crates.io: it says so too where `[source]` replaces it by a mirror or a vendored
    folder."""
    return source is not None and parse(_bare(source)).public


def _same_source(wanted: str, source: str | None) -> bool:
    if source is None or is_crates_io(source):
        return source is not None and (not wanted or is_crates_io(wanted))
    return bool(wanted) and _bare(wanted) == _bare(source)


def _bare(source: str) -> str:
    """Without what git references add, and in one of the ways of writing that cargo takes for the same (its
    `CanonicalUrl`): a lock file must not escape its advisories by a slash."""
    return source.partition("#")[0].partition("?")[0].lower().rstrip("/").removesuffix(".git")


def _groups(found: Sequence[Advisory]) -> list[tuple[Advisory, ...]]:
    """Advisories that are one and the same by their names, together; in each group the worst first.

    Two of RustSec's own are never the same, though several may name one CVE.
    """
    groups: list[tuple[set[str], list[Advisory]]] = []
    for item in sorted(found, key=lambda item: (not item.id.startswith(_RUSTSEC), item.id)):
        names = {name.lower() for name in (item.id, *item.aliases)}
        wanted = {item.id.lower()} if item.id.startswith(_RUSTSEC) else names
        for known, members in groups:
            if known & wanted and not (wanted is not names and members[0].id != item.id):
                known |= names
                members.append(item)
                break
        else:
            groups.append((names, [item]))
    return [tuple(sorted(members, key=_rank)) for _, members in groups]


def _rank(item: Advisory) -> tuple[int, bool, str]:
    return KINDS.index(item.kind), not item.id.startswith(_RUSTSEC), item.id
