"""The graph in a lock file: who names whom. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sandbox.cargo.lockfile import LockedPackage


def edges(packages: Sequence[LockedPackage]) -> tuple[list[list[int]], int]:
    """For each package the indexes of its dependencies, in order, and how many references lead nowhere or to several
    packages. Cargo writes `name`, or `name version`, or `name version (source)`, whichever is needed to be clear."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for at, package in enumerate(packages):
        by_name[package.name].append(at)
    unclear = 0
    found: list[list[int]] = []
    for package in packages:
        here: list[int] = []
        for reference in package.dependencies:
            fits = _fitting(reference, packages, by_name)
            if len(fits) == 1:
                here.append(fits[0])
            else:
                unclear += 1
        found.append(list(dict.fromkeys(here)))
    return found, unclear


def tops(packages: Sequence[LockedPackage], graph: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Where a tree begins without knowing the members: packages of the tree that nobody needs, else all of the tree's,
    else all that nobody needs, else all."""
    needed = {to for depends in graph for to in depends}
    own = [at for at, package in enumerate(packages) if package.source is None]
    free = [at for at in range(len(packages)) if at not in needed]
    return tuple([at for at in own if at not in needed] or own or free or range(len(packages)))


def _fitting(reference: str, packages: Sequence[LockedPackage], by_name: dict[str, list[int]]) -> list[int]:
    name, _, more = reference.partition(" ")
    version, _, source = more.partition(" ")
    source = source.removeprefix("(").removesuffix(")")
    return [
        at
        for at in by_name.get(name, ())
        if version in ("", packages[at].version) and source.partition("#")[0] in ("", _key(packages[at].source))
    ]


def _key(source: str | None) -> str:
    """A reference has no commit; a package's source has."""
    return (source or "").partition("#")[0]
