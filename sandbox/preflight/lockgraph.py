"""The graph that a lock file alone tells, so that a finding in one has its chain as well. Pure.

Source of the references' form: cargo's `src/resolver/encode.rs`: `name`, `name version` or `name version (source)`, as
much as is needed to tell packages apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import Dependency, Facts, Package


def facts_of(locked: Sequence[LockedPackage]) -> Facts:
    """Packages and edges of a lock file. Members are the packages without a source that no other one needs, else all
    without one. What only metadata tells (scripts, macros, places on disk) is empty."""
    packages = tuple(
        Package(
            id=f"{one.source or 'path'}#{one.name}@{one.version}", name=one.name, version=one.version,
            source=one.source, checksum=one.checksum, manifest_path="", scripts=(), proc_macro=False, links=None,
            binaries=(), sources=(),
        )
        for one in locked
    )  # fmt: skip
    known: dict[str, int] = {}
    for at, one in enumerate(locked):
        for text in (one.name, f"{one.name} {one.version}", f"{one.name} {one.version} ({_plain(one.source)})"):
            known.setdefault(text, at)
    graph = tuple(tuple(_edges(one, known)) for one in locked)
    needed = {edge.package for edges in graph for edge in edges}
    own = [at for at, one in enumerate(locked) if one.source is None]
    members = tuple(at for at in own if at not in needed) or tuple(own)
    return Facts("", "", packages, members, members, graph)


def _edges(one: LockedPackage, known: dict[str, int]) -> Iterator[Dependency]:
    for text in dict.fromkeys(one.dependencies):
        name, _, source = text.partition(" (")
        wanted = known.get(f"{name} ({_plain(source[:-1])})" if source else name)
        if wanted is not None:
            yield Dependency(wanted, ("normal",))


def _plain(source: str | None) -> str:
    """Without the commit, which a reference lacks."""
    return (source or "").partition("#")[0]
