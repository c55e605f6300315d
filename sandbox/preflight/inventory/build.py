"""Puts an inventory together from the resolved graph and the lock file, or from a lock file alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sandbox.baseline.model import precedence
from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import Facts, Package
from sandbox.errors import WorkspaceError
from sandbox.preflight.inventory import locked as lock
from sandbox.preflight.inventory.manifests import Stated
from sandbox.preflight.inventory.model import Edge, Inventory, Item
from sandbox.preflight.inventory.origin import origin_of
from sandbox.preflight.inventory.reach import uses

NATIVE_TOOLS = frozenset(
    "autotools bindgen cbindgen cc cmake cpp_build cxx-build gcc meson meson-next nasm-rs nmake pkg-config "
    "system-deps vcpkg".split()
)
"""Packages whose purpose is to compile, find or bind native code; a build dependency on one says that it is used."""

Stater = Callable[[Package, bool], Stated]


MAX_PACKAGES = 20_000
"""Most packages of an inventory: the largest lock files in use have some 5,000, and the CycloneDX library's time grows
with the square of their number (4,300: 7 s)."""


class _Key(NamedTuple):
    name: str
    version: str
    source: str


@dataclass(frozen=True, slots=True)
class _Draft:
    key: _Key
    item: Item
    edges: tuple[tuple[_Key, tuple[str, ...]], ...]


def from_facts(facts: Facts, packages: Sequence[LockedPackage], state: Stater, stamp: int = 0) -> Inventory:
    """The inventory of a resolved workspace. Packages that Cargo.lock alone has (other platforms') are in it, as
    `other`. `state` reads a package's manifest; its second argument tells a member. Raises WorkspaceError for a lock
    file that is too large."""
    members = set(facts.members)
    keys = [_Key(one.name, one.version, one.source or "") for one in facts.packages]
    in_lock = _from_lock(packages)
    by_lock = {_loose(draft.key): draft for draft in in_lock}
    known = {_loose(key): key for key in keys}
    drafts = []
    for at, package in enumerate(facts.packages):
        own = [(keys[edge.package], edge.kinds) for edge in facts.graph[at]]
        of_lock = by_lock.get(_loose(keys[at]))
        elsewhere = [(known.get(_loose(key), key), kinds) for key, kinds in (of_lock.edges if of_lock else ())]
        stated = state(package, at in members)
        item = Item(
            name=package.name, version=package.version, source=package.source or "",
            origin=origin_of(package.source, package.directory, facts.root), checksum=package.checksum or "",
            member=at in members, has_script=bool(package.scripts), proc_macro=package.proc_macro,
            links=package.links or "", programs=package.binaries if at in members else (),
            native=_native(facts, at), licence=stated.licence, repository=stated.repository,
            script="no run recorded" if package.scripts else "",
            macro="no run recorded" if package.proc_macro else "",
        )  # fmt: skip
        drafts.append(_Draft(keys[at], item, (*own, *elsewhere)))
    drafts += [
        replace(draft, edges=tuple((known.get(_loose(key), key), kinds) for key, kinds in draft.edges))
        for draft in in_lock
        if _loose(draft.key) not in known
    ]
    items, index = _joined(drafts)
    found = uses([item.depends for item in items], _macros(items), [index[keys[at]] for at in facts.members])
    items = [replace(item, use=use) for item, use in zip(items, found, strict=True)]
    top = next((facts.packages[at] for at in facts.members if facts.packages[at].directory == facts.root), None)
    name, version = (top.name, top.version) if top else (os.path.basename(facts.root) or "workspace", "")
    roots = tuple(sorted(index[keys[at]] for at in facts.members))
    return Inventory(name, version, tuple(items), roots, True, stamp)


def from_lock(packages: Sequence[LockedPackage], name: str, stamp: int = 0) -> Inventory:
    """The inventory of a lock file alone: what only manifests tell is unknown. Raises as `from_facts`."""
    drafts = _from_lock(packages)
    graph, unclear = lock.edges(packages)
    items, index = _joined(drafts)
    roots = tuple(sorted({index[drafts[at].key] for at in lock.tops(packages, graph)}))
    notes = ["not resolved: licences, build scripts, proc macros, links and uses are unknown"]
    if unclear:
        notes.append(f"{unclear} references in the lock file lead to no package, or to several")
    return Inventory(name, "", tuple(items), roots, False, stamp, notes=tuple(notes))


def _from_lock(packages: Sequence[LockedPackage]) -> list[_Draft]:
    if len(packages) > MAX_PACKAGES:
        raise WorkspaceError(f"the lock file has more than {MAX_PACKAGES} packages")
    graph, _ = lock.edges(packages)
    keys = [_Key(one.name, one.version, one.source or "") for one in packages]
    return [
        _Draft(
            keys[at],
            Item(
                one.name, one.version, one.source or "", origin_of(one.source), one.checksum or "",
                script="unknown", macro="unknown",
            ),
            tuple((keys[to], ("other",)) for to in graph[at]),
        )
        for at, one in enumerate(packages)
    ]  # fmt: skip


def _joined(drafts: Iterable[_Draft]) -> tuple[list[Item], dict[_Key, int]]:
    """Items in their order, of two of one key the first, with edges by index, of two to one package the first."""
    unique: dict[_Key, _Draft] = {}
    for draft in drafts:
        unique.setdefault(draft.key, draft)
    order = sorted(unique, key=lambda key: (key.name, precedence(key.version), key.version, key.source))
    index = {key: at for at, key in enumerate(order)}
    items = []
    for key in order:
        edges: dict[int, tuple[str, ...]] = {}
        for to, kinds in unique[key].edges:
            if to in index:
                edges.setdefault(index[to], kinds)
        items.append(replace(unique[key].item, depends=tuple(Edge(to, edges[to]) for to in sorted(edges))))
    return items, index


def _loose(key: _Key) -> _Key:
    """A lock file and the metadata agree up to the revision."""
    return key._replace(source=key.source.partition("#")[0])


def _macros(items: Sequence[Item]) -> list[int]:
    return [at for at, item in enumerate(items) if item.proc_macro]


def _native(facts: Facts, at: int) -> tuple[str, ...]:
    found = {
        facts.packages[edge.package].name
        for edge in facts.graph[at]
        if "build" in edge.kinds and facts.packages[edge.package].name in NATIVE_TOOLS
    }
    return tuple(sorted(found))
