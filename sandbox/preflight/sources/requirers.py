"""Who asks for a package, by the lock file alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sandbox.cargo.lockfile import LockedPackage
from sandbox.preflight.sources.source import clip

_SHOWN = 5


class Requirers:
    """Looks up the direct requirers of packages of one lock file."""

    def __init__(self, locked: Iterable[LockedPackage]) -> None:
        self._by_name: dict[str, list[tuple[str, LockedPackage]]] = defaultdict(list)
        for package in locked:
            for reference in package.dependencies:
                name, _, rest = reference.partition(" ")
                self._by_name[name].append((rest.partition(" ")[0], package))

    def lines(self, package: LockedPackage) -> tuple[str, ...]:
        """`required by NAME VERSION`, for a few of them."""
        # The version is left out of a reference where the lock file has the name once only.
        found = [item for version, item in self._by_name[package.name] if version in ("", package.version)]
        more = (f"… and {len(found) - _SHOWN} more",) if len(found) > _SHOWN else ()
        return (*(f"required by {clip(item.name)} {clip(item.version)}" for item in found[:_SHOWN]), *more)
