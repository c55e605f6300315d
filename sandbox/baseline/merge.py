"""Several runs of one package version taken together: every fact seen n of m."""

from __future__ import annotations

from dataclasses import replace

from sandbox.baseline.context import joined
from sandbox.baseline.model import FactEntry, UnitEntry, VersionEntry, Waiver
from sandbox.behaviour.model import Fact


def merge(one: VersionEntry, two: VersionEntry) -> VersionEntry:
    """The union, with the runs of both: for entries of *different* runs of the same version and checksum. Order does
    not matter but for words: date, reason and toolchain are those of the later date. Features and targets are both's.

    Raises ValueError for two versions or checksums.
    """
    if (one.version, one.checksum) != (two.version, two.checksum):
        raise ValueError("two versions can't be merged")
    units = {unit.identity: unit for unit in one.units}
    for unit in two.units:
        known = units.get(unit.identity)
        units[unit.identity] = unit if known is None else _both(known, unit)
    later = max(one, two, key=lambda entry: (entry.accepted, entry.reason))
    return replace(
        later, runs=one.runs + two.runs, features=tuple(sorted({*one.features, *two.features})),
        target=joined(one.target, two.target), toolchain=later.toolchain or one.toolchain or two.toolchain,
        units=tuple(units[identity] for identity in sorted(units)), waivers=_waivers(one, two),
    )  # fmt: skip


def amend(known: VersionEntry, new: VersionEntry) -> VersionEntry:
    """`known` after `new` was accepted as well: nothing that was accepted is lost, and of two counts the higher stays,
    since nobody knows whether the runs are other ones. Date and reason are the new ones'."""
    merged = merge(known, new)
    most: dict[tuple[object, Fact], int] = {}
    for unit in (*known.units, *new.units):
        for entry in unit.facts:
            most[(unit.identity, entry.fact)] = max(entry.seen, most.get((unit.identity, entry.fact), 0))
    units = tuple(
        replace(unit, facts=tuple(FactEntry(one.fact, most[(unit.identity, one.fact)]) for one in unit.facts))
        for unit in merged.units
    )
    runs = max(known.runs, new.runs)
    return replace(merged, runs=runs, units=units, accepted=new.accepted, reason=new.reason)


def _waivers(one: VersionEntry, two: VersionEntry) -> tuple[Waiver, ...]:
    found = {waiver.rule: waiver for entry in (one, two) for waiver in sorted(entry.waivers)}
    return tuple(sorted(found.values()))


def _both(one: UnitEntry, two: UnitEntry) -> UnitEntry:
    seen: dict[Fact, int] = {}
    for entry in (*one.facts, *two.facts):
        seen[entry.fact] = seen.get(entry.fact, 0) + entry.seen
    facts = tuple(FactEntry(fact, count) for fact, count in sorted(seen.items()))
    return replace(one, macros=tuple(sorted({*one.macros, *two.macros})), facts=facts)
