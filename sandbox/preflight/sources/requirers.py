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
        self._by: dict[tuple[str, str], list[LockedPackage]] = defaultdict(list)
        for package in locked:
            for reference in package.dependencies:
                name, _, rest = reference.partition(" ")
                self._by[name, rest.partition(" ")[0]].append(package)

    def lines(self, package: LockedPackage) -> tuple[str, ...]:
        """`required by NAME VERSION`, for a few of them."""
        # The version is left out of a reference where the lock file has the name once only.
        places = [self._by.get((package.name, version), ()) for version in ("", package.version)]
        shown = [item for place in places for item in place[:_SHOWN]][:_SHOWN]
        more = sum(map(len, places)) - len(shown)
        lines = (f"required by {clip(item.name)} {clip(item.version)}" for item in shown)
        return (*lines, *([f"… and {more} more"] if more else []))
