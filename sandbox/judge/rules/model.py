"""Rules as frozen data. docs/rules.md describes the language; `load` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.behaviour.model import Class
from sandbox.judge.model import Severity
from sandbox.judge.rules.globs import Globs

Scope = Literal["event", "unit", "sequence"]
SCOPES: tuple[Scope, ...] = ("event", "unit", "sequence")
Of = Literal["object", "place", "zone", "host"]
OFS: tuple[Of, ...] = ("object", "place", "zone", "host")
"""What `distinct` counts: objects · the folder below a root that holds them · the last two labels of DNS names, each
zone for itself with its different names · peers without their ports."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A condition on facts; holds for a unit in which at least `count` acts, and `distinct` different ones, match.

    Each part that is None or empty asks for nothing. `object` and `object_not` look at all places of a fact (where
    links lead, what it was renamed to); `program`, `chain`, `chain_not` and `parent` at names of programs; a `detail`
    of None asks that the detail is absent. `label`: least length of a DNS name's longest label. `ports_not`: ports of a
    peer that do not match. `changes`: the act is no reading. `baseline`: `absent` asks that the unit's accepted
    baseline lacks the fact, `present` the opposite.
    """

    kinds: tuple[Class, ...]
    act: frozenset[str] = frozenset()
    object: Globs | None = None
    object_not: Globs | None = None
    owner: frozenset[str] = frozenset()
    program: Globs | None = None
    chain: Globs | None = None
    chain_not: Globs | None = None
    parent: Globs | None = None
    detail: tuple[tuple[str, Globs | None], ...] = ()
    baseline: Literal["", "absent", "present"] = ""
    count: int = 1
    distinct: int = 1
    of: Of = "object"
    label: int = 0
    ports_not: frozenset[int] = frozenset()
    changes: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """The unit has one of these roles."""

    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Macros:
    """The unit loaded proc macros, or none."""

    loaded: bool


@dataclass(frozen=True, slots=True)
class All:
    """All parts hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any_:
    """At least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Ordered:
    """Facts in this order of their events, in one unit; with `same` all are about one place (`object`) or were done
    under one chain of programs (`chain`)."""

    steps: tuple[Leaf, ...]
    same: Literal["", "object", "chain"] = ""


@dataclass(frozen=True, slots=True)
class Across:
    """Another unit did `there` to a place to which this unit did `here`."""

    there: Leaf
    here: Leaf


Condition = Leaf | Role | Macros | All | Any_ | Not | Ordered | Across


@dataclass(frozen=True, slots=True)
class Example:
    """Units of a made-up run. `units`: as in `runs behaviour --json`, with fewer keys; the first one is judged."""

    name: str
    units: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `weight`: 1 to 10, what its kind of act is worth; `unless`: the benign twin (`not` in the file)."""

    id: str
    title: str
    severity: Severity
    techniques: tuple[str, ...]
    scope: Scope
    when: Condition
    unless: Condition | None
    weight: int
    help: str
    match: tuple[Example, ...] = ()
    no_match: tuple[Example, ...] = ()


def leaves(condition: Condition) -> tuple[Leaf, ...]:
    """All conditions on facts, in the order written, those under `not` too."""
    match condition:
        case Leaf():
            return (condition,)
        case All(parts) | Any_(parts):
            return tuple(leaf for part in parts for leaf in leaves(part))
        case Not(part):
            return leaves(part)
        case Ordered(steps):
            return steps
        case Across(there, here):
            return (there, here)
        case _:
            return ()
