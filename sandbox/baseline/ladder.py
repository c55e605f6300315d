"""Which rung of the ladder a unit is compared on: the nearest thing that is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sandbox.baseline.model import VersionEntry, precedence
from sandbox.baseline.store import StoreName, Stores
from sandbox.behaviour.patterns import VERSION

Rung = Literal["same version", "same version, other checksum", "earlier version", "population", "default rules"]
RUNGS: tuple[Rung, ...] = (
    "same version", "same version, other checksum", "earlier version", "population", "default rules",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """Where a package version stands. `entry` is what it is compared with and `store` where that lies: both empty below
    the rung "earlier version". `outdated`: a nearer entry was passed over, since another normaliser made it."""

    rung: Rung
    entry: VersionEntry | None = None
    store: StoreName | None = None
    outdated: bool = False


def look_up(package: str, version: str, checksum: str, stores: Stores) -> Step:
    """The highest rung: on each of them the tree's word counts before the user's, and both before the pack's.

    `checksum` is Cargo.lock's, empty for a path or git package, whose sources nobody vouches for. "Earlier version" is
    the nearest one below; where only later ones were accepted (a downgrade), the nearest of these.
    """
    known = stores.of(package)
    usable = [(name, baseline) for name, baseline in known if baseline.normaliser == VERSION]
    outdated = len(usable) < len(known)
    for name, baseline in usable:
        entry = baseline.find(version, checksum)
        if entry is not None:
            return Step("same version", entry, name, outdated)
    for name, baseline in usable:
        others = [one for one in baseline.versions if one.version == version]
        if others:
            return Step("same version, other checksum", others[-1], name, outdated)
    here = precedence(version)
    for name, baseline in usable:
        below = [one for one in baseline.versions if precedence(one.version) < here]
        nearest = below[-1] if below else baseline.versions[0] if baseline.versions else None
        if nearest is not None:
            return Step("earlier version", nearest, name, outdated)
    return Step("population" if stores.population.units else "default rules", outdated=outdated)
