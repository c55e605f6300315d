"""How unusual an act is: class weight x rarity x chain bonus, 0 to 20.

- Class weight, 0 to 10: what an act of this class could do at worst.
- Rarity, 0 to 1: `-log10(share) / 3`, where `share` is the part of the population's build scripts (of the same
  archetype) that do the like. Half of them: 0.1; one in ten: 0.33; one in a thousand, or none, or nobody knows: 1.
- Chain bonus, 1 to 2: acts of several grave classes in one unit lend each other weight (a program and a host name are
  more than one of them): a quarter for each grave class beyond the first.

A score of `MEDIUM_AT` or more makes a finding medium; a score alone never makes one high: that is for rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from sandbox.behaviour.model import Class, Fact
from sandbox.judge.model import Severity

MEDIUM_AT = 2.0
GRAVE: frozenset[Class] = frozenset(("exec", "network", "dns", "denied", "decoy", "survivor", "kernel", "write"))

_WEIGHTS: dict[Class, float] = {
    "decoy": 10, "network": 9, "dns": 8, "kernel": 8, "survivor": 7, "exec": 6, "denied": 6, "write": 5, "used": 4,
    "directive": 1, "read": 1,
}  # fmt: skip
# What reaches the linker's command line acts in every artifact.
_LINK_ARGUMENT = 5.0
_LINK = 2.0
_INSIDE = 1.0


def weight(fact: Fact) -> float:
    """The class weight of a fact, 0 to 10."""
    if fact.kind == "directive":
        if fact.act.startswith(("rustc-link-arg", "rustc-cdylib-link-arg", "rustc-flags")):
            return _LINK_ARGUMENT
        return _LINK if fact.act.startswith("rustc-link") else _WEIGHTS["directive"]
    if fact.kind == "write" and dict(fact.detail).get("where") == "inside":
        return _INSIDE
    if fact.kind == "exec" and fact.act == "absent":
        return _INSIDE
    return _WEIGHTS[fact.kind]


def rarity(share: float | None) -> float:
    """0 (everybody does so) to 1 (nobody does, or nothing is known)."""
    if share is None or share <= 0:
        return 1.0
    return min(1.0, max(0.0, -math.log10(share) / 3))


def bonus(kinds: Iterable[Class]) -> float:
    """1 to 2, for the classes of one unit's new facts."""
    return min(2.0, 1.0 + 0.25 * max(0, len(GRAVE.intersection(kinds)) - 1))


def score(fact: Fact, share: float | None, kinds: Iterable[Class] = ()) -> float:
    """How unusual a fact is, to two digits; `kinds`: the classes of all new facts of its unit."""
    return round(weight(fact) * rarity(share) * bonus(kinds), 2)


def severity(value: float) -> Severity:
    """What a score alone amounts to."""
    return "medium" if value >= MEDIUM_AT else "low"
