"""From a run's behaviours to what could be accepted of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sandbox.baseline.context import contexts
from sandbox.baseline.fold import ROLES, telling
from sandbox.baseline.merge import merge
from sandbox.baseline.model import Baseline, FactEntry, UnitEntry, VersionEntry, in_order
from sandbox.behaviour.model import Behaviour, Fact, Profile

Checksums = Mapping[tuple[str, str], str]
"""(package, version) -> checksum as in Cargo.lock, empty for path and git packages."""


def has_baseline(one: Behaviour) -> bool:
    """Whether a unit is one that baselines speak of: a build script, or a compile that loaded macros or did more than
    compile."""
    if not one.key.package or one.key.role not in ROLES:
        return False
    return one.key.role == "script" or bool(one.macros) or bool(telling(one))


def entries(
    profile: Profile, checksums: Checksums, *, accepted: str, reason: str, toolchain: str = "", host: str = ""
) -> dict[str, tuple[VersionEntry, ...]]:
    """The version entries of one run, by package and in order. Units of one key are one unit here: a package that is
    built twice does what either of them does. `toolchain` and `host`: as for `contexts`."""
    under = contexts(profile, toolchain, host)
    found: dict[tuple[str, str], list[Behaviour]] = defaultdict(list)
    for one in profile.behaviours:
        if has_baseline(one):
            found[(one.key.package, one.key.version)].append(one)
    packages: dict[str, list[VersionEntry]] = defaultdict(list)
    for (package, version), units in sorted(found.items()):
        context = under[package, version]
        entry = VersionEntry(
            version, checksums.get((package, version), ""), 1, accepted, reason, context.features, context.target,
            context.toolchain, _units(units),
        )  # fmt: skip
        packages[package].append(entry)
    return {package: in_order(tuple(versions)) for package, versions in packages.items()}


def learn(
    profiles: Iterable[Profile],
    checksums: Checksums,
    *,
    accepted: str,
    reason: str,
    toolchain: str = "",
    host: str = "",
) -> dict[str, Baseline]:
    """Baselines of several runs of one build: seen n of m."""
    found: dict[tuple[str, str, str], VersionEntry] = {}
    normaliser = 0
    for profile in profiles:
        normaliser = profile.normaliser
        made = entries(profile, checksums, accepted=accepted, reason=reason, toolchain=toolchain, host=host)
        for package, versions in made.items():
            for entry in versions:
                identity = (package, entry.version, entry.checksum)
                found[identity] = merge(found[identity], entry) if identity in found else entry
    packages: dict[str, list[VersionEntry]] = defaultdict(list)
    for (package, _, _), entry in sorted(found.items(), key=lambda item: item[0]):
        packages[package].append(entry)
    return {name: Baseline(name, in_order(tuple(versions)), normaliser) for name, versions in packages.items()}


def _units(units: list[Behaviour]) -> tuple[UnitEntry, ...]:
    facts: dict[tuple[str, str, tuple[str, ...]], set[Fact]] = defaultdict(set)
    macros: dict[tuple[str, str, tuple[str, ...]], set[str]] = defaultdict(set)
    for one in units:
        identity = (one.key.role, one.key.crate, one.key.crate_types)
        facts[identity].update(bare(fact) for fact in telling(one))
        macros[identity].update(one.macros)
    return tuple(
        UnitEntry(*identity, tuple(sorted(macros[identity])), tuple(map(FactEntry, sorted(facts[identity]))))
        for identity in sorted(facts)
    )


def bare(fact: Fact) -> Fact:
    """A fact without its evidence."""
    return Fact(fact.kind, fact.act, fact.object, fact.owner, fact.chain, fact.detail)
