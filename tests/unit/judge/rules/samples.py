"""Made-up facts, units and rules."""

from __future__ import annotations

from typing import Any

from sandbox.behaviour.model import Behaviour, Fact, Key, Profile
from sandbox.judge.model import Finding
from sandbox.judge.rules.judge import judge
from sandbox.judge.rules.known import Known
from sandbox.judge.rules.load import rule_of
from sandbox.judge.rules.model import Rule

PLAIN: dict[str, Any] = {
    "id": "CS0299",
    "title": "did it",
    "severity": "medium",
    "techniques": ["T1105"],
    "scope": "unit",
    "weight": 4,
    "help": "look",
    "when": {"class": "read"},
}


def rule(when: Any, **other: Any) -> Rule:
    """A rule with that condition."""
    return rule_of(PLAIN | {"when": when} | other, "made.yaml")


def fact(kind: Any, act: str, object: str, *seqs: int, count: int = 1, **detail: str) -> Fact:
    """A fact; a detail named `chain` or `owner` is the fact's own."""
    chain = tuple(detail.pop("chain", "").split())
    owner = detail.pop("owner", "")
    return Fact(kind, act, object, owner, chain, tuple(sorted(detail.items())), seqs, max(count, len(seqs)))


def unit(*facts: Fact, role: str = "script", name: str = "u1", package: str = "evil", **other: Any) -> Behaviour:
    """A unit that did this."""
    return Behaviour(Key(package, "1.0.0", role), 1, tuple(sorted(facts)), unit=name, **other)


def run(*units: Behaviour) -> Profile:
    """A run of these units."""
    return Profile("r", 1, units)


def found(when: Any, *facts: Fact, known: Known | None = None, **other: Any) -> tuple[Finding, ...]:
    """What a rule with that condition finds in a script's unit."""
    return judge(run(unit(*facts)), {}, known, (rule(when, **other),))
