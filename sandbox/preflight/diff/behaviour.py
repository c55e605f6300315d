"""What an updated package does differently, where baselines of both versions exist."""

from __future__ import annotations

from sandbox.baseline.model import Baseline, UnitEntry, VersionEntry
from sandbox.baseline.store import Stores
from sandbox.behaviour.canonical import BehaviourError
from sandbox.behaviour.compare import compare
from sandbox.behaviour.model import Behaviour, Fact, Key
from sandbox.cargo.lockfile import LockedPackage

MAX_FACTS = 100
"""Facts of one package that are told."""


def differences(stores: Stores, old: LockedPackage, new: LockedPackage) -> tuple[str, ...]:
    """Lines that begin with `+` (the new version alone did it) or `-`; one line of words where the two can't be
    compared, and nothing where no baseline has the old version or both did the same."""
    before = _entry(stores, old)
    if before is None:
        return ()
    after = _entry(stores, new)
    if after is None:
        return (f"what {new.version} does is not known: it was never accepted",)
    lines: list[str] = []
    try:
        for unit in sorted({one.identity for one in (*before[1].units, *after[1].units)}):
            gap = compare(_behaviour(before, unit), _behaviour(after, unit))
            lines += [f"+ {unit[0]}: {_words(fact)}" for fact in gap.added]
            lines += [f"- {unit[0]}: {_words(fact)}" for fact in gap.removed]
    except BehaviourError as error:
        return (f"the baselines can't be compared: {error}",)
    more = [f"… {len(lines) - MAX_FACTS} more"] if len(lines) > MAX_FACTS else []
    return tuple(lines[:MAX_FACTS] + more)


def _entry(stores: Stores, package: LockedPackage) -> tuple[Baseline, VersionEntry] | None:
    for _, baseline in stores.of(package.name):
        entry = baseline.find(package.version, package.checksum or "")
        if entry is not None:
            return baseline, entry
    return None


def _behaviour(found: tuple[Baseline, VersionEntry], unit: tuple[str, str, tuple[str, ...]]) -> Behaviour:
    """A unit's facts, none for a unit that the version does not have."""
    baseline, version = found
    entry = next((one for one in version.units if one.identity == unit), UnitEntry(*unit))
    key = Key(baseline.package, version.version, *unit)
    return Behaviour(key, baseline.normaliser, tuple(one.fact for one in entry.facts), entry.macros)


def _words(fact: Fact) -> str:
    notes = [fact.owner] if fact.owner else []
    notes += [f"{name}: {value}" for name, value in fact.detail]
    return f"{fact.kind} {fact.act} {fact.object}" + (f" [{'; '.join(notes)}]" if notes else "")
