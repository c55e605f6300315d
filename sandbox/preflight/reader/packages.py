"""Which packages run code while a project is built, and where their sources are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from sandbox.cargo.files import Unreadable, load_toml, stays_below
from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import Facts, Package
from sandbox.preflight.model import Subject
from sandbox.preflight.packages.card import build_parts
from sandbox.preflight.packages.places import Places as Shelves

Role = Literal["build script", "macro"]
_SECTIONS: dict[Role, str] = {"build script": "build-dependencies", "macro": "dependencies"}


@dataclass(frozen=True, slots=True)
class Root:
    """The root source file of something that runs at build time."""

    role: Role
    source: Path


@dataclass(frozen=True, slots=True)
class Place:
    """A package and its folder. `roots` is empty for one that runs nothing. `uses` are the libraries that its
    build-time code may call, by (name in the source, package's name), and `helpers` those that are here: (name in the
    source, index into the list of places). `fault` says why the manifest is of no use, `renamed` which names in the
    source may be other packages than they say."""

    package: LockedPackage | Package
    folder: Path
    roots: tuple[Root, ...] = ()
    library: Path | None = None
    renamed: frozenset[str] = frozenset()
    uses: tuple[tuple[str, str], ...] = ()
    helpers: tuple[tuple[str, int], ...] = ()
    fault: str = ""


@dataclass(slots=True)
class Places:
    """All packages with sources; `missing` are `name version` of those without."""

    found: list[Place] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def locate(subject: Subject) -> Places:
    """By the resolved graph, or by the lock file and cargo's home where nobody resolved it."""
    return _by_graph(subject.facts) if subject.facts else _by_home(subject)


def place_of(folder: Path, package: LockedPackage | Package) -> Place:
    """What a package's own manifest says of its build-time code, by cargo's rules for where it is by default."""
    if not stays_below(folder / "Cargo.toml", folder):
        return Place(package, folder, fault="its Cargo.toml is a link that leads out of the package")
    try:
        table = load_toml(folder / "Cargo.toml")
    except FileNotFoundError:
        return Place(package, folder, fault="it has no Cargo.toml")
    except Unreadable as error:
        return Place(package, folder, fault=f"its Cargo.toml can't be read: {error}")
    parts = build_parts(table, os.path.lexists(folder / "build.rs"))
    source = folder / parts.library
    roots = [Root("build script", folder / script) for script in parts.scripts]
    if parts.macro:
        roots.append(Root("macro", source))
    sections = {_SECTIONS[root.role] for root in roots}
    uses = tuple(
        (name.replace("-", "_"), package_name)
        for section, name, package_name, _ in _dependencies(table)
        if section.replace("_", "-") in sections
    )
    renamed = frozenset(name.replace("-", "_") for _, name, _, other in _dependencies(table) if other)
    return Place(package, folder, tuple(roots), source, renamed, uses)


def _dependencies(table: dict[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    """(section, name in the source, package's name, whether that may be another package than it says)."""
    for part in (table, *(one for one in _table(table, "target").values() if isinstance(one, dict))):
        for section in ("dependencies", "build-dependencies", "build_dependencies", "dev-dependencies"):
            for name, item in _table(part, section).items():
                said = item.get("package", name) if isinstance(item, dict) else name
                if isinstance(said, str):
                    other = isinstance(item, dict) and (said != name or bool({"path", "git"} & item.keys()))
                    yield section, name, said, other


def link(found: list[Place], near: Mapping[int, frozenset[int]] | None = None) -> list[Place]:
    """The places with their helpers found among them, by name; `near` narrows it to the indexes that the graph has."""
    named: dict[str, list[int]] = {}
    for at, place in enumerate(found):
        named.setdefault(place.package.name, []).append(at)
    return [
        replace(
            place,
            helpers=tuple(
                (alias, index)
                for alias, name in dict.fromkeys(place.uses)
                for index in named.get(name, ())
                if near is None or index in near.get(at, ())
            ),
        )
        for at, place in enumerate(found)
    ]


def _by_graph(facts: Facts) -> Places:
    places = Places()
    index: dict[int, int] = {}
    for at, package in enumerate(facts.packages):
        folder = Path(package.directory)
        if not folder.is_dir():
            places.missing.append(str(package))
            continue
        said = place_of(folder, package)
        roots = [Root("build script", Path(script.source)) for script in package.scripts]
        if package.proc_macro:
            roots.extend(Root("macro", path) for path in _macro_sources(package, said))
        index[at] = len(places.found)
        # Cargo has read the manifest, or there would be no graph; what it says of the roots is what runs.
        places.found.append(replace(said, roots=tuple(roots), fault=said.fault if roots else ""))
    near = {
        here: frozenset(index[edge.package] for edge in facts.graph[at] if edge.package in index)
        for at, here in index.items()
    }
    places.found = link(places.found, near)
    return places


def _macro_sources(package: Package, said: Place) -> list[Path]:
    sources = [Path(one) for one in package.sources]
    if said.library in sources:
        return [said.library] if said.library else []
    scripts = {Path(script.source) for script in package.scripts}
    return [one for one in sources if one not in scripts]


def _by_home(subject: Subject) -> Places:
    places = Places()
    home = subject.cargo_home
    shelves = Shelves(home, subject.config) if home else None
    for package in subject.locked:
        if package.source is None:
            continue
        # Only where cargo unpacks that very source: the same name from elsewhere says nothing of this package.
        folders = [Path(one.folder) for one in shelves.of(package)] if shelves else []
        found = [folder for folder in folders if folder.is_dir() and home and stays_below(folder, home)]
        if found:
            places.found.extend(place_of(folder, package) for folder in dict.fromkeys(found))
        else:
            places.missing.append(f"{package.name} {package.version}")
    places.found = link(places.found)
    return places


def _table(table: dict[str, Any], key: str) -> dict[str, Any]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}
