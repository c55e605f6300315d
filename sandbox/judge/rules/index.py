"""Which conditions a fact may fulfil, found without trying all of them.

A fact is first held against all patterns of its class at once; most facts of most builds pass none. What is found for
an object is kept, since units of one run read and run the same things.
"""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.behaviour.model import Behaviour, Fact
from sandbox.judge.rules.globs import Globs, globs
from sandbox.judge.rules.match import fits, places, programs
from sandbox.judge.rules.model import Leaf, Rule, leaves

_MOST_KEPT = 50_000

Found = dict[int, list[Fact]]
"""Identity of a condition -> the facts that fit it."""


class _Class:
    """The conditions on one class, by what they look at first."""

    def __init__(self, wanted: list[Leaf]) -> None:
        self.by_object = [leaf for leaf in wanted if leaf.object is not None]
        self.by_program = [leaf for leaf in wanted if leaf.object is None and leaf.program is not None]
        self.others = tuple(leaf for leaf in wanted if leaf.object is None and leaf.program is None)
        self.objects = _union(leaf.object for leaf in self.by_object)
        self.programs = _union(leaf.program for leaf in self.by_program)

    def candidates(self, fact: Fact) -> tuple[Leaf, ...]:
        """Conditions that this fact, and all with the same object and detail, may fulfil."""
        found = list(self.others)
        if self.by_object and any(map(self.objects.matches, at := places(fact))):
            found += [leaf for leaf in self.by_object if leaf.object and any(map(leaf.object.matches, at))]
        if self.by_program:
            names = [name for program in programs(fact) for name in (program, program.rpartition("/")[2])]
            if any(map(self.programs.matches, names)):
                found += [leaf for leaf in self.by_program if leaf.program and any(map(leaf.program.matches, names))]
        return tuple(found)


class Index:
    """Of a set of rules. Not for more than one thread."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._rules_of: dict[int, list[int]] = {}
        wanted: dict[str, list[Leaf]] = {}
        for number, rule in enumerate(self.rules):
            triggers = leaves(rule.when)
            for leaf in triggers:
                self._rules_of.setdefault(id(leaf), []).append(number)
            for leaf in (*triggers, *(leaves(rule.unless) if rule.unless is not None else ())):
                for kind in leaf.kinds:
                    wanted.setdefault(kind, []).append(leaf)
        self._classes = {kind: _Class(conditions) for kind, conditions in wanted.items()}
        self._kept: dict[tuple[object, ...], tuple[Leaf, ...]] = {}

    def found(self, unit: Behaviour) -> Found:
        """The facts of a unit by the conditions that they fit; baseline, counts and roles are not looked at."""
        out: Found = {}
        for fact in unit.facts:
            key = (fact.kind, fact.object, fact.detail)
            candidates = self._kept.get(key)
            if candidates is None:
                conditions = self._classes.get(fact.kind)
                candidates = conditions.candidates(fact) if conditions is not None else ()
                if len(self._kept) < _MOST_KEPT:
                    self._kept[key] = candidates
            for leaf in candidates:
                if fits(leaf, fact, chosen=True):
                    out.setdefault(id(leaf), []).append(fact)
        return out

    def triggered(self, found: Found) -> list[Rule]:
        """The rules of which at least one condition is fulfilled, in their order."""
        numbers = {number for leaf in found for number in self._rules_of.get(leaf, ())}
        return [self.rules[number] for number in sorted(numbers)]


def _union(patterns: Iterable[Globs | None]) -> Globs:
    return globs(dict.fromkeys(word for one in patterns if one is not None for word in one.words))
