"""Behaviours: a unit's facts, frozen and in order. Equal builds give equal ones (docs/design.md §7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Class = Literal[
    "exec", "read", "write", "network", "dns", "denied", "survivor", "decoy", "kernel", "directive", "used",
]  # fmt: skip
CLASSES: tuple[Class, ...] = (
    "exec", "read", "write", "network", "dns", "denied", "survivor", "decoy", "kernel", "directive", "used",
)  # fmt: skip
"""exec: programs started, or looked for and absent · read: outside the own sources · write: changes to files · network:
peers · dns: names asked for · denied: file acts, execs and signals that a wall refused · survivor: processes that
outlived the unit · decoy: any touch of one · kernel: calls that builds have no use for · directive: what a build script
told cargo · used: files a build script left that were executed or linked."""


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """One thing that a unit did. Strings are normal forms (`sandbox.behaviour.normalise`), never raw text.

    `kind` is its class, `act` how, `object` to what, `owner` whose the object is, `chain` the programs from the unit's
    first process to the one that acted (exec only), `detail` what else tells facts apart, in order of name.
    The rest is evidence and no part of equality, since it differs between equal builds: `seqs` the first events (they
    lead to the raw text), `count` how often, `digest` `sha256:…` of the file that ran or was linked, `absent` if the
    record lacks it (a program of an image), empty where none is asked for.
    """

    kind: Class
    act: str
    object: str
    owner: str = ""
    chain: tuple[str, ...] = ()
    detail: tuple[tuple[str, str], ...] = ()
    seqs: tuple[int, ...] = field(default=(), compare=False)
    count: int = field(default=1, compare=False)
    digest: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which unit, in any run: no number, hash or path of one run is part of it."""

    package: str
    version: str
    role: str
    crate: str = ""
    crate_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one unit did. `cut` names the classes whose set may lack something: there, a fact that is missing was "not
    seen" and not "not done". `macros` are the proc macros that it loaded. Evidence, no part of equality: `unit` its
    name in the run, `own_reads` acts on its own sources, `quiet` acts that the guard counted and did not list;
    `features` and `target` of a compile (`behaviour.compiled`)."""

    key: Key
    normaliser: int
    facts: tuple[Fact, ...]
    macros: tuple[str, ...] = ()
    cut: tuple[Class, ...] = ()
    unit: str = field(default="", compare=False)
    own_reads: int = field(default=0, compare=False)
    quiet: int = field(default=0, compare=False)
    features: tuple[str, ...] = field(default=(), compare=False)
    target: str = field(default="", compare=False)

    def of(self, kind: Class) -> tuple[Fact, ...]:
        """The facts of one class."""
        return tuple(fact for fact in self.facts if fact.kind == kind)


@dataclass(frozen=True, slots=True)
class Profile:
    """A run's behaviours, in order of key. `holes`: in words, why the record it was made from is not whole."""

    run: str
    normaliser: int
    behaviours: tuple[Behaviour, ...]
    holes: tuple[str, ...] = ()
