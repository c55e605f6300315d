"""What a comparison of two lock files came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sandbox.judge.model import Severity

Danger = Literal["smuggled", "swapped", "new-code", "gained-code", "changed-code", "new", "updated", "removed"]

UNKNOWN = "unknown"
"""What a package runs at build time when its files aren't here. That is not "nothing"."""


@dataclass(frozen=True, slots=True)
class Group:
    """How a kind of change is called, and how grave it is. In order: the gravest first."""

    danger: Danger
    title: str
    severity: Severity


GROUPS: tuple[Group, ...] = (
    Group("smuggled", "New build-time code, brought by an update that changed little else", "high"),
    Group("swapped", "The same version with another checksum", "critical"),
    Group("new-code", "New, and runs code at build time, or can't be told", "medium"),
    Group("gained-code", "Has come to run code at build time", "medium"),
    Group("changed-code", "Its build-time code changed, or can't be told", "medium"),
    Group("new", "New, runs nothing at build time", "low"),
    Group("updated", "Updated, its build-time code is the same or it has none", "low"),
    Group("removed", "No longer in the graph", "low"),
)
"""`smuggled` was the attack on arrayref. It stands first, for it is the one that reading a diff does not show."""


def severity_of(danger: Danger) -> Severity:
    """How grave a kind of change is by itself."""
    return next(group.severity for group in GROUPS if group.danger == danger)


@dataclass(frozen=True, slots=True)
class Change:
    """One package that differs.

    `before` and `after` are its versions, empty where there is none. `runs`: what it runs at build time (`a build
    script`, `a proc macro`), empty for nothing, `UNKNOWN` where that can't be told. `lines`: how many lines of code the
    update changed, None where that is not known. `gained`: packages that it needs and that were not in the graph. `by`:
    who needs it. `why`: sentences for people. `script` is a unified diff of build-time code, `behaviour` what the
    baselines say that it does differently (`+`, `-`).
    """

    danger: Danger
    name: str
    before: str
    after: str
    severity: Severity
    runs: str = ""
    source: str = ""
    lines: int | None = None
    gained: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    behaviour: tuple[str, ...] = ()

    @property
    def versions(self) -> str:
        """`1.0.0 -> 1.0.1`, or the only one."""
        return f"{self.before} -> {self.after}" if self.before and self.after else self.before or self.after


@dataclass(frozen=True, slots=True)
class LockDiff:
    """All changes, the gravest first. `notes`: what could not be looked at."""

    old: str
    new: str
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    @property
    def runs_code(self) -> tuple[Change, ...]:
        """What runs code at build time, or may, and did not so before."""
        return tuple(
            one for one in self.changes if one.danger in ("smuggled", "new-code", "gained-code", "changed-code")
        )

    def of(self, danger: Danger) -> tuple[Change, ...]:
        """The changes of one kind, in order."""
        return tuple(one for one in self.changes if one.danger == danger)
