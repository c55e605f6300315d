"""What differs between behaviours. "Not seen" stays apart from "not done": a class that was cut is never said equal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.behaviour.canonical import BehaviourError
from sandbox.behaviour.model import CLASSES, Behaviour, Class, Fact, Key, Profile


@dataclass(frozen=True, slots=True)
class Difference:
    """Facts of the second that the first lacks, and the other way round, in order; proc macros likewise. `unsure`: the
    classes that one of the two does not know whole, where a fact that is missing may be one that was not seen."""

    added: tuple[Fact, ...] = ()
    removed: tuple[Fact, ...] = ()
    macros_added: tuple[str, ...] = ()
    macros_removed: tuple[str, ...] = ()
    unsure: tuple[Class, ...] = ()

    @property
    def same(self) -> bool:
        """True only when both are known whole and nothing differs."""
        return self == Difference()

    def classes(self) -> dict[Class, tuple[tuple[Fact, ...], tuple[Fact, ...]]]:
        """Added and removed facts for each class that differs."""
        both = {
            name: tuple(tuple(fact for fact in facts if fact.kind == name) for facts in (self.added, self.removed))
            for name in CLASSES
        }
        return {name: (pair[0], pair[1]) for name, pair in both.items() if any(pair)}


def compare(a: Behaviour, b: Behaviour) -> Difference:
    """From `a` to `b`. Raises BehaviourError if two versions of the normaliser made them: those are not comparable."""
    return _compare((a,), (b,))


def compare_runs(a: Profile, b: Profile) -> dict[Key, Difference]:
    """Each unit of either run that differs, with the units of one key (a package built twice, say) taken together. A
    unit that only one run has is compared with one that did nothing."""
    if a.normaliser != b.normaliser:
        raise BehaviourError(f"behaviours of normaliser {a.normaliser} and {b.normaliser} can't be compared")
    one, two = _by_key(a), _by_key(b)
    found = {key: _compare(one.get(key, ()), two.get(key, ())) for key in sorted(one.keys() | two.keys())}
    # A unit without any fact that only one of the two has differs too.
    return {key: gap for key, gap in found.items() if not gap.same or (key in one) != (key in two)}


def _by_key(profile: Profile) -> dict[Key, tuple[Behaviour, ...]]:
    groups: dict[Key, tuple[Behaviour, ...]] = {}
    for behaviour in profile.behaviours:
        groups[behaviour.key] = (*groups.get(behaviour.key, ()), behaviour)
    return groups


def _compare(a: tuple[Behaviour, ...], b: tuple[Behaviour, ...]) -> Difference:
    versions = {one.normaliser for one in (*a, *b)}
    if len(versions) > 1:
        raise BehaviourError(f"behaviours of normaliser {' and '.join(map(str, sorted(versions)))} can't be compared")
    before, after = _facts(a), _facts(b)
    macros_before = {macro for one in a for macro in one.macros}
    macros_after = {macro for one in b for macro in one.macros}
    cut = {name for one in (*a, *b) for name in one.cut}
    return Difference(
        _ordered(after[fact] for fact in after.keys() - before.keys()),
        _ordered(before[fact] for fact in before.keys() - after.keys()),
        tuple(sorted(macros_after - macros_before)),
        tuple(sorted(macros_before - macros_after)),
        tuple(name for name in CLASSES if name in cut),
    )


def _facts(units: tuple[Behaviour, ...]) -> dict[Fact, Fact]:
    return {fact: fact for one in units for fact in one.facts}


def _ordered(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    return tuple(sorted(facts))
