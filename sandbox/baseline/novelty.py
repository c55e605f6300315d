"""What a run's units did beyond what was accepted: pure, and the same in whichever order units ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sandbox.baseline.convert import Checksums, has_baseline
from sandbox.baseline.fold import sameness, telling
from sandbox.baseline.ladder import Step, look_up
from sandbox.baseline.store import Stores
from sandbox.behaviour.model import CLASSES, Behaviour, Class, Fact, Key, Profile


@dataclass(frozen=True, slots=True)
class Novelty:
    """One unit against its rung. `new`: facts that the entry lacks, in order; `unseen`: facts of the entry that this
    unit did not show, where `cut` names the classes of which that can't be said; `units` its names in the run."""

    key: Key
    checksum: str
    step: Step
    new: tuple[Fact, ...]
    unseen: tuple[Fact, ...]
    units: tuple[str, ...]
    macros: tuple[str, ...] = ()
    cut: tuple[Class, ...] = ()
    facts: tuple[Fact, ...] = ()

    def by_class(self) -> Iterator[tuple[Class, tuple[Fact, ...]]]:
        """The new facts of each class that has some."""
        for kind in CLASSES:
            found = tuple(fact for fact in self.new if fact.kind == kind)
            if found:
                yield kind, found


def novelties(profile: Profile, checksums: Checksums, stores: Stores) -> tuple[Novelty, ...]:
    """One for each unit that baselines speak of, in order of key, whether it has new facts or not."""
    groups: dict[Key, list[Behaviour]] = defaultdict(list)
    for one in profile.behaviours:
        if has_baseline(one):
            groups[one.key].append(one)
    steps: dict[tuple[str, str], Step] = {}
    found = []
    for key in sorted(groups):
        package = key.package, key.version
        checksum = checksums.get(package, "")
        if package not in steps:
            steps[package] = look_up(*package, checksum, stores)
        found.append(_novelty(key, groups[key], checksum, steps[package]))
    return tuple(found)


def _novelty(key: Key, units: Iterable[Behaviour], checksum: str, step: Step) -> Novelty:
    ordered = sorted(units, key=lambda one: (_number(one.unit), one.unit))
    facts: dict[Fact, Fact] = {}
    for one in ordered:
        for fact in telling(one):
            facts.setdefault(fact, fact)
    entry = step.entry.unit(key) if step.entry is not None else None
    known = {sameness(one.fact) for one in entry.facts} if entry is not None else set()
    shown = {sameness(fact) for fact in facts}
    cut = {kind for one in ordered for kind in one.cut}
    return Novelty(
        key, checksum, step,
        tuple(sorted(fact for fact in facts.values() if sameness(fact) not in known)),
        tuple(one.fact for one in entry.facts if sameness(one.fact) not in shown) if entry is not None else (),
        tuple(dict.fromkeys(one.unit for one in ordered)),
        tuple(sorted({macro for one in ordered for macro in one.macros})),
        tuple(kind for kind in CLASSES if kind in cut),
        tuple(sorted(facts.values())),
    )  # fmt: skip


def _number(unit: str) -> int:
    digits = unit.rpartition("u")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else 0


def by_package(found: Iterable[Novelty]) -> Mapping[tuple[str, str], tuple[Novelty, ...]]:
    """Novelties of each package version, in order."""
    groups: dict[tuple[str, str], list[Novelty]] = defaultdict(list)
    for one in found:
        groups[(one.key.package, one.key.version)].append(one)
    return {package: tuple(units) for package, units in sorted(groups.items())}
