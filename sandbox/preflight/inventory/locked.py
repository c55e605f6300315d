"""The graph in a lock file: who names whom. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sandbox.cargo.lockfile import LockedPackage


def edges(packages: Sequence[LockedPackage]) -> tuple[list[list[int]], int]:
    """For each package the indexes of its dependencies, in order, and how many references lead nowhere or to several
    packages. Cargo writes `name`, or `name version`, or `name version (source)`, whichever is needed to be clear."""
    # By each way to name a package, so that a lock file of one name alone costs no more than any other.
    known: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at, package in enumerate(packages):
        whole = (package.name, package.version, _key(package.source))
        for size in (1, 2, 3):
            known[whole[:size]].append(at)
    unclear = 0
    found: list[list[int]] = []
    for package in packages:
        here: list[int] = []
        for reference in package.dependencies:
            fits = known.get(_names(reference), ())
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


def _names(reference: str) -> tuple[str, ...]:
    name, _, more = reference.partition(" ")
    version, _, source = more.partition(" ")
    source = _key(source.removeprefix("(").removesuffix(")"))
    return (name, version, source) if source else (name, version) if version else (name,)


def _key(source: str | None) -> str:
    """A reference has no commit; a package's source has."""
    return (source or "").partition("#")[0]
