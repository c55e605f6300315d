"""What was accepted for a package, frozen and in order: equal baselines are equal bytes (docs/baselines.md)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.behaviour.model import Fact, Key
from sandbox.behaviour.patterns import VERSION
from sandbox.cargo import semver
from sandbox.errors import BaselineError as BaselineError

SCHEMA = 1
"""Version of the file format."""


@dataclass(frozen=True, slots=True, order=True)
class FactEntry:
    """A fact and in how many of its version's runs it was seen (at least 1). The fact carries no evidence."""

    fact: Fact
    seen: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """What one unit of a package version does. `macros`: the proc macros that it loads, as context: not compared."""

    role: str
    crate: str = ""
    crate_types: tuple[str, ...] = ()
    macros: tuple[str, ...] = ()
    facts: tuple[FactEntry, ...] = ()

    @property
    def identity(self) -> tuple[str, str, tuple[str, ...]]:
        """What tells the units of one package version apart."""
        return self.role, self.crate, self.crate_types


@dataclass(frozen=True, slots=True, order=True)
class Waiver:
    """A hard rule that was accepted by its id for exactly this checksum, and why."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """One version of a package. `checksum` is the `.crate` file's SHA-256 in hexadecimal as in Cargo.lock, empty for
    path and git packages; `runs` how many runs the facts come from (m of "seen n of m"); `accepted` the date as
    YYYY-MM-DD. Features, target and toolchain are context: they are told, never compared."""

    version: str
    checksum: str = ""
    runs: int = 1
    accepted: str = ""
    reason: str = ""
    features: tuple[str, ...] = ()
    target: str = ""
    toolchain: str = ""
    units: tuple[UnitEntry, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    def unit(self, key: Key) -> UnitEntry | None:
        """The entry of a unit, whatever its version."""
        wanted = (key.role, key.crate, key.crate_types)
        return next((unit for unit in self.units if unit.identity == wanted), None)


@dataclass(frozen=True, slots=True)
class Baseline:
    """All accepted versions of a package, in order of version, then checksum."""

    package: str
    versions: tuple[VersionEntry, ...] = ()
    normaliser: int = VERSION

    def find(self, version: str, checksum: str) -> VersionEntry | None:
        """The entry of exactly this version and checksum."""
        return next((one for one in self.versions if (one.version, one.checksum) == (version, checksum)), None)

    def put(self, entry: VersionEntry) -> Baseline:
        """With one more version, which replaces the one of the same version and checksum."""
        kept = [one for one in self.versions if (one.version, one.checksum) != (entry.version, entry.checksum)]
        return Baseline(self.package, in_order((*kept, entry)), self.normaliser)

    def without(self, version: str, checksum: str) -> Baseline:
        """Without one version."""
        kept = tuple(one for one in self.versions if (one.version, one.checksum) != (version, checksum))
        return Baseline(self.package, kept, self.normaliser)


Precedence = tuple[bool, semver.Version, str]


def precedence(version: str) -> Precedence:
    """A key that sorts versions as semver does (2.0.0, §11), build metadata last; what is no version comes first."""
    known, parsed, text = semver.key(version)
    return known, parsed, text.partition("+")[2] if known else text


def in_order(versions: tuple[VersionEntry, ...]) -> tuple[VersionEntry, ...]:
    """Versions as a baseline holds them."""
    return tuple(sorted(versions, key=lambda one: (precedence(one.version), one.version, one.checksum)))
