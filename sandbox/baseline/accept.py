"""What accepting means: pure, from today's state and a store's files to the files that are to be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from sandbox.baseline.convert import entries
from sandbox.baseline.fold import sameness
from sandbox.baseline.merge import amend
from sandbox.baseline.model import Baseline, UnitEntry, VersionEntry, Waiver
from sandbox.baseline.novelty import novelties
from sandbox.baseline.state import State
from sandbox.baseline.store import Stores
from sandbox.behaviour.model import Fact, Key
from sandbox.behaviour.patterns import VERSION

Chosen = Callable[[Key, Fact], bool]


@dataclass(frozen=True, slots=True)
class Change:
    """One package's file before and after; `facts` and `versions` say how much is new in it."""

    package: str
    before: Baseline | None
    after: Baseline
    versions: tuple[str, ...]
    facts: int


def plan(
    state: State,
    known: Mapping[str, Baseline],
    *,
    accepted: str,
    reason: str,
    packages: Iterable[str] | None = None,
    chosen: Chosen | None = None,
    learned: Mapping[str, Baseline] | None = None,
    waiver: Waiver | None = None,
) -> tuple[Change, ...]:
    """What accepting today's state would change in a store that holds `known`, in order of package.

    `packages`: only these; `chosen`: only these of the facts that no accepted entry has; `learned`: behaviours of
    several runs in the place of the state's; `waiver`: accept this rule too, for each entry's checksum. Versions that
    are in the store already keep what they have.
    """
    if learned is None:
        made = entries(
            state.profile, state.checksums, accepted=accepted, reason=reason, toolchain=state.toolchain, host=state.host
        )
    else:
        made = {name: baseline.versions for name, baseline in learned.items()}
    wanted = set(made) if packages is None else set(packages)
    changes = []
    for package in sorted(wanted & set(made)):
        before = known.get(package)
        # Another normaliser's facts can't be told from new ones, so its file gives way to a new one.
        after = before if before is not None and before.normaliser == VERSION else Baseline(package)
        names, count = [], 0
        for entry in made[package]:
            entry = replace(entry, accepted=accepted, reason=reason)
            old = after.find(entry.version, entry.checksum)
            if chosen is not None:
                entry = _only(package, entry, chosen)
            new = _facts(entry) - (_facts(old) if old is not None else set())
            rules = (waiver,) if waiver is not None else ()
            if old is not None and not new and set(rules) <= set(old.waivers):
                continue
            entry = replace(entry, waivers=rules)
            after = after.put(entry if old is None else amend(old, entry))
            names.append(entry.version)
            count += len(new)
        if names:
            changes.append(Change(package, before, after, tuple(names), count))
    return tuple(changes)


def keep_known(state: State, stores: Stores, facts: Iterable[tuple[Key, Fact]]) -> Chosen:
    """A choice of some novelties: these facts, and all that is no novelty."""
    picked = {(key, sameness(fact)) for key, fact in facts}
    new = {(one.key, sameness(fact)) for one in novelties(state.profile, state.checksums, stores) for fact in one.new}

    def chosen(key: Key, fact: Fact) -> bool:
        pair = key, sameness(fact)
        return pair in picked or pair not in new

    return chosen


def unused(known: Mapping[str, Baseline], checksums: Mapping[tuple[str, str], str]) -> tuple[tuple[str, str, str], ...]:
    """(package, version, checksum) of entries that Cargo.lock does not have any more, in order."""
    return tuple(
        (package, one.version, one.checksum)
        for package, baseline in sorted(known.items())
        for one in baseline.versions
        if checksums.get((package, one.version)) != one.checksum
    )


def _only(package: str, entry: VersionEntry, chosen: Chosen) -> VersionEntry:
    def kept(unit: UnitEntry) -> UnitEntry:
        key = Key(package, entry.version, unit.role, unit.crate, unit.crate_types)
        return replace(unit, facts=tuple(one for one in unit.facts if chosen(key, one.fact)))

    return replace(entry, units=tuple(map(kept, entry.units)))


def _facts(entry: VersionEntry) -> set[tuple[object, Fact | None]]:
    found: set[tuple[object, Fact | None]] = {
        (unit.identity, sameness(one.fact)) for unit in entry.units for one in unit.facts
    }
    return found | {(unit.identity, None) for unit in entry.units}
